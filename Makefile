# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# `make help` lists the targets. Nothing is written outside $(O). V=1 shows the commands, O= moves the build folder,
# SAN=address,undefined builds with sanitizers (in a folder of its own).

SAN	?=
O	?= build$(if $(SAN),-san)
V	?= 0
CC	?= gcc
CLANG	?= clang-19
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
PREFIX	?= /usr/local
DESTDIR ?=
WERROR	?= -Werror
Q	:= $(if $(filter 1,$(V)),,@)
say	 = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))')

VERSION	:= $(shell cat VERSION)
COMMIT	:= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
LIBS	:= libbpf yaml-0.1 libuv libmicrohttpd jansson libcurl libcares libcap libnl-3.0 libnl-route-3.0

WARN	:= -Wall -Wextra -Wshadow -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith \
	   -Wno-unused-parameter $(WERROR)
CFLAGS	?= -O2 -g
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) $(CFLAGS) -fno-omit-frame-pointer \
	   $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all) \
	   -Iheaders -Iuser -I$(O) -DWEFT_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(LIBS))
LDLIBS	= $(shell pkg-config --libs $(LIBS)) -lzookeeper_st -lm -lpthread
BPF_CFLAGS = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wshadow -Wno-unused-parameter \
	   -Wtautological-unsigned-zero-compare $(WERROR) -Iheaders -Ibpf -Ivmlinux -I/usr/include/$(MULTIARCH)

BPF_SRC	:= $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJ	:= $(BPF_SRC:bpf/%.bpf.c=$(O)/bpf/%.bpf.o)
LIB_SRC	:= $(sort $(filter-out user/cli/main.c,$(wildcard user/*/*.c)))
LIB_OBJ	:= $(LIB_SRC:%.c=$(O)/%.o)
UNIT	:= $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
BPFTEST	:= $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%,$(sort $(wildcard tests/bpf/test_*.c)))
TOOLS	:= $(patsubst tests/tools/%.c,$(O)/tests/tools/%,$(sort $(wildcard tests/tools/*.c)))
BENCHES	:= $(patsubst tests/bench/%.c,$(O)/tests/bench/%,$(sort $(wildcard tests/bench/bench_*.c)))
FUZZERS	:= $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

all: $(O)/weft ## build the weft binary

# Changed flags rebuild everything; an unchanged `make` does nothing.
ALL_FLAGS = $(CC) $(ALL_CFLAGS) $(CLANG) $(BPF_CFLAGS)
$(O)/.flags: FORCE
	@mkdir -p $(@D)
	@echo "$(subst ",\",$(ALL_FLAGS))" | cmp -s - $@ || echo "$(subst ",\",$(ALL_FLAGS))" > $@

$(O)/commit.h: FORCE
	@mkdir -p $(@D)
	@echo '#define WEFT_COMMIT "$(COMMIT)"' | cmp -s - $@ || echo '#define WEFT_COMMIT "$(COMMIT)"' > $@

$(O)/bpf/%.bpf.o: bpf/%.bpf.c $(O)/.flags
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(O)/weft.bpf.o: $(BPF_OBJ)
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJ)

$(O)/weft.skel.h: $(O)/weft.bpf.o
	$(call say,SKEL,$@)
	$(Q){ echo '#include "weft/abi.h"'; $(BPFTOOL) gen skeleton $< name weft_bpf; } > $@.tmp && mv $@.tmp $@

$(O)/%.o: %.c $(O)/.flags | $(O)/weft.skel.h $(O)/commit.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/libweft.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(O)/weft: $(O)/user/cli/main.o $(O)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(O)/libweft.a $(LDLIBS) -o $@

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(O)/libweft.a $(LDLIBS) $(shell pkg-config --libs check) -o $@

$(O)/tests/bpf/%: $(O)/tests/bpf/%.o $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%.o,$(filter-out $(wildcard tests/bpf/test_*.c),$(wildcard tests/bpf/*.c))) $(O)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(filter %.o,$^) $(O)/libweft.a $(LDLIBS) $(shell pkg-config --libs check) -o $@

$(O)/tests/tools/%: tests/tools/%.c $(O)/.flags
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $< -lpthread -lm -o $@

$(O)/tests/bench/%: $(O)/tests/bench/%.o $(O)/libweft.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(O)/libweft.a $(LDLIBS) -o $@

# Fuzzers: clang's own driver and coverage, everything they reach compiled with it.
FUZZ_KUBE := $(filter-out user/registry/kube_access.c user/registry/kube_events.c user/registry/kube_publish.c \
	user/registry/kube_stream.c user/registry/kube_where.c,$(wildcard user/registry/kube_*.c))
FUZZ_ENVOY := $(foreach f,json yaml endpoints answer cluster guard,user/registry/envoy_$(f).c)
FUZZ_LIB := $(wildcard user/base/*.c user/model/*.c user/lb/*.c user/config/*.c) user/discovery/found.c user/health/grpc.c \
	$(filter-out user/dns/responder%,$(wildcard user/dns/*.c)) $(FUZZ_KUBE) $(FUZZ_ENVOY) user/registry/consul_decode.c user/registry/base64.c \
	user/registry/etcd_decode.c user/registry/instance_json.c user/registry/zookeeper_decode.c user/registry/zookeeper_children.c \
	$(foreach f,read split table vips,user/registry/eureka_$(f).c)
$(O)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_LIB) $(O)/.flags
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -std=gnu11 -D_GNU_SOURCE -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-Iheaders -Iuser -DWEFT_VERSION='"$(VERSION)"' $< $(FUZZ_LIB) -lyaml -ljansson -o $@

unit: $(UNIT) ## build the unit tests
bpftests: $(BPFTEST) ## build the tests of the BPF programs
tools: $(TOOLS) ## build the servers and clients that tests use
fuzz: $(FUZZERS) ## build the fuzzers (clang)
benches: $(BENCHES)

abi: ## check the layout of headers/weft/abi.h with both compilers
	$(Q)mkdir -p $(O)/tests
	$(Q)$(CC) -Wall -Wpadded -Werror -Iheaders -c tests/abi/abi_only.c -o $(O)/tests/abi-cc.o
	$(Q)$(CLANG) -target bpf -Wall -Wpadded -Werror -Iheaders -I/usr/include/$(MULTIARCH) -c tests/abi/abi_only.c -o $(O)/tests/abi-bpf.o

test: ## run everything that CI runs (root)
	./scripts/test

check: $(UNIT) ## run the unit tests only (no root)
	./scripts/run-unit $(O)

bench: all tools benches ## measure side by side, write tables and plots to $(O)/bench (root)
	./scripts/bench $(O)

soak: all tools unit bpftests fuzz ## long runs: accounting, kill -9, fuzzing (root, about an hour)
	./scripts/soak $(O)

style: ## check formatting, include directions, docs
	./scripts/check-style
	./scripts/check-layers
	./scripts/check-docs

format: ## rewrite sources with clang-format
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all ## install the binary, unit, man pages, completion and example config
	install -Dm755 $(O)/weft $(DESTDIR)$(PREFIX)/sbin/weft
	install -Dm644 deploy/weft.service $(DESTDIR)$(PREFIX)/lib/systemd/system/weft.service
	install -Dm644 deploy/weft.yaml $(DESTDIR)/etc/weft/weft.yaml.example
	for page in docs/*.8 docs/*.5; do \
		install -Dm644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done
	$(O)/weft completion bash | install -Dm644 /dev/stdin $(DESTDIR)$(PREFIX)/share/bash-completion/completions/weft

clean: ## remove the build folder
	rm -rf $(O)

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t12

FORCE:
.PHONY: all unit bpftests tools fuzz benches abi test check bench soak style format install clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:
-include $(shell find $(O) -name '*.d' 2>/dev/null)
