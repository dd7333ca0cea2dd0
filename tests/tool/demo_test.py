"""`estab demo`: against the kernel where there is one to be had, and in memory; what it says, and that nothing stays."""
import os
import signal
import subprocess
import tempfile
import time

import figure
import tool

ARROWS = 21  # of RFC 9293 Figure 5 with its notes 1 and 2
STATES = ["CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"]
LIMIT = 180  # a sanitizer build on a busy machine


class Told(tool.Case):
    """What every run must tell."""

    def assert_told(self, records):
        self.assertEqual(records[-1], {"v": 1, "demo": "ok", "arrows_taken": ARROWS, "arrows_missing": 0})
        arrows = [record for record in records if record["demo"] == "arrow"]
        self.assertEqual(len(arrows), ARROWS)
        self.assertTrue(all(record["taken"] > 0 for record in arrows))
        scenes = {record["scene"]: record for record in records if record["demo"] == "scene"}
        ends = [record for record in records if record["demo"] == "scene_end"]
        self.assertEqual(sorted(scenes), sorted(record["scene"] for record in ends))
        for end in ends:
            mine = [record for record in records if record.get("scene") == end["scene"]]
            self.assertTrue(any(record["demo"] == "check" for record in mine), scenes[end["scene"]])
        self.assert_figure(records)
        for family in ("IPv4", "IPv6"):
            self.assertIn(family, [record["family"] for record in scenes.values()])


    def assert_figure(self, records):
        """Every change of state against Figure 5 as text; a scene with lines left out has gaps."""
        gaps = {record["scene"] for record in records if record["demo"] == "elided"}
        wrong, count = figure.replay([record for record in records if record.get("scene") not in gaps],
                                     figure.read_figure()[0])
        self.assertIsNone(wrong)
        self.assertGreater(count, 200)


class Memory(Told):
    def test_json_tells_every_scene_and_every_arrow(self):
        self.assert_told(tool.records(self.assert_succeeds(tool.run("demo", "--memory", "--json"))))

    def test_text_has_the_drawing_and_nothing_missing(self):
        text = self.assert_succeeds(tool.run("demo", "--memory")).decode()
        drawing = text[text.index("RFC 9293 Figure 5, the arrows"):]
        for state in STATES:
            self.assertIn(" %s " % state, drawing)
        self.assertIn("Arrows of Figure 5 that were not taken: none\n", drawing)
        self.assertNotIn("NOT TAKEN", text)
        self.assertNotIn("FAILED", text)

    def test_two_runs_tell_the_same(self):
        first, second = (self.assert_succeeds(tool.run("demo", "--memory")) for _ in range(2))
        self.assertEqual(first, second)

    def test_capture_is_one_section_a_scene(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "demo.pcapng")
            found = tool.records(self.assert_succeeds(tool.run("demo", "--memory", "--json", "-w", path)))
            with open(path, "rb") as file:
                data = file.read()
        scenes = sum(record["demo"] == "scene" for record in found)
        self.assertEqual(data.count(bytes.fromhex("0a0d0d0a")), scenes)


class Wrong(tool.Case):
    def test_wrong_options_are_usage(self):
        self.assert_fails(tool.run("demo", "extra"), 2, "extra")
        self.assert_fails(tool.run("demo", "-w", "-"), 2, "-w", "file")

    def test_capture_that_cannot_be_made_is_named(self):
        self.assert_fails(tool.run("demo", "-w", "/nowhere/at/all"), 1, "/nowhere/at/all")

    def test_full_disk_fails_with_one_line(self):
        with open("/dev/full", "wb") as full:
            result = tool.run("demo", "--memory", stdout=full)
        self.assertEqual((result.returncode, result.stderr.count(b"\n")), (1, 1), result.stderr)
        result = tool.run("demo", "--memory", "-w", "/dev/full", stdout=subprocess.DEVNULL)
        self.assertEqual((result.returncode, result.stderr.count(b"\n")), (1, 1), result.stderr)


def children(pid):
    """All processes below one."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/children" % (pid, task)) as file:
            for child in map(int, file.read().split()):
                found += [child, *children(child)]
    return found


class Kernel(Told):
    def test_against_the_kernel(self):
        if not tool.can_make_networks():
            self.skipTest("no TUN device")
        found = tool.records(self.assert_succeeds(tool.run("demo", "--json", timeout=LIMIT)))
        self.assert_told(found)
        self.assertIn("kernel", [record.get("peer") for record in found])
        self.assertEqual(sum("256 MiB" in record.get("rate", "") for record in found), 4)

    def test_signals_leave_no_process(self):
        if not tool.can_make_networks():
            self.skipTest("no TUN device")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            demo = subprocess.Popen([tool.ESTAB, "demo"], stdout=subprocess.DEVNULL)
            time.sleep(1.5)  # into the transfers, with programs beside it
            below = children(demo.pid)
            self.assertTrue(below)
            demo.send_signal(number)
            self.assertEqual(demo.wait(timeout=10), -number)
            deadline = time.monotonic() + 10
            while any(os.path.exists("/proc/%d" % pid) for pid in below):
                self.assertLess(time.monotonic(), deadline, "processes stay after signal %d" % number)
                time.sleep(0.05)


if __name__ == "__main__":
    tool.main()
