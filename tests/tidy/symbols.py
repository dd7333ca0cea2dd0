"""
What the core asks of its surroundings and what it shows them.

Undefined: memcpy, memmove, memset, memcmp and nothing else, as built (--object) and compiled again with -ffreestanding at -O0, -O2 and -Os. External: names that
start with estab_, all declared in include/estab/. No writable data: a stack owns no global.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from c_source import run

ALLOWED_UNDEFINED = {"memcpy", "memmove", "memset", "memcmp"}
CC = os.environ.get("CC", "cc")


def symbols(path):
    """(name, type) pairs of an object or an archive."""
    output = subprocess.run(["nm", str(path)], check=True, capture_output=True, text=True).stdout
    found = []
    for line in output.splitlines():
        match = re.match(r"^(?:[0-9a-f]+)?\s+([A-Za-z])\s+(\S+)$", line)
        if match:
            found.append((match.group(2), match.group(1)))
    return found


def judge_undefined(pairs, what):
    names = sorted({name for name, kind in pairs if kind in "Uwv"} - ALLOWED_UNDEFINED)
    return ["%s: asks for %s, which a freestanding program need not have" % (what, name) for name in names]


def judge_external(pairs, what, declared):
    found = []
    for name, kind in sorted(set(pairs)):
        if not kind.isupper() or kind == "U":
            continue
        if not name.startswith("estab_"):
            found.append("%s: shows %s, which does not start with estab_" % (what, name))
        elif declared and name not in declared:
            found.append("%s: shows %s, which include/estab/ does not declare" % (what, name))
    return found


def judge_data(path, what):
    """Writable sections, constants that only need relocation (.data.rel.ro) left out."""
    table = subprocess.run(["objdump", "-t", str(path)], check=True, capture_output=True, text=True).stdout
    found = []
    for line in table.splitlines():
        match = re.match(r"^[0-9a-f]+ .{5}(.)(.) (\S+)\t\S+\s+(?:\.\w+ )?(\S+)$", line)
        if match and match.group(2) == "O" and re.match(r"\.(bss|data(?!\.rel\.ro)|tdata|tbss)|\*COM\*", match.group(3)):
            found.append("%s: %s is a variable that all stacks would share" % (what, match.group(4)))
    return found


def declared_in(root):
    text = "".join(path.read_text() for path in (root / "include/estab").glob("*.h"))
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return set(re.findall(r"ESTAB_API[^;{]*?\b(estab_\w+)\s*(?:\(|\[|;)", text))


def compile_core(root, folder, flags):
    """Compiles src/ to one object; returns (object, complaints)."""
    sources = sorted((root / "src").rglob("*.c"))
    command = [CC, "-std=c17", "-ffreestanding", "-fno-stack-protector", "-fvisibility=hidden",
               "-I%s/include" % root, "-I%s/src" % root, "-c", *flags]

    def one(source):
        target = folder / (str(source.relative_to(root)).replace("/", "_") + ".o")
        result = subprocess.run([*command, "-o", str(target), str(source)], capture_output=True, text=True)
        return target, result.stderr if result.returncode else ""

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(one, sources))
    errors = [error for _, error in results if error]
    if errors or not results:
        return None, errors or ["no sources under src/"]
    whole = folder / "whole.o"
    subprocess.run(["ld", "-r", "-o", str(whole), *[str(target) for target, _ in results]], check=True)
    return whole, []


def check_freestanding(root):
    complaints = []
    for level in ("-O0", "-O2", "-Os"):
        with tempfile.TemporaryDirectory() as name:
            whole, errors = compile_core(root, pathlib.Path(name), [level])
            complaints += errors
            if whole:
                complaints += judge_undefined(symbols(whole), "src/ with -ffreestanding " + level)
    return complaints


def check(root, arguments):
    complaints = []
    if arguments.object:
        pairs = symbols(arguments.object)
        complaints += judge_undefined(pairs, "estab.o") + judge_data(arguments.object, "estab.o")
        complaints += judge_external(pairs, "estab.o", declared_in(root))
    if arguments.archive:
        complaints += judge_external(symbols(arguments.archive), "libestab.a", declared_in(root))
    return complaints + check_freestanding(root)


def self_test():
    """Small cores, each with one fault, compiled like the real one."""
    bad = [
        ("void *malloc(unsigned long);\nvoid *f(void) { return malloc(1); }\n", "asks for malloc"),
        ("__attribute__((weak)) void g(void);\nvoid f(void) { g(); }\n", "asks for g"),
        ('__attribute__((visibility("default"))) int other(void) { return 1; }\n', "shows other"),
        ('__attribute__((visibility("default"))) int estab_hidden(void) { return 1; }\n', "include/estab/ does not declare"),
        ("static int count;\nint f(void);\nint f(void) { return count++; }\n", "count is a variable"),
        ("int f(void);\nint f(void) { static int n = 3; return n++; }\n", "is a variable"),
    ]
    good = ('#include "estab/estab.h"\nvoid *memcpy(void *, const void *, unsigned long);\n'
            "int g(void);\nstatic int (*const table[2])(void) = {g};\nint g(void) { return table[1] == g; }\n"
            "int estab_x(void *a, void *b) { memcpy(a, b, 99); return 0; }\nint inner(void);\nint inner(void) { return 2; }\n")
    header = '#define ESTAB_API __attribute__((visibility("default")))\nESTAB_API int estab_x(void *a, void *b);\n'
    failed = []
    for text, wanted in bad + [(good, None)]:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "src/base").mkdir(parents=True)
            (root / "include/estab").mkdir(parents=True)
            (root / "src/base/a.c").write_text(text)
            (root / "include/estab/estab.h").write_text(header)
            whole, errors = compile_core(root, root, ["-O1"])
            if errors:
                failed += errors
                continue
            local = root / "local.o"
            subprocess.run(["objcopy", "--localize-hidden", str(whole), str(local)], check=True)
            pairs = symbols(local)
            said = judge_undefined(pairs, "it") + judge_data(local, "it") + judge_external(pairs, "it", declared_in(root))
            if (wanted is None and said) or (wanted and not any(wanted in text for text in said)):
                failed.append("wanted '%s', got %s" % (wanted, said))
    return failed


if __name__ == "__main__":
    sys.exit(run(check, self_test, ("--object", "--archive")))
