#!/usr/bin/env python3
"""
Runs tcp.pml through spin, bounded in time and memory. The arrows of the model are those of src/tcp/state.def, which it includes; it
reports which it took, and those of RFC 9293 Figure 5 must all be among them.

    spin.py               the quick sizes (what ctest runs)
    spin.py --full        larger ones
    spin.py --self-test   faults planted in the model, each of which spin must find

CC names the compiler. Exits with 77 where spin is not installed, unless this is root: then it must be there.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODEL = ROOT / "tests/explore/tcp.pml"
TABLE = ROOT / "src/tcp/state.def"
MEGABYTES = 2048
SECONDS = 400

# bytes each way, faults, aborts, whether liveness is looked at
QUICK = [(1, 1, 0, False), (0, 2, 1, False), (0, 1, 0, True)]
FULL = QUICK + [(1, 1, 1, False), (1, 2, 0, False), (1, 0, 0, True), (0, 1, 1, True)]

# what is planted (PLANT in the model), and the size that shows it
PLANTS = [
    (1, "the FIN is never sent again", (0, 1, 0, True)),
    (2, "a byte that came before is taken again", (1, 1, 0, False)),
    (3, "a FIN is taken ahead of the byte before it", (1, 1, 0, False)),
    (4, "an event for which the table has no arrow", (1, 0, 0, False)),
]


def run(command, folder, seconds):
    try:
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        sys.exit("spin: %s: not done after %d s" % (" ".join(command[:2]), seconds))
    return done


def build(folder, size, plant):
    """The verifier of one size as folder/pan."""
    count, faults, aborts, liveness = size
    defines = ["-DBYTES=%d" % count, "-DFAULTS=%d" % faults, "-DABORTS=%d" % aborts, "-DPLANT=%d" % plant]
    shutil.copy(MODEL, folder)
    compiler = os.environ.get("CC", "cc")
    made = run(["spin", "-P%s -E -x c -I%s" % (compiler, ROOT / "src")] + defines + ["-a", MODEL.name], folder, 60)
    if not (folder / "pan.c").exists():
        sys.exit("spin: the model does not translate:\n" + made.stdout)
    kind = ["-DNFAIR=4"] if liveness else ["-DNOCLAIM", "-DSAFETY"]
    made = run([compiler, "-O1", "-w", "-DMEMLIM=%d" % MEGABYTES] + kind + ["-o", "pan", "pan.c"], folder, SECONDS)
    if made.returncode != 0:
        sys.exit("spin: the verifier does not compile:\n" + made.stdout)


class Outcome:
    def __init__(self, text):
        self.text = text
        found = re.search(r"errors: (\d+)", text)
        self.errors = int(found.group(1)) if found else -1
        found = re.search(r"(\d+) states, stored", text)
        self.states = int(found.group(1)) if found else 0
        self.complete = "Search not completed" not in text and "max search depth too small" not in text and found is not None
        found = re.search(r"arrows taken:([ \d]*)", text)
        self.lines = {int(n) for n in found.group(1).split()} if found else set()


def verify(size, plant=0):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        build(folder, size, plant)
        command = ["./pan", "-m1000000", "-n"] + (["-a", "-f", "-N", "ends"] if size[3] else [])
        return Outcome(run(command, folder, SECONDS).stdout)


def size_text(size):
    return "%d bytes each way, %d faults, %d aborts, %s" % (size[0], size[1], size[2], "liveness" if size[3] else "safety")


def arrows():
    """Line of state.def -> the arrow there, and whether it is one of Figure 5."""
    found = {}
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        arrow = re.match(r"ARROW\((\w+),\s*(\w+),\s*(\w+),\s*(\w+),", line)
        if arrow:
            found[number] = ("%s --%s--> %s" % arrow.group(1, 2, 3), arrow.group(4) in ("FIGURE", "NOTE1"))
    return found


def check_arrows(lines):
    """How many arrows of Figure 5 the model never took; a line that is no arrow counts too."""
    table = arrows()
    missing = [text for number, (text, drawn) in table.items() if drawn and number not in lines]
    for text in missing:
        print("  not taken: " + text)
    strange = lines - set(table)
    for number in sorted(strange):
        print("  took line %d of state.def, which has no arrow" % number)
    print("spin: arrows taken %d of %d, of Figure 5 all but %d" % (len(lines & set(table)), len(table), len(missing)))
    return len(missing) + len(strange)


def check(sizes):
    states = errors = 0
    lines = set()
    for size in sizes:
        began = time.monotonic()
        outcome = verify(size)
        print("spin %s: states %d, errors %d, %.0f s" % (size_text(size), outcome.states, outcome.errors, time.monotonic() - began),
              flush=True)
        if outcome.errors != 0 or not outcome.complete:
            print(outcome.text)
            errors += 1
        states += outcome.states
        lines |= outcome.lines
    wrong = check_arrows(lines)
    print("spin: states %d, errors %d" % (states, errors))
    return errors > 0 or wrong > 0


def self_test():
    missed = 0
    for plant, what, size in PLANTS:
        outcome = verify(size, plant)
        print("self-test: %s: %s" % (what, "found" if outcome.errors > 0 else "NOT FOUND"), flush=True)
        missed += outcome.errors <= 0
    return missed > 0


def main():
    parser = argparse.ArgumentParser(description="runs the model of the protocol through spin")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("spin") is None:
        print("skip: spin is not installed (Debian's package spin)")
        return 1 if os.geteuid() == 0 else 77
    if arguments.self_test:
        return self_test()
    return check(FULL if arguments.full else QUICK)


if __name__ == "__main__":
    sys.exit(main())
