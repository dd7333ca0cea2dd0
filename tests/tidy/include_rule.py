"""
The dependency rule of the design, read from the #include lines:

    base <- wire <- {tcp, ip} <- stack <- estab.h <- drivers, sim, tools

tcp and ip do not know each other, cc sees base only, tcp sees cc/cc.h and no algorithm. estab.h gives the names of states, reasons and errors, so
cc, tcp, ip and stack may include it. Nothing under src/ or include/ includes a system header but three that need no operating system; nothing outside
src/ includes what is inside, the tests excepted.
"""
import re
import sys

from c_source import blank, code_of, expect, files_of, line_at, run

FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h"}

# layer: what its files may include, as the beginnings of paths
LAYERS = {
    "src/base": ["base/"],
    "src/wire": ["base/", "wire/"],
    "src/cc": ["base/", "cc/", "estab/"],
    "src/tcp": ["base/", "wire/", "tcp/", "cc/cc.h", "estab/"],
    "src/ip": ["base/", "wire/", "ip/", "estab/"],
    "src/stack": ["base/", "wire/", "cc/", "tcp/", "ip/", "stack/", "estab/"],
    "include": ["estab/"],
}

# Those outside see the public headers, and each other in this order.
OUTER = {
    "drivers": ["estab/", "drivers/"],
    "sim": ["estab/", "drivers/", "sim/"],
    "tools": ["estab/", "drivers/", "sim/", "tools/"],
    "examples": ["estab/", "drivers/"],
}

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*(.*)$", re.M)
COMMENT_ONLY = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def includes_of(text):
    """(line, what stands behind #include), comments left out."""
    without = COMMENT_ONLY.sub(blank, text)
    code = code_of(text)
    return [(line_at(without, m.start()), m.group(1).strip()) for m in INCLUDE.finditer(without)
            if "include" in code[m.start():m.end()]]


def judge(path, what, allowed, core):
    """The complaint about one #include, or None."""
    quoted = re.fullmatch(r'"([^"]+)"', what)
    system = re.fullmatch(r"<([^>]+)>", what)
    if not quoted and not system:
        return "includes something that is not spelled out: %s" % what
    if system:
        if core and system.group(1) not in FREESTANDING:
            return "includes <%s>: the core has only %s" % (system.group(1), ", ".join(sorted(FREESTANDING)))
        return None
    name = quoted.group(1)
    if ".." in name.split("/"):
        return 'includes "%s": paths start at src/ or include/' % name
    if not core and "/" not in name and (path.parent / name).exists():
        return None
    if not any(name == start or (start.endswith("/") and name.startswith(start)) for start in allowed):
        return 'includes "%s": this layer may see %s' % (name, " ".join(allowed))
    return None


def check(root):
    complaints = []
    known = [(layer, allowed, True) for layer, allowed in LAYERS.items()]
    known += [(layer, allowed, False) for layer, allowed in OUTER.items()]
    for layer, allowed, core in known:
        for path in files_of(root, [layer], {".c", ".h", ".def"}):
            for line, what in includes_of(path.read_text()):
                verdict = judge(path, what, allowed, core)
                if verdict:
                    complaints.append("%s:%d: %s" % (path.relative_to(root), line, verdict))
    for path in files_of(root, ["src"], {".c", ".h", ".def"}):
        if not any(path.is_relative_to(root / layer) for layer in LAYERS):
            complaints.append("%s: not in a folder of the design" % path.relative_to(root))
    return complaints


def self_test():
    bad = [
        ({"src/base/a.c": '#include "wire/x.h"\n'}, "src/base/a.c:1: includes"),
        ({"src/wire/a.c": '\n#include "tcp/x.h"\n'}, "src/wire/a.c:2: includes"),
        ({"src/wire/a.c": '#include "estab/estab.h"\n'}, "this layer may see"),
        ({"src/tcp/a.h": '#include "ip/x.h"\n'}, "includes \"ip/x.h\""),
        ({"src/ip/a.h": '#  include "tcp/x.h"\n'}, "includes \"tcp/x.h\""),
        ({"src/tcp/a.c": '#include "cc/newreno.h"\n'}, "includes \"cc/newreno.h\""),
        ({"src/tcp/a.c": '#include "cc/cc.h.other.h"\n'}, "includes"),
        ({"src/cc/a.c": '#include "tcp/x.h"\n'}, "includes \"tcp/x.h\""),
        ({"src/stack/a.c": "#include <string.h>\n"}, "includes <string.h>"),
        ({"src/stack/a.c": "#include <stdlib.h>\n"}, "includes <stdlib.h>"),
        ({"include/estab/a.h": "#include <time.h>\n"}, "includes <time.h>"),
        ({"src/stack/a.c": '#include "../tcp/x.h"\n'}, "paths start at"),
        ({"src/stack/a.c": "#define H <stdio.h>\n#include H\n"}, "not spelled out"),
        ({"drivers/a.c": '#include "wire/x.h"\n'}, "drivers/a.c:1"),
        ({"tools/a.c": '#include "src/tcp/x.h"\n'}, "tools/a.c:1"),
        ({"src/other/a.c": ""}, "not in a folder"),
    ]
    good = {
        "src/base/a.c": '#include "base/b.h"\n#include <stdint.h>\n/* #include <stdio.h> */\n',
        "src/tcp/a.c": '#include "cc/cc.h"\n#include "wire/b.h"\n#include "estab/estab.h"\n#include "tcp/state.def"\n',
        "src/stack/a.c": '#include "tcp/b.h"\n#include "ip/b.h"\n#include "cc/newreno.h"\n',
        "drivers/a.c": '#include <stdio.h>\n#include "estab/estab.h"\n#include "b.h"\n',
        "drivers/b.h": "",
        "tools/a.c": '#include "drivers/b.h"\n',
        "tests/unit/a.c": '#include "tcp/b.h"\n#include <stdio.h>\n',
    }
    failed = expect(check, good, None)
    for files, wanted in bad:
        failed += expect(check, files, wanted)
    return failed


if __name__ == "__main__":
    sys.exit(run(check, self_test))
