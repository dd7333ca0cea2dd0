"""
1 GiB each way through TUN between estab and the kernel's TCP, over IPv4 and IPv6, equal by SHA-256: `estab
serve` to curl, and nginx to `estab fetch`.
"""
import fcntl
import hashlib
import time

import nginx_server
import peers
from peers import url

SIZE = 1 << 30
PIPE = 1 << 20
F_SETPIPE_SZ = 1031


@peers.on_one_device
class Bulk(peers.Case):
    limit = 120

    def take(self, process):
        """(bytes, digest) of what the program prints."""
        fcntl.fcntl(process.stdout, F_SETPIPE_SZ, PIPE)
        sum_of_all, count = hashlib.sha256(), 0
        while True:
            piece = process.stdout.read1(PIPE)
            if not piece:
                return count, sum_of_all.hexdigest()
            sum_of_all.update(piece)
            count += len(piece)

    def assert_taken(self, process, want):
        begin = time.monotonic()
        self.assertEqual(self.take(process), (SIZE, want))
        self.assertEqual(process.wait(timeout=20), 0, process.stderr.read())
        print("%.2f Gbit/s " % (SIZE * 8e-9 / (time.monotonic() - begin)), end="", flush=True)

    def test_we_send(self):
        want = self.make_file("file", SIZE)
        self.serve()
        self.assert_taken(self.start("curl", "-sS", "-N", url(self.ours, 8080, "/file")), want)

    def test_we_receive(self):
        want = self.make_file("file", SIZE)
        nginx_server.start(self, self.directory)
        self.assert_taken(self.start_estab("fetch", "-q", url(self.kernel, 8000, "/file")), want)


if __name__ == "__main__":
    peers.main("curl", "nginx")
