"""
The kernel's nc (OpenBSD's) and ours at the two ends of a connection: half-closes, -l, -N, -k. What they
receive goes to files, so that nobody waits for a pipe that nobody reads.
"""
import os
import subprocess
import time

import peers
from peers import digest, digest_of_file

SIZE = 2 * 1000 * 1000 + 3


@peers.on_every_device
class Netcat(peers.Case):
    def source(self, data):
        """Standard input of these bytes."""
        with open(self.path("input"), "wb") as file:
            file.write(data)
        return self.open("input", "rb")

    def sink(self, name):
        return self.open(name, "wb")

    def open(self, name, mode):
        file = open(self.path(name), mode)
        self.addCleanup(file.close)
        return file

    def kernel_nc(self, *arguments, **options):
        return self.start("nc", "-n", *arguments, **options)

    def finish(self, process, data=None):
        """Lets a program end by itself."""
        _, errors = process.communicate(data, timeout=self.limit)
        self.assertEqual(process.returncode, 0, errors)

    def wait_for_size(self, name, size):
        self.eventually(lambda: os.path.getsize(self.path(name)) == size, "%d bytes" % size)

    def assert_received(self, name, sent):
        path = self.path(name)
        self.assertEqual((os.path.getsize(path), digest_of_file(path)), (len(sent), digest(sent)))

    def test_kernel_connects_and_both_send(self):
        up, down = os.urandom(SIZE), os.urandom(SIZE)
        listener = self.nc_listen("-N", stdout=self.sink("up"))
        client = self.kernel_nc("-N", self.ours, "7000", stdin=self.source(up), stdout=self.sink("down"))
        self.finish(listener, down)
        self.finish(client)
        self.assert_received("up", up)
        self.assert_received("down", down)

    def test_we_connect_and_both_send(self):
        up, down = os.urandom(SIZE), os.urandom(SIZE)
        listener = self.kernel_nc("-N", "-l", self.kernel, "7000", stdin=self.source(down),
                                  stdout=self.sink("up"))
        self.wait_for_listener(7000)
        client = self.start_estab("nc", "-N", self.kernel, "7000", stdin=subprocess.PIPE,
                                  stdout=self.sink("down"))
        self.eventually(lambda: os.path.getsize(self.path("down")) == SIZE, "all from the kernel")
        self.finish(client, up)
        self.finish(listener)
        self.assert_received("up", up)
        self.assert_received("down", down)

    def test_we_answer_long_after_the_kernel_closed(self):
        up, down = os.urandom(SIZE), os.urandom(SIZE)
        listener = self.nc_listen("-N", stdout=self.sink("up"))
        client = self.kernel_nc("-N", self.ours, "7000", stdin=self.source(up), stdout=self.sink("down"))
        self.wait_for_size("up", SIZE)
        self.wait_for_state("FIN-WAIT-2", remote=7000)
        self.finish(listener, down)
        self.finish(client)
        self.assert_received("up", up)
        self.assert_received("down", down)
        self.wait_for_state("TIME-WAIT", remote=7000)

    def test_the_kernel_answers_long_after_we_closed(self):
        up, down = os.urandom(SIZE), os.urandom(SIZE)
        listener = self.nc_listen("-N", stdin=self.source(down), stdout=self.sink("up"))
        client = self.kernel_nc("-N", self.ours, "7000", stdin=subprocess.PIPE, stdout=self.sink("down"))
        self.wait_for_size("down", SIZE)
        self.wait_for_state("CLOSE-WAIT", remote=7000)
        self.finish(client, up)
        self.finish(listener)
        self.assert_received("up", up)
        self.assert_received("down", down)

    def test_kept_listener_takes_one_after_the_other(self):
        listener = self.nc_listen("-k", stdout=self.sink("up"))
        sent = b""
        for i in range(5):
            piece = os.urandom(100000 + i)
            self.finish(self.kernel_nc("-N", self.ours, "7000", stdin=self.source(piece)))
            sent += piece
            self.wait_for_size("up", len(sent))
        self.assert_received("up", sent)
        self.assertEqual(self.stop(listener), 0)

    def test_our_connections_reach_a_kept_listener_of_the_kernels(self):
        self.kernel_nc("-k", "-l", self.kernel, "7000", stdout=self.sink("up"))
        self.wait_for_listener(7000)
        sent = b""
        for i in range(5):
            piece = os.urandom(100000 + i)
            self.finish(self.start_estab("nc", "-N", self.kernel, "7000", stdin=self.source(piece)))
            sent += piece
            self.wait_for_size("up", len(sent))
        self.assert_received("up", sent)

    def test_scan_finds_the_open_port_only(self):
        self.nc_listen("-k")
        self.assertEqual(self.kernel_nc("-z", "-w", "5", self.ours, "7000").wait(timeout=20), 0)
        self.assertEqual(self.kernel_nc("-z", "-w", "5", self.ours, "7001").wait(timeout=20), 1)

    def test_lines_go_to_and_fro(self):
        listener = self.nc_listen("-N")
        client = self.kernel_nc("-N", self.ours, "7000", stdin=subprocess.PIPE)
        for i in range(50):
            for here, there in ((client, listener), (listener, client)):
                line = b"line %d\n" % i
                here.stdin.write(line)
                here.stdin.flush()
                self.assertEqual(there.stdout.readline(), line)
        client.stdin.close()
        listener.stdin.close()
        self.assertEqual((client.wait(timeout=20), listener.wait(timeout=20)), (0, 0))

    def test_input_that_ends_before_the_handshake_is_sent(self):
        with self.open("up", "wb") as file:
            listener = self.kernel_nc("-N", "-l", self.kernel, "7000", stdout=file)
        self.wait_for_listener(7000)
        self.take_route_away()
        client = self.start_estab("nc", "-N", self.kernel, "7000", stdin=self.source(b"hello"))
        time.sleep(0.2)
        self.give_route_back()
        self.finish(client)
        self.finish(listener)
        self.assert_received("up", b"hello")

    def test_refused_connection_is_named(self):
        self.assert_fails(self.estab("nc", self.kernel, "7000"), 1, self.kernel, "refused")


if __name__ == "__main__":
    peers.main("nc")
