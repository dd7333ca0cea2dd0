"""`estab states`: the table and the drawings have every state and every arrow, and only these."""
import re
import xml.etree.ElementTree as xml

import tool

STATES = ["CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"]

# RFC 9293 Figure 5 with its note 1, read off the page; the actions are left out.
FIGURE = {
    ("CLOSED", "LISTEN"), ("CLOSED", "SYN-SENT"), ("LISTEN", "CLOSED"), ("LISTEN", "SYN-SENT"),
    ("LISTEN", "SYN-RECEIVED"), ("SYN-SENT", "CLOSED"), ("SYN-SENT", "SYN-RECEIVED"),
    ("SYN-SENT", "ESTABLISHED"), ("SYN-RECEIVED", "LISTEN"), ("SYN-RECEIVED", "ESTABLISHED"),
    ("SYN-RECEIVED", "FIN-WAIT-1"),
    ("ESTABLISHED", "FIN-WAIT-1"), ("ESTABLISHED", "CLOSE-WAIT"), ("FIN-WAIT-1", "FIN-WAIT-2"),
    ("FIN-WAIT-1", "CLOSING"), ("FIN-WAIT-2", "TIME-WAIT"), ("CLOSING", "TIME-WAIT"),
    ("CLOSE-WAIT", "LAST-ACK"), ("LAST-ACK", "CLOSED"), ("TIME-WAIT", "CLOSED"),
}
NOTE_1 = ("SYN-RECEIVED", "LISTEN")
NOTE_2 = ("FIN-WAIT-1", "TIME-WAIT")


class States(tool.Case):
    @classmethod
    def setUpClass(cls):
        found = tool.records(tool.run("states", "--json").stdout)
        cls.states = [record for record in found if "state" in record]
        cls.arrows = [record for record in found if "arrow" in record]

    def test_json_has_every_state_with_its_notes(self):
        self.assertEqual([record["state"] for record in self.states], STATES)
        for record in self.states:
            for note in ("calls", "segments", "timers"):
                self.assertTrue(record[note], record)

    def test_json_has_every_arrow_of_the_figure(self):
        drawn = [(record["from"], record["to"]) for record in self.arrows if record["in_figure"]]
        self.assertEqual((set(drawn), len(drawn)), (FIGURE, len(FIGURE)))

    def test_arrows_are_a_function_of_state_and_event(self):
        pairs = [(record["from"], record["event_id"]) for record in self.arrows]
        self.assertEqual(len(pairs), len(set(pairs)))
        self.assertEqual([record["arrow"] for record in self.arrows], list(range(len(self.arrows))))

    def test_text_has_every_state_and_arrow(self):
        text = self.assert_succeeds(tool.run("states")).decode()
        for state in STATES:
            self.assertIn("\n\n%s\n  may be called" % state, text)
        self.assertEqual(len(re.findall(r"^    .* -> ", text, re.M)), len(self.arrows))
        self.assertLessEqual(max(map(len, text.splitlines())), 110)

    def test_mermaid_has_the_arrows(self):
        for option, count in (([], len(FIGURE)), (["--all"], len(self.arrows))):
            text = self.assert_succeeds(tool.run("states", "--mermaid", *option)).decode()
            self.assertTrue(text.startswith("stateDiagram-v2\n"))
            self.assertEqual(len(re.findall(r"^    \w+ --> \w+: ", text, re.M)), count)

    def test_dot_has_the_arrows(self):
        for option, count in (([], len(FIGURE)), (["--all"], len(self.arrows))):
            text = self.assert_succeeds(tool.run("states", "--dot", *option)).decode()
            self.assertRegex(text, r"^digraph \w+ \{\n(.*\n)*\}\n$")
            self.assertEqual(text.count(" -> "), count)

    def test_svg_has_the_arrows_and_ends_them_at_their_states(self):
        text = self.assert_succeeds(tool.run("states", "--svg"))
        root = xml.fromstring(text)
        space = {"s": "http://www.w3.org/2000/svg"}
        names = [element.text for element in root.findall("s:text[@class='state']", space)]
        self.assertEqual(sorted(names), sorted([*STATES, "CLOSED"]))
        boxes = [[float(rect.get(key)) for key in ("x", "y", "width", "height")]
                 for rect in root.findall("s:rect[@class='box']", space)]
        drawn = root.findall("s:path[@class='arrow']", space)
        noted = root.findall("s:path[@class='arrow note']", space)
        ends = [self.box_at(boxes, names, self.ends_of(path.get("d"))) for path in [*drawn, *noted]]
        self.assertEqual(sorted(ends), sorted([*FIGURE, NOTE_2]))
        self.assertEqual(set(ends[len(drawn):]), {NOTE_1, NOTE_2})

    def test_svg_has_its_labels_beside_the_boxes_and_inside_the_card(self):
        """A rough measure of the words: nothing written lies on a box, on other words, or over the edge."""
        root = xml.fromstring(self.assert_succeeds(tool.run("states", "--svg")))
        space = {"s": "http://www.w3.org/2000/svg"}
        width, height = (float(number) for number in root.get("viewBox").split()[2:])
        boxes = [tuple(float(rect.get(key)) for key in ("x", "y", "width", "height"))
                 for rect in root.findall("s:rect[@class='box']", space)]
        words = [self.area_of(text, space) for text in root.findall("s:text[@class='label']", space)]
        for i, (left, top, right, bottom) in enumerate(words):
            self.assertTrue(0 < left and right < width and 0 < top and bottom < height, words[i])
            others = [*words[:i], *((x, y, x + w, y + h) for x, y, w, h in boxes)]
            for other in others:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                self.assertTrue(apart, (words[i], other))

    @staticmethod
    def area_of(text, space):
        below = text.find("s:tspan", space).text
        width = max(7.2 * len(text.text), 6.0 * len(below))
        x, y = float(text.get("x")), float(text.get("y"))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor")]
        return left, y - 10, left + width, y + 17

    def test_svg_lists_what_the_figure_leaves_out(self):
        root = xml.fromstring(self.assert_succeeds(tool.run("states", "--svg")))
        space = {"s": "http://www.w3.org/2000/svg"}
        listed = set()
        for row in root.findall("s:g[@class='row']", space):
            event, states, end, sections = (text.text for text in row.findall("s:text", space))
            for state in states.split(", "):
                listed.add((state, event, state if end == "stays" else end))
                section = [arrow["section"] for arrow in self.arrows if (arrow["from"], arrow["event"]) == (state, event)]
                self.assertIn(section[0], sections.split(", "))
        left_out = {(arrow["from"], arrow["event"], arrow["to"]) for arrow in self.arrows if not arrow["in_figure"]}
        self.assertEqual(listed, left_out)

    @staticmethod
    def ends_of(path):
        """First and last point of a path of M, C, H and V with absolute coordinates."""
        numbers = [float(number) for number in re.findall(r"[\d.]+", path)]
        first = (numbers[0], numbers[1])
        kind = re.findall("[CHV]", path)[-1]
        last = {"C": tuple(numbers[-2:]), "H": (numbers[-1], first[1]), "V": (first[0], numbers[-1])}[kind]
        return first, last

    def box_at(self, boxes, names, points):
        """The states whose boxes the two points touch, with a margin for the arrow head."""
        found = []
        for px, py in points:
            near = [name for (x, y, width, height), name in zip(boxes, names)
                    if x - 3 <= px <= x + width + 3 and y - 3 <= py <= y + height + 3]
            self.assertEqual(len(near), 1, (px, py))
            found.append(near[0])
        return tuple(found)

    def test_one_state_is_that_part_of_the_whole(self):
        whole = self.assert_succeeds(tool.run("states")).decode()
        for state in STATES:
            for name in (state, state.lower()):
                part = self.assert_succeeds(tool.run("states", name)).decode()
                self.assertTrue(part.startswith(state + "\n  may be called"), part)
                self.assertIn("\n\n" + part, whole)
            found = tool.records(self.assert_succeeds(tool.run("states", "--json", state)))
            self.assertEqual(found, [record for record in [*self.states, *self.arrows]
                                     if state in (record.get("state"), record.get("from"))])

    def test_wrong_name_is_usage(self):
        self.assert_fails(tool.run("states", "SYN-RCVD"), 2, "SYN-RCVD", *STATES)
        self.assert_fails(tool.run("states", ""), 2, "no state")
        self.assert_fails(tool.run("states", "CLOSED", "LISTEN"), 2, "LISTEN")
        self.assert_fails(tool.run("states", "--svg", "CLOSED"), 2, "CLOSED", "--svg")

    def test_formats_exclude_each_other(self):
        self.assert_fails(tool.run("states", "--svg", "--json"), 2, "--svg", "--json")
        self.assert_fails(tool.run("states", "--all"), 2, "--all", "--mermaid")


if __name__ == "__main__":
    tool.main()
