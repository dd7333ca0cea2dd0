"""
Figure 5 of RFC 9293 as text, tests/matrix/figure5.txt, and the changes of state that `estab demo --json` tells replayed
against it: what tests/matrix/figure.c does for C, on the demo's own words.
"""
import os
import re

import tool

PATH = os.path.join(tool.ROOT, "tests", "matrix", "figure5.txt")
IN_FIGURE = ("figure", "note1")
NOT_TAKEN = ("refused", "note2")  # note 2 is two arrows, one after the other


def read_figure():
    """{(from, event, to): kind} and the section of each."""
    kinds, sections = {}, {}
    with open(PATH) as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                start, event, end, section, kind = re.split(r"  +", line.strip())[:5]
                kinds[start, event, end] = kind
                sections[start, event, end] = section
    return kinds, sections


class Replay:
    """One stack. A connection is its number, but its ports in SYN-RECEIVED and TIME-WAIT (tests/matrix/figure.c)."""

    def __init__(self, kinds):
        self.arrows = {arrow for arrow, kind in kinds.items() if kind not in NOT_TAKEN}
        self.at = {}

    @staticmethod
    def name(record, state):
        ports = (record["local_port"], record["remote_port"])
        return ports if state in ("SYN-RECEIVED", "TIME-WAIT") else record["conn"]

    def step(self, record):
        """None, or what is wrong."""
        start, end = record["from"], record["to"]
        if (start, record["event"], end) not in self.arrows:
            return "no such arrow"
        name = self.name(record, start)
        before = self.at.pop(name, None)
        if before is None and not self.may_begin(record):
            return "begins in the middle"
        if before not in (None, start):
            return "stands in %s" % before
        if end != "CLOSED":
            self.at[self.name(record, end)] = end
        return None

    def may_begin(self, record):
        if record["from"] == "LISTEN":  # a listener's SYN makes it
            return record["event"] == "rcv SYN" and "LISTEN" in self.at.values()
        return record["from"] == "CLOSED"


OURS = ("estab", "estab A")  # what the demo calls our side


def replay(records, kinds):
    """The first change that is wrong and why, or None; and how many changes there were."""
    stacks, count = {}, 0
    for record in records:
        if record["demo"] == "scene":
            stacks.clear()
        elif record["demo"] == "note" and "our side is restarted" in record["text"]:
            for side in OURS:
                stacks.pop(side, None)  # a new stack, which knows nothing
        elif record["demo"] == "state" and record["event"] != "":  # a kernel tells no event
            count += 1
            wrong = stacks.setdefault(record["side"], Replay(kinds)).step(record)
            if wrong is not None:
                return (wrong, record), count
    return None, count
