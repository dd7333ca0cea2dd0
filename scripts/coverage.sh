#!/bin/sh
# `make coverage`: which lines and branches of src/ the unit, stack, rfc and replay tests reach. Needs gcovr for the tables; with gcov alone it gives the total.
#
#   scripts/coverage.sh [--report-only TITLE]
set -u
cd "$(dirname "$0")/.." || exit 1

title="all tests"
if [ "${1:-}" = --report-only ]; then
    title=$2
else
    scripts/install-packages.sh test || exit 1
    mkdir -p build
    if ! { cmake --preset coverage && cmake --build build/coverage -j "$(nproc)"; } > build/coverage.log 2>&1; then
        cat build/coverage.log
        exit 1
    fi
    find build/coverage -name '*.gcda' -delete
    ctest --test-dir build/coverage -j "$(nproc)" -L '^(unit|stack|rfc|replay)$' --output-on-failure | tail -n 5
    if command -v gcovr > /dev/null; then
        gcovr --root . --object-directory build/coverage --filter src/ --html-details build/coverage/index.html build/coverage 2> /dev/null
        gcovr --root . --object-directory build/coverage --filter src/ build/coverage 2> /dev/null
        echo "pages: build/coverage/index.html"
    fi
fi

# The objects of the core, by gcov itself: "Lines executed:93.10% of 1234" for each file, added up.
objects=build/coverage/CMakeFiles/estab_objects.dir/src
# An object that no test ran has no .gcda: it counts with all its lines.
find $objects -name '*.gcno' | sort | xargs -r gcov -n -b 2> /dev/null |
    awk -v title="$title" '
        /^File / { mine = ($0 ~ /\/src\/[^\/]+\/[^\/]+\.c/) }
        mine && /^Lines executed:/ { split($0, p, /[:% ]+/); lines += p[5]; hit += p[3] * p[5] / 100 }
        mine && /^Branches executed:/ { split($0, p, /[:% ]+/); mine_branches = p[5] }
        mine && /^Taken at least once:/ { n = split($0, p, /[:% ]+/); branches += p[n]; taken += p[n - 2] * p[n] / 100 }
        END { if (lines) printf "coverage of src by %s: %.1f %% of %d lines, %.1f %% of %d branches\n",
                  title, 100 * hit / lines, lines, branches ? 100 * taken / branches : 0, branches
              else print "coverage: nothing measured" }'
