#!/bin/sh
# `make lint`: clang-tidy (.clang-tidy) and cppcheck over the code that ships. A finding is mended, or excused at its line with the reason behind the mark:
# `NOLINT(check): reason` or `cppcheck-suppress id ; reason`. A mark without a reason is a finding too.
set -u
cd "$(dirname "$0")/.." || exit 1
scripts/install-packages.sh lint || exit 1

failed=0
folders="src drivers sim tools examples"
files=$(for folder in $folders; do find "$folder" -name '*.c'; done | sort)
[ -n "$files" ] || { echo "lint: no sources"; exit 1; }

# shellcheck disable=SC2086 # a list of folders
bare=$(grep -rnE 'NOLINT|cppcheck-suppress' $folders include --include='*.[ch]' |
    grep -vE 'NOLINT(NEXTLINE|BEGIN|END)?\([A-Za-z0-9.,*-]+\): .{8}|NOLINTEND|cppcheck-suppress [A-Za-z0-9]+ ; .{8}')
if [ -n "$bare" ]; then
    echo "suppressions without a reason:"
    echo "$bare"
    failed=1
fi

echo "== clang-tidy"
cmake --preset clang -DESTAB_TESTS=OFF -B build/lint > build/lint.log 2>&1 || { cat build/lint.log; exit 1; }
echo "$files" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p build/lint 2> build/lint.log || failed=1
grep -vE 'warnings? (generated|treated)|^Suppressed|^Use -' build/lint.log | grep . && failed=1

echo "== cppcheck"
# unusedStructMember: the wire's structs are filled whole. The two missing includes are the system's.
# shellcheck disable=SC2046
cppcheck --quiet --std=c11 --language=c -j "$(nproc)" --error-exitcode=1 --inline-suppr \
    --enable=warning,performance,portability --suppress=missingIncludeSystem \
    -D__GNUC__=12 -Iinclude -Isrc -I. $(for f in $folders; do [ -n "$(find "$f" -name '*.c')" ] && echo "$f"; done) || failed=1

[ $failed = 0 ] && echo "lint: clean"
exit $failed
