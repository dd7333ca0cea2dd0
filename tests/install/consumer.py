"""
Installs the build into a folder of its own, moves that folder (nothing in it may know where it stood), and builds a stranger's program against it: with CMake's
find_package(), with pkg-config, with the shared library where there is one; and as C++, where a compiler is.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

CC = os.environ.get("CC", "cc")


def run(*command, **more):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    if result.returncode:
        sys.exit("%s\nfailed with %d:\n%s%s" % (" ".join(map(str, command)), result.returncode, result.stdout, result.stderr))
    return result.stdout.strip()


def expect_version(what, said, version):
    if said != version:
        sys.exit("%s: the program says version '%s', wanted '%s'" % (what, said, version))
    print("%s: ok" % what)


def pkg_config(prefix):
    """An environment in which pkg-config knows the installed tree and nothing else."""
    found = [path.parent for path in prefix.rglob("estab.pc")]
    if len(found) != 1:
        sys.exit("wanted one estab.pc, found %s" % found)
    return {**os.environ, "PKG_CONFIG_LIBDIR": str(found[0])}


def check_cmake(source, prefix, folder, version):
    run("cmake", "-S", source / "tests/install", "-B", folder, "-DCMAKE_PREFIX_PATH=%s" % prefix, "-DCMAKE_C_COMPILER=%s" % CC)
    run("cmake", "--build", folder)
    expect_version("find_package", run(folder / "consumer"), version)
    if (folder / "consumer_shared").exists():
        expect_version("find_package, shared", run(folder / "consumer_shared"), version)


def check_pkg_config(source, prefix, folder, version):
    environment = pkg_config(prefix)
    flags = run("pkg-config", "--cflags", "--libs", "estab", env=environment).split()
    library = pathlib.Path(run("pkg-config", "--variable=libdir", "estab", env=environment))
    if run("pkg-config", "--modversion", "estab", env=environment) != version:
        sys.exit("estab.pc has another version than estab.h")
    run(CC, "-Wall", "-Werror", source / "tests/install/main.c", *flags, "-o", folder / "by-pkg-config")
    environment["LD_LIBRARY_PATH"] = str(library)
    expect_version("pkg-config", run(folder / "by-pkg-config", env=environment), version)
    static = [flag for flag in flags if flag != "-lestab"]
    run(CC, source / "tests/install/main.c", *static, library / "libestab.a", "-o", folder / "static")
    expect_version("pkg-config, static", run(folder / "static"), version)


def check_cxx(prefix):
    if not shutil.which("c++"):
        print("C++: no compiler here, not checked")
        return
    text = '#include <estab/estab.h>\n#include <estab/trace.h>\nint main() { estab_addr a = estab_addr_ipv4(127, 0, 0, 1, 7); return a.port != 7; }\n'
    run("c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I%s" % (prefix / "include"), "-x", "c++", "-", input=text)
    print("C++: ok")


def main():
    source, build, version = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
    for program in ("cmake", "pkg-config"):
        if not shutil.which(program):
            print("%s is not installed" % program)
            sys.exit(77)
    with tempfile.TemporaryDirectory() as name:
        first, prefix, work = (pathlib.Path(name) / part for part in ("first", "moved", "work"))
        run("cmake", "--install", build, "--prefix", first)
        first.rename(prefix)
        work.mkdir()
        check_cmake(source, prefix, work / "cmake", version)
        check_pkg_config(source, prefix, work, version)
        check_cxx(prefix)


main()
