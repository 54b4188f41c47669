# The commands of this project; `make help` lists them. Each does all of its own set-up.
PYTHON ?= python3
BIN := .venv/bin
#: Processes of tests on servers, each with a Kafka, registry and Postgres of its own.
TEST_PROCESSES ?= 4
#: The core, which the tests without servers cover to the last branch.
CORE := pipeline/flow/*,pipeline/journey/*,pipeline/identity/*,pipeline/fitting/*,pipeline/insight/*,pipeline/durations.py,pipeline/scores/*,pipeline/cases/*,pipeline/rows.py,pipeline/scales.py,pipeline/touchpoint.py
FUZZ_INPUTS ?= 1000000
FUZZ_SLICES ?= 1000
FUZZ_FILES ?= 50000
FUZZ_SEED ?= 1
# Every process of a test would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast faults drill fuzz overload bench lint lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

setup: .venv/.ready ## .venv with the locked dependencies

.venv/.ready: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; '$(PYTHON)' is older. Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up .venv (the first time this downloads about 200 MB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## start the local stack, simulate some weeks of four channels, show what came out
	@$(BIN)/pipeline demo

lock: ## renew both locks from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --extra worker --extra audit --extra models pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --all-extras pyproject.toml -o requirements-dev.lock
	$(BIN)/python -m pipeline.local.relock

lint: setup ## format check, linter, types, direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-fast: setup ## the tests that need no servers
	$(BIN)/pytest -q tests/unit

test: lint ## everything, on a private Kafka, registry and Postgres (TEST_PROCESSES side by side)
	$(BIN)/pytest -q -n auto tests/unit --cov --cov-report=
	@$(BIN)/coverage report --format=total | sed 's/^/Coverage of all packages by the tests without servers, lines and branches: /; s/$$/ %/'
	$(BIN)/coverage report --include='$(CORE)' --skip-covered --show-missing --fail-under=100
	$(BIN)/pytest -q -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder tests/alerts tests/faults tests/fuzz tests/integration

faults: setup ## inject faults under load, and check that every record is accounted for (FAULTS_SEED, FAULTS_ACTIONS, FAULTS_EVENTS)
	@PYTHONPATH=tests $(BIN)/python -m faults

fuzz: setup ## arbitrary bytes through decoding and publish (FUZZ_INPUTS, FUZZ_SLICES, FUZZ_FILES, FUZZ_SEED)
	PYTHONPATH=tests $(BIN)/python -m fuzz decoding --inputs $(FUZZ_INPUTS) --seed $(FUZZ_SEED)
	PYTHONPATH=tests $(BIN)/python -m fuzz slices --inputs $(FUZZ_SLICES) --seed $(FUZZ_SEED)
	PYTHONPATH=tests $(BIN)/python -m fuzz publish --inputs $(FUZZ_FILES) --seed $(FUZZ_SEED)

drill: setup ## a real Prometheus over real workers, faults, and when each alert came (DRILL="Postgres away,wrong keys")
	@PYTHONPATH=tests $(BIN)/python -m drill

overload: setup ## a robot, one customer, one partition, ten times the rate (OVERLOAD="one-journey --events 50000")
	@$(BIN)/python -m bench.overload $(OVERLOAD)

bench: setup ## the worker beside other engines (BENCH="--rounds 5", BENCH="latency", BENCH="growth --help")
	@$(BIN)/pipeline bench $(BENCH)

clean: ## stop the local stack; remove it and .venv
	-test ! -x $(BIN)/pipeline || $(BIN)/pipeline down --delete
	rm -rf .venv .pipeline build *.egg-info
