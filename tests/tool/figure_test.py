"""
`estab demo --json` replayed against RFC 9293 Figure 5 as it stands in tests/matrix/figure5.txt: every change of state
that it tells is an arrow of that text, and the changes of each connection join. The table of `estab states` is held
against the same text. The demo's test replays what happens against the kernel.
"""
import figure
import tool


class Figure(tool.Case):
    @classmethod
    def setUpClass(cls):
        cls.kinds, cls.sections = figure.read_figure()
        cls.told = tool.records(tool.run("demo", "--memory", "--json").stdout)

    def test_every_change_is_an_arrow_and_they_join(self):
        wrong, count = figure.replay(self.told, self.kinds)
        self.assertIsNone(wrong)
        self.assertGreater(count, 400)
        self.assertFalse([record for record in self.told if record["demo"] == "elided"])

    def test_wrong_changes_are_seen(self):
        """One change left out, led elsewhere or told twice: the replay must see it."""
        places = [i for i, record in enumerate(self.told) if record["demo"] == "state" and record["from"] == "ESTABLISHED"]
        for place in places[::7]:
            without = self.told[:place] + self.told[place + 1:]
            elsewhere = [*self.told[:place], dict(self.told[place], to="LISTEN"), *self.told[place + 1:]]
            twice = self.told[:place + 1] + self.told[place:]
            for told in (elsewhere, twice):
                self.assertIsNotNone(figure.replay(told, self.kinds)[0], self.told[place])
            if self.told[place]["to"] != "CLOSED" and self.goes_on(place):
                self.assertIsNotNone(figure.replay(without, self.kinds)[0], self.told[place])

    def goes_on(self, place):
        """Whether this connection changes once more."""
        now = self.told[place]
        return any(record["demo"] == "state" and record["scene"] == now["scene"] and record["side"] == now["side"]
                   and record["conn"] == now["conn"] for record in self.told[place + 1:])

    def test_arrows_that_the_demo_counts_are_the_figure(self):
        counted = {(record["from"], record["to"]) for record in self.told if record["demo"] == "arrow"}
        drawn = {(start, end) for (start, _, end), kind in self.kinds.items() if kind in (*figure.IN_FIGURE, "note2")}
        self.assertEqual(counted, drawn)

    def test_table_of_the_tool_is_the_text(self):
        table = [record for record in tool.records(tool.run("states", "--json").stdout) if "arrow" in record]
        arrows = {(record["from"], record["event"], record["to"]): record for record in table}
        self.assertEqual(set(arrows), {arrow for arrow, kind in self.kinds.items() if kind not in figure.NOT_TAKEN})
        for arrow, record in arrows.items():
            self.assertEqual(record["section"], self.sections[arrow], arrow)
            self.assertEqual(record["in_figure"], self.kinds[arrow] in figure.IN_FIGURE, arrow)


if __name__ == "__main__":
    tool.main()
