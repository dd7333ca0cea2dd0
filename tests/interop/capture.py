"""
tshark as a second opinion on what `-w` wrote: every packet is understood, every checksum is right, each carries state and
reason as its comment, and a clean run has no segment twice and no gap.
"""
import os
import subprocess

import peers
from peers import digest_of_file, url

SIZE = 3 * 1000 * 1000

CHECKS = [option for name in ("ip.check_checksum", "tcp.check_checksum", "tcp.relative_sequence_numbers",
                              "tcp.analyze_sequence_numbers")
          for option in ("-o", name + ":TRUE")]
BROKEN = "_ws.malformed || _ws.short || tcp.checksum.status == 0 || ip.checksum.status == 0 || icmpv6.checksum.status == 0"
TROUBLE = ("tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.spurious_retransmission || "
           "tcp.analysis.out_of_order || tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || "
           "tcp.analysis.duplicate_ack || tcp.analysis.reused_ports || tcp.analysis.rto_frame")


@peers.on_every_device
class Capture(peers.Case):
    def tshark(self, *arguments):
        """The lines that tshark prints about the capture."""
        done = self.run_program("tshark", "-n", "-r", self.path("capture.pcapng"), *CHECKS, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(b"cut short", done.stderr)
        return done.stdout.decode().splitlines()

    def fields(self, display_filter, *names):
        options = [option for name in names for option in ("-e", name)]
        return [line.split("\t") for line in self.tshark("-T", "fields", *options, "-Y", display_filter)]

    def assert_clean(self):
        self.assertEqual(self.tshark("-Y", BROKEN), [])
        self.assertEqual(self.tshark("-Y", TROUBLE), [])
        self.assertEqual(self.tshark("-Y", "tcp && !frame.comment"), [])
        self.assertEqual(self.tshark("-Y", "tcp.flags.reset == 1"), [])
        good = self.tshark("-Y", "tcp && tcp.checksum.status == 1")
        self.assertEqual(len(good), len(self.tshark("-Y", "tcp")))

    def bytes_from(self, port):
        """The text of all segments from the port."""
        return sum(int(length) for (length,) in self.fields("tcp.srcport == %d" % port, "tcp.len"))

    def test_capture_of_a_server_is_clean(self):
        want = self.make_file("file", SIZE)
        server = self.serve("-w", self.path("capture.pcapng"))
        done = self.run_program("curl", "-sS", "-o", self.path("got"), url(self.ours, 8080, "/file"))
        self.assert_succeeds(done)
        self.assertEqual(digest_of_file(self.path("got")), want)
        self.wait_for_state("TIME-WAIT", remote=8080)
        self.assertEqual(self.stop(server), 0)
        self.assert_clean()
        self.assertTrue(SIZE < self.bytes_from(8080) < SIZE + 1000)
        ends = self.fields("tcp.flags.fin == 1", "tcp.srcport", "frame.comment")
        self.assertEqual(len(ends), 2)

    def test_capture_of_a_client_is_clean(self):
        want = self.make_file("file", SIZE)
        self.start(peers.PYTHON, "-m", "http.server", "--bind", self.kernel, "--directory", self.directory, "8000",
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_listener(8000)
        self.assert_succeeds(self.estab("fetch", "-w", self.path("capture.pcapng"), "-o", self.path("got"),
                                        url(self.kernel, 8000, "/file")))
        self.assertEqual(digest_of_file(self.path("got")), want)
        self.assert_clean()
        self.assertTrue(SIZE < self.bytes_from(8000) < SIZE + 1000)

    def test_options_are_those_that_were_meant(self):
        self.nc_listen("-w", self.path("capture.pcapng"))
        sock = self.connect(7000)
        sock.close()
        self.wait_for_state("FIN-WAIT-2", remote=7000)
        names = ("tcp.options.mss_val", "tcp.options.sack_perm", "tcp.options.timestamp.tsval", "tcp.options.wscale.shift")
        self.eventually(lambda: os.path.getsize(self.path("capture.pcapng")) > 0, "a capture")
        rows = self.fields("tcp.flags.syn == 1 && tcp.flags.ack == 1", *names)
        self.assertEqual(len(rows), 1)
        self.assertEqual(rows[0][0], "1460" if self.family == 4 else "1440")
        self.assertNotIn("", rows[0])


if __name__ == "__main__":
    peers.main("tshark", "curl")
