# Everything a person or a machine does with this repository. `make` alone lists it.

GO ?= go
# Nothing here needs C; one setting for all builds lets them share compiled packages.
export CGO_ENABLED = 0
BIN := bin/shopd
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# Further arguments for demo and bench: make demo ARGS='--addr :9000 --reset'
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help build demo test test-short unit services services-stop lint verify admin e2e bench chaos chaos-crash train train-online-retail test-models clean chaos-short chaos-mutations

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z0-9 -]*:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/shopd
	$(GO) build -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN) ./cmd/shopd

demo: build ## run a seeded shop in one process, nothing else needed (ARGS=…)
	$(BIN) demo $(ARGS)

test: ## everything: services, unit, integration, architecture, race and browser tests
	scripts/test

test-short: ## the tests that need no service
	$(GO) test -short -count=1 ./...

unit: test-short ## the same as test-short

services: ## install if needed and start PostgreSQL, Redis, RabbitMQ, Elasticsearch on loopback
	scripts/install services
	scripts/services up

services-stop: ## stop what `make services` started
	scripts/services stop

lint: ## go vet, golangci-lint, shellcheck (the first run builds the linter, about a minute)
	$(GO) vet ./...
	$(GOLANGCI_LINT) run
	@if command -v shellcheck >/dev/null; then shellcheck -x scripts/* .ci/run; else echo 'shellcheck is not installed: scripts not checked'; fi

verify: build ## check that formatted, generated and locked files are fresh
	scripts/verify

admin: ## build the admin application into internal/admin/dist (needs Node.js 20.19+)
	scripts/admin

e2e: build ## the browser tests, against a demo of their own
	scripts/install browser
	scripts/e2e

bench: ## product, listing, search and purchase beside the limit of this machine (ARGS=…)
	$(GO) run ./bench $(ARGS)

# DURATION and SEED of make chaos; without a seed it is the day's.
DURATION ?= 2m
SEED ?=

chaos: ## buyers buy while everything fails, then all promises are checked (DURATION=30m SEED=7 ARGS=…)
	$(GO) run ./chaos -duration $(DURATION) $(if $(SEED),-seed $(SEED)) $(ARGS)

# One fault of each sort, chosen so that all of it fits into four minutes beside other tests.
CHAOS_SHORT := kill -9,rolling restart,redis killed,rabbitmq killed,postgresql immediate,gateway does it and hangs,gateway does it and keeps,webhooks are lost

chaos-short: build ## the part of make test: 40 seconds of the gravest faults, all promises checked, under 4 minutes
	$(GO) run ./chaos -duration 40s -seed $(or $(SEED),4) -only '$(CHAOS_SHORT)' -shopd $(BIN) $(ARGS)

chaos-mutations: ## break one guard of the shop at a time and see that a storm notices (SEED=7 ARGS='-only coupon')
	$(GO) run ./chaos mutations $(if $(SEED),-seed $(SEED)) $(ARGS)

chaos-crash: ## let one process die at every write and named point of a purchase (SEED=7 ARGS='-duration 5m')
	$(GO) run ./chaos crash $(if $(SEED),-seed $(SEED)) $(ARGS)

# A virtual environment of exactly the locked versions, made again when the lock changes.
PYTHON ?= python3
VENV := models/.venv
# Two processors, unless told otherwise: that is the machine that the time of training is promised for.
TRAIN = cd models && OMP_NUM_THREADS=$(THREADS) OPENBLAS_NUM_THREADS=$(THREADS) .venv/bin/python -m shopd_models.train
THREADS ?= 2
# Where the public data set is (transactions.csv.gz, dev_split.json, recs_dev.jsonl.gz).
DATA ?= ../shared/data/online-retail
# Where trained models go.
OUT ?=

$(VENV)/locked: models/requirements.lock
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	cp $< $@

train: $(VENV)/locked ## train models on purchases of a shop (PURCHASES=purchases.jsonl OUT=directory)
	@test -n "$(PURCHASES)" || { echo 'Say what was bought: make train PURCHASES=purchases.jsonl (models/README.md tells the format).'; exit 2; }
	$(TRAIN) shop --purchases $(abspath $(PURCHASES)) --out $(abspath $(or $(OUT),models/trained))

train-online-retail: $(VENV)/locked ## train the benchmark's models (DATA=directory, OUT=models/benchmarks, ARGS=--everything)
	$(TRAIN) online-retail --data $(abspath $(DATA)) --out $(abspath $(or $(OUT),models/benchmarks)) $(ARGS)

test-models: $(VENV)/locked ## the tests of the training
	cd models && OMP_NUM_THREADS=$(THREADS) OPENBLAS_NUM_THREADS=$(THREADS) .venv/bin/python -m pytest

clean: ## remove what was built; services and their data stay
	rm -rf bin e2e/artifacts e2e/node_modules
