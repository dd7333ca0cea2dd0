"""
`estab bench flood`: every kind of attack for a few simulated seconds, held to the bounds of the flood table (tools/bench_flood_report.c has them;
`make flood` runs the minute). The figures come out of virtual time and one seed: all but those about CPU time are the same on every machine.
"""
import tool

SECONDS = 3
LONGER = {"sockstress": 8, "all": 20}  # until every table is full, and costs are what they stay

KEYS = ["kind", "legit_success", "setup_p99_ratio", "memory_high_bytes", "budget_bytes", "cpu_decile_ratio", "bytes_out_per_in"]


class Flood(tool.Case):
    def flood(self, kind, *arguments):
        return tool.run("bench", "flood", "--kind", kind, "--seconds", str(LONGER.get(kind, SECONDS)), "--check", "--json", *arguments)

    def keeps_its_bounds(self, kind):
        result = self.flood(kind)
        if result.returncode == 1 and all(b"cpu_decile_ratio" in line for line in result.stderr.splitlines()):
            result = self.flood(kind)  # somebody else's work on this machine is in the only figure that is not virtual
        record = tool.records(self.assert_succeeds(result))[0]
        for key in KEYS:
            self.assertIn(key, record)
        self.assertEqual(record["kind"], kind)
        self.assertGreater(record["legit_begun"], 4000)
        self.assertGreater(record["attack_packets"], 2900000)
        self.assertLessEqual(record["memory_high_bytes"], record["budget_bytes"])
        self.assertGreaterEqual(record["legit_success"], 0.95 if kind == "all" else 0.99)
        return record

    def test_syn(self):
        record = self.keeps_its_bounds("syn")
        self.assertGreater(record["cookies_sent"], 0)
        self.assertGreater(record["cookies_accepted"], 0)
        self.assertLessEqual(record["bytes_out_per_in"], 1.1)
        self.assertLessEqual(record["half_open_bytes_high"], 1 << 20)

    def test_rst(self):
        self.assertLessEqual(self.keeps_its_bounds("rst")["challenge_acks_per_second_per_connection"], 2)

    def test_ack(self):
        record = self.keeps_its_bounds("ack")
        self.assertEqual(record["legit_corrupt"], 0)
        self.assertLessEqual(record["storm_segments_per_second"], 4)

    def test_ooo(self):
        self.keeps_its_bounds("ooo")

    def test_sack(self):
        self.keeps_its_bounds("sack")

    def test_frag(self):
        self.assertGreaterEqual(self.keeps_its_bounds("frag")["fragmented_success"], 0.9)

    def test_sockstress(self):
        self.keeps_its_bounds("sockstress")

    def test_timewait(self):
        record = self.keeps_its_bounds("timewait")
        self.assertEqual(record["time_wait_high"], record["time_wait_max"])
        self.assertGreater(record["time_wait_entered"], 100000 * SECONDS)

    def test_all(self):
        self.keeps_its_bounds("all")

    def test_a_missed_bound_fails(self):
        result = self.flood("syn", "--no-cookies")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"legit_success", result.stderr)
        self.assertEqual(len(tool.records(result.stdout)), 1)

    def test_the_same_run_again_gives_the_same_figures(self):
        ours = [tool.records(self.flood("rst").stdout)[0] for _ in range(2)]
        for record in ours:
            for key in ["cpu_decile_ratio", "cpu_worst_decile_ratio", "ns_per_attack_packet", "ns_per_attack_packet_deciles", "real_seconds"]:
                del record[key]
        self.assertEqual(ours[0], ours[1])

    def test_text_is_readable(self):
        text = self.assert_succeeds(tool.run("bench", "flood", "--kind", "frag", "--seconds", "0.5")).decode()
        self.assertRegex(text, r"^flood frag: first fragments.*\n +1\.0+  legit success\n")

    def test_an_unknown_kind_is_usage(self):
        self.assert_fails(tool.run("bench", "flood", "--kind", "smurf"), 2, "--kind", "smurf", "sockstress")


if __name__ == "__main__":
    tool.main()
