"""
The documents say what is there: relative links and their anchors lead somewhere, `make` targets that are named exist, and (with --tool) so do the
sub-commands, flags and exit codes that the README names, each found in the tool's own help; and the pages that scripts/docs.sh makes from the code are
what it makes now.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

from c_source import expect, run

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source)[^>]*\s(?:src|srcset)=\"([^\"]+)\"")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
SPAN = re.compile(r"`([^`\n]+)`")
MAKE = re.compile(r"(?:^|[\s`;&])make ([a-z][a-z0-9-]*)(?=$|[\s`;&])", re.M)
COMMAND = re.compile(r"(?:^|[\s/`])estab ([a-z][a-z-]*)\b([^\n|;&]*)")
FLAG = re.compile(r"(?<![\w-])(--[a-z][a-z0-9-]*|-[A-Za-z0-9])(?![\w-])")
EXIT_CODE = re.compile(r"exits?(?: code| with)? `?(\d+)`?", re.I)
NOT_YET = re.compile(r"\bnot yet\b", re.I)


def documents_of(root):
    return sorted(path for path in [*root.glob("*.md"), *root.glob("docs/**/*.md")])


def anchors_of(text):
    """The anchors that the headings of a page get."""
    found = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#+ +(.*?)\s*$", FENCE.sub("", text), re.M):
        plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def check_links(root, path, text):
    found = []
    for match in LINK.finditer(FENCE.sub("", text)):
        target = match.group(1) or match.group(2)
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (path.parent / file) if file else path
        name = path.relative_to(root)
        if not place.exists():
            found.append("%s: the link %s leads nowhere" % (name, target))
        elif anchor and place.suffix == ".md" and anchor not in anchors_of(place.read_text()):
            found.append("%s: no heading for the link %s" % (name, target))
    return found


def code_text(text):
    """Code blocks and spans, one a line: where commands are named."""
    blocks = [re.sub(r"^```.*$", "", block, flags=re.M) for block in FENCE.findall(text)]
    return "\n".join(blocks + SPAN.findall(FENCE.sub("", text)))


def check_make(root, path, text):
    makefile = root / "Makefile"
    if not makefile.exists():
        return []
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile.read_text(), re.M))
    return ["%s: `make %s` is no target of the Makefile" % (path.relative_to(root), name)
            for name in sorted(set(MAKE.findall(code_text(text)))) if name not in targets]


def help_of(tool, *words):
    result = subprocess.run([tool, *words, "--help"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    return (result.stdout + result.stderr) if result.returncode == 0 else None


def check_tool(root, tool):
    path = root / "README.md"
    # A row of the table of what is there may name a command of tomorrow: it says "not yet".
    text = "\n".join(line for line in path.read_text().split("\n") if not NOT_YET.search(line))
    general = help_of(tool)
    if general is None:
        return ["`estab --help` fails"]
    found, everything = [], general
    for name, rest in COMMAND.findall(code_text(text)):
        page = help_of(tool, name)
        if page is None:
            found.append("README.md: `estab %s` is no command of the tool" % name)
            continue
        everything += page
        for flag in FLAG.findall(rest):
            if not re.search(r"(?<![\w-])" + re.escape(flag) + r"(?![\w-])", page):
                found.append("README.md: `estab %s --help` does not know %s" % (name, flag))
    for code in EXIT_CODE.findall(text):
        if not re.search(r"\b%s\b" % code, everything):
            found.append("README.md: exit code %s stands in no help" % code)
    return found


def check_generated(root, tool):
    """The pages that `make docs` makes, made again elsewhere."""
    script = root / "scripts" / "docs.sh"
    if not script.exists():
        return []
    found = []
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(["sh", str(script), tool, folder], capture_output=True, text=True, timeout=60)
        if result.returncode != 0:
            return ["scripts/docs.sh fails: %s" % result.stderr.strip()]
        made = sorted(pathlib.Path(folder).iterdir())
        if not made:
            return ["scripts/docs.sh makes nothing"]
        for page in made:
            kept = root / "docs" / page.name
            if not kept.exists():
                found.append("docs/%s is not there: `make docs` makes it" % page.name)
            elif kept.read_bytes() != page.read_bytes():
                found.append("docs/%s is not what the code says: `make docs` makes it again" % page.name)
    return found


def check(root, arguments=None):
    complaints = []
    for path in documents_of(root):
        text = path.read_text()
        complaints += check_links(root, path, text) + check_make(root, path, text)
    if arguments and arguments.tool:
        complaints += check_tool(root, arguments.tool) + check_generated(root, arguments.tool)
    return complaints


def self_test_tool():
    """check_tool() on a tool that is a script."""
    class Arguments:
        tool = None

    script = ('#!/bin/sh\ncase "$1" in --help) echo "exit 0, 2";; serve) echo "--port N  where to listen";; *) exit 2;; esac\n')
    cases = [
        ("Run `estab serve --port 80`; it exits 2.\n| `estab later` | not yet |\n", None),
        ("Run `estab fly`.\n", "no command of the tool"),
        ("Run `build/estab serve --prot 80`.\n", "does not know --prot"),
        ("It exits 9.\n", "exit code 9"),
    ]
    generator = '#!/bin/sh\nset -e\n"$1" serve --help > "$2/page.md"\n'
    page = "--port N  where to listen\n"
    generated = [
        ({"docs/page.md": page}, None),
        ({"docs/page.md": page + "one more\n"}, "docs/page.md is not what the code says"),
        ({"docs/other.md": page}, "docs/page.md is not there"),
        ({"scripts/docs.sh": "exit 0\n"}, "makes nothing"),
        ({"scripts/docs.sh": "echo broken >&2; exit 1\n"}, "docs.sh fails: broken"),
    ]
    failed = []

    def check_with(root):
        tool = root / "tool"
        tool.chmod(0o755)
        arguments = Arguments()
        arguments.tool = str(tool)
        return check(root, arguments)

    for text, wanted in cases:
        failed += expect(check_with, {"README.md": text, "tool": script}, wanted)
    for files, wanted in generated:
        failed += expect(check_with, {"README.md": "", "tool": script, "scripts/docs.sh": generator, **files}, wanted)
    return failed


def self_test():
    good = {
        "README.md": "# A b: `c`\n[x](docs/A.md) [y](#a-b-c) [z](docs/A.md#two) [w](https://x.org/)\n```\nmake test\n[n](no)\n```\n`make`\nto make friends\n",
        "docs/A.md": "## Two\n[up](../README.md)\n", "Makefile": "test: x\n",
    }
    bad = [
        ({"README.md": "[x](docs/B.md)\n"}, "leads nowhere"),
        ({"README.md": '<img src="docs/b.svg">\n'}, "leads nowhere"),
        ({"docs/A.md": "[x](A.md#three)\n## Two\n"}, "no heading"),
        ({"README.md": "Say `make tset`.\n", "Makefile": "test:\n"}, "`make tset` is no target"),
    ]
    failed = expect(check, good, None)
    for files, wanted in bad:
        failed += expect(check, files, wanted)
    return failed + self_test_tool()


if __name__ == "__main__":
    sys.exit(run(check, self_test, ("--tool",)))
