# Everything runs in .venv, from the versions in requirements.lock. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help install up demo test fuzz lint format bench faults lock

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

install: $(INSTALLED) ## prepare .venv: every dependency at its locked version, and the ombud command

up: install ## run the whole system on this machine; Ctrl-C stops it, the data stay in ./data
	@$(BIN)/ombud up

demo: install ## a handful of complaints against the running system, with clocks of seconds
	@$(BIN)/ombud demo

test: install ## every test
	$(BIN)/python -m pytest -n auto

FUZZ ?= --minutes 5
fuzz: install ## minutes of bad input for everything that takes any; FUZZ='--minutes 10 --seed 7 --only calendars'
	$(BIN)/python -m tests.fuzz $(FUZZ)

lint: install ## format, lint, types and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

format: install ## rewrite what formatter and linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## every measurement (40 minutes): speed against a bare workflow and rivals, costs, working time, the API
	$(BIN)/python -m bench.calendar
	$(BIN)/python -m bench.costs
	$(BIN)/python -m bench.codec
	$(BIN)/python -m bench.http
	$(BIN)/python -m bench.replan
	$(BIN)/python -m bench.speed --json bench/results/speed.json --picture docs/images/speed.png \
		--docs docs/benchmarks.md

FAULTS ?=
faults: install ## minutes in which everything is killed at every point; FAULTS='--seed 2 --complaints 50'
	@$(BIN)/python -m faults $(FAULTS)

lock: install ## newest allowed version of everything, with hashes, into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --group bench --universal --python-version 3.11 \
		--upgrade --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	$(MAKE) install

# One stamp for the whole installation: nothing to do means nothing is run.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; name it: make PYTHON=python3.12 …")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || \
		{ rm -rf .venv; echo 'No virtual environment can be made; on Debian: apt-get install python3-venv'; exit 1; }
	@echo 'Installing into .venv (a minute or two, once) …'
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
