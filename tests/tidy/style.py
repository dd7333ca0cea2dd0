"""
The limits of docs/STYLE.md, as a maximum and not as a target: functions of 70 lines, files of 600, 5 parameters, nesting 3, lines of 110 columns; a comment that opens
each file; no marks of unfinished work. In src/ also: no floating point, no __int128, and one place that writes a connection's state.

Excepted: tables (*.def), tests, and the public headers (the API is one page by design) may be long, and so may the main() of a test, which
lists its cases.
"""
import re
import sys

from c_source import code_of, expect, files_of, functions_of, line_at, run, statements_of

MAX_FUNCTION, MAX_FILE, MAX_PARAMETERS, MAX_NESTING, MAX_LINE = 70, 600, 5, 3, 110

C_FOLDERS = ["src", "include", "drivers", "sim", "tools", "examples", "tests", "bench"]
C_SUFFIXES = {".c", ".h", ".def"}
OTHER_FOLDERS = ["cmake", "scripts", "tests", ".ci", "bench"]
OTHER_SUFFIXES = {".cmake", ".sh", ".py", ".txt", ".in", ""}

# Spelled apart, so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
FLOATING = re.compile(r"\b(float|double|_Complex)\b|(?<![\w.])(\d+\.\d*|\.\d+)([eE][+-]?\d+)?[fFlL]?(?![\w.])")
INT128 = re.compile(r"\b(__int128(_t)?|__uint128_t|_BitInt)\b")

# System calls as everybody knows them, with what they are about and the time.
SYSTEM_CALLS = re.compile(r"^(estab_(send|recv)|sockets_\w+|packetdrill_\w+)$")

# A write of a state of TCP's. What is copied out for a reader (a status, a trace record, a packet's notes) is no state of ours.
STATE_WRITE = re.compile(r"(\w*)\s*(->|\.)\s*state\s*([-+|&^*/%]|<<|>>)?=(?!=)")
STATE_COPIES = {"status", "trace", "record"}
TRANSITION = re.compile(r"(^|_)transition$")


def is_test(name):
    return name.startswith("tests/") or name.startswith("bench/")


def check_lines(name, text):
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            found.append("%s:%d: %d columns, at most %d" % (name, number, len(line), MAX_LINE))
        if "\t" in line and not name.endswith((".mk", "Makefile")):
            found.append("%s:%d: a tab" % (name, number))
        if line != line.rstrip():
            found.append("%s:%d: space at the end" % (name, number))
        mark = UNFINISHED.search(line)
        if mark:
            found.append("%s:%d: %s: finish it, or file an issue" % (name, number, mark.group(0)))
    return found


def check_file(name, text):
    found = []
    count = text.count("\n")
    if count > MAX_FILE and not name.endswith(".def") and not name.startswith("include/") and not is_test(name):
        found.append("%s: %d lines, at most %d" % (name, count, MAX_FILE))
    if not text.startswith("/*"):
        found.append("%s: no comment opens the file" % name)
    if not text.endswith("\n"):
        found.append("%s: no newline at the end" % name)
    return found


def check_functions(name, text):
    found = []
    for function in functions_of(text):
        where = "%s:%d: %s" % (name, function.line, function.name)
        if function.lines > MAX_FUNCTION and not (is_test(name) and function.name == "main"):
            found.append("%s has %d lines, at most %d" % (where, function.lines, MAX_FUNCTION))
        if function.parameters > MAX_PARAMETERS and not SYSTEM_CALLS.match(function.name) and not is_test(name):
            found.append("%s has %d parameters, at most %d" % (where, function.parameters, MAX_PARAMETERS))
        if function.nesting > MAX_NESTING:
            found.append("%s nests %d deep, at most %d" % (where, function.nesting, MAX_NESTING))
    return found


def check_core(name, text):
    """What holds in src/ and include/ only."""
    found = []
    code = code_of(text)
    for pattern, what in ((FLOATING, "floating point"), (INT128, "a type of 128 bits")):
        for match in pattern.finditer(code):
            found.append("%s:%d: %s (%s)" % (name, line_at(code, match.start()), what, match.group(0)))
    return found


def state_writes(name, text):
    """(place, function or None) of each write of a state."""
    code = statements_of(text)
    functions = functions_of(text)
    places = []
    for match in STATE_WRITE.finditer(code):
        if match.group(1) in STATE_COPIES:
            continue
        line = line_at(code, match.start(2))
        owner = [f.name for f in functions if f.line <= line < f.line + f.lines]
        places.append(("%s:%d" % (name, line), owner[0] if owner else None))
    return places


def check_states(root):
    found, allowed = [], []
    for path in files_of(root, ["src/tcp", "src/stack"], C_SUFFIXES):
        for place, owner in state_writes(str(path.relative_to(root)), path.read_text()):
            if owner and TRANSITION.search(owner):
                allowed.append(place)
            else:
                found.append("%s: writes a state outside transition()" % place)
    found += ["%s: a second place that writes a state" % place for place in allowed[1:]]
    return found


def check(root):
    complaints = check_states(root)
    for path in files_of(root, C_FOLDERS, C_SUFFIXES):
        name = str(path.relative_to(root))
        text = path.read_text()
        complaints += check_lines(name, text) + check_file(name, text) + check_functions(name, text)
        if name.startswith(("src/", "include/")):
            complaints += check_core(name, text)
    for path in files_of(root, OTHER_FOLDERS, OTHER_SUFFIXES):
        name = str(path.relative_to(root))
        if "/corpus/" not in name:
            complaints += [c for c in check_lines(name, path.read_text(errors="replace")) if "finish it" in c]
    return complaints


def self_test():
    def source(body, name="src/tcp/a.c", head="/* A file. */\n"):
        return {name: head + body}

    lines = "    x();\n"
    deep = "int f(int a)\n{\n    if (a) {\n        for (;;) {\n            while (a) {\n                if (a)\n                    a--;\n"
    deep += "            }\n        }\n    }\n    return a;\n}\n"
    bare = "int f(int a)\n{\n    for (;;)\n        for (;;)\n            while (a)\n                if (a)\n                    a--;\n}\n"
    bad = [
        (source("int f(void)\n{\n" + lines * 80 + "}\n"), "f has 83 lines"),
        (source("static struct a *\nf(void)\n{\n" + lines * 70 + "}\n"), "f has 74 lines"),
        (source("/* b */\n" * 601), "602 lines"),
        (source("int f(int a, int b, int c, int d, int e, int g)\n{\n}\n"), "f has 6 parameters"),
        (source("int f(int (*a)(int, int), int b, int c, int d, int e, int g)\n{\n}\n"), "f has 6 parameters"),
        (source(deep), "f nests 4 deep"),
        (source(bare), "f nests 4 deep"),
        (source("int f(void)\n{\n    /* " + "a" * 110 + " */\n}\n"), "120 columns"),
        (source("int a;\n", head=""), "no comment opens the file"),
        (source("/* TO" + "DO */\n"), "finish it"),
        (source("# FIX" + "ME\n", name="scripts/a.sh", head=""), "finish it"),
        (source("static double a;\n"), "floating point"),
        (source("int f(void)\n{\n    return 3 * 1.5 > 4;\n}\n"), "floating point"),
        (source("unsigned __int128 a;\n"), "128 bits"),
        (source("void f(struct c *c)\n{\n    c->state = 1;\n}\n"), "writes a state outside transition()"),
        (source("void f(struct c *c)\n{\n    c->e[1].state |= 1;\n}\n"), "writes a state outside transition()"),
        (source("struct c c = {.state = 1};\n"), "writes a state outside transition()"),
        (source("void transition(struct c *c)\n{\n    c->state = 1;\n    c->state = 2;\n}\n"), "a second place"),
        (source("int a; \n"), "space at the end"),
        (source("\tint a;\n"), "a tab"),
        (source("int a;"), "no newline at the end"),
    ]
    good = {
        "src/tcp/transition.c": "/* It. */\nvoid transition(struct c *c, unsigned e)\n{\n    c->state = next[c->state][e];\n}\n",
        "src/stack/status.c": "/* It: 1.5 floats in words. */\nint f(struct s *status, struct c *c)\n{\n    status->state = c->state;\n"
                              "    return c->state == 1 || c->state <= 2 || a.state_after != 1;\n}\n",
        "src/base/table.def": "/* Rows. */\n" + "X(1)\n" * 700,
        "src/base/b.c": "/* It. */\n#define LONG(x) \\\n    { \\\n    }\nstruct s {\n    int a;\n};\nstatic const int v[] = {\n" + "    1,\n" * 100 +
                        "};\nstatic int f(int a, int b, int c, int d, int e)\n{\n    if (a) {\n        while (b) {\n            if (c)\n                d();\n"
                        "            else if (d)\n                e();\n        }\n    } else if (b) {\n        do {\n            if (b)\n                c();\n        } while (a);\n    }\n}\n",
        "tests/unit/a_test.c": "/* It. */\nint main(void)\n{\n" + lines * 100 + "}\n" + "/* b */\n" * 700,
    }
    failed = expect(check, good, None)
    for files, wanted in bad:
        failed += expect(check, files, wanted)
    return failed


if __name__ == "__main__":
    sys.exit(run(check, self_test))
