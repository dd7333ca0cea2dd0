"""
10,000 connections opened and closed against the kernel, by its side and by ours, one byte each, many at
once: none is lost, none is reset, and when the last TIME-WAIT is over the stack's budget is used for what
it was used for before. Then 10,000 requests on connections of their own to `estab serve`, whose process
must not grow.
"""
import json
import os
import socket
import threading
import time

import peers

PROGRAM = os.path.join(peers.BUILD, "tests", "interop_many")
COUNT = 10000
WORKERS = 32


class Workers:
    """Threads that work on numbers 0 .. count - 1 until all are done; the first failure is kept."""

    def __init__(self, count, work):
        self.numbers = iter(range(count))
        self.lock = threading.Lock()
        self.failure = None
        self.work = work
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(WORKERS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while self.failure is None:
            with self.lock:
                number = next(self.numbers, None)
            if number is None:
                return
            try:
                self.work(number)
            except Exception as failure:
                self.failure = failure

    def join(self):
        for thread in self.threads:
            thread.join()
        if self.failure is not None:
            raise self.failure


@peers.on_one_device
class Many(peers.Case):
    limit = 140

    def setUp(self):
        super().setUp()
        peers.write_setting("core/somaxconn", 4096)

    def start_many(self, *arguments):
        addresses = "%s/24,%s/64" % (peers.OURS[4], peers.OURS[6])
        process = self.start(PROGRAM, arguments[0], "tun:estab0", addresses, *map(str, arguments[1:]))
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def assert_nothing_lost(self, process):
        output, errors = process.communicate(timeout=self.limit)
        result = json.loads(output)
        self.assertEqual((process.returncode, errors), (0, b""), result)
        self.assertEqual((result["ended"], result["established"]), (COUNT, COUNT), result)
        for name in ("failed", "wrong", "resets_in", "resets_out", "no_memory"):
            self.assertEqual(result[name], 0, result)
        self.assertGreaterEqual(result["time_waits"], COUNT // 2 - 128, result)
        self.assertEqual(result["after"], result["before"])
        self.assertEqual(result["check"], "ok")

    def address(self):
        return ("[%s]:7000" if self.family == 6 else "%s:7000") % self.kernel

    def test_the_kernel_opens(self):
        process = self.start_many("listen", 7000, COUNT)
        family = socket.AF_INET if self.family == 4 else socket.AF_INET6

        def open_one(number):
            with socket.socket(family) as sock:
                sock.settimeout(20)
                sock.connect((self.ours, 7000))
                octet = bytes([number & 0xff])
                sock.sendall(octet)
                if sock.recv(1) != octet:
                    raise AssertionError("connection %d: not the octet that was sent" % number)
                if number & 1 and sock.recv(1) != b"":
                    raise AssertionError("connection %d: more than was sent" % number)

        Workers(COUNT, open_one).join()
        self.assert_nothing_lost(process)

    def test_we_open(self):
        listener = self.listen(7000)
        listener.listen(4096)

        def serve_one(number):
            sock = listener.accept()[0]
            with sock:
                sock.settimeout(20)
                octet = sock.recv(1)
                sock.sendall(octet)
                if not octet[0] & 1 and sock.recv(1) != b"":
                    raise AssertionError("more than an octet")

        workers = Workers(COUNT, serve_one)
        process = self.start_many("connect", self.address(), COUNT, 100)
        self.assert_nothing_lost(process)
        workers.join()

    def resident(self, process):
        with open("/proc/%d/smaps_rollup" % process.pid, encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Rss:")) * 1024

    def test_server_does_not_grow(self):
        body = os.urandom(10)
        with open(self.path("file"), "wb") as file:
            file.write(body)
        server = self.serve("--msl", "0.1")
        family = socket.AF_INET if self.family == 4 else socket.AF_INET6

        def get(number):
            with socket.socket(family) as sock:
                sock.settimeout(20)
                sock.connect((self.ours, 8080))
                sock.sendall(b"GET /file HTTP/1.%d\r\nHost: x\r\n\r\n" % (number & 1))
                got = sock.recv(65536)
                while not got.endswith(body):
                    piece = sock.recv(65536)
                    if not piece:
                        raise AssertionError("connection %d: %r" % (number, got))
                    got += piece

        Workers(COUNT // 2, get).join()
        time.sleep(0.5)
        before = self.resident(server)
        Workers(COUNT // 2, get).join()
        time.sleep(0.5)
        self.assertLess(self.resident(server) - before, 1 << 20)
        self.assertEqual(self.stop(server), 0)


if __name__ == "__main__":
    if not os.access(PROGRAM, os.X_OK):
        raise SystemExit("%s is not there: build it, or set ESTAB_BUILD" % PROGRAM)
    peers.main()
