#!/usr/bin/env python3
"""
Every requirement has its place in the code and its test: joins the tables of tests/rfc/tables/ with the marks (ids such as MUST-13, R5961-04, F-SEQ-5)
in comments, and compares docs/requirements.md with what comes of it. `--write` makes that page (`make docs`).

A mark in the code is an id in any comment of src/, include/, drivers/, sim/ or tools/. A mark of a test is an id in the comment that stands directly above a
function which cmocka is told to run, in the head comment of a packet script, or in the docstring of a Python test: an id that is only mentioned in
between shows nothing. `R6191-01..06` is six marks.

docs/deviations.tsv is checked too: each DEVIATION comment of src/ and include/ cites the id or the section of a row of the kind `departure`, and each
such row is cited.

Line numbers rot with every edit above them, and a page that is red after each edit would be made again without being read. So the page tells file,
line and function, and the comparison leaves the line numbers out: a mark that moves to another function or file, comes or goes is noticed; a line number
that is a little off leads to the function that stands beside it. `make docs` puts them right.
"""
import ast
import pathlib
import re
import sys
from collections import defaultdict, namedtuple

from c_source import TOKEN, expect, files_of, functions_of, line_at, run

TABLES, PAGE, DEVIATIONS = "tests/rfc/tables", "docs/requirements.md", "docs/deviations.tsv"
COLUMNS = "id level rfc section wording same_as exception".split()
DEVIATION_COLUMNS = "id kind what_we_do why linux freebsd scripts".split()
Row = namedtuple("Row", COLUMNS)
Mark = namedtuple("Mark", "path line name")
Deviation = namedtuple("Deviation", DEVIATION_COLUMNS)

MUSTS = ("MUST", "MUST NOT", "rule")
SHOULDS = ("SHOULD", "SHOULD NOT", "RECOMMENDED")
FREE = ("MAY", "note")
ATTACK = "attack"  # a class of known faults: it wants a test with its bound, and no place in the code of its own
SHOULD_PERCENT = 95

ID = re.compile(r"(?<![\w-])((?:MUST|SHLD|MAY|REC|U|O|V|F-[A-Z]+|R\d{4})-)(\d+)(?:\.\.(\d+))?(?![\w-])")
SECTION = re.compile(r"RFC \d+ (?:[A-Z]|\d+)(?:\.\d+)*")
CMOCKA = re.compile(r"\bcmocka_unit_test\w*\(\s*(\w+)")
CODE, CODE_SUFFIXES = ("src", "include", "drivers", "sim", "tools"), {".c", ".h", ".def"}


# ---- reading

def ids_of(text):
    """The ids in a text, ranges spelled out."""
    found = []
    for prefix, first, last in ID.findall(text):
        numbers = range(int(first), int(last or first) + 1)
        found += ["%s%0*d" % (prefix, len(first), number) for number in numbers]
    return found


def read_table(path, columns, complaints):
    """The rows of a tab-separated file: comment lines, a head line, rows."""
    lines = [(number, line) for number, line in enumerate(path.read_text().split("\n"), 1) if line and not line.startswith("#")]
    if not lines or lines[0][1].split("\t") != columns:
        complaints.append("%s: the head line must be %s" % (path.name, " ".join(columns)))
        return []
    rows = []
    for number, line in lines[1:]:
        fields = line.split("\t")
        if len(fields) == len(columns):
            rows.append((number, fields))
        else:
            complaints.append("%s:%d: %d columns, not %d" % (path.name, number, len(fields), len(columns)))
    return rows


def check_row(row, place, known):
    """What is wrong with one row of a requirement table."""
    found = []
    if not ID.fullmatch(row.id) or ".." in row.id:
        found.append("%s: %s is no id" % (place, row.id))
    if row.id in known:
        found.append("%s: %s stands twice" % (place, row.id))
    if row.level not in MUSTS + SHOULDS + FREE + (ATTACK,):
        found.append("%s: the level of %s is none of %s" % (place, row.id, ", ".join(MUSTS + SHOULDS + FREE + (ATTACK,))))
    if not row.wording or not row.rfc or not row.section:
        found.append("%s: %s has no wording or no section" % (place, row.id))
    if row.exception and len(row.exception) < 12:
        found.append("%s: %s is excepted without a reason" % (place, row.id))
    return found


def all_same(row, known):
    """The ids that a row is the same as, and those that these are the same as."""
    found, waiting = [], row.same_as.split()
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found.append(name)
            waiting += known[name].same_as.split()
    return found


def read_tables(root, complaints):
    """{id: Row} of all tables in their order; complains about rows that cannot be."""
    known = {}
    for path in sorted((root / TABLES).glob("*.tsv"), key=lambda path: (not path.stem.startswith("rfc9293"), path.stem)):
        for number, fields in read_table(path, COLUMNS, complaints):
            row = Row(*fields)
            complaints += check_row(row, "%s:%d" % (path.name, number), known)
            known[row.id] = row
    for row in known.values():
        for other in row.same_as.split():
            if other not in known:
                complaints.append("%s is the same as %s, which stands in no table" % (row.id, other))
        if row.id in all_same(row, known):
            complaints.append("%s is the same as itself" % row.id)
    numbers = defaultdict(set)
    for name in known:
        prefix, number = name.rsplit("-", 1)
        numbers[prefix].add(int(number))
    for prefix, there in numbers.items():
        for number in sorted(set(range(min(1, *there), max(there))) - there):
            complaints.append("%s-%d has no row" % (prefix, number))
    return known


# ---- marks

def comments_of(text):
    """(first line, last line, text) of each comment of a C text."""
    for match in TOKEN.finditer(text):
        if match.group(0).startswith("/"):
            yield line_at(text, match.start()), line_at(text, match.end()), match.group(0)


def code_marks(root):
    """(id, Mark) of the comments in the code; the name is that of the function around or directly below."""
    for path in files_of(root, CODE, CODE_SUFFIXES):
        text, name = path.read_text(), path.relative_to(root).as_posix()
        if not ID.search(text):
            continue
        functions = functions_of(text) if path.suffix == ".c" else []
        for first, last, comment in comments_of(text):
            inside = [f.name for f in functions if f.line - 1 <= last and first < f.line + f.lines]
            for offset, line in enumerate(comment.split("\n")):
                for found in ids_of(line):
                    yield found, Mark(name, first + offset, inside[0] if inside else "")


def c_test_marks(text, name):
    """The marks above the functions that cmocka runs."""
    run_by_cmocka = set(CMOCKA.findall(text))
    above = {last: comment for _, last, comment in comments_of(text)}
    for function in functions_of(text):
        if function.name in run_by_cmocka and function.line - 1 in above:
            for found in ids_of(above[function.line - 1]):
                yield found, Mark(name, function.line, function.name)


def script_marks(text, name):
    """The marks of a packet script's head: what comments stand before its first event."""
    head = re.match(r"(?:\s*(?:/\*.*?\*/|//[^\n]*|#[^\n]*|--[^\n]*))*", text, re.S).group(0)
    for found in ids_of(head):
        yield found, Mark(name, 1, pathlib.PurePath(name).stem)


def python_test_marks(text, name):
    """The marks in the docstrings of a Python test and of its test functions."""
    tree = ast.parse(text)
    places = [(tree, 1, pathlib.PurePath(name).stem)]
    places += [(node, node.lineno, node.name) for node in ast.walk(tree)
               if isinstance(node, ast.FunctionDef) and node.name.startswith("test")]
    for node, line, label in places:
        for found in ids_of(ast.get_docstring(node) or ""):
            yield found, Mark(name, line, label)


def test_marks(root):
    """(id, Mark) of all tests."""
    for path in files_of(root, ["tests"], {".c", ".pkt", ".py"}):
        name = path.relative_to(root).as_posix()
        text = path.read_text(errors="replace")
        if name.startswith("tests/tidy/") or not ID.search(text):
            continue
        if path.name.endswith("_test.c"):
            yield from c_test_marks(text, name)
        elif path.suffix == ".pkt":
            yield from script_marks(text, name)
        elif path.name.endswith("_test.py") or name.startswith("tests/interop/"):
            yield from python_test_marks(text, name)


def gather(marks, rows, complaints):
    """{id: marks}, named functions first; complains about ids that no table has."""
    found = defaultdict(list)
    for name, mark in marks:
        if name not in rows:
            complaints.append("%s:%d: %s stands in no table" % (mark.path, mark.line, name))
        elif mark not in found[name]:
            found[name].append(mark)
    for there in found.values():
        there.sort(key=lambda mark: (mark.name == "", mark.path, mark.line))
    return found


def own_or_same(row, rows, marks):
    """A row's own marks; without any, those of what it is the same as, if all of these have some."""
    if marks.get(row.id) or row.id in all_same(row, rows):
        return marks.get(row.id, [])
    others = [own_or_same(rows[other], rows, marks) for other in row.same_as.split() if other in rows]
    return list(dict.fromkeys(mark for there in others for mark in there)) if all(others) else []


# ---- the judgement

Joined = namedtuple("Joined", "row code tests")


def join(root, complaints):
    rows = read_tables(root, complaints)
    code = gather(code_marks(root), rows, complaints)
    tests = gather(test_marks(root), rows, complaints)
    for row in rows.values():
        if row.exception and tests.get(row.id):
            mark = tests[row.id][0]
            complaints.append("%s is excepted, but %s:%d says that it shows it" % (row.id, mark.path, mark.line))
    return [Joined(row, own_or_same(row, rows, code), own_or_same(row, rows, tests)) for row in rows.values()]


def is_met(joined):
    return bool(joined.code and joined.tests)


def check_musts(joined):
    found = []
    for one in joined:
        if one.row.level in MUSTS and not one.row.exception:
            if not one.tests:
                found.append("%s has no test and no reason: %s" % (one.row.id, one.row.wording))
            if not one.code:
                found.append("%s has no mark in the code: %s" % (one.row.id, one.row.wording))
        if one.row.level == ATTACK and not one.row.exception and not one.tests:
            found.append("%s has no test and no reason: %s" % (one.row.id, one.row.wording))
    return found


def check_shoulds(joined):
    """Of those that are not excepted with a reason."""
    asked = [one for one in joined if one.row.level in SHOULDS and not one.row.exception]
    missing = [one.row.id for one in asked if not is_met(one)]
    if 100 * (len(asked) - len(missing)) >= SHOULD_PERCENT * len(asked):
        return []
    return ["of %d SHOULDs %d lack a test or a mark in the code, more than %d %%: %s"
            % (len(asked), len(missing), 100 - SHOULD_PERCENT, " ".join(missing))]


# ---- deviations

def read_deviations(root, complaints):
    path = root / DEVIATIONS
    rows = []
    for number, fields in (read_table(path, DEVIATION_COLUMNS, complaints) if path.exists() else []):
        row = Deviation(*fields)
        rows.append(row)
        if row.kind not in ("departure", "choice"):
            complaints.append("%s:%d: the kind is departure or choice" % (path.name, number))
        if not all(fields):
            complaints.append("%s:%d: a column is empty" % (path.name, number))
        if not ID.fullmatch(row.id) and not SECTION.fullmatch(row.id):
            complaints.append("%s:%d: %s is no id and no section as in RFC 9293 3.10.5" % (path.name, number, row.id))
    return rows


def cited_by(comment):
    """What each DEVIATION in a comment cites: the id or the section right behind the word."""
    plain = re.sub(r"\s*\n\s*\*?\s*", " ", comment)
    for part in plain.split("DEVIATION")[1:]:
        match = re.match(r"(?::| from) (%s|%s)" % (ID.pattern, SECTION.pattern), part)
        yield match.group(1) if match else None


def check_deviations(root, rows, complaints):
    deviations = read_deviations(root, complaints)
    departures = {row.id for row in deviations if row.kind == "departure"}
    for row in deviations:
        if ID.fullmatch(row.id) and row.id not in rows:
            complaints.append("%s: %s stands in no table" % (DEVIATIONS, row.id))
    cited = set()
    for path in files_of(root, ["src", "include"], CODE_SUFFIXES):
        for first, _, comment in comments_of(path.read_text()):
            for name in cited_by(comment):
                cited.add(name)
                if name not in departures:
                    complaints.append("%s:%d: a DEVIATION that cites no row of %s" % (path.relative_to(root), first, DEVIATIONS))
    complaints += ["%s: no DEVIATION comment cites %s" % (DEVIATIONS, name) for name in sorted(departures - cited)]
    return deviations


# ---- the page

def links(marks, most=3):
    """The first marks as links; the page says how many more there are."""
    shown = []
    for mark in marks[:most]:
        link = "[%s:%d](../%s#L%d)" % (mark.path, mark.line, mark.path, mark.line)
        shown.append("%s %s" % (link, mark.name) if mark.name else link)
    if len(marks) > most:
        shown.append("and %d more" % (len(marks) - most))
    return "<br>".join(shown)


def note_of(row, deviations):
    notes = [row.exception] if row.exception else []
    if row.same_as:
        notes.append("as " + ", ".join(row.same_as.split()))
    notes += ["%s: %s" % (one.kind, one.what_we_do) for one in deviations if one.id == row.id]
    return "; ".join(notes).replace("|", "\\|")


def counts_of(name, joined):
    """One line of the table at the head."""
    cells = []
    for levels in (MUSTS, SHOULDS):
        there = [one for one in joined if one.row.level in levels]
        excepted = sum(1 for one in there if one.row.exception)
        met = sum(1 for one in there if not one.row.exception and is_met(one))
        cells += [len(there), met, excepted, len(there) - met - excepted]
    return "| %s | %s |" % (name, " | ".join(str(cell) for cell in cells))


def page_of(joined, deviations):
    groups = defaultdict(list)
    for one in joined:
        groups[one.row.rfc].append(one)
    lines = [
        "# Requirements", "",
        "Generated by `make docs` from `tests/rfc/tables/` and the marks in code and tests (`tests/tidy/requirements.py`). Change those, not this page.",
        "", "An id is found in the code where the requirement is met (`grep -rn MUST-13 src include`), and above the test that shows it. A row without both"
        " stands with the reason, and a MUST without either makes `make test` red; so do SHOULDs of which more than %d %% lack them. Rules (those of the"
        " state machine, of blind attackers, and statements of RFC 9293 without a number) count as MUSTs. Departures from RFCs, and where Linux and FreeBSD"
        " do otherwise: [deviations.tsv](deviations.tsv)." % (100 - SHOULD_PERCENT), "",
        "| | MUSTs and rules | met | excepted | open | SHOULDs | met | excepted | open |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [counts_of(name, there) for name, there in groups.items()] + [counts_of("all", joined)]
    for name, there in groups.items():
        lines += ["", "## " + name, "", "| id | level | section | requirement | code | test | note |", "| --- | --- | --- | --- | --- | --- | --- |"]
        for one in there:
            row = one.row
            lines.append("| %s | %s | %s | %s | %s | %s | %s |" % (row.id, row.level, row.section, row.wording.replace("|", "\\|"), links(one.code),
                                                                links(one.tests), note_of(row, deviations)))
    return "\n".join(lines) + "\n"


def without_lines(page):
    return re.sub(r":\d+\](\([^)#]*)#L\d+\)", r"]\1)", page)


def build(root, complaints):
    joined = join(root, complaints)
    deviations = check_deviations(root, {one.row.id for one in joined}, complaints)
    return joined, page_of(joined, deviations)


def check(root):
    complaints = []
    joined, page = build(root, complaints)
    complaints += check_musts(joined) + check_shoulds(joined)
    path = root / PAGE
    if not path.exists() or without_lines(path.read_text()) != without_lines(page):
        complaints.append("%s is not what the tables and marks give: `make docs` makes it again" % PAGE)
    return complaints


def write(root):
    _, page = build(root, [])
    (root / PAGE).write_text(page)
    print("made " + PAGE)


# ---- the self-test

HEAD = "\t".join(COLUMNS) + "\n"
DEVIATION_HEAD = "# comment\n" + "\t".join(DEVIATION_COLUMNS) + "\n"


def table(*rows):
    """A table of 'id level [same_as] [exception]'."""
    return HEAD + "".join("\t".join((row + ["", ""])[:2] + ["RFC 1", "1", "does it"] + (row[2:] + ["", ""])[:2]) + "\n" for row in rows)


def test_file(comment, name="a_b_c", registered=True):
    run_it = "cmocka_unit_test(%s)" % name if registered else "other(%s)" % name
    return "%s\nstatic void %s(void **state)\n{\n    (void)state;\n}\n\nint main(void)\n{\n    return %s;\n}\n" % (comment, name, run_it)


def good_tree():
    rows = [["MUST-1", "MUST"], ["MUST-2", "MUST NOT", "", "it is not built in, for a reason"], ["MUST-3", "MUST", "MUST-1"], ["SHLD-1", "SHOULD"],
            ["MAY-1", "MAY"], ["F-A-1", "rule"], ["F-A-2", "rule"], ["R1111-01", "RECOMMENDED"]]
    return {
        TABLES + "/a.tsv": table(*rows),
        "src/a.c": "/* MUST-1 */\nint f(int a)\n{\n    /* SHLD-1 F-A-1..2 R1111-01 DEVIATION: RFC 1 2.3 is long ago */\n    return a;\n}\n",
        "tests/unit/a_test.c": test_file("/* MUST-1 and SHLD-1: so */"),
        "tests/script/a.pkt": "// F-A-1\n/* F-A-2 */\n0 > . 1:1(0) // MUST-99\n",
        "tests/tool/a_test.py": '"""R1111-01"""\nX = "MUST-99"\n',
        DEVIATIONS: DEVIATION_HEAD + "RFC 1 2.3\tdeparture\ta\tb\tc\td\t-\nMUST-1\tchoice\ta\tb\tc\td\tx*.pkt\n",
    }


def with_page(files):
    """Adds the page that the tree itself gives: staleness is another test."""
    def check_with_page(root):
        path = root / PAGE
        path.parent.mkdir(exist_ok=True)
        path.write_text(build(root, [])[1])
        return check(root)
    return files, check_with_page


def changed(**replacements):
    """The good tree with texts replaced: file key = (old, new)."""
    files = good_tree()
    for key, (old, new) in replacements.items():
        path = {"rows": TABLES + "/a.tsv", "code": "src/a.c", "unit": "tests/unit/a_test.c", "script": "tests/script/a.pkt", "deviations": DEVIATIONS}[key]
        if old not in files[path]:
            raise ValueError("the self-test replaces nothing: %s" % old)
        files[path] = files[path].replace(old, new, 1)
    return files


BROKEN = [
    (changed(unit=("MUST-1", "MUST-17")), "MUST-17 stands in no table"),
    (changed(code=("MUST-1", "MUST-17")), "MUST-17 stands in no table"),
    (changed(code=("MUST-1", "")), "MUST-1 has no mark in the code"),
    (changed(unit=("MUST-1", "")), "MUST-1 has no test and no reason"),
    (changed(unit=("MUST-1", "")), "MUST-3 has no test and no reason"),
    (changed(unit=("cmocka_unit_test(a_b_c)", "nobody(a_b_c)")), "MUST-1 has no test and no reason"),
    (changed(unit=("so */\n", "so */\n\n")), "MUST-1 has no test and no reason"),
    (changed(unit=("/* MUST-1 and SHLD-1: so */\n", ""), code=("int f", "/* */\nint f")), "MUST-1 has no test and no reason"),
    (changed(unit=("(void)state;", "(void)state; /* MUST-2 */"), script=("F-A-1\n", "\n")), "F-A-1 has no test and no reason"),
    (changed(script=("F-A-2", ""), unit=("int main", "/* F-A-2 */\nint main")), "F-A-2 has no test and no reason"),
    (changed(unit=("MUST-1", "MUST-1 MUST-2")), "MUST-2 is excepted, but"),
    (changed(unit=("SHLD-1", "")), "of 2 SHOULDs 1 lack a test"),
    (changed(code=("SHLD-1", "")), "of 2 SHOULDs 1 lack a test"),
    (changed(rows=("MUST-2\tMUST NOT", "MUST-4\tMUST NOT")), "MUST-2 has no row"),
    (changed(rows=("MAY-1\tMAY", "MUST-1\tMAY")), "MUST-1 stands twice"),
    (changed(rows=("MAY-1\tMAY", "MAY-1\tPERHAPS")), "the level of MAY-1"),
    (changed(rows=("MAY-1\tMAY", "MAY-1")), "6 columns, not 7"),
    (changed(rows=("id\t", "name\t")), "the head line must be"),
    (changed(rows=("it is not built in, for a reason", "no")), "MUST-2 is excepted without a reason"),
    (changed(rows=("MUST-1\t\n", "MUST-9\t\n")), "MUST-3 is the same as MUST-9"),
    (changed(rows=("MUST-1\t\n", "MUST-3\t\n")), "MUST-3 is the same as itself"),
    (changed(code=("RFC 1 2.3", "RFC 1 2.4")), "a DEVIATION that cites no row"),
    (changed(code=("DEVIATION: RFC 1 2.3", "")), "no DEVIATION comment cites RFC 1 2.3"),
    (changed(deviations=("RFC 1 2.3\tdeparture", "RFC 1 2.3\tchoice")), "a DEVIATION that cites no row"),
    (changed(deviations=("\tchoice\ta\t", "\tchoice\t\t")), "a column is empty"),
    (changed(deviations=("MUST-1\tchoice", "MUST-1\tmaybe")), "the kind is departure or choice"),
    (changed(deviations=("MUST-1\t", "MUST-9\t")), "MUST-9 stands in no table"),
    (changed(deviations=("MUST-1\t", "somewhere\t")), "somewhere is no id and no section"),
]


def self_test_staleness():
    """The page: gone, changed, a mark in another function; lines that moved do not matter."""
    def stale(change):
        def check_changed(root):
            (root / PAGE).write_text(build(root, [])[1])
            change(root)
            return check(root)
        return check_changed

    def replace(name, old, new):
        return lambda root: (root / name).write_text((root / name).read_text().replace(old, new))

    wanted = "docs/requirements.md is not what"
    failed = expect(check, good_tree(), wanted)
    failed += expect(stale(replace(PAGE, "does it", "did it")), good_tree(), wanted)
    failed += expect(stale(replace("src/a.c", "int f(", "int g(")), good_tree(), wanted)
    failed += expect(stale(replace("tests/unit/a_test.c", "a_b_c", "a_b_d")), good_tree(), wanted)
    failed += expect(stale(replace("src/a.c", "/* MUST-1", "\n\n/* MUST-1")), good_tree(), None)
    return failed


def self_test():
    files, check_with_page = with_page(good_tree())
    failed = expect(check_with_page, files, None)
    for files, wanted in BROKEN:
        failed += expect(check_with_page, files, wanted)
    return failed + self_test_staleness()


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2] == "--write":
        write(pathlib.Path(sys.argv[1]))
    else:
        run(check, self_test)
