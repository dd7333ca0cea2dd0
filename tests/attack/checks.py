#!/usr/bin/env python3
"""Deletes the checks of the parsers one at a time and demands that a test turns red for each.

    checks.py [--jobs N] [--only WORD] [--list] [--self-test]

A check is a condition that decides what becomes of bytes from the wire: the operand of an `if`, a loop, a `?:`, of
&& and ||, and what a predicate returns. They are found in the source, not listed: checks.txt names the functions that
parse, those that do not, and the few checks whose deletion nothing can show, each with its reason. An operand of || is
deleted as `false`, one of && as `true`; a condition that stands alone as what makes its branch not happen, a lone `?:`
or return value as both. What is deleted is still evaluated, its result is not looked at.

In a private copy of the tree every check becomes a switch, so that it is compiled once, with AddressSanitizer and
UndefinedBehaviorSanitizer; then the tests that reach a check run with it switched off, the quickest first, until one is
red. The last line is `checks: N deleted, N found`.

Exit 0: all were found; 1: some were not; 2: bad arguments, a stale table, or tests that are red without any deletion.
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
from collections import namedtuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "tidy"))
import c_source  # noqa: E402

TABLE = ROOT / "tests" / "attack" / "checks.txt"
FLAGS = ["-std=c17", "-O1", "-g1", "-w", "-D_GNU_SOURCE", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TESTS = [
    *["unit/%s_test.c" % name for name in (
        "address arp ethernet icmp ipv4 ipv6 ndp tcp_header ip_fragments ip_icmp ip_input ip_neighbour ip_output").split()],
    *["attack/%s_test.c" % name for name in (
        "headers options ip_options extensions fragments icmp_length neighbour_frames addresses discovery checksums "
        "urgent forged").split()],
    "stack/hostile_test.c",
]
SUPPORT = ["tests/support/rig.c", "tests/support/random_trace.c", "tests/matrix/figure.c"]
ENVIRONMENT = {"ASAN_OPTIONS": "abort_on_error=1:detect_leaks=0", "UBSAN_OPTIONS": "halt_on_error=1"}
PATIENCE_S = 20  # beyond ten times of what a test takes when it is green

Check = namedtuple("Check", "file line function start end text value")
Kept = namedtuple("Kept", "line file function text value reason")


def stop(text):
    print(f"checks.py: {text}", file=sys.stderr)
    sys.exit(2)


# ---- finding: offsets are those of the source, comments and literals are blanked ----

ACCEPTS = re.compile(r"\{?\s*return\s+(true|IP_OK|TCP_PARSED|ESTAB_DROP_NONE|FRAGMENT_COMPLETE)\s*;")


def split(code, start, end, operator):
    """Spans between the operators at the top level of an expression."""
    parts, depth, begin, at = [], 0, start, start
    while at < end:
        depth += code[at] in "([{"
        depth -= code[at] in ")]}"
        if depth == 0 and code.startswith(operator, at):
            parts.append((begin, at))
            at += len(operator)
            begin = at
        else:
            at += 1
    return [*parts, (begin, end)]


def strip(code, start, end):
    """A span without the space and the whole parentheses around it."""
    while start < end and code[start].isspace():
        start += 1
    while start < end and code[end - 1].isspace():
        end -= 1
    if start < end and code[start] == "(" and c_source.matching(code, start, "(", ")") == end - 1:
        return strip(code, start + 1, end - 1)
    return start, end


def ternary(code, start, end):
    """The spans of `a ? b : c` at the top level, None where there is none."""
    question = split(code, start, end, "?")
    if len(question) == 1:
        return None
    depth, at = 0, question[0][1] + 1
    nested = 0
    while at < end:
        depth += code[at] in "([{"
        depth -= code[at] in ")]}"
        nested += depth == 0 and code[at] == "?"
        if depth == 0 and code[at] == ":":
            if nested == 0:
                return question[0], (question[0][1] + 1, at), (at + 1, end)
            nested -= 1
        at += 1
    return None


def operands(code, start, end, alone):
    """(start, end, value) of what can be deleted in an expression; `alone`: the values of one without operators."""
    start, end = strip(code, start, end)
    parts = ternary(code, start, end)
    if parts:
        found = operands(code, *parts[0], ("true", "false"))
        return found + operands(code, *parts[1], ()) + operands(code, *parts[2], ())
    for operator, neutral in (("||", "false"), ("&&", "true")):
        parts = split(code, start, end, operator)
        if len(parts) > 1:
            return [one for part in parts for one in operands(code, *part, (neutral,))]
    if code[start] == "!" and code[start + 1] == "(":
        inner = operands(code, start + 1, end, ())
        return inner + [(start, end, value) for value in alone]
    return [(start, end, value) for value in alone] + within_arguments(code, start, end)


def within_arguments(code, start, end):
    """What stands between the brackets of an expression that has no operators outside of them."""
    found, at = [], start
    while at < end:
        if code[at] in "([":
            close = c_source.matching(code, at, code[at], ")" if code[at] == "(" else "]")
            for part in split(code, at + 1, close, ","):
                found += operands(code, *part, ()) if code[slice(*part)].strip() else []
            at = close
        at += 1
    return found


def expression_end(code, at, end):
    """Where the expression that begins at `at` ends: a comma, a semicolon, or a bracket that is not its own."""
    depth = 0
    while at < end:
        depth += code[at] in "([{"
        depth -= code[at] in ")]}"
        if depth < 0 or (depth == 0 and code[at] in ",;"):
            return at
        at += 1
    return end


def conditions(code, start, end, is_predicate):
    """What can be deleted in the body of a function."""
    found = []
    for match in re.finditer(r"\b(if|while|for)\s*\(|\breturn\b|(?<![=!<>&|+*/%^-])=(?!=)", code[start:end]):
        word = match.group(1)
        at = start + match.end()
        if word in ("if", "while"):
            close = c_source.matching(code, at - 1, "(", ")")
            value = "true" if word == "while" or ACCEPTS.match(code, close + 1 + (code[close + 1] == " ")) else "false"
            found += operands(code, at, close, (value,))
        elif word == "for":
            close = c_source.matching(code, at - 1, "(", ")")
            clause = split(code, at, close, ";")[1]
            found += operands(code, *clause, ("true",)) if code[slice(*clause)].strip() else []
        elif match.group(0) == "return" or match.group(0).endswith("="):
            if "for" in code[code.rfind("\n", 0, at):at] and match.group(0).endswith("="):
                continue
            close = expression_end(code, at, end)
            alone = ("true", "false") if match.group(0) == "return" and is_predicate else ()
            found += operands(code, at, close, alone)
    return found


CONSTANT = re.compile(r"^(true|false|NULL|[A-Z_0-9]+|\d+u?|\{.*\})$", re.S)


def checks_of(name, text, parsers):
    """The checks of some functions of one file, in order."""
    code = c_source.statements_of(text)
    lines = [0]
    for line in code.split("\n"):
        lines.append(lines[-1] + len(line) + 1)
    found = []
    for function in c_source.functions_of(text):
        if function.name not in parsers:
            continue
        head = code.index("{", code.index(function.name, lines[function.line - 1]))
        end = c_source.matching(code, head, "{", "}")
        predicate = re.search(r"\bbool\b", code[lines[function.line - 1]:head].split("(")[0]) is not None
        for start, stop_at, value in sorted(set(conditions(code, head + 1, end, predicate))):
            operand = " ".join(text[start:stop_at].split())
            if not CONSTANT.match(operand):
                line = c_source.line_at(text, start)
                found.append(Check(name, line, function.name, start, stop_at, operand, value))
    return found


# ---- the table ----

def read_table(text):
    """({file: {"parsers": [...], "others": [...]}}, [Kept])."""
    files, kept, current = {}, [], None
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        keep = re.match(r"keep (\w+) \| (.+) -> (true|false) \| (\S.*)$", line.strip())
        if words[0] == "==" and len(words) == 2:
            current = files.setdefault(words[1], {"parsers:": [], "others:": []})
            name = words[1]
        elif current is not None and words[0] in current:
            current[words[0]] += words[1:]
        elif current is not None and keep:
            kept.append(Kept(number, name, *keep.groups()))
        else:
            stop(f"{TABLE.name}:{number}: no `== FILE`, `parsers:`, `others:` or `keep FUNCTION | CHECK -> VALUE | REASON`")
    return files, kept


def stale_in(files, kept, src, checks):
    """What in the table is not so, or not any more."""
    stale = []
    for name, lists in files.items():
        path = src / name
        there = [one.name for one in c_source.functions_of(path.read_text(encoding="utf-8"))] if path.is_file() else []
        listed = lists["parsers:"] + lists["others:"]
        stale += [f"{name}: no function {one}" for one in listed if one not in there]
        stale += [f"{name}: {one} is neither among the parsers nor the others" for one in there if one not in listed]
    for one in sorted((src / "wire").glob("*.c")):
        if f"wire/{one.name}" not in files:
            stale.append(f"wire/{one.name} is not in the table")
    for keep in kept:
        if not any(same(keep, check) for check in checks):
            stale.append(f"{TABLE.name}:{keep.line}: {keep.function} has no check `{keep.text}` -> {keep.value}")
    return stale


def same(keep, check):
    return (keep.file, keep.function, keep.text, keep.value) == (check.file, check.function, check.text, check.value)


def find_all(files, src):
    return [check for name, lists in files.items() if (src / name).is_file()
            for check in checks_of(name, (src / name).read_text(encoding="utf-8"), lists["parsers:"])]


# ---- the copy whose checks are switches ----

SWITCHES = """\
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int estab_check_off = -1;
unsigned char estab_check_reached[%d];
__attribute__((constructor)) static void choose(void)
{
    const char *number = getenv("CHECK");
    estab_check_off = number != NULL ? atoi(number) : -1;
}
__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("CHECKS_REACHED");
    FILE *file = path != NULL ? fopen(path, "wb") : NULL;
    if (file != NULL) {
        fwrite(estab_check_reached, 1, sizeof estab_check_reached, file);
        fclose(file);
    }
}
"""
DECLARED = "extern int estab_check_off;\nextern unsigned char estab_check_reached[];\n"


def switched(text, checks):
    """The text of a file in which each of its (number, check) is a switch: checks nest, but do not cross."""
    pieces = {}
    for number, check in sorted(checks, key=lambda one: (one[1].start, -one[1].end)):  # the outer one opens first
        value = "1" if check.value == "true" else "0"
        opening = f"(estab_check_reached[{number}] = 1, estab_check_verdict({number}, {value}, (_Bool)("
        pieces.setdefault(check.start, []).append(opening)
        pieces.setdefault(check.end, []).insert(0, ")))")
    at = 0
    out = []
    for place in sorted(pieces):
        closing = [piece for piece in pieces[place] if piece.startswith(")")]
        opening = [piece for piece in pieces[place] if not piece.startswith(")")]
        out.append(text[at:place] + "".join(closing) + "".join(opening))
        at = place
    helper = ("static inline _Bool estab_check_verdict(int number, _Bool value, _Bool result)\n"
              "{\n    return estab_check_off == number ? value : result;\n}\n")
    return DECLARED + helper + "#line 1\n" + "".join(out) + text[at:]


def command(arguments, what):
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or f"exit {done.returncode}").splitlines()
        stop(f"{what}: {next((line for line in lines if 'error:' in line or 'undefined' in line), lines[-1])}")


class Bench:
    """The copy, its tests as programs, and what each of them reaches."""

    def __init__(self, work, checks, pool):
        self.work = work
        self.checks = checks
        self.seconds = {}  # of a program, green
        self.reached = {}  # by a program: a byte for each check
        for folder in ("src", "include"):
            shutil.copytree(ROOT / folder, work / folder)
        for name in {check.file for check in checks}:
            own = [(number, check) for number, check in enumerate(checks) if check.file == name]
            path = work / "src" / name
            path.write_text(switched(path.read_text(encoding="utf-8"), own), encoding="utf-8")
        (work / "switches.c").write_text(SWITCHES % max(1, len(checks)), encoding="utf-8")
        self.programs = self.build(pool)

    def compile(self, source, target):
        includes = [self.work / "include", self.work / "src", ROOT / "tests", ROOT]
        command([os.environ.get("CC", "clang"), *FLAGS, "-DESTAB_TEST_SLOW=0", f'-DESTAB_SOURCE_DIR="{ROOT}"',
                 *[f"-I{path}" for path in includes], "-c", source, "-o", target], source.name)
        return target

    def build(self, pool):
        (self.work / "o").mkdir()
        core = sorted((self.work / "src").glob("*/*.c")) + [self.work / "switches.c"]
        core += [ROOT / name for name in SUPPORT]
        jobs = [pool.submit(self.compile, path, self.work / "o" / f"{path.parent.name}_{path.stem}.o") for path in core]
        tests = {name: pool.submit(self.compile, ROOT / "tests" / name,
                                   self.work / "o" / (name.replace("/", "_")[:-2] + ".o")) for name in TESTS}
        objects = [job.result() for job in jobs]
        links = {name: pool.submit(self.link, job.result(), objects) for name, job in tests.items()}
        return {name: job.result() for name, job in links.items()}

    def link(self, test, objects):
        program = test.with_suffix("")
        command([os.environ.get("CC", "clang"), *FLAGS, test, *objects, "-lcmocka", "-o", program], program.name)
        return program

    def run(self, name, check, seconds, reached=None):
        """(red, how)."""
        environment = {**os.environ, **ENVIRONMENT, "CHECK": str(check)}
        if reached is not None:
            environment["CHECKS_REACHED"] = str(reached)
        try:
            done = subprocess.run([str(self.programs[name])], capture_output=True, timeout=seconds, check=False,
                                  env=environment)
        except subprocess.TimeoutExpired:
            return True, "no end"
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        if done.returncode == 0:
            return False, ""
        sanitizer = re.search(r"(AddressSanitizer: [\w-]+|runtime error: [^\n]{0,60})", output)
        failed = re.search(r"^\[  FAILED  \] (\w+)", output, re.M)
        running = re.findall(r"^\[ RUN      \] (\w+)", output, re.M)
        test = failed[1] if failed else running[-1] if running else "?"
        return True, test + (f" ({sanitizer[1]})" if sanitizer else "")

    def measure(self, name):
        path = self.work / "o" / (name.replace("/", "_") + ".reached")
        started = time.monotonic()
        red, how = self.run(name, -1, 600, path)
        self.seconds[name] = time.monotonic() - started
        if red:
            stop(f"tests/{name} is red without any deletion: {how}")
        self.reached[name] = path.read_bytes()

    def try_check(self, number):
        """(found, how)."""
        names = sorted((name for name in TESTS if self.reached[name][number]), key=lambda name: self.seconds[name])
        for name in names:
            red, how = self.run(name, number, PATIENCE_S + 10 * self.seconds[name])
            if red:
                return True, f"{name[:-2]}: {how}"
        return False, f"{len(names)} tests reach it and stay green" if names else "no test reaches it"


# ---- self-test ----

SAMPLE = """
static bool fits(const struct view *v, size_t n)
{
    return n >= 4 && (v->kind != 2 || n == 8);
}

enum verdict parse(const uint8_t *data, size_t length)
{
    uint32_t taken = length < 9 ? length : 9; /* if (this) were code */
    for (uint32_t i = 0; i < taken; i++) {
        if (data[i] == 0) {
            return IP_OK;
        }
    }
    if (length < 2 || data[1] > length - 2) {
        return BAD;
    }
    if (!fits(data, length)) {
        return BAD;
    }
    struct view view = {.kind = data[0], .far = length > 7 && taken > 7};
    return use(length > 3 ? data : 0);
}
"""
WANTED = {
    ("fits", "n >= 4", "true"), ("fits", "v->kind != 2", "false"), ("fits", "n == 8", "false"),
    ("parse", "length < 9", "true"), ("parse", "length < 9", "false"), ("parse", "i < taken", "true"),
    ("parse", "data[i] == 0", "true"), ("parse", "length < 2", "false"), ("parse", "data[1] > length - 2", "false"),
    ("parse", "length > 7", "true"), ("parse", "taken > 7", "true"), ("parse", "!fits(data, length)", "false"), ("parse", "length > 3", "true"), ("parse", "length > 3", "false"),
}


def self_test():
    """What must be found is found, and nothing else; a table that is not so is noticed; a switch switches."""
    complaints = []
    found = checks_of("wire/sample.c", SAMPLE, ["fits", "parse"])
    got = {(check.function, check.text, check.value) for check in found}
    complaints += [f"not found: {one}" for one in WANTED - got] + [f"found, but is none: {one}" for one in got - WANTED]
    with tempfile.TemporaryDirectory() as folder:
        src = pathlib.Path(folder)
        (src / "wire").mkdir()
        (src / "wire" / "sample.c").write_text(SAMPLE, encoding="utf-8")
        (src / "wire" / "other.c").write_text("", encoding="utf-8")
        files, kept = read_table("== wire/sample.c\nparsers: fits gone\nkeep fits | n >= 4 -> true | good\n"
                                 "keep fits | n >= 5 -> true | stale\n")
        said = "\n".join(stale_in(files, kept, src, find_all(files, src)))
        for want in ("no function gone", "parse is neither", "wire/other.c is not in", "`n >= 5`"):
            complaints += [] if want in said else [f"not noticed: {want}"]
        complaints += ["complains about what is so"] if "`n >= 4`" in said else []
        complaints += switch_test(src)
    files, kept = read_table(TABLE.read_text(encoding="utf-8"))
    complaints += stale_in(files, kept, ROOT / "src", find_all(files, ROOT / "src"))
    for complaint in complaints:
        print(complaint)
    print(f"{len(complaints)} complaints")
    return 1 if complaints else 0


def switch_test(folder):
    """A program with two nested checks gives the result that belongs to each deletion."""
    text = "int f(int a, int b);\nint f(int a, int b)\n{\n    if (a > 1 || (b > 1 && a == b)) {\n        return 1;\n    }\n    return 0;\n}\n"
    found = checks_of("x.c", text, ["f"])
    source = folder / "x.c"
    source.write_text(switched(text, list(enumerate(found))) +
                      "int main(void)\n{\n    return f(2, 0) * 4 + f(0, 2) * 2 + f(1, 1);\n}\n", encoding="utf-8")
    (folder / "s.c").write_text(SWITCHES % len(found), encoding="utf-8")
    command([os.environ.get("CC", "clang"), "-w", source, folder / "s.c", "-o", folder / "x"], "self-test")
    wanted = {-1: 4, "a > 1": 0, "b > 1": 5, "a == b": 6}
    numbers = {check.text: number for number, check in enumerate(found)}
    complaints = []
    for text, want in wanted.items():
        number = numbers.get(text, -1)
        got = subprocess.run([folder / "x"], env={**os.environ, "CHECK": str(number)}, check=False).returncode
        if got != want:
            complaints.append(f"switch {text}: {got}, not {want}")
    return complaints


# ---- main ----

def parse_arguments():
    parser = argparse.ArgumentParser(prog="checks.py", description="deletes checks; a test must turn red for each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time (1..64)")
    parser.add_argument("--only", default="", help="only checks whose line has this in it")
    parser.add_argument("--list", action="store_true", help="list them and do nothing")
    parser.add_argument("--self-test", action="store_true", help="the finder, the table and the switches")
    arguments = parser.parse_args()
    if not 1 <= arguments.jobs <= 64:
        stop("--jobs must be 1..64")
    return arguments


def title(check):
    return f"src/{check.file}:{check.line}: {check.function}: {check.text} -> {check.value}"


def delete_each(checks, arguments):
    found_in_all = 0
    with tempfile.TemporaryDirectory(prefix="estab-checks-") as folder, \
            concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        bench = Bench(pathlib.Path(folder), checks, pool)
        list(pool.map(bench.measure, TESTS))
        for check, (found, how) in zip(checks, pool.map(bench.try_check, range(len(checks)))):
            found_in_all += found
            print(f"{'found' if found else 'MISSED':7}{title(check)} -- {how}", flush=True)
    print(f"checks: {len(checks)} deleted, {found_in_all} found")
    return 0 if found_in_all == len(checks) else 1


def main():
    arguments = parse_arguments()
    if arguments.self_test:
        return self_test()
    files, kept = read_table(TABLE.read_text(encoding="utf-8"))
    checks = find_all(files, ROOT / "src")
    stale = stale_in(files, kept, ROOT / "src", checks)
    if stale:
        stop("the table is stale\n  " + "\n  ".join(stale))
    checks = [check for check in checks if not any(same(keep, check) for keep in kept)]
    checks = [check for check in checks if arguments.only in title(check)]
    if not checks:
        stop(f"no check has {arguments.only!r} in its line")
    if arguments.list:
        print("\n".join(title(check) for check in checks))
        return 0
    for keep in kept:
        print(f"kept   src/{keep.file}: {keep.function}: {keep.text} -> {keep.value}: {keep.reason}")
    return delete_each(checks, arguments)


if __name__ == "__main__":
    sys.exit(main())
