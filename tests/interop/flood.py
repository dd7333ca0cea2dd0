"""
A SYN flood from everywhere against `estab serve` on TAP while the kernel's curl fetches files: those who mean
it get through, by cookie where every SYN is answered so, or where the SYN cache is full.
"""
import json
import os
import threading

import peers

PROGRAM = os.path.join(peers.BUILD, "tests", "interop_synflood")
RATE = 30000
SECONDS = 2.5
CLIENTS = 3  # at any time


@peers.on_tap
class Flood(peers.Case):
    limit = 60

    def serve_flooded(self, *arguments):
        """The server's last words after a flood, what the flood was, and (fetched, tried)."""
        want = self.make_file("file", 10000)
        server = self.start_estab("serve", "--json", "--gw", "%s,%s" % (peers.KERNEL[4], peers.KERNEL[6]),
                                  *arguments, self.directory)
        self.assertEqual(json.loads(server.stdout.readline())["serve"], "listening")
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(server.stdout))
        reader.start()  # a line a request: more than a pipe holds
        self.assertEqual(self.fetch(), want)  # now the kernel knows the way, too
        flood = self.start(PROGRAM, "estab0", self.mac_of_ours(), self.ours, "8080", str(RATE), str(SECONDS))
        results = self.fetch_until(flood)
        output, errors = flood.communicate(timeout=self.limit)
        self.assertEqual((flood.returncode, errors), (0, b""))
        self.assertEqual(self.stop(server), 0)
        reader.join()
        end = json.loads(lines[-1])
        self.assertEqual(end["serve"], "end")
        return end, json.loads(output), (results.count(want), len(results))

    def client(self):
        return self.start("curl", "-sS", "--max-time", "20", peers.url(self.ours, 8080, "/file"))

    def result(self, client):
        return peers.digest(client.communicate(timeout=self.limit)[0])

    def fetch(self):
        return self.result(self.client())

    def fetch_until(self, flood):
        """Clients until the flood is over: what each has got."""
        results = []
        while flood.poll() is None:
            clients = [self.client() for _ in range(CLIENTS)]
            results += [self.result(client) for client in clients]
        return results

    def mac_of_ours(self):
        words = peers.command("ip", "neigh", "show", self.ours, "dev", "estab0").split()
        return words[words.index("lladdr") + 1]

    def assert_served(self, fetched, tried):
        self.assertGreaterEqual(tried, 10)
        self.assertGreaterEqual(fetched, 0.99 * tried, "%d of %d" % (fetched, tried))

    def test_every_syn_is_answered_by_cookie(self):
        end, flood, (fetched, tried) = self.serve_flooded("--syn-cookies", "always")
        self.assert_served(fetched, tried)
        self.assertGreater(end["cookies_sent"], flood["sent"] / 2, (end, flood))
        self.assertGreater(end["cookies_accepted"], fetched, end)
        self.assertEqual(end["half_open_dropped"], 0, end)

    def test_cookies_are_used_when_the_cache_is_full(self):
        end, flood, (fetched, tried) = self.serve_flooded("--max-half-open", "256")
        self.assert_served(fetched, tried)
        self.assertGreater(end["cookies_sent"], flood["sent"] / 2, (end, flood))
        self.assertGreater(end["cookies_accepted"], 0, end)
        self.assertEqual(end["half_open_dropped"], 0, end)

    def test_without_cookies_the_oldest_handshake_gives_way(self):
        end, _, _ = self.serve_flooded("--syn-cookies", "off", "--max-half-open", "256")
        self.assertEqual((end["cookies_sent"], end["cookies_accepted"]), (0, 0), end)
        self.assertGreater(end["half_open_dropped"], 1000, end)


if __name__ == "__main__":
    if not os.access(PROGRAM, os.X_OK):
        raise SystemExit("%s is not there: build it, or set ESTAB_BUILD" % PROGRAM)
    peers.main("curl")
