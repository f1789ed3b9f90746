# Every target does its own set-up: a .venv in this clone, reused while pyproject.toml is unchanged.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
ARGS ?=

.PHONY: help setup demo serve up down test integrations check format generate fuzz bench bench-sdk bench-peers bench-sampling bench-storage bench-query bench-anomalies bench-page screenshots nab clean

help: ## these lines
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[collector]' --group dev
	@touch $@

setup: $(STAMP) ## the virtual environment

demo: $(STAMP) ## train a real model through the SDK, with a fault that is found (KEEP=1: leave it running; ARGS=--clean: no fault)
	@$(BIN)/python deploy/demo.py $(if $(KEEP),--keep) $(if $(DIR),--data-dir "$(DIR)") $(ARGS)

serve: $(STAMP) ## run the collector with its own database in .crucible/
	@$(BIN)/crucible-collector serve --data-dir .crucible $(ARGS)

up: ## TimescaleDB and the collector in Docker, until both are well: http://127.0.0.1:8080
	@docker compose up --build --detach --wait

down: ## end them; their data stay in Docker's volumes
	@docker compose down

test: $(STAMP) ## every test
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(ARGS)

integrations: $(STAMP) ## the libraries that the SDK has adapters for, so that make test tries them, too (1.1 GB)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --group integrations

check: $(STAMP) ## lint, types, import contracts, generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/mypy tests
	@$(BIN)/lint-imports
	@$(BIN)/python schemas/generate.py --check

format: $(STAMP) ## let ruff rewrite what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: $(STAMP) ## rewrite what is generated from schemas/registry
	@$(BIN)/python schemas/generate.py

fuzz: $(STAMP) ## the decoder against the official parser, for longer (SECONDS=600)
	@$(BIN)/python tests/fuzz/fuzz_decode.py --seconds $(or $(SECONDS),600)

bench: $(STAMP) ## the numbers of the README's table; writes build/bench/bench.json
	@$(BIN)/python tests/benchmarks/bench.py $(ARGS)

bench-sdk: $(STAMP) ## what instrumentation costs, beside OpenTelemetry's SDK (ARGS=--peers: and wandb, MLflow, trackio)
	@$(BIN)/python tests/benchmarks/bench_sdk.py $(ARGS)

bench-storage: $(STAMP) ## how fast a filled database answers (20 million spans; filled once, kept in ~/.cache)
	@$(BIN)/python tests/benchmarks/storage.py $(ARGS)

bench-sampling: $(STAMP) ## what sampling costs, lets in and keeps true (ARGS=--parts ingest,accuracy,cost,memory)
	@$(BIN)/python tests/benchmarks/sampling.py $(ARGS)

bench-query: $(STAMP) ## how fast rows are taken away, and how soon answered while spans come in (ARGS="--parts export,readers")
	@$(BIN)/python tests/benchmarks/query.py $(ARGS)

bench-anomalies: $(STAMP) ## what detection costs, finds and takes for anomalies (ARGS="--parts nab --corpus DIR")
	@$(BIN)/python tests/benchmarks/anomalies.py $(ARGS)

bench-page: $(STAMP) ## how soon the page shows what there is, in Chromium (ARGS="--kinds timescale --parts long,live")
	@$(BIN)/python tests/benchmarks/page.py $(ARGS)

screenshots: $(STAMP) ## pictures of the page over the demo, into collector/images/
	@CRUCIBLE_TEST_SCREENSHOTS=$(CURDIR)/collector/images $(BIN)/python -m pytest --quiet tests/deploy/test_demo_page.py $(ARGS)

nab: $(STAMP) ## scores of the default detectors for a corpus like Numenta's (CORPUS=DIR OUT=DIR)
	@$(BIN)/python tests/benchmarks/nab.py $(if $(CORPUS),"$(CORPUS)") $(if $(OUT),"$(OUT)")

bench-peers: $(STAMP) ## the same load through rotel and MLflow, installed apart in build/peers
	@$(BIN)/python tests/benchmarks/peers.py $(ARGS)

clean:
	rm -rf $(VENV) build dist
