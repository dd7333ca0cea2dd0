# The front door. Everything happens in build/, with the presets of CMakePresets.json; `make help` lists what there is.

BUILD := build/release
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
ROOT := $(shell [ "$$(id -u)" = 0 ] && echo yes)

.PHONY: build help demo test matrix explore faults checks guess bench flood lint size fuzz coverage format docs install clean

build: ## build the library and the tool (build/estab): the default
	@scripts/install-packages.sh build
	@mkdir -p build
	@cmake --preset release > build/release.log 2>&1 || { cat build/release.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS) --target estab estab_shared estab_tool examples
	@ln -sfn release/estab build/estab

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="	" read -r name text; do \
	    printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: build ## the whole life of connections against the kernel's TCP; ARGS="--json" and others are handed on
	@scripts/install-packages.sh $(if $(ROOT),demo)
	@build/estab demo $(ARGS)

test: ## everything a change must pass: gcc, clang, sanitizers, big-endian; LEGS="release asan" picks some
	@scripts/test.sh $(LEGS)

# Release, with the tests' programs: what the long checks run.
define build_tests
	@scripts/install-packages.sh test
	@mkdir -p build
	@cmake --preset release > build/release.log 2>&1 || { cat build/release.log; exit 1; }
	@cmake --build $(BUILD) -j $(JOBS) --target $(1) > build/release.log 2>&1 || { cat build/release.log; exit 1; }
endef

matrix: ## every state x segment, the core against the oracle, on all cores; ARGS="--place LISTEN --first"
	$(call build_tests,estab_matrix)
	@$(BUILD)/tests/estab_matrix $(ARGS)

explore: ## two endpoints over a bad channel in every course of events, and the model of them for spin
	$(call build_tests,explore)
	@$(BUILD)/tests/explore --full
	@/usr/bin/python3 tests/explore/spin.py --full

faults: ## plants one fault at a time in a copy of the core; the matrix, a named test, or the exploration must find each
	$(call build_tests,estab_matrix)
	@/usr/bin/python3 tests/matrix/faults.py --jobs $(JOBS)
	@/usr/bin/python3 tests/explore/faults.py --jobs $(JOBS)

checks: ## deletes every check of the parsers, one at a time; a test must turn red for each: ARGS="--only ndp"
	@scripts/install-packages.sh test
	@/usr/bin/python3 tests/attack/checks.py --jobs $(JOBS) $(ARGS)

guess: ## SYN cookies against random ACKs, GUESSES of them (100 million) through a whole stack
	$(call build_tests,attack_guessing_test)
	@ESTAB_GUESSES=$(or $(GUESSES),100000000) $(BUILD)/tests/attack_guessing_test

bench: build ## the benchmarks; ARGS are handed on
	@if [ -x bench/run ]; then bench/run build/estab $(ARGS); else build/estab bench $(ARGS); fi

flood: build ## a minute of each kind of attack in virtual time, a million packets a second; ARGS="--kind syn"
	@bench/flood build/estab $(ARGS)

lint: ## clang-tidy and cppcheck over src, drivers, sim, tools, examples
	@scripts/lint.sh

size: ## flash and RAM on a Cortex-M4, code size for wasm32, and what they ask of their surroundings
	@scripts/size.sh

fuzz: ## every fuzz target for FUZZ_SECONDS (60) seconds each, then their coverage of src; TARGETS="packet_fuzz" picks some
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz.sh $(TARGETS)

coverage: ## line and branch coverage of src by the unit, stack, rfc and replay tests
	@scripts/coverage.sh

format: ## clang-format what differs from the last commit (never the whole tree); FILES="..." names files instead
	@scripts/format.sh $(FILES)

docs: build ## make again the pages that are generated from the code
	@scripts/docs.sh build/estab

install: build ## install below PREFIX (/usr/local), DESTDIR respected
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean: ## remove build/
	rm -rf build
