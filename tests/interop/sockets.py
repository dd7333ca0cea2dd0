"""
Sockets of the kernel's, driven from here, and python3's http.server: resets, half-closes, urgent data,
closed windows, keep-alive, lost segments, simultaneous close, TIME-WAIT and the reuse of ports.
"""
import errno
import fcntl
import os
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import peers
from peers import PYTHON, STATES, digest, digest_of_file, kernel_counters, receive_all, url

ABORT = struct.pack("ii", 1, 0)  # struct linger: close() sends RST


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
    sock.close()


def unacknowledged(sock):
    """Bytes that the kernel still keeps for us (tcp(7), SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4))[0]


def answer(body, length=None):
    length = len(body) if length is None else length
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (length, body)


def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(65536)
    return head


@peers.on_every_device
class Resets(peers.Case):
    def test_kernels_reset_ends_our_connection(self):
        listener = self.nc_listen()
        sock = self.connect(7000)
        sock.sendall(b"x")
        self.assertEqual(listener.stdout.read(1), b"x")
        abort(sock)
        self.assertEqual(listener.wait(timeout=20), 1)
        self.assertIn(b"reset", listener.stderr.read())

    def test_kernels_reset_while_we_send_ends_our_connection(self):
        self.make_file("file", 8 << 20)
        server = self.serve()
        for _ in range(20):
            sock = self.connect(8080)
            sock.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.recv(100000)
            abort(sock)
        done = self.run_program("curl", "-sS", "-o", self.path("got"), url(self.ours, 8080, "/file"))
        self.assert_succeeds(done)
        self.assertEqual(digest_of_file(self.path("got")), digest_of_file(self.path("file")))
        self.assertEqual(self.stop(server), 0)

    def test_our_reset_ends_the_kernels_connection(self):
        listener = self.nc_listen()
        sock = self.connect(7000)
        sock.sendall(b"x")
        self.assertEqual(listener.stdout.read(1), b"x")
        self.assertEqual(self.stop(listener, signal.SIGINT), 1)
        self.assertRaises(ConnectionResetError, sock.recv, 1)

    def test_connection_to_a_closed_port_is_refused(self):
        self.nc_listen()
        self.assertRaises(ConnectionRefusedError, self.connect, 7001)

    def test_fetch_from_a_closed_port_is_refused(self):
        self.assert_fails(self.estab("fetch", url(self.kernel, 9)), 7, "refused")
        self.assertGreaterEqual(kernel_counters()["OutRsts"], 1)

    def test_fetch_that_is_reset_says_so(self):
        listener = self.listen(8000)
        client = self.start_estab("fetch", "-o", self.path("got"), url(self.kernel, 8000, "/x"))
        sock = self.accept(listener)
        read_head(sock)
        sock.sendall(answer(b"12345", 10))
        time.sleep(0.1)
        abort(sock)
        self.assertEqual(client.wait(timeout=20), 56)
        self.assertIn(b"reset", client.stderr.read())

    def test_restarted_peer_is_found_out(self):
        listener = self.nc_listen()
        sock = self.connect(7000)
        sock.sendall(b"x")
        self.assertEqual(listener.stdout.read(1), b"x")
        self.stop(listener, signal.SIGKILL)
        self.nc_listen()
        sock.sendall(b"y")
        self.assertRaises(ConnectionResetError, sock.recv, 1)


@peers.on_every_device
class Closing(peers.Case):
    def exchange(self, sock, listener, up, down):
        """Sends and receives on both ends at once."""
        senders = [threading.Thread(target=lambda: (sock.sendall(up), sock.shutdown(socket.SHUT_WR))),
                   threading.Thread(target=lambda: (listener.stdin.write(down), listener.stdin.close()))]
        for sender in senders:
            sender.start()
        got = receive_all(sock)
        for sender in senders:
            sender.join()
        self.assertEqual(digest(got), digest(down))
        self.assertEqual(listener.wait(timeout=20), 0)
        self.assertEqual(digest_of_file(self.path("up")), digest(up))

    def test_both_send_and_close(self):
        with open(self.path("up"), "wb") as output:
            listener = self.nc_listen("-N", stdout=output)
            self.exchange(self.connect(7000), listener, os.urandom(3000001), os.urandom(3000002))

    def test_the_kernel_closes_first(self):
        listener = self.nc_listen("-N")
        sock = self.connect(7000)
        sock.shutdown(socket.SHUT_WR)
        self.wait_for_state("FIN-WAIT-2", remote=7000)
        listener.stdin.write(b"late")
        listener.stdin.close()
        self.assertEqual(receive_all(sock), b"late")
        self.assertEqual(listener.wait(timeout=20), 0)
        self.wait_for_state("TIME-WAIT", remote=7000)

    def test_we_close_first(self):
        listener = self.nc_listen("-N")
        sock = self.connect(7000)
        listener.stdin.close()
        self.assertEqual(sock.recv(1), b"")
        self.wait_for_state("CLOSE-WAIT", remote=7000)
        sock.sendall(b"late")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(listener.stdout.read(), b"late")
        self.assertEqual(listener.wait(timeout=20), 0)
        self.wait_for_end()

    def wait_for_end(self):
        """Until the kernel has forgotten all connections."""
        self.eventually(lambda: all(row[2] == STATES["LISTEN"] for row in peers.kernel_states()), "the end")

    def test_closes_that_cross_end_both(self):
        listener = self.nc_listen("-N")
        sock = self.connect(7000)
        self.take_route_away()
        sock.shutdown(socket.SHUT_WR)
        self.wait_for_state("FIN-WAIT-1", remote=7000)
        listener.stdin.close()
        self.wait_for_state("CLOSING", remote=7000)
        self.assertIsNone(listener.poll())
        self.give_route_back()
        self.assertEqual(sock.recv(1), b"")
        self.assertEqual(listener.wait(timeout=20), 0)
        self.wait_for_state("TIME-WAIT", remote=7000)

    def test_lost_segments_are_sent_again(self):
        up = os.urandom(200000)
        with open(self.path("up"), "wb") as output:
            listener = self.nc_listen("-N", stdout=output)
            sock = self.connect(7000)
            self.take_route_away()
            sender = threading.Thread(target=lambda: (sock.sendall(up), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            listener.stdin.write(b"z" * 50000)
            listener.stdin.close()
            time.sleep(0.3)
            self.give_route_back()
            self.assertEqual(receive_all(sock), b"z" * 50000)
            sender.join()
            self.assertEqual(listener.wait(timeout=20), 0)
        self.assertEqual(digest_of_file(self.path("up")), digest(up))

    def test_time_wait_of_ours_takes_a_new_connection_of_the_same_ports(self):
        self.make_file("file", 1000)
        self.serve("--msl", "20")
        for _ in range(5):
            sock = self.connect(8080, source=4711)
            sock.sendall(b"GET /file HTTP/1.0\r\n\r\n")
            self.assertEqual(len(receive_all(sock).split(b"\r\n\r\n", 1)[1]), 1000)
            sock.close()
            self.wait_for_end()

    def test_time_wait_of_the_kernels_takes_a_new_connection_of_the_same_ports(self):
        listener = self.listen(8000)
        for _ in range(3):
            client = self.start_estab("nc", "-v", "-p", "4711", self.kernel, "8000")
            sock = self.accept(listener)
            sock.close()
            self.assertEqual(client.wait(timeout=20), 0, client.stderr.read())

    def test_port_is_free_again_after_a_restart(self):
        for _ in range(3):
            self.make_file("file", 1000)
            server = self.serve()
            self.assert_succeeds(self.run_program("curl", "-sS", url(self.ours, 8080, "/file")))
            self.assertEqual(self.stop(server), 0)


@peers.on_every_device
class Windows(peers.Case):
    def test_kernel_that_does_not_read_closes_its_window(self):
        want = self.make_file("file", 4 << 20)
        self.serve()
        sock = self.connect(8080, SO_RCVBUF=8192)
        sock.sendall(b"GET /file HTTP/1.0\r\n\r\n")
        time.sleep(1)  # several probes of ours are answered with no window
        self.assertGreaterEqual(kernel_counters()["TCPToZeroWindowAdv"], 1)
        body = receive_all(sock).split(b"\r\n\r\n", 1)[1]
        self.assertEqual(digest(body), want)

    def test_we_do_not_read_and_the_kernel_waits(self):
        sent = os.urandom(6 << 20)
        listener = self.nc_listen("-N")  # its output is a pipe that we read late
        listener.stdin.close()
        sock = self.connect(7000, SO_SNDBUF=65536)
        sender = threading.Thread(target=lambda: (sock.sendall(sent), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        time.sleep(1)
        self.assertTrue(sender.is_alive())
        self.assertGreaterEqual(kernel_counters()["TCPWinProbe"], 1)
        got = listener.stdout.read()
        sender.join()
        self.assertEqual(digest(got), digest(sent))
        self.assertEqual(listener.wait(timeout=20), 0)

    def test_fetch_into_a_slow_pipe_gets_every_byte(self):
        body = os.urandom(5 << 20)
        listener = self.listen(8000)
        client = self.start_estab("fetch", url(self.kernel, 8000, "/x"))
        sock = self.accept(listener)
        read_head(sock)
        sender = threading.Thread(target=lambda: (sock.sendall(answer(body)), sock.shutdown(socket.SHUT_WR)))
        sender.start()
        time.sleep(0.5)
        self.assertTrue(sender.is_alive())
        self.assertEqual(digest(client.stdout.read()), digest(body))
        sender.join()
        self.assertEqual(client.wait(timeout=20), 0)

    def test_single_bytes_arrive_in_order(self):
        listener = self.nc_listen("-N")
        sock = self.connect(7000)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(3000):
            sock.sendall(bytes([i % 251]))
        sock.shutdown(socket.SHUT_WR)
        listener.stdin.close()
        self.assertEqual(listener.stdout.read(), bytes(i % 251 for i in range(3000)))


@peers.on_every_device
class Urgent(peers.Case):
    def test_urgent_data_is_told_and_stays_in_the_stream(self):
        listener = self.nc_listen()
        sock = self.connect(7000)
        sock.sendall(b"before ")
        sock.send(b"now!", socket.MSG_OOB)
        sock.sendall(b" after")
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(listener.stdout.read(17), b"before now! after")
        listener.stdin.close()
        self.assertEqual(listener.wait(timeout=20), 0)
        self.assertIn(b"urgent data from", listener.stderr.read())


@peers.on_one_device
class KeepAlive(peers.Case):
    def keep_alive(self, sock):
        for name, value in (("TCP_KEEPIDLE", 1), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 2)):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def test_probes_are_answered_and_a_peer_that_is_gone_is_found_out(self):
        listener = self.nc_listen()
        sock = self.connect(7000)
        self.keep_alive(sock)
        self.eventually(lambda: kernel_counters()["TCPKeepAlive"] >= 2, "two probes")
        sock.sendall(b"alive")
        self.assertEqual(listener.stdout.read(5), b"alive")
        self.eventually(lambda: unacknowledged(sock) == 0, "acknowledgment")
        listener.send_signal(signal.SIGSTOP)
        with self.assertRaises(OSError) as raised:
            sock.recv(1)
        self.assertEqual(raised.exception.errno, errno.ETIMEDOUT)


@peers.on_every_device
class HttpServer(peers.Case):
    def serve_by_python(self):
        self.start(PYTHON, "-m", "http.server", "--bind", self.kernel, "--protocol", "HTTP/1.1",
                   "--directory", self.directory, "8000", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        self.wait_for_listener(8000)

    def test_fetch_gets_every_byte(self):
        want = self.make_file("file", 5000003)
        self.serve_by_python()
        self.assert_succeeds(self.estab("fetch", "-o", self.path("got"), url(self.kernel, 8000, "/file")))
        self.assertEqual(digest_of_file(self.path("got")), want)

    def test_requests_share_a_connection(self):
        self.make_file("file", 1000)
        self.serve_by_python()
        target = url(self.kernel, 8000, "/file")
        got = self.assert_succeeds(self.estab("fetch", target, target, target))
        self.assertEqual(len(got), 3000)
        self.assertEqual(kernel_counters()["PassiveOpens"], 1)

    def test_missing_file_is_told(self):
        self.serve_by_python()
        self.assert_fails(self.estab("fetch", url(self.kernel, 8000, "/absent")), 1, "404")

    def test_answer_that_does_not_come_is_a_timeout(self):
        self.listen(8000)
        self.assert_fails(self.estab("fetch", "-m", "0.5", url(self.kernel, 8000, "/x")), 28, "0.5 s")

    def test_address_that_does_not_answer_is_a_timeout(self):
        target = url(peers.NOBODY[self.family], 8000, "/x")
        self.assert_fails(self.estab("fetch", "--connect-timeout", "0.5", target), 28)


if __name__ == "__main__":
    peers.main()
