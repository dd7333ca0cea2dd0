"""`estab bench`: each benchmark ends, and reports its figures by the names that others read."""
import tool

SHORT = ["--seconds", "0.05"]


class Bench(tool.Case):
    def one(self, *arguments):
        found = tool.records(self.assert_succeeds(tool.run("bench", *arguments, "--json")))
        self.assertEqual(len(found), 1)
        self.assertEqual(found[0]["bench"], arguments[0])
        self.assertTrue(found[0]["measured"])
        return found[0]

    def test_bulk_reports_rate_and_cost(self):
        record = self.one("bulk", *SHORT)
        self.assertGreater(record["gbit_per_s"], 0)
        self.assertGreater(record["ns_per_segment"], 0)
        # Both say the same: 1448 bytes of text a segment.
        self.assertAlmostEqual(record["gbit_per_s"], 1448 * 8 / record["ns_per_segment"],
                               delta=record["gbit_per_s"] * 0.05)

    def test_conn_reports_connections_a_second(self):
        record = self.one("conn", *SHORT, "--time-wait", "2000", "--connections", "500")
        self.assertGreater(record["per_s"], 0)
        self.assertEqual(record["connections"], 500)
        self.assertAlmostEqual(record["time_wait"], 2000, delta=100)

    def test_cookie_reports_answers_a_second(self):
        for family in ([], ["--ipv6"]):
            record = self.one("cookie", *SHORT, *family)
            self.assertEqual(record["ipv6"], len(family))
            self.assertAlmostEqual(record["per_s"] * record["ns"], 1e9, delta=2e7)

    def test_lookup_reports_cost_of_a_segment(self):
        record = self.one("lookup", *SHORT, "--connections", "40000")
        self.assertEqual(record["connections"], 40000)
        self.assertGreater(record["ns_per_segment"], 0)

    def test_memory_keeps_the_promise(self):
        record = self.one("memory")
        self.assertLessEqual(record["idle_connection_bytes"], 512)
        self.assertLessEqual(record["time_wait_bytes"], 96)
        self.assertGreater(record["half_open_bytes"], 0)

    def test_text_names_what_was_measured(self):
        text = self.assert_succeeds(tool.run("bench", "bulk", *SHORT)).decode()
        self.assertRegex(text, r"^bulk: .*MSS 1448.*\n +[\d.]+  gbit per s\n +[\d.]+  ns per segment\n")

    def test_impossible_sizes_are_usage(self):
        self.assert_fails(tool.run("bench", "lookup", "--connections", "0"), 2, "--connections")
        self.assert_fails(tool.run("bench", "memory", "--connections", "10"), 2, "1000")


if __name__ == "__main__":
    tool.main()
