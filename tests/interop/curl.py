"""The kernel's curl against `estab serve`, on TUN and TAP, with offload and without, over IPv4 and IPv6."""
import signal
import time

import peers
from peers import NOBODY, digest, digest_of_file, url

SIZE = 5 * 1000 * 1000 + 7


@peers.on_every_device
class Curl(peers.Case):
    def curl(self, *arguments):
        return self.run_program("curl", "-sS", "--max-time", "40", *arguments)

    def test_get_gives_every_byte(self):
        want = self.make_file("file", SIZE)
        self.serve()
        self.assert_succeeds(self.curl("-o", self.path("got"), url(self.ours, 8080, "/file")))
        self.assertEqual(digest_of_file(self.path("got")), want)

    def test_head_names_the_length(self):
        self.make_file("file", SIZE)
        self.serve()
        head = self.assert_succeeds(self.curl("-I", url(self.ours, 8080, "/file")))
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"), head)
        self.assertIn(b"\r\nContent-Length: %d\r\n" % SIZE, head)

    def test_ranges_are_put_together_to_the_file(self):
        want = self.make_file("file", SIZE)
        self.serve()
        cuts = [0, 1, 1460, 65536, 1 << 20, SIZE]
        got = b""
        for begin, end in zip(cuts, cuts[1:]):
            got += self.assert_succeeds(self.curl("-f", "-r", "%d-%d" % (begin, end - 1),
                                                  url(self.ours, 8080, "/file")))
        self.assertEqual(digest(got), want)

    def test_requests_share_a_connection(self):
        self.make_file("file", 1000)
        self.serve()
        target = url(self.ours, 8080, "/file")
        self.assert_succeeds(self.curl(*["-o", "/dev/null"] * 3, *[target] * 3))
        self.assertEqual(peers.kernel_counters()["ActiveOpens"], 1)

    def test_fifty_in_parallel_get_every_byte(self):
        want = self.make_file("file", 300 * 1000)
        self.serve()
        arguments = []
        for i in range(50):
            arguments += ["-o", self.path("got%d" % i), url(self.ours, 8080, "/file")]
        self.assert_succeeds(self.curl("--parallel", "--parallel-immediate", "--parallel-max", "50",
                                       *arguments))
        self.assertEqual({digest_of_file(self.path("got%d" % i)) for i in range(50)}, {want})

    def test_fifty_programs_at_once_get_every_byte(self):
        want = self.make_file("file", 100 * 1000)
        self.serve()
        running = [self.start("curl", "-sS", "--max-time", "40", url(self.ours, 8080, "/file"))
                   for _ in range(50)]
        for process in running:
            output, errors = process.communicate(timeout=self.limit)
            self.assertEqual((process.returncode, digest(output)), (0, want), errors)

    def test_slow_reader_gets_every_byte(self):
        want = self.make_file("file", 1 << 20)
        self.serve()
        self.assert_succeeds(self.curl("--limit-rate", "5M", "-o", self.path("got"),
                                       url(self.ours, 8080, "/file")))
        self.assertEqual(digest_of_file(self.path("got")), want)

    def test_upload_of_a_refused_method_is_answered(self):
        self.make_file("file", 100000)
        self.serve()
        done = self.curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "@" + self.path("file"),
                         url(self.ours, 8080, "/file"))
        self.assertEqual(done.stdout, b"405", done.stderr)

    def test_port_where_nobody_listens_is_refused(self):
        self.make_file("file", 1000)
        self.serve()
        begin = time.monotonic()
        done = self.curl(url(self.ours, 8081))
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertLess(time.monotonic() - begin, 1)
        self.assertGreaterEqual(peers.kernel_counters()["AttemptFails"], 1)

    def test_answer_that_does_not_come_is_a_timeout(self):
        listener = self.nc_listen()
        self.assertEqual(self.curl("-m", "0.3", url(self.ours, 7000)).returncode, 28)
        self.assertTrue(listener.stdout.read(14).startswith(b"GET / HTTP/1.1"))
        self.stop(listener)

    def test_address_that_does_not_answer_is_a_failed_connection(self):
        self.serve()
        done = self.curl("--connect-timeout", "0.3", url(NOBODY[self.family], 8080))
        self.assertIn(done.returncode, (7, 28), done.stderr)

    def test_reset_is_told(self):
        listener = self.nc_listen()
        client = self.start("curl", "-sS", "-m", "20", url(self.ours, 7000))
        self.assertTrue(listener.stdout.read(14).startswith(b"GET / HTTP/1.1"))
        self.assertEqual(self.stop(listener, signal.SIGINT), 1)
        _, errors = client.communicate(timeout=20)
        self.assertEqual(client.returncode, 56, errors)

    def test_body_cut_short_is_told(self):
        listener = self.nc_listen("-N")
        client = self.start("curl", "-sS", "-m", "20", url(self.ours, 7000))
        listener.communicate(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", timeout=20)
        self.assertEqual(client.wait(timeout=20), 18)


if __name__ == "__main__":
    peers.main("curl")
