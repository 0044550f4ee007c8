# The extension proper, as PGXS builds and installs it: run from the top folder by ../Makefile.
EXTENSION = smarthg
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" smarthg.control)
MODULE_big = smarthg
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard extension/core/*.c extension/core/*/*.c extension/pg/*.c)))
DATA_built = sql/smarthg--$(EXTVERSION).sql
DATA = $(wildcard sql/updates/smarthg--*--*.sql)
EXTRA_CLEAN = sql/smarthg--$(EXTVERSION).sql $(OBJS:.o=.d) $(OBJS:.o=.bc)

PG_CONFIG ?= pg_config
# The server's headers are a system's: our warnings are about our code.
PG_CPPFLAGS = -isystem $(shell $(PG_CONFIG) --includedir-server) -MMD -MP
WERROR ?= -Werror
PG_CFLAGS = -std=gnu11 -Wextra -Wshadow $(WERROR) -Wno-declaration-after-statement
SHLIB_LINK = -lglpk -lcrypto -ljansson -lm -Wl,--version-script=extension/exports.map
# Inlining across the module's border buys nothing here, so no LLVM bitcode is built.
override with_llvm = no

# PGXS takes this file's folder for the source's; it is the one above.
override srcdir = .
override VPATH =
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

sql/smarthg--$(EXTVERSION).sql: $(sort $(wildcard sql/[0-9][0-9]-*.sql)) smarthg.control
	cat $(filter %.sql,$^) > $@

-include $(OBJS:.o=.d)
