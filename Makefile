# Every deed of the project by one word; `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := $(VENV)/.tools
QUIETLY := --quiet --disable-pip-version-check

.PHONY: help install demo test test-services test-kafka test-kafka-long bench backtest backtest-peers sim mutants lint lock clean

help: ## list what can be done
	@echo "Kilowatch: prepaid electricity accounts, live on Kafka."
	echo
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done
	echo
	echo "Start with:  make demo"

# What the demo needs comes first, and alone: half of all packages are for tests.  A new pip first,
# since an old one needs half a minute to choose.  Python compiles what it imports, and that is a
# tenth of all packages; where it may write no byte code it would compile at each start, so what runs
# is imported here, once, on two cores.
$(READY): requirements.lock
	@if ! command -v $(PYTHON) >/dev/null; then
	    echo "Python 3.11 is missing. On Debian: apt-get install python3.11 python3.11-venv (or set PYTHON=)" >&2; exit 1
	fi
	if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then
	    echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3.11-venv" >&2; exit 1
	fi
	echo "Setting up $(VENV) (once; half a minute, more on a slow line) ..."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install $(QUIETLY) --no-compile --require-hashes --no-deps -r <(sed -n '/^pip==/,/#/p' $<)
	$(BIN)/pip install $(QUIETLY) --no-compile --require-hashes --no-deps -r $<
	PYTHONWARNINGS=ignore $(BIN)/pip install $(QUIETLY) --no-compile --no-deps --no-build-isolation --editable .
	export PYTHONDONTWRITEBYTECODE=
	$(BIN)/python -c 'import api.app, api.history_keeper' & $(BIN)/python -c 'import streams.app, deploy.demo'
	wait $$!
	$(BIN)/python -m compileall -q -j 0 scoring streams api deploy simulator
	touch $@

$(TOOLS): requirements-dev.lock $(READY)
	@echo "Adding what tests and tools need to $(VENV) (once) ..."
	$(BIN)/pip install $(QUIETLY) --no-compile --require-hashes --no-deps -r $<
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true  # some packages carry broken files
	touch $@

install: $(READY) ## make .venv with Kilowatch and what it needs, pinned and hashed
	@echo "Ready: $(BIN)/kilowatch --help"

demo: $(READY) ## broker, worker, API and a simulated utility on this machine; Ctrl-C ends it
	@exec $(BIN)/kilowatch demo

# Files are shared out among the processor cores, each file whole: its fixtures are made once.
test: $(TOOLS) ## all tests that need no other machine
	@$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile -m "not kafka and not services and not long"

test-services: $(TOOLS) ## tests with Debian's PostgreSQL, Prometheus, Alertmanager and Chromium
	@$(BIN)/pytest -m "services and not long" tests

test-kafka: $(TOOLS) ## the tests against a real Apache Kafka (needs Java 17 and Maven)
	@$(BIN)/pytest -m "kafka and not long" tests/kafka

test-kafka-long: $(TOOLS) ## the long fault runs against a real Apache Kafka
	@$(BIN)/pytest -m "kafka and long" tests/kafka

bench: $(TOOLS) ## measure speed, memory, recovery and latency; prints JSON
	@$(BIN)/python -m tests.bench $(BENCH)

DATA ?= ../shared/data
UNIVERSITY = $(DATA)/university_buildings_hourly.parquet --holidays GB --from 2020-10-01 --to 2023-12-31
HOMES = $(DATA)/homes_au_halfhourly.parquet --holidays AU-NSW
STEEL = $(DATA)/steel_works_15min.parquet --columns kwh --holidays KR
REPORTS ?= kilowatch-run/backtest
backtest: $(READY) ## judge the forecasts on the real readings in DATA=../shared/data (else the sample); fails by a broken promise
	@mkdir -p $(REPORTS)
	judge() { echo; echo "$$1"; $(BIN)/kilowatch backtest "$$@" --report $(REPORTS)/$$(basename $$1 .parquet).html; }
	if [ ! -d $(DATA) ]; then judge simulator/sample/homes_ca_8_weeks.parquet --holidays US-CA; exit; fi
	judge $(UNIVERSITY) --max-wape 3.5
	judge $(HOMES) --max-wape 22.9
	judge $(STEEL) --max-wape 26.5
	judge $(DATA)/homes_ca_hourly.parquet --holidays US-CA --max-wape 21
	judge $(DATA)/meters_be_hourly.parquet --holidays BE --max-wape 22.5

backtest-peers: $(TOOLS) ## AutoETS and AutoTheta beside ours (installs statsforecast; takes long)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[peers]'
	$(BIN)/python -m deploy.peers $(STEEL) --days 300
	$(BIN)/python -m deploy.peers $(HOMES) --days 120
	$(BIN)/python -m deploy.peers $(UNIVERSITY) --days 120

SEED ?=
SEEDS ?= 100
FIRST_SEED ?= 0
JOBS ?=
sim: $(TOOLS) ## seeded simulation with crashes: SEED=7 repeats one run, SEEDS=300 FIRST_SEED=1000 many
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --first-seed $(FIRST_SEED) $(if $(JOBS),--jobs $(JOBS)))

mutants: $(TOOLS) ## put small mistakes into copies of the tree; each must be noticed
	@$(BIN)/python -m tests.mutants $(MUTANTS)

lint: $(TOOLS) ## style, types and which file may import which
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --annotation-style=line \
	--no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
lock: $(TOOLS) ## write the two lock files again after a change of versions in pyproject.toml
	@$(COMPILE) --extra build --extra demo --extra test --extra bench --extra dev -o requirements-dev.lock pyproject.toml
	$(COMPILE) --extra build --extra demo -c requirements-dev.lock -o requirements.lock pyproject.toml
	sed -i 's/via -c requirements-dev.lock, /via /' requirements.lock

clean: ## remove .venv and everything the tools wrote
	@rm -rf $(VENV) build dist ./*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache kilowatch-run
