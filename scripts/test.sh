#!/bin/sh
# `make test`: builds and tests in four legs, goes on after a leg that failed, and ends with one line a leg.
#
#   scripts/test.sh [LEG...]     legs: release clang asan s390x; all without arguments
#
#   release   gcc -O2, everything: unit, stack, rfc, replay, tidy, install, tool, demo, interop
#   clang     clang -O2: unit, stack, rfc, replay, matrix (the bytes are the same with another compiler)
#   asan      AddressSanitizer and UndefinedBehaviorSanitizer: unit, stack, rfc, replay, matrix, demo, script
#   s390x     big-endian under qemu: unit, stack, rfc, replay, matrix
#
# With CI=true a leg that cannot run is a failure; otherwise it is said so in its line.
set -u
cd "$(dirname "$0")/.." || exit 1

legs=${*:-release clang asan s390x}
jobs=${JOBS:-$(nproc)}
core='^(unit|stack|rfc|replay|matrix)$'
sanitized='^(unit|stack|attack|rfc|replay|matrix|demo|script)$'
summary=""
failed=0

for leg in $legs; do
    case $leg in release | clang | asan | s390x) ;; *)
        echo "test.sh: no leg '$leg'; there are release clang asan s390x" >&2
        exit 2
        ;;
    esac
done

scripts/install-packages.sh test || exit 1
mkdir -p build

note()
{
    summary="$summary$(printf '%-8s %s' "$1" "$2")
"
}

# configure LEG, build LEG: quiet when it works.
configure()
{
    cmake --preset "$1" > "build/$1.log" 2>&1 || { cat "build/$1.log" && return 1; }
}

# A leg's ctest line, as ctest says it, and how many were skipped.
result_of()
{
    line=$(grep -E 'tests passed, [0-9]+ tests failed out of|No tests were found' "$1" | tail -n 1)
    skipped=$(grep -c '\*\*\*Skipped' "$1")
    [ "$skipped" = 0 ] || line="$line ($skipped skipped)"
    echo "${line:-ctest did not run}"
}

run_leg()
{
    leg=$1
    shift
    begin=$(date +%s)
    echo "== $leg"
    if ! configure "$leg"; then
        note "$leg" "FAILED: does not configure"
        return 1
    fi
    if ! cmake --build "build/$leg" -j "$jobs" > "build/$leg.log" 2>&1; then
        grep -vE '^\[[0-9]+/[0-9]+\]' "build/$leg.log" | head -n 100
        note "$leg" "FAILED: does not build"
        return 1
    fi
    [ "$leg" != release ] || [ ! -e build/release/estab ] || ln -sfn release/estab build/estab
    # tee keeps the lines coming; the status of ctest is left in a file.
    { ctest --test-dir "build/$leg" -j "$jobs" --output-on-failure --no-tests=error "$@"; echo $? > "build/$leg.rc"; } | tee "build/$leg.log"
    status=$(cat "build/$leg.rc")
    word=ok
    [ "$status" = 0 ] || word=FAILED
    # Why a test was skipped: its line that starts with "skip".
    awk '/^[0-9]+\/[0-9]+ Testing: / { name = $3 } tolower($0) ~ /^skip/ { print name ": " $0 }' \
        "build/$leg/Testing/Temporary/LastTest.log" 2> /dev/null
    note "$leg" "$word: $(result_of "build/$leg.log"), $(($(date +%s) - begin)) s"
    return "$status"
}

for leg in $legs; do
    case $leg in
        release) run_leg release || failed=1 ;;
        clang) run_leg clang -L "$core" || failed=1 ;;
        asan) run_leg asan -L "$sanitized" || failed=1 ;;
        s390x)
            if scripts/install-packages.sh cross; then
                run_leg s390x -L "$core" || failed=1
            elif [ "${CI:-}" = true ]; then
                note s390x "FAILED: its packages cannot be installed"
                failed=1
            else
                note s390x "not run: its packages cannot be installed (see above)"
            fi
            ;;
    esac
done

echo
echo "== summary"
printf '%s' "$summary"
if [ $failed = 0 ]; then
    echo "all passed"
else
    echo "FAILED"
fi
exit $failed
