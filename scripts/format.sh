#!/bin/sh
# `make format`: clang-format for the C files named, or for those that differ from the last commit. Never the whole tree: a diff shows what changed.
set -eu
cd "$(dirname "$0")/.."
command -v clang-format > /dev/null || { echo "format: clang-format is not installed (Debian: apt-get install clang-format)" >&2; exit 1; }
if [ $# = 0 ]; then
    # shellcheck disable=SC2046 # file names of this tree have no spaces
    set -- $({ git diff --name-only --diff-filter=d HEAD && git ls-files --others --exclude-standard; } | grep -E '\.[ch]$' || true)
fi
[ $# = 0 ] || clang-format -i "$@"
echo "format: $# files"
