"""
tshark as a second opinion on what `-w` wrote: every packet is understood, every checksum is right, each
carries state and reason as its comment, and a clean run has no gap and nothing that we sent twice.
"""
import subprocess

import peers
from peers import digest_of_file, url

SIZE = 3 * 1000 * 1000

PREFERENCES = [option for name in ("ip.check_checksum", "tcp.check_checksum", "tcp.relative_sequence_numbers",
                                   "tcp.analyze_sequence_numbers")
               for option in ("-o", name + ":TRUE")]
CHECKSUMS = ("ip.checksum.status", "icmpv6.checksum.status")
BROKEN = ("_ws.malformed", "_ws.short")
AGAIN = ("tcp.analysis.retransmission", "tcp.analysis.fast_retransmission",
         "tcp.analysis.spurious_retransmission")
GAPS = ("tcp.analysis.out_of_order", "tcp.analysis.lost_segment", "tcp.analysis.ack_lost_segment",
        "tcp.analysis.reused_ports")
SEGMENT = ("tcp.srcport", "tcp.flags.syn", "tcp.flags.ack", "tcp.flags.fin", "tcp.flags.reset", "tcp.seq",
           "tcp.len", "tcp.checksum.status", "frame.comment", "tcp.options.mss_val", "tcp.options.sack_perm",
           "tcp.options.timestamp.tsval", "tcp.options.wscale.shift")
FIELDS = ("frame.number", *CHECKSUMS, *BROKEN, *AGAIN, *GAPS, *SEGMENT)
BAD, GOOD, TRUE = "0", "1", "1"


@peers.on_every_device
class Capture(peers.Case):
    def packets(self):
        """What tshark says about each packet: {field: text, "" = it has no such field}"""
        options = [option for name in FIELDS for option in ("-e", name)]
        done = self.run_program("tshark", "-n", "-r", self.path("capture.pcapng"), *PREFERENCES,
                                "-T", "fields", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(b"cut short", done.stderr)
        return [dict(zip(FIELDS, line.split("\t"))) for line in done.stdout.decode().splitlines()]

    def assert_no_packet(self, packets, names, value=None):
        """None has one of the fields, or none has this value in it."""
        for packet in packets:
            for name in names:
                found = packet[name] != "" if value is None else packet[name] == value
                self.assertFalse(found, (name, packet))

    def assert_clean(self, packets, server):
        """Also that `server`, a port, sent a head and SIZE bytes and both ends closed."""
        segments = [packet for packet in packets if packet["tcp.srcport"]]
        ours = [packet for packet in segments if (packet["tcp.srcport"] == str(server)) == (server == 8080)]
        self.assertTrue(len(segments) > len(ours) > 5)
        self.assert_no_packet(packets, BROKEN)
        self.assert_no_packet(packets, CHECKSUMS, BAD)
        self.assert_no_packet(segments, GAPS)
        self.assert_no_packet(segments, ["frame.comment"], "")
        self.assert_no_packet(segments, ["tcp.flags.reset"], TRUE)
        # A SYN may meet a device that the kernel is still setting up.
        self.assert_no_packet([packet for packet in ours if packet["tcp.flags.syn"] != TRUE], AGAIN)
        # Where we get no processor for some milliseconds the kernel probes for a loss (RFC 8985 7).
        counters = peers.kernel_counters()
        self.assertLessEqual(counters["RetransSegs"], counters["TCPLossProbes"] + counters["TCPSynRetrans"])
        if not self.offload:  # else the kernel completes them, behind the capture
            self.assertEqual({packet["tcp.checksum.status"] for packet in segments}, {GOOD})
        text = max(int(packet["tcp.seq"]) + int(packet["tcp.len"]) for packet in segments
                   if packet["tcp.srcport"] == str(server)) - 1
        self.assertTrue(SIZE < text < SIZE + 1000, text)
        closers = {packet["tcp.srcport"] for packet in segments if packet["tcp.flags.fin"] == TRUE}
        self.assertEqual(len(closers), 2)

    def test_capture_of_a_server_is_clean(self):
        want = self.make_file("file", SIZE)
        server = self.serve("-w", self.path("capture.pcapng"))
        done = self.run_program("curl", "-sS", "-o", self.path("got"), url(self.ours, 8080, "/file"))
        self.assert_succeeds(done)
        self.assertEqual(digest_of_file(self.path("got")), want)
        self.wait_for_state("TIME-WAIT", remote=8080)
        self.assertEqual(self.stop(server), 0)
        self.assert_clean(self.packets(), 8080)

    def test_capture_of_a_client_is_clean(self):
        want = self.make_file("file", SIZE)
        self.start(peers.PYTHON, "-m", "http.server", "--bind", self.kernel, "--directory", self.directory,
                   "8000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_listener(8000)
        self.assert_succeeds(self.estab("fetch", "-w", self.path("capture.pcapng"), "-o", self.path("got"),
                                        url(self.kernel, 8000, "/file")))
        self.assertEqual(digest_of_file(self.path("got")), want)
        self.assert_clean(self.packets(), 8000)

    def test_options_are_those_that_were_meant(self):
        listener = self.nc_listen("-w", self.path("capture.pcapng"))
        self.connect(7000).close()
        listener.stdin.close()
        self.assertEqual(listener.wait(timeout=20), 0)
        answers = [packet for packet in self.packets()
                   if packet["tcp.flags.syn"] == TRUE and packet["tcp.flags.ack"] == TRUE]
        self.assertEqual(len(answers), 1)
        self.assertEqual(answers[0]["tcp.options.mss_val"], "1460" if self.family == 4 else "1440")
        for name in ("tcp.options.sack_perm", "tcp.options.timestamp.tsval", "tcp.options.wscale.shift"):
            self.assertTrue(answers[0][name], name)


if __name__ == "__main__":
    peers.main("tshark", "curl")
