# SPDX-License-Identifier: MIT
#
# A thin front: Meson builds and tests, scripts/ hold the steps. `make` builds, `make help` lists
# what there is.

PREFIX ?= /usr/local
DESTDIR ?=
ADDRESS ?= $(or $(STORE_LISTEN),127.0.0.1:8080)
BUILD = build

.PHONY: build help run test check check-asan check-tsan fuzz check-valgrind check-cross check-oom \
	check-storm model bench bench-docs install clean

build:
	@scripts/build $(BUILD)

help:
	@echo 'make run             build the example store and start it on http://$(ADDRESS)'
	@echo 'make test            the whole suite: plain, address+undefined, threads, fuzzers'
	@echo 'make                 the libraries and examples, in $(BUILD)/'
	@echo 'make check           the suite once, plain'
	@echo 'make check-asan      the suite under the address and undefined-behaviour sanitizers'
	@echo 'make check-tsan      the suite under the thread sanitizer'
	@echo 'make fuzz            each fuzzer for FUZZ_SECONDS (60), or FUZZERS: "target router"'
	@echo 'make check-valgrind  the suite under valgrind'
	@echo 'make check-oom       each test again, each of its allocations failing; plain, asan'
	@echo 'make check-storm     threads and tasks at random on channels, for STORM_SECONDS (60)'
	@echo 'make check-cross     the core for aarch64, riscv64 (qemu), and the portable switch'
	@echo 'make model           search models of the protocols, and the real code, for errors'
	@echo 'make bench           measure Belay beside its peers (ARGS=--help: how)'
	@echo 'make bench-docs      the same at full size, into docs/performance.md'
	@echo 'make install         into PREFIX=$(PREFIX) (DESTDIR is put before it)'
	@echo 'make clean           remove all that was built'
	@echo 'run and test install the Debian packages that they miss (scripts/packages).'

run: build
	@test -x $(BUILD)/examples/store/store || { \
	echo 'The store was not built: what scripts/packages lists under build: is not all here.'; \
	echo 'See $(BUILD)/meson-logs/meson-log.txt.'; exit 1; }
	@echo '== Starting the store on http://$(ADDRESS) (Ctrl-C ends it)'
	@exec $(BUILD)/examples/store/store --listen '$(ADDRESS)'

test:
	@scripts/test plain asan tsan fuzz

check:
	@scripts/test plain

check-asan:
	@scripts/test asan

check-tsan:
	@scripts/test tsan

fuzz:
	@scripts/fuzz $${FUZZ_SECONDS:-60} $(FUZZERS)

check-valgrind:
	@scripts/test valgrind

check-oom:
	@scripts/test oom oom-asan

# Another build: BUILD=build-tsan, once check-tsan has made it.
check-storm:
	@scripts/install-packages build test
	@scripts/build $(BUILD) -Dtests=enabled
	@STORM_SECONDS=$${STORM_SECONDS:-60} meson test -C $(BUILD) --no-rebuild --print-errorlogs \
	--timeout-multiplier 10 --suite storm

check-cross:
	@scripts/test aarch64 riscv64 ucontext

model:
	@scripts/model

# A peer that can't be installed is left out. Only Debian's own compilers count, so nobody's PATH
# does.
bench:
	@PATH=/usr/sbin:/usr/bin:/sbin:/bin scripts/install-packages bench || \
	echo '== Measuring those that are there'
	@scripts/build build-bench -Dtests=disabled -Dbench=true
	@bench/run $(ARGS)

# The figures and pictures of docs/performance.md, which belong to the machine they are taken on.
bench-docs:
	@$(MAKE) --no-print-directory bench ARGS='--full --json build-bench/docs.json $(ARGS)'
	@bench/docs build-bench/docs.json

install: build
	@meson configure $(BUILD) -Dprefix='$(PREFIX)'
	@DESTDIR='$(DESTDIR)' meson install -C $(BUILD)
	@if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

clean:
	rm -rf build build-asan build-tsan build-fuzz build-valgrind \
	build-aarch64 build-riscv64 build-ucontext build-bench
