# SmartHG. `make demo` shows the main job on real data; `make check` runs every test; both need
# nothing but git, make and gcc on a Debian machine (tests/packages installs the rest).
# `make`, `make install`, `make installcheck`, `make clean` work as in any PGXS project.
PG_CONFIG ?= pg_config
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
.DEFAULT_GOAL := all

ifeq ($(PGXS),)
# No server headers yet: get them, then read this file again.
ifneq ($(MAKE_RESTARTS_ONCE),)
$(error PostgreSQL server development files are missing: $(PG_CONFIG) --pgxs)
endif
all check demo bench fuzz install installcheck clean:
	@tests/packages
	@$(MAKE) --no-print-directory MAKE_RESTARTS_ONCE=1 $@
else

CC = gcc
CLANG = clang
WERROR ?= -Werror
WARNINGS = -std=gnu11 -Wall -Wextra -Wshadow $(WERROR)
PLAIN = -O2 -g $(WARNINGS) -MMD -MP
SANITIZE = -O1 -g $(WARNINGS) -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -MMD -MP
PG_INCLUDE = -isystem $(shell $(PG_CONFIG) --includedir)

core = $(sort $(wildcard extension/core/*.c extension/core/*/*.c))
codec = $(sort $(wildcard bridge/codec/*.c))
bridge_core = $(sort $(wildcard bridge/core/*.c))
backend = $(sort $(wildcard bridge/backend/*.c))
bridge_units = $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_bridge_*.c)))
core_units = $(filter-out $(bridge_units),$(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c))))
fuzzers = $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
core_fuzzers = fuzz_energy_block fuzz_form fuzz_incoming_batch fuzz_model_text fuzz_reading_block fuzz_scope fuzz_token
bridge_fuzzers = $(filter-out $(core_fuzzers),$(fuzzers))

core_libraries = -lglpk -lcrypto -ljansson -lm
bridge_libraries = -levent_openssl -levent_core -lssl -lcrypto -lm

sources = $(core) $(codec) $(bridge_core) $(backend) $(wildcard bridge/*.c) $(wildcard extension/pg/*.c \
	tests/unit/*.c tests/sim/*.c tests/fault/*.c tests/fuzz/*.c tests/bench/*.c tests/demo/*.c)
headers = $(wildcard extension/*/*.h extension/*/*/*.h bridge/*.h bridge/*/*.h tests/*/*.h)

.PHONY: all extension bridge install uninstall installcheck clean check demo bench fuzz \
	check-source check-programs check-long check-noloss list-units list-fuzzers

all: extension bridge
bridge: build/smarthg-bridge build/smarthg-ctl build/smarthg-gateway-sim

extension install-extension uninstall-extension:
	@$(MAKE) --no-print-directory -f extension/pgxs.mk $(patsubst %-extension,%,$(patsubst extension,all,$@))

install: all install-extension
	install -D -m 755 build/smarthg-bridge $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/smarthg-bridge
	install -D -m 755 build/smarthg-ctl $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/smarthg-ctl
	install -d $(DESTDIR)/usr/lib/systemd/system
	sed 's|^ExecStart=[^ ]*/|ExecStart=$(shell $(PG_CONFIG) --bindir)/|' bridge/smarthg-bridge.service \
		>$(DESTDIR)/usr/lib/systemd/system/smarthg-bridge.service
	install -D -m 755 -t $(DESTDIR)/usr/lib/smarthg bridge/remote/*
	install -D -m 644 bridge/smarthg.sysusers $(DESTDIR)/usr/lib/sysusers.d/smarthg.conf
	install -D -m 644 bridge/bridge.conf $(DESTDIR)/usr/share/smarthg/bridge.conf

uninstall: uninstall-extension
	rm -f $(addprefix $(DESTDIR)$(shell $(PG_CONFIG) --bindir)/,smarthg-bridge smarthg-ctl) \
		$(addprefix $(DESTDIR)/usr/lib/,systemd/system/smarthg-bridge.service smarthg/smarthg-authorized-key smarthg/smarthg-tunnels sysusers.d/smarthg.conf) \
		$(DESTDIR)/usr/share/smarthg/bridge.conf

# Against a running server that has the extension installed: PGHOST, PGPORT and so on say where.
installcheck:
	tests/pgtap/run

clean:
	@$(MAKE) --no-print-directory -f extension/pgxs.mk clean
	rm -rf build

# Every plain-C file is compiled twice: as it ships, and under the sanitizers.
build/plain/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(PLAIN) $(PG_INCLUDE) -c -o $@ $<

build/sanitized/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(SANITIZE) $(PG_INCLUDE) -c -o $@ $<

build/fuzzed/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<

objects = $(patsubst %.c,build/$(1)/%.o,$(2))

build/smarthg-bridge: $(call objects,plain,bridge/main.c bridge/operations.c $(codec) $(bridge_core) $(backend))
	$(CC) -o $@ $^ $(bridge_libraries) -lpq

build/smarthg-ctl: $(call objects,plain,bridge/ctl.c bridge/core/routing.c bridge/core/traffic.c $(codec))
	$(CC) -o $@ $^ -lcrypto -lm

build/smarthg-gateway-sim: $(call objects,plain,$(wildcard tests/sim/*.c) $(codec) $(bridge_core) $(core))
	$(CC) -o $@ $^ $(bridge_libraries) $(core_libraries)

# A full disk for the server that tests run on, by LD_PRELOAD.
build/full_disk.so: tests/fault/full_disk.c
	@mkdir -p $(@D)
	$(CC) -O2 -g $(WARNINGS) -fPIC -shared -o $@ $<

$(addprefix build/plain/,$(core_units)): build/plain/%: build/plain/tests/unit/%.o $(call objects,plain,$(core))
	$(CC) -o $@ $^ $(core_libraries)

$(addprefix build/sanitized/,$(core_units)): build/sanitized/%: build/sanitized/tests/unit/%.o $(call objects,sanitized,$(core))
	$(CLANG) -fsanitize=address,undefined -o $@ $^ $(core_libraries)

$(addprefix build/plain/,$(bridge_units)): build/plain/%: build/plain/tests/unit/%.o $(call objects,plain,$(codec) $(bridge_core))
	$(CC) -o $@ $^ $(bridge_libraries)

$(addprefix build/sanitized/,$(bridge_units)): build/sanitized/%: build/sanitized/tests/unit/%.o $(call objects,sanitized,$(codec) $(bridge_core))
	$(CLANG) -fsanitize=address,undefined -o $@ $^ $(bridge_libraries)

# With a database and a shortage of memory that are played.
build/plain/test_bridge_store: $(call objects,plain,bridge/backend/store.c bridge/backend/batch.c)
build/sanitized/test_bridge_store: $(call objects,sanitized,bridge/backend/store.c bridge/backend/batch.c)
build/plain/test_bridge_store build/sanitized/test_bridge_store: bridge_libraries += -lpq -Wl,--wrap=realloc

$(addprefix build/fuzzed/,$(core_fuzzers)): build/fuzzed/%: build/fuzzed/tests/fuzz/%.o $(call objects,fuzzed,$(core))
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(core_libraries)

$(addprefix build/fuzzed/,$(bridge_fuzzers)): build/fuzzed/%: build/fuzzed/tests/fuzz/%.o $(call objects,fuzzed,$(codec) $(bridge_core))
	$(CLANG) -fsanitize=fuzzer,address,undefined -o $@ $^ $(bridge_libraries)

unit_programs = $(addprefix build/plain/,$(core_units) $(bridge_units)) \
	$(addprefix build/sanitized/,$(core_units) $(bridge_units))
fuzz_programs = $(addprefix build/fuzzed/,$(fuzzers))

# All tests, summed up in one last line.
check:
	@tests/packages
	@tests/check

check-source:
	@tests/source $(sources) -- $(headers)

check-programs: all build/full_disk.so $(unit_programs) $(fuzz_programs)

list-units:
	@echo $(unit_programs)

list-fuzzers:
	@echo $(fuzz_programs)

# A long run of every fuzzer: FUZZ_SECONDS each.
FUZZ_SECONDS ?= 600
fuzz: $(fuzz_programs)
	@for f in $^; do mkdir -p build/corpus/$${f##*/} && \
		$$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 build/corpus/$${f##*/} || exit 1; done

# Many more random homes than check takes: every method against GLPK.
LONG_HOMES ?= 50000
check-long: build/plain/test_ebr_pair
	build/plain/test_ebr_pair $(LONG_HOMES)

# The no-loss test for longer than check takes.
NOLOSS_SECONDS ?= 600
check-noloss: all
	@tests/packages
	NOLOSS_SECONDS=$(NOLOSS_SECONDS) SMARTHG_CLUSTER=noloss tests/cluster run tests/e2e/noloss.sh

demo:
	@tests/packages
	@$(MAKE) --no-print-directory all >/dev/null
	@SMARTHG_CLUSTER=demo-cluster tests/cluster run tests/demo/run

benches = $(patsubst tests/bench/%.c,build/plain/%,$(sort $(wildcard tests/bench/bench_*.c)))
bridge_benches = build/plain/bench_codec
build/plain/bench_token: core_libraries += -ljwt -ljose
$(filter-out $(bridge_benches),$(benches)): build/plain/%: build/plain/tests/bench/%.o $(call objects,plain,$(core))
	$(CC) -o $@ $^ $(core_libraries)

$(bridge_benches): build/plain/%: build/plain/tests/bench/%.o $(call objects,plain,$(codec))
	$(CC) -o $@ $^ -lcrypto -lm

# Programs in plain C, then scripts on a cluster that is durable.
bench: all $(benches)
	@tests/packages
	@for b in $(benches); do echo "== $${b##*/}"; $$b || exit 1; done
	@for b in $(wildcard tests/bench/*.sh); do echo "== $${b##*/}"; \
		SMARTHG_CLUSTER=bench SMARTHG_FSYNC=on tests/cluster run $$b || exit 1; done

-include $(shell find build -name '*.d' 2>/dev/null)
.SECONDARY:
endif
