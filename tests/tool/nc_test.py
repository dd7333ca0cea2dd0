"""`estab nc` over a TUN device against sockets of the kernel."""
import hashlib
import os
import subprocess
import sys
import time

import tool

# The kernel's end: sends a file's bytes, closes its direction, hashes what comes.
# Arguments: connect|listen, address, bytes.
PEER = """
import hashlib, os, socket, sys, threading
family = socket.AF_INET6 if ':' in sys.argv[2] else socket.AF_INET
if sys.argv[1] == 'listen':
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[2], 7000)); listener.listen()
    conn = listener.accept()[0]
else:
    conn = socket.create_connection((sys.argv[2], 7000), 10)
conn.settimeout(30)
data = os.urandom(int(sys.argv[3]))
def send():
    conn.sendall(data); conn.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=send); thread.start()
got = hashlib.sha256()
while True:
    piece = conn.recv(1 << 16)
    if not piece: break
    got.update(piece)
thread.join()
print(hashlib.sha256(data).hexdigest(), got.hexdigest())
"""


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Nc(tool.Case):
    def setUp(self):
        self.network = tool.Network()
        self.network.__enter__()
        self.addCleanup(self.network.__exit__)

    def peer(self, role, address, size):
        process = self.network.start(sys.executable, "-c", PEER, role, address, str(size))
        if role == "listen":
            self.network.wait_for_listener(7000)
        return process

    def start_listening(self, *options, **more):
        process = self.network.start_estab("nc", "-v", "-l", *options, "7000", **more)
        self.assertEqual(process.stderr.readline(), b"estab nc: listening on *:7000\n")
        return process

    def assert_exchanged(self, peer, sent, got):
        output, errors = peer.communicate(timeout=tool.TIMEOUT)
        self.assertEqual(output.decode().split(), [digest(got), digest(sent)], errors)

    def test_both_directions_carry_everything(self):
        sent = os.urandom(8 << 20)
        for address in (self.network.KERNEL4, self.network.KERNEL6):
            peer = self.peer("listen", address, 8 << 20)
            got = self.assert_succeeds(self.network.estab("nc", "-N", address, "7000", data=sent))
            self.assert_exchanged(peer, sent, got)

    def test_listener_carries_everything(self):
        sent = os.urandom(4 << 20)
        process = self.start_listening("-N", stdin=subprocess.PIPE)
        peer = self.peer("connect", self.network.OURS4, 4 << 20)
        got, errors = process.communicate(sent, timeout=tool.TIMEOUT)
        self.assertEqual(process.returncode, 0, errors)
        self.assert_exchanged(peer, sent, got)
        self.assertIn(b"connection from 10.9.0.1:", errors)

    def test_input_that_comes_after_the_peers_close_still_goes_out(self):
        process = self.start_listening(stdin=subprocess.PIPE)
        peer = self.peer("connect", self.network.OURS4, 10)
        time.sleep(0.5)  # the peer's FIN is here
        got, _ = process.communicate(b"late", timeout=tool.TIMEOUT)
        self.assert_exchanged(peer, b"late", got)

    def test_keep_listening_takes_one_after_the_other(self):
        process = self.start_listening("-k")
        for _ in range(3):
            peer = self.peer("connect", self.network.OURS4, 100)
            peer.communicate(timeout=tool.TIMEOUT)
        code, output, _ = tool.stop(process)
        self.assertEqual((code, len(output)), (0, 300))

    def test_refused_connection_is_named(self):
        self.assert_fails(self.network.estab("nc", self.network.KERNEL4, "7000"), 1, "10.9.0.1:7000",
                          "refused")

    def test_source_address_and_port_are_ours(self):
        program = "import socket\ns=socket.create_server(('10.9.0.1',7000))\nprint(s.accept()[1])"
        listener = self.network.start(sys.executable, "-c", program)
        self.network.wait_for_listener(7000)
        self.assert_succeeds(self.network.estab("nc", "-N", "-s", "10.9.0.2", "-p", "4711", "10.9.0.1",
                                                "7000"))
        self.assertEqual(listener.communicate(timeout=tool.TIMEOUT)[0], b"('10.9.0.2', 4711)\n")
        self.assert_fails(self.network.estab("nc", "-s", "10.1.1.1", "10.9.0.1", "7000"), 1, "10.1.1.1")

    def test_closed_output_ends_it(self):
        self.peer("listen", self.network.KERNEL4, 1 << 20)
        reader, writer = os.pipe()
        os.close(reader)
        result = self.network.estab("nc", self.network.KERNEL4, "7000", stdout=writer)
        os.close(writer)
        self.assertEqual((result.returncode, result.stderr), (1, b"estab nc: standard output: Broken pipe\n"))

    def test_full_output_holds_up_only_its_own_direction(self):
        sent = os.urandom(1 << 20)
        peer = self.peer("listen", self.network.KERNEL4, 4 << 20)
        process = self.network.start_estab("nc", "-N", self.network.KERNEL4, "7000", stdin=subprocess.PIPE)
        process.stdin.write(sent)  # all is taken although nobody reads what nc writes
        process.stdin.close()
        time.sleep(0.3)
        got = process.stdout.read()
        self.assertEqual(process.wait(timeout=tool.TIMEOUT), 0)
        self.assert_exchanged(peer, sent, got)

    def test_interrupt_resets_and_ends(self):
        peer = self.peer("listen", self.network.KERNEL4, 0)
        process = self.network.start_estab("nc", "-v", self.network.KERNEL4, "7000", stdin=subprocess.PIPE)
        self.assertEqual(process.stderr.readline(), b"estab nc: connected to 10.9.0.1:7000\n")
        self.assertEqual(tool.stop(process)[0], 1)
        self.assertIn(b"ConnectionResetError", peer.communicate(timeout=tool.TIMEOUT)[1])


if __name__ == "__main__":
    tool.main(network=True)
