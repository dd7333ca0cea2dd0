#!/bin/sh
# `make fuzz`: runs each fuzz target for FUZZ_SECONDS seconds and says how much of src/ its inputs reach.
#
#   FUZZ_SECONDS=600 scripts/fuzz.sh [TARGET...]
#
# New inputs are kept in build/fuzz/corpus/ and used again; those that should stay for good are copied to tests/fuzz/corpus/ by hand (or all, minimized:
# build/fuzz/fuzz/NAME_fuzz -merge=1 tests/fuzz/corpus/NAME build/fuzz/corpus/NAME). A finding is left as build/fuzz/found-* and exits 1.
set -u
cd "$(dirname "$0")/.." || exit 1
scripts/install-packages.sh test || exit 1
seconds=${FUZZ_SECONDS:-60}

mkdir -p build
for preset in fuzz coverage; do
    if ! { cmake --preset $preset && cmake --build build/$preset --target estab_test_programs -j "$(nproc)"; } > build/$preset.log 2>&1; then
        cat build/$preset.log
        exit 1
    fi
done

targets=${*:-$(find tests/fuzz -name '*_fuzz.c' | sort | sed 's|.*/||; s|\.c$||')}
[ -n "$targets" ] || { echo "fuzz: no targets in tests/fuzz"; exit 1; }

failed=0
for target in $targets; do
    name=${target%_fuzz}
    grown=build/fuzz/corpus/$name
    mkdir -p "$grown"
    echo "== $target, $seconds s"
    build/fuzz/fuzz/"$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 \
        -artifact_prefix=build/fuzz/found-"$name"- "$grown" "tests/fuzz/corpus/$name" 2>&1 |
        grep -E 'ERROR|SUMMARY|Test unit|stat::number_of_executed_units|stat::new_units|^ *#[0-9]' || true
    found=$(find build/fuzz -maxdepth 1 -name "found-$name-*")
    if [ -n "$found" ]; then
        echo "FOUND: $found"
        failed=1
    fi
    find build/coverage -name '*.gcda' -delete
    build/coverage/fuzz/"$target" --plain "tests/fuzz/corpus/$name" "$grown" > build/fuzz/replay.log 2>&1 || { cat build/fuzz/replay.log; failed=1; }
    scripts/coverage.sh --report-only "$target"
done
exit $failed
