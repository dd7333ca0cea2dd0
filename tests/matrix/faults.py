#!/usr/bin/env python3
"""Plants faults in the core and demands that estab_matrix, or the test that is named, finds each of them.

    faults.py [--jobs N] [--only WORD] [--list]

The faults stand in faults.txt: a text in a file of src/, and what is put in its place. One at a time is planted
in a private copy, what depends on that file is compiled anew, and the matrix runs: first a part of its cases,
then all, up to the first difference. What the matrix does not look at (time, rates, what is random) names a test,
which must turn red. A line for each fault; the last line is `faults N, found N`.

Exit 0: all were found; 1: some were not; 2: bad arguments, a stale fault, or a matrix or a test that finds
something without any.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = ROOT / "tests" / "matrix" / "faults.txt"
FLAGS = ["-std=c17", "-O1", "-D_GNU_SOURCE", "-w", f'-DESTAB_SOURCE_DIR="{ROOT}"']
QUICK = ["--quick", "--first", "--jobs", "1"]
FULL = ["--first", "--jobs", "1"]
QUICK_SECONDS = 120
FULL_SECONDS = 600
TEST_SECONDS = 100
SUPPORT = ["tests/support/rig.c", "tests/support/random_trace.c", "tests/support/siege.c", "tests/matrix/figure.c",
           "drivers/pipe.c", "drivers/pcapng.c", "drivers/addr.c"]  # of the named tests


def stop(text):
    print(f"faults.py: {text}", file=sys.stderr)
    sys.exit(2)


class Fault:
    """One entry of faults.txt."""

    def __init__(self, title, line):
        self.step, _, self.what = title.partition(": ")
        self.line = line
        self.file = None
        self.test = None  # below tests/, without .c; None: the matrix
        self.old = []
        self.new = []

    def text(self):
        return "\n".join(self.old)

    def replacement(self):
        return "\n".join(self.new)


def read_line(faults, line, number):
    mark, text = line[:2], line[2:]
    if line.startswith("== "):
        faults.append(Fault(line[3:], number))
    elif not line or line.startswith("#"):
        return
    elif not faults or mark not in ("@ ", "? ", "- ", "+ "):
        stop(f"{LIST.name}:{number}: not a line of a fault: {line!r}")
    elif mark == "@ ":
        faults[-1].file = text
    elif mark == "? ":
        faults[-1].test = text
    else:
        (faults[-1].old if mark == "- " else faults[-1].new).append(text)


def read_faults():
    faults = []
    for number, line in enumerate(LIST.read_text(encoding="utf-8").split("\n"), 1):
        read_line(faults, line, number)
    for fault in faults:
        if fault.file is None or not fault.old:
            stop(f"{LIST.name}:{fault.line}: no file, or nothing to replace")
        if fault.test is not None and not (ROOT / "tests" / f"{fault.test}.c").is_file():
            stop(f"{LIST.name}:{fault.line}: no test tests/{fault.test}.c")
        if fault.test is not None and fault.file.endswith(".h"):
            stop(f"{LIST.name}:{fault.line}: a header's fault is for the matrix, which is compiled with it")
    return faults


def check_fresh(faults, src):
    """Every text stands in its file exactly once; all that do not are named."""
    stale = []
    for fault in faults:
        path = src / fault.file
        count = path.read_text(encoding="utf-8").count(fault.text()) if path.is_file() else 0
        if count != 1:
            stale.append(f"{LIST.name}:{fault.line}: {fault.step}: {fault.what}: "
                         f"the text stands {count} times in src/{fault.file}, not once")
    if stale:
        stop("stale faults\n  " + "\n  ".join(stale))


def compile_one(source, target, includes, extra=()):
    command = [os.environ.get("CC", "cc"), *FLAGS, *[f"-I{path}" for path in includes], *extra,
               "-c", str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{source.name} does not compile: {done.stderr.strip().splitlines()[0]}")


def link(objects, target, libraries=()):
    command = [os.environ.get("CC", "cc"), *map(str, objects), *libraries, "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        reason = next((line for line in lines if "undefined" in line), lines[-1])
        raise RuntimeError(f"does not link: {reason}")


class Core:
    """The objects of a copy of src/, and for each file of it which of them depend on it."""

    def __init__(self, work):
        self.work = work
        self.src = work / "src"
        self.matrix = []  # objects that do not change with a fault
        self.tests = {}  # the named tests, each with what it shares with others
        self.objects = {}  # of src/: by source
        self.users = {}  # of a header: the sources that include it
        shutil.copytree(ROOT / "src", self.src)
        shutil.copytree(ROOT / "include", work / "include")

    def includes(self):
        return [self.work / "include", self.src, ROOT / "tests", ROOT]

    def build_tests(self, names, pool):
        """The objects of the named tests; jobs that are under way."""
        jobs = []
        targets = {}
        for name in [*(f"tests/{name}.c" for name in names), *(SUPPORT if names else [])]:
            targets[name] = self.work / "o" / (name.replace("/", "_") + ".o")
            jobs.append(pool.submit(compile_one, ROOT / name, targets[name], self.includes(), ["-DESTAB_TEST_SLOW=0"]))
        self.tests = {name: [targets[f"tests/{name}.c"], *(targets[one] for one in SUPPORT)] for name in names}
        return jobs

    def build(self, names, pool):
        (self.work / "o").mkdir()
        tests = ROOT / "tests" / "matrix"
        drivers = sorted(tests.glob("matrix*.c")) + sorted(tests.glob("oracle*.c")) + [tests / "figure.c"]
        jobs = self.build_tests(names, pool)
        for source in drivers:
            target = self.work / "o" / f"{source.stem}.o"
            self.matrix.append(target)
            jobs.append(pool.submit(compile_one, source, target, self.includes()))
        for source in sorted(self.src.glob("*/*.c")):
            name = source.relative_to(self.src).as_posix()
            target = self.work / "o" / (name.replace("/", "_") + ".o")
            self.objects[name] = target
            jobs.append(pool.submit(compile_one, source, target, self.includes(), ["-MMD"]))
        for job in jobs:
            job.result()
        for name, target in self.objects.items():
            depends = target.with_suffix(".d").read_text(encoding="utf-8")
            for path in re.findall(re.escape(str(self.src)) + r"/(\S+)", depends):
                self.users.setdefault(path, set()).add(name)

    def test(self, name, objects, target):
        """A test as a program, of these objects of the core."""
        link([*self.tests[name], *objects.values()], target, ["-lcmocka"])
        return target

    def with_fault(self, fault, number):
        """The program with one fault: the file in an overlay in front of the copy, its users compiled anew."""
        home = self.work / f"fault{number}"
        overlay = home / "src" / fault.file
        overlay.parent.mkdir(parents=True)
        text = (self.src / fault.file).read_text(encoding="utf-8")
        overlay.write_text(text.replace(fault.text(), fault.replacement()), encoding="utf-8")
        objects = dict(self.objects)
        for name in sorted(self.users[fault.file]):
            source = overlay if name == fault.file else self.src / name
            objects[name] = home / (name.replace("/", "_") + ".o")
            compile_one(source, objects[name], [home / "src", *self.includes()])
        if fault.test is not None:
            return self.test(fault.test, objects, home / "test")
        # The driver reads the core's records: where a header changed, it is compiled with it, too.
        drivers = list(self.matrix)
        if fault.file.endswith(".h"):
            for i, target in enumerate(self.matrix):
                if target.stem.startswith("matrix"):
                    drivers[i] = home / target.name
                    compile_one(ROOT / "tests" / "matrix" / f"{target.stem}.c", drivers[i],
                                [home / "src", *self.includes()])
        link([*drivers, *objects.values()], home / "matrix")
        return home / "matrix"


def run(program, arguments, seconds):
    """(found, how): by a difference, a place that is not reached, or a core that stops itself."""
    try:
        done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=seconds,
                              check=False)
    except subprocess.TimeoutExpired:
        return False, f"no end within {seconds} s"
    output = done.stdout + done.stderr
    difference = re.search(r"^difference 1: (.*)\n  place +(.*)$", output, re.M)
    if difference:
        return True, f"{difference[1]}, {difference[2].split(',')[0]}"
    stopped = re.search(r"^estab_matrix: (.*)$", output, re.M)
    if done.returncode == 3 and stopped:
        return True, stopped[1]
    return False, output.strip().splitlines()[-1] if output.strip() else f"exit {done.returncode}"


def run_test(program, name):
    """(found, how): by a test function that fails, or a core that stops itself."""
    try:
        done = subprocess.run([str(program)], capture_output=True, timeout=TEST_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False, f"no end within {TEST_SECONDS} s"
    if done.returncode == 0:
        return False, f"{name} stays green"
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    failed = re.search(r"^\[  FAILED  \] (\w+)", output, re.M)
    started = re.findall(r"^\[ RUN      \] (\w+)", output, re.M)
    return True, f"{name}: {failed[1] if failed else started[-1] if started else f'exit {done.returncode}'}"


def try_fault(core, fault, number):
    started = time.monotonic()
    try:
        program = core.with_fault(fault, number)
        if fault.test is not None:
            found, how = run_test(program, fault.test)
        else:
            found, how = run(program, QUICK, QUICK_SECONDS)
            if not found:
                found, how = run(program, FULL, FULL_SECONDS)
    except RuntimeError as error:
        found, how = False, str(error)
    shutil.rmtree(core.work / f"fault{number}", ignore_errors=True)
    return found, how, time.monotonic() - started


def parse_arguments():
    parser = argparse.ArgumentParser(prog="faults.py", description="plants faults; the matrix must find each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="faults at a time (1..64)")
    parser.add_argument("--only", default="", help="only faults whose line has this in it")
    parser.add_argument("--list", action="store_true", help="list them and do nothing")
    arguments = parser.parse_args()
    if not 1 <= arguments.jobs <= 64:
        stop("--jobs must be 1..64")
    return arguments


def check_sound(core):
    """Without a fault there is no difference, or finding one would mean nothing."""
    program = core.work / "sound"
    link([*core.matrix, *core.objects.values()], program)
    found, how = run(program, QUICK, QUICK_SECONDS)
    if found or "differences 0" not in how:
        stop(f"the matrix differs without a fault: {how}")
    for name in core.tests:
        found, how = run_test(core.test(name, core.objects, program), name)
        if found:
            stop(f"a test is red without a fault: {how}")


def main():
    arguments = parse_arguments()
    faults = [fault for fault in read_faults() if arguments.only in f"{fault.step}: {fault.what}"]
    if not faults:
        stop(f"no fault has {arguments.only!r} in its line")
    if arguments.list:
        for fault in faults:
            print(f"{fault.step}: {fault.what} ({fault.file}; {fault.test or 'matrix'})")
        return 0
    found_in_all = 0
    with tempfile.TemporaryDirectory(prefix="estab-faults-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        core = Core(pathlib.Path(folder))
        check_fresh(faults, core.src)
        try:
            core.build(sorted({fault.test for fault in faults if fault.test is not None}), pool)
            check_sound(core)
        except RuntimeError as error:
            stop(str(error))
        tries = [pool.submit(try_fault, core, fault, number) for number, fault in enumerate(faults)]
        for fault, result in zip(faults, tries):
            found, how, seconds = result.result()
            found_in_all += found
            mark = "found" if found else "MISSED"
            print(f"{mark:7}{fault.step}: {fault.what} -- {how} ({seconds:.1f} s)", flush=True)
    print(f"faults {len(faults)}, found {found_in_all}")
    return 0 if found_in_all == len(faults) else 1


if __name__ == "__main__":
    sys.exit(main())
