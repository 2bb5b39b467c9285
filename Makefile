# genesis: the commands developers and CI use. `make` alone lists them.

GO          ?= go
PKGS        ?= ./...
RUN_FLAGS   ?=
FUZZTIME    ?= 20s
SOAK_TIME   ?= 30m
CHAOS_CUTS  ?= 20000
BENCHTIME   ?= 1s
BENCH_FLAGS ?=
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS     := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help run test lint layers build bench benchcode fuzz chaos soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## simulated FreeSWITCH and the example consumer: prints calls, serves /health /ready /metrics on :8000
	bin/genesis consumer --simulate $(RUN_FLAGS) ./examples/consumer

test: ## every test, with the race detector
	@for tool in redis-server jq python3 node chromium; do \
		command -v $$tool >/dev/null || echo "$$tool is not installed: the tests that need a real one are left out"; \
	done
	$(GO) test -race -p 2 -timeout 10m $(PKGS)
	$(GO) test -tags purego ./esl # without the assembly, as on other processors
	GODEBUG=cpu.avx2=off $(GO) test ./esl # with the part of it that older processors can do

lint: layers ## gofmt, go vet, staticcheck, layers, alert rules
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKGS)
	$(STATICCHECK) $(PKGS)
	$(GO) -C deploy/validate test -count 1 ./... # what it reads is outside its module, which go does not see change

layers: ## imports point down: fails on one that does not
	$(GO) run ./internal/layers

build: ## bin/genesis, static
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/genesis ./cmd/genesis

bench: ## compare with the bare socket and with eslgo: ratios, in some minutes; BENCH_FLAGS=-short for a look
	cd bench && $(GO) run . $(BENCH_FLAGS)

benchcode: ## the benchmarks that live with the code
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -timeout 30m $(PKGS)

fuzz: ## every fuzzer for FUZZTIME (20s) each
	@set -e; for pkg in $$($(GO) list $(PKGS)); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "== $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
		done; \
	done

chaos: ## every fault in every phase and CHAOS_CUTS (20000) random cuts under load; CHAOS_SEED repeats a run
	CHAOS_CUTS=$(CHAOS_CUTS) CHAOS_STEP=0 $(GO) test -race -count 1 -v -timeout 60m ./internal/chaos

soak: ## everything at once with faults for SOAK_TIME (30m), and a report; see docs/reliability.md
	$(GO) run ./internal/soak -duration $(SOAK_TIME)

clean: ## remove what make built
	rm -rf bin
