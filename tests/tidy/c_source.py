"""
What the tidy checkers share: C text without comments and strings, the functions in it, and the frame of a checker's main().

It is no compiler: it reads the C that this project writes (see docs/STYLE.md), and a checker's self-test shows that what it must find is found.
"""
import argparse
import pathlib
import re
import sys
import tempfile
from collections import namedtuple

Function = namedtuple("Function", "name line lines parameters nesting")

TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "_Static_assert", "_Alignas", "__attribute__", "do", "else"}


def blank(match):
    """Replaces a match by spaces, its line ends kept."""
    return re.sub(r"[^\n]", " ", match.group(0))


def blank_token(match):
    text = match.group(0)
    if text.startswith("/"):
        return blank(match)
    return text[0] + " " * (len(text) - 2) + text[-1]


def code_of(text):
    """The text with comments and the contents of literals blanked; directives stay."""
    return TOKEN.sub(blank_token, text)


def statements_of(text):
    """code_of() without preprocessor directives."""
    return DIRECTIVE.sub(blank, code_of(text))


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def matching(code, start, opening, closing):
    """Offset of the bracket that closes the one at `start`; the end of the text where there is none."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] == opening:
            depth += 1
        elif code[at] == closing:
            depth -= 1
            if depth == 0:
                return at
    return len(code) - 1


def count_parameters(text):
    depth, count = 0, 1
    for char in text:
        depth += char in "([{"
        depth -= char in ")]}"
        count += char == "," and depth == 0
    return 0 if text.strip() in ("", "void") else count


def nesting_of(body):
    """The deepest nesting of control structures in a function's body, with or without braces around what they control."""
    deepest, _ = nested_run(body, 1, len(body) - 1, 0)
    return deepest


def nested_run(body, at, end, depth):
    """Statements from `at` to `end` at `depth`: the deepest level reached."""
    deepest = depth
    while at < end:
        deepest_here, at = nested_statement(body, at, end, depth)
        deepest = max(deepest, deepest_here)
    return deepest, at


CONTROL = re.compile(r"\s*(if|for|while|switch|else\s+if|else|do)\b")


def nested_statement(body, at, end, depth):
    """One statement: the deepest level in it, and where the next one begins."""
    match = CONTROL.match(body, at, end)
    if match:
        at = match.end()
        if match.group(1) not in ("else", "do"):
            opening = body.find("(", at, end)
            at = matching(body, opening, "(", ")") + 1 if opening >= 0 else end
        tail = re.compile(r"\s*;").match(body, at, end)
        if tail:
            return depth, tail.end()  # the end of do ... while (x);
        return nested_statement(body, at, end, depth + 1)
    while at < end and body[at].isspace():
        at += 1
    if at < end and body[at] == "{":
        close = matching(body, at, "{", "}")
        deepest, _ = nested_run(body, at + 1, close, depth)
        return deepest, close + 1
    while at < end and body[at] not in ";:":
        if body[at] in "({[":
            at = matching(body, at, body[at], {"(": ")", "{": "}", "[": "]"}[body[at]])
        at += 1
    return depth, at + 1


def functions_of(text):
    """The function definitions of a C text."""
    code = statements_of(text)
    code = re.sub(r'extern\s+"[^"]*"\s*\{', blank, code)
    found, at = [], 0
    while True:
        brace = code.find("{", at)
        if brace < 0:
            return found
        close = matching(code, brace, "{", "}")
        head = code[at:brace]
        head = head[max(head.rfind(";"), head.rfind("}")) + 1:]
        name = function_name(head)
        if name:
            first = brace - len(head) + (len(head) - len(head.lstrip()))
            body = code[brace:close + 1]
            first_line, last_line = line_at(code, first), line_at(code, close)
            found.append(Function(name[0], first_line, last_line - first_line + 1, count_parameters(name[1]), nesting_of(body)))
        at = close + 1


def function_name(head):
    """(name, parameters) where the text before a brace is the head of a function."""
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", head, flags=re.S).rstrip()
    if not head.endswith(")") or re.search(r"[^=!<>]=[^=]", head):
        return None
    match = re.search(r"(\w+)\s*\(", head)
    while match and match.group(1) in KEYWORDS:
        match = re.compile(r"(\w+)\s*\(").search(head, match.end())
    if not match or not re.search(r"\w[\s*]+\w+\s*$", head[:match.end() - 1]):
        return None
    close = matching(head, match.end() - 1, "(", ")")
    return match.group(1), head[match.end():close]


def files_of(root, folders, suffixes):
    """The files of some folders of a tree, sorted."""
    found = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*") if path.is_file() and path.suffix in suffixes]
    return sorted(found)


def write_tree(files):
    """A temporary tree of {path: text}; the caller keeps the returned object as long as it needs the tree."""
    folder = tempfile.TemporaryDirectory()
    for name, text in files.items():
        path = pathlib.Path(folder.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def expect(check, files, wanted):
    """Runs check(root) on a tree; returns a list of what went otherwise. `wanted` is a part of a complaint, or None for none at all."""
    with write_tree(files) as name:
        complaints = check(pathlib.Path(name))
    if wanted is None:
        return ["complains about good files: " + text for text in complaints]
    if any(wanted in text for text in complaints):
        return []
    return ["does not find '%s' in %s; it said %s" % (wanted, sorted(files), complaints)]


def run(check, self_test, options=()):
    """main() of a checker: `checker ROOT` or `checker --self-test`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", nargs="?", type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    for option in options:
        parser.add_argument(option)
    arguments = parser.parse_args()
    if arguments.self_test:
        complaints = self_test()
    elif arguments.root:
        complaints = check(arguments.root) if not options else check(arguments.root, arguments)
    else:
        parser.error("name the root of the tree, or --self-test")
    for complaint in complaints:
        print(complaint)
    print("%d complaints" % len(complaints))
    sys.exit(1 if complaints else 0)
