"""
nginx of the kernel's side against `estab fetch`: small and large files, sendfile or not, keep-alive,
errors.
"""
import os

import nginx_server
import peers
from peers import digest_of_file, url


@peers.on_every_device
class Nginx(peers.Case):
    def address(self, path):
        return url(self.kernel, nginx_server.PORT, path)

    def fetch(self, *arguments):
        return self.estab("fetch", "-q", *arguments)

    def assert_fetched(self, size, sendfile=True):
        want = self.make_file("file", size)
        nginx_server.start(self, self.directory, sendfile)
        self.assert_succeeds(self.fetch("-o", self.path("got"), self.address("/file")))
        self.assertEqual((os.path.getsize(self.path("got")), digest_of_file(self.path("got"))), (size, want))

    def test_one_mebibyte(self):
        self.assert_fetched(1 << 20)

    def test_one_mebibyte_without_sendfile(self):
        self.assert_fetched(1 << 20, sendfile=False)

    def test_256_mebibytes(self):
        self.assert_fetched(256 << 20)

    def test_empty_file(self):
        self.assert_fetched(0)

    def test_hundred_requests_share_a_connection(self):
        self.make_file("file", 10000)
        nginx_server.start(self, self.directory)
        got = self.assert_succeeds(self.fetch(*[self.address("/file")] * 100))
        self.assertEqual(len(got), 1000000)
        log = nginx_server.access_log(self)
        self.assertEqual(log, [[log[0][0], i + 1, 200, 10000] for i in range(100)])

    def test_head_has_the_length(self):
        self.make_file("file", 12345)
        nginx_server.start(self, self.directory)
        head = self.assert_succeeds(self.fetch("-I", self.address("/file")))
        self.assertIn(b"\r\nContent-Length: 12345\r\n", head)

    def test_missing_file_is_told(self):
        nginx_server.start(self, self.directory)
        self.assert_fails(self.fetch(self.address("/absent")), 1, "404")


if __name__ == "__main__":
    peers.main("nginx")
