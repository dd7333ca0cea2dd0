"""`estab serve` and `estab fetch` over a TUN device against the kernel's curl, sockets and servers."""
import filecmp
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import tool

PORT = 8080


def write_random(path, size):
    with open(path, "wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(os.urandom(min(size, 1 << 20)))
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()


class Served(tool.Case):
    """A running `estab serve` and curl."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="estab-tool-")
        cls.root = os.path.join(cls.directory.name, "www")
        os.makedirs(os.path.join(cls.root, "sub", "empty"))
        write_random(os.path.join(cls.root, "big"), 32 << 20)
        write_random(os.path.join(cls.directory.name, "outside"), 100)
        for name, text in (("small.txt", "0123456789"), ("none", ""), ("sub/index.html", "<p>index"),
                           ("sub/a b&<c>.txt", "odd"), ("secret", "no")):
            with open(os.path.join(cls.root, name), "w", encoding="ascii") as file:
                file.write(text)
        os.symlink("../outside", os.path.join(cls.root, "link"))
        os.symlink("/etc", os.path.join(cls.root, "etc"))
        os.mkfifo(os.path.join(cls.root, "fifo"))
        cls.network = tool.Network()
        cls.network.__enter__()
        cls.addClassCleanup(cls.directory.cleanup)
        cls.addClassCleanup(cls.network.__exit__)
        cls.server = cls.network.start_estab("serve", "--json", cls.root)
        assert json.loads(cls.server.stdout.readline())["serve"] == "listening"
        cls.log = threading.Thread(target=cls.server.stdout.read, daemon=True)
        cls.log.start()

    def curl(self, path, *options, host="10.9.0.2", check=True):
        return self.network.command("curl", "-sS", "--max-time", "30", "--path-as-is", *options,
                                    "http://%s:%d%s" % (host, PORT, path), check=check)

    def status(self, path, *options):
        return int(self.curl(path, "-o", "/dev/null", "-w", "%{http_code}", *options).stdout)

    def raw(self, *pieces, finish=True):
        """Bytes sent by a socket of the kernel, and all that comes back."""
        program = ("import socket,sys,time\n"
                   "s=socket.create_connection(('10.9.0.2',%d),10)\n"
                   "for piece in %r:\n    s.sendall(piece); time.sleep(0.05)\n"
                   "%s\n"
                   "while True:\n    d=s.recv(65536)\n    if not d: break\n    sys.stdout.buffer.write(d)\n"
                   % (PORT, pieces, "s.shutdown(1)" if finish else ""))
        return self.network.command(sys.executable, "-c", program).stdout

    def test_get_gives_the_file(self):
        for host in ("10.9.0.2", "[fd09::2]"):
            target = os.path.join(self.directory.name, "got")
            self.curl("/big", "-o", target, host=host)
            self.assertTrue(filecmp.cmp(target, os.path.join(self.root, "big"), shallow=False))

    def test_empty_file_has_length_zero(self):
        self.assertIn(b"\r\nContent-Length: 0\r\n", self.curl("/none", "-i").stdout)

    def test_head_has_length_and_no_body(self):
        head = self.curl("/small.txt", "-I").stdout
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"\r\nContent-Length: 10\r\n", head)
        self.assertIn(b"\r\nContent-Type: text/plain", head)
        self.assertTrue(head.endswith(b"\r\n\r\n"))

    def test_ranges_give_their_part(self):
        for given, want in (("0-3", b"0123"), ("4-", b"456789"), ("-2", b"89"), ("8-100", b"89"),
                            ("-100", b"0123456789")):
            answer = self.curl("/small.txt", "-r", given, "-w", "%{http_code}").stdout
            self.assertEqual(answer, want + b"206", given)
        self.assertEqual(self.status("/small.txt", "-r", "10-"), 416)
        self.assertEqual(self.status("/small.txt", "-H", "Range: bytes=0-1,3-4"), 200)
        self.assertEqual(self.status("/small.txt", "-H", "Range: bytes=3-1"), 200)
        self.assertIn(b"Content-Range: bytes 4-9/10\r\n", self.curl("/small.txt", "-i", "-r", "4-").stdout)

    def test_connection_is_kept(self):
        text = self.curl("/small.txt", "http://10.9.0.2:8080/small.txt", "-v").stderr
        self.assertIn(b"Re-using existing connection", text)
        self.assertEqual(self.raw(b"GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n" * 3).count(b"0123456789"), 3)

    def test_request_in_pieces_is_put_together(self):
        answer = self.raw(b"\r\nGE", b"T /small.txt HT", b"TP/1.1\r\nHost: x\r\n", b"\r", b"\n")
        self.assertTrue(answer.endswith(b"0123456789"), answer)

    def test_old_client_gets_a_closed_connection(self):
        answer = self.raw(b"GET /small.txt HTTP/1.0\r\n\r\n", finish=False)
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertTrue(answer.endswith(b"0123456789"))

    def test_nothing_outside_is_served(self):
        for path in ("/../outside", "/sub/../../outside", "/%2e%2e/outside", "/..%2foutside", "/link",
                     "/etc/passwd", "/./small.txt", "/fifo", "/absent", "/small.txt/",
                     "/small.txt/x", "/" + "a" * 300):
            self.assertEqual(self.status(path), 404, path)

    def test_directories_are_listed_or_have_an_index(self):
        self.assertIn(b'href="./small.txt"', self.curl("/").stdout)
        self.assertEqual(self.curl("/sub/").stdout, b"<p>index")
        self.assertIn(b"\r\nLocation: ./sub/\r\n", self.curl("/sub", "-i").stdout)
        self.assertEqual(self.curl("/sub/a%20b%26%3Cc%3E.txt").stdout, b"odd")

    def test_other_methods_are_refused(self):
        answer = self.curl("/small.txt", "-i", "-X", "DELETE").stdout
        self.assertTrue(answer.startswith(b"HTTP/1.1 405 "))
        self.assertIn(b"\r\nAllow: GET, HEAD\r\n", answer)
        self.assertEqual(self.status("/small.txt", "-d", "x=1"), 405)

    def test_broken_requests_are_answered_and_end_the_connection(self):
        for request, code in ((b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/2.0\r\n\r\n", b"505"),
                              (b"GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                              (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                              (b"GET / HTTP/1.1\r\n\r\n", b"400"),
                              (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400"),
                              (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
                              (b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
                              (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000, b"431")):
            answer = self.raw(request, finish=False)
            self.assertEqual(answer[9:12], code, request[:40])
            self.assertIn(b"\r\nConnection: close\r\n", answer)

    def test_many_connections_at_once(self):
        options = []
        for i in range(100):
            options += ["-o", "/dev/null", "http://10.9.0.2:%d/small.txt?%d" % (PORT, i)]
        self.curl("/small.txt", "-o", "/dev/null", "--parallel", "--parallel-max", "100",
                  "--parallel-immediate", *options)

    def test_slow_reader_gets_everything(self):
        target = os.path.join(self.directory.name, "slow")
        self.curl("/big", "-o", target, "-r", "0-3000000", "--limit-rate", "2M")
        self.assertEqual(os.path.getsize(target), 3000001)


class ServeEnds(tool.Case):
    def setUp(self):
        self.network = tool.Network()
        self.network.__enter__()
        self.addCleanup(self.network.__exit__)

    def test_interrupt_ends_it_cleanly(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            server = self.network.start_estab("serve", "/etc")
            self.assertEqual(server.stdout.readline(), b"listening on *:8080\n")
            code, _, errors = tool.stop(server, number)
            self.assertEqual((code, errors), (0, b""))

    def test_device_in_use_is_named(self):
        server = self.network.start_estab("serve", "/etc")
        server.stdout.readline()
        self.assert_fails(self.network.estab("serve", "/etc"), 1, "estab0")

    def test_bind_to_a_foreign_address_is_named(self):
        self.assert_fails(self.network.estab("serve", "--bind", "10.1.1.1", "/etc"), 1, "10.1.1.1:8080")

    def test_idle_connection_is_ended(self):
        server = self.network.start_estab("serve", "--idle", "0.3", "/etc")
        server.stdout.readline()
        program = ("import socket,time\ns=socket.create_connection(('10.9.0.2',8080),5)\nt=time.monotonic()\n"
                   "try:\n    s.recv(1)\nexcept ConnectionResetError:\n    pass\nprint(time.monotonic()-t)\n")
        waited = float(self.network.command(sys.executable, "-c", program).stdout)
        self.assertTrue(0.2 < waited < 3, waited)

    def test_capture_opens(self):
        with tempfile.TemporaryDirectory(prefix="estab-tool-") as directory:
            path = os.path.join(directory, "x.pcapng")
            server = self.network.start_estab("serve", "-w", path, "/etc")
            server.stdout.readline()
            self.network.command("curl", "-sS", "-o", "/dev/null", "http://10.9.0.2:8080/hostname",
                                 check=False)
            tool.stop(server)
            with open(path, "rb") as file:
                self.assertEqual(file.read(4), b"\x0a\x0d\x0d\x0a")


# A server on the kernel's side that answers with what its argument says, one connection after the other.
ANSWERS = """
import socket, sys, time
listener = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], 8000))
listener.listen()
while True:
    conn, _ = listener.accept()
    data = b''
    while b'\\r\\n\\r\\n' not in data:
        more = conn.recv(65536)
        if not more: break
        data += more
    for piece in eval(sys.argv[2]):
        if piece is None: time.sleep(60)
        elif piece == 'reset':
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\\1\\0\\0\\0\\0\\0\\0\\0')
        else: conn.sendall(piece); time.sleep(0.02)
    conn.close()
"""


class Fetch(tool.Case):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="estab-tool-")
        self.addCleanup(self.directory.cleanup)
        self.network = tool.Network()
        self.network.__enter__()
        self.addCleanup(self.network.__exit__)
        self.target = os.path.join(self.directory.name, "target")

    def serve_files(self):
        self.network.start(sys.executable, "-m", "http.server", "--bind", "::", "--protocol", "HTTP/1.1",
                           "8000", cwd=self.directory.name, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        self.network.wait_for_listener(8000)

    def answer_with(self, *pieces, address="10.9.0.1"):
        self.network.start(sys.executable, "-c", ANSWERS, address, repr(list(pieces)))
        self.network.wait_for_listener(8000)

    def fetch(self, *options, url="http://10.9.0.1:8000/x", **more):
        return self.network.estab("fetch", *options, url, **more)

    def assert_nothing_left(self):
        self.assertEqual([name for name in os.listdir(self.directory.name) if name.startswith("target")], [])

    def test_file_is_fetched_over_both_families(self):
        source = write_random(os.path.join(self.directory.name, "x"), 32 << 20)
        self.serve_files()
        for address in ("10.9.0.1", "[fd09::1]"):
            result = self.fetch("-o", self.target, "--json", url="http://%s:8000/x" % address)
            record = tool.records(self.assert_succeeds(result))[0]
            self.assertEqual((record["status"], record["bytes"]), (200, 32 << 20))
            self.assertEqual(digest(self.target), digest(source))
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(os.stat(self.target).st_mode & 0o777, 0o666 & ~mask)

    def test_body_goes_to_standard_output(self):
        source = write_random(os.path.join(self.directory.name, "x"), 3 << 20)
        self.serve_files()
        with open(source, "rb") as file:
            self.assertEqual(self.assert_succeeds(self.fetch()), file.read())

    def test_several_urls_share_a_connection(self):
        for name in ("a", "b"):
            with open(os.path.join(self.directory.name, name), "w", encoding="ascii") as file:
                file.write(name * 5)
        self.serve_files()
        capture = os.path.join(self.directory.name, "x.pcapng")
        result = self.fetch("-w", capture, "http://10.9.0.1:8000/a", url="http://10.9.0.1:8000/b")
        self.assertEqual(self.assert_succeeds(result), b"aaaaabbbbb")
        with open(capture, "rb") as file:
            self.assertEqual(file.read().count(b"GET /"), 2)

    def test_head_is_printed(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        self.answer_with(head)
        self.assertEqual(self.assert_succeeds(self.fetch("-I")), head)

    def test_chunked_body_is_put_together(self):
        self.answer_with(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                         b"lo\r\n6;x=y\r\n worl", b"d\r\n0\r\nTrailer: x\r\n", b"\r\n")
        self.assertEqual(self.assert_succeeds(self.fetch()), b"hello world")

    def test_body_until_close_is_complete(self):
        self.answer_with(b"HTTP/1.0 200 OK\r\n\r\nto the", b" end")
        self.assertEqual(self.assert_succeeds(self.fetch("-o", self.target)), b"")
        with open(self.target, "rb") as file:
            self.assertEqual(file.read(), b"to the end")

    def test_interim_response_is_skipped(self):
        self.answer_with(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
                         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.assertEqual(self.assert_succeeds(self.fetch()), b"ok")

    def test_refused_is_7(self):
        self.assert_fails(self.fetch("-o", self.target), 7, "10.9.0.1:8000", "connection refused")
        self.assert_nothing_left()

    def test_no_answer_is_28(self):
        result = self.fetch("-o", self.target, "--connect-timeout", "1", url="http://10.9.0.77:8000/")
        self.assert_fails(result, 28, "10.9.0.77:8000")
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", None)
        self.assert_fails(self.fetch("-o", self.target, "-m", "1"), 28, "http://10.9.0.1:8000/x")
        self.assert_nothing_left()

    def test_body_cut_short_is_56_and_leaves_nothing(self):
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n12345")
        self.assert_fails(self.fetch("-o", self.target), 56, "5 of 50 bytes")
        self.assert_nothing_left()

    def test_reset_is_56_and_keeps_the_old_file(self):
        with open(self.target, "w", encoding="ascii") as file:
            file.write("old")
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n12345", "reset")
        self.assert_fails(self.fetch("-o", self.target), 56, "reset")
        with open(self.target, encoding="ascii") as file:
            self.assertEqual(file.read(), "old")

    def test_reset_is_not_the_end_of_a_body_until_close(self):
        self.answer_with(b"HTTP/1.0 200 OK\r\n\r\n12345", "reset")
        self.assert_fails(self.fetch("-o", self.target), 56, "reset")
        self.assert_nothing_left()

    def test_broken_answers_are_56(self):
        for pieces in ([b"220 smtp ready\r\n\r\n"], [b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"],
                       [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
                       [b"HTTP/1.1 200 OK\r\nX: " + b"a" * 9000], [b"HTTP/1.1 200 OK\r\n"]):
            self.answer_with(*pieces)
            self.assert_fails(self.fetch("-o", self.target), 56, "http://10.9.0.1:8000/x")
            self.assert_nothing_left()
            self.network.started[-1].kill()
            self.network.started[-1].wait()

    def test_status_that_is_no_success_is_1(self):
        self.answer_with(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        self.assert_fails(self.fetch("-o", self.target), 1, "404 Not Found")
        self.assert_nothing_left()

    def test_full_disk_is_1(self):
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345")
        self.assert_fails(self.fetch("-o", "/dev/full"), 1, "/dev/full: No space left on device")

    def test_interrupt_is_1_and_leaves_nothing(self):
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n12345", None)
        process = self.network.start_estab("fetch", "-o", self.target, "http://10.9.0.1:8000/x")
        time.sleep(1)
        code, _, errors = tool.stop(process)
        self.assertEqual((code, errors), (1, b"estab fetch: interrupted\n"))
        self.assert_nothing_left()

    def test_progress_is_drawn_on_a_terminal_only(self):
        self.answer_with(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x" * 1000)
        self.assertEqual(self.fetch("-o", self.target).stderr, b"")
        leader, follower = os.openpty()
        process = self.network.start_estab("fetch", "-o", self.target, "http://10.9.0.1:8000/x",
                                           stderr=follower)
        self.assertEqual(process.wait(timeout=20), 0)
        os.close(follower)
        text = os.read(leader, 65536).decode()
        os.close(leader)
        self.assertRegex(text, r"\[#{30}\] 100 %  1000 B  [\d.]+ [kMG]?bit/s\r\n$")


if __name__ == "__main__":
    tool.main(network=True)
