# Everything a developer does here; `make help` lists it.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Tests call e2fsprogs, which is not in the PATH of Debian's ordinary users.
export PATH := $(PATH):/usr/sbin:/sbin

PREFIX  ?= /usr/local
DESTDIR ?=

BIN      := build/bin
PROGRAMS := banger bangerd banger-agent
BINARIES := $(PROGRAMS:%=$(BIN)/%)

# A binary depends on every file below cmd/ and internal/, embedded ones too.
# Directories are in the list as well: a file that goes away touches its own.
BUILD_INPUTS := go.mod go.sum $(shell find cmd internal 2>/dev/null)
SCRIPTS      := .ci/run $(shell find scripts test -name '*.sh' 2>/dev/null)
GO_DIRS      := $(wildcard *.go) $(wildcard cmd internal test)

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# The commit's time, not the clock's: the same commit gives the same bytes.
BUILD_TIME ?= $(shell TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.buildTime=$(BUILD_TIME)

GOLANGCI := go tool -modfile=tools/go.mod golangci-lint

# RACE=1 runs the tests under the race detector, which needs C; all else is
# compiled as it is installed, and so only once. TESTFLAGS adds flags of go test.
RACE      ?=
TESTFLAGS ?=
export CGO_ENABLED := $(if $(RACE),1,0)
GOTEST    := go test $(if $(RACE),-race) $(TESTFLAGS)

.PHONY: help setup build test test-unit test-e2e test-kernel-build fuzz soak lint lint-go lint-shell fmt images demo bench bench-image install uninstall clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install the packages that building, running and testing need
	@scripts/setup.sh test

build: $(BINARIES) ## build banger, bangerd and banger-agent into build/bin/

# One run of go makes all three; & says so to make.
$(BINARIES) &: $(BUILD_INPUTS)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o $(BIN)/ $(PROGRAMS:%=./cmd/%)
	@touch $(BINARIES)

test: test-unit test-e2e ## run every test, end-to-end tests included (RACE=1: with the race detector)

test-unit: setup ## run the tests that start no guest
	$(GOTEST) -timeout 30m $$(go list ./... | grep -v /test/e2e)

test-e2e: setup build images ## run the end-to-end tests: real images, real guests
	BANGER_E2E=1 $(GOTEST) -count=1 -timeout 15m ./test/e2e
	scripts/test-guests.sh $(if $(RACE),-race) $(TESTFLAGS)

fuzz: ## feed the readers of untrusted input with random changes (FUZZTIME: for how long each)
	@scripts/fuzz.sh

soak: build images ## kill, fail and load the daemon; write build/bench/soak.json (BANGER_SOAK=short: the form for every change)
	BANGER_SOAK=$${BANGER_SOAK:-full} go test -count=1 -v -timeout 60m ./test/soak

test-kernel-build: build ## build a kernel from source and compare its boot with the default one's (JOBS=N)
	@scripts/setup.sh run kernel
	@scripts/test-kernel-build.sh $(or $(JOBS),1)

images: ## make the end-to-end tests' images in build/images/ (once)
	@scripts/setup.sh test
	@test/images/make.sh build/images

lint: lint-go lint-shell ## check the style of Go files and shell scripts

lint-go: ## gofmt, go vet and golangci-lint
	@out=$$(gofmt -l $(GO_DIRS)); if [[ -n $$out ]]; then echo "not formatted (make fmt mends it):"; echo "$$out"; exit 1; fi
	go vet ./...
	$(GOLANGCI) run ./...

lint-shell: ## shellcheck on every script
	shellcheck $(SCRIPTS)

fmt: ## format the Go files
	gofmt -w $(GO_DIRS)

demo: ## set up, build and run a sandbox: the whole way in one command
	@scripts/demo.sh

bench: setup build images ## measure against the bars and write build/bench/bench.json
	go run ./test/bench

bench-image: setup build ## compare pulls with those of other tools; write build/bench/bench-image.json
	@test/benchimage/make.sh build/images/bench
	go build -o build/bench/ ./test/benchimage
	CGO_ENABLED=0 GOBIN=$(CURDIR)/build/bench go -C tools/bench install tool
	build/bench/benchimage build/images/bench

install: build ## install into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 0755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin/

uninstall: ## remove what install put there
	rm -f $(PROGRAMS:%=$(DESTDIR)$(PREFIX)/bin/%)

clean: ## remove build/
	rm -rf build
