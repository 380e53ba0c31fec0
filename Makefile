# Everything runs in .venv, which `make install` builds from the hashed lock; nothing else has to be
# installed first but Python 3.11 to 3.13 and make. GNU make 3.81 (macOS) is enough.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO := demo

# How long `make bench` fuzzes the parsers of logs, in seconds.
FUZZ_SECONDS ?= 3600
export FUZZ_SECONDS

# At which parts of the largest published case `make bench` measures growth; the last takes hours.
GROWTH_SIZES ?= 1/64,1/16,1/4,1
export GROWTH_SIZES

# What is installed comes uncompiled, and hundreds of processes are started: what one compiles is kept for all.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough and can make virtual environments.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	2>/dev/null && echo "$$candidate" && break; done)

.PHONY: install demo test pytest lint bench docs lock clean

install: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "stillwatch needs Python 3.11, 3.12 or 3.13 with its venv module, and found none." >&2; \
		echo "Debian, Ubuntu: sudo apt-get install python3 python3-venv.  macOS: brew install python@3.13." >&2; \
		echo "Elsewhere: make install PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	$(PYTHON) -m venv $(VENV)
	@# --no-deps: the lock is the whole closure; resolved anew, a later release could break the hashes.
	@# --no-compile: most of what is installed is never imported, and Python compiles what is.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install
	@rm -rf $(DEMO)
	$(BIN)/stillwatch simulate demo --seed 7 --out $(DEMO)/world
	$(BIN)/stillwatch scan '$(DEMO)/world/exchanges-*.parquet' --accounts $(DEMO)/world/accounts.parquet --out $(DEMO)/run
	@echo "Open $(DEMO)/run/report.html in a browser."

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Both at once: types are checked on one core.
test: install
	@$(MAKE) --no-print-directory -j 2 lint pytest

pytest: install
	$(BIN)/python -m pytest $(TESTS)

bench: install
	@for benchmark in benchmarks/*.py benchmarks/detection/run.py; do \
		echo "== $$benchmark"; $(BIN)/python "$$benchmark" || exit 1; \
	done

docs: install
	$(BIN)/python scripts/make_reference.py
	$(BIN)/python scripts/make_examples.py
	$(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html in a browser."

# Resolves pyproject.toml again, for every promised Python and platform at once. Needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-annotate --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --constraint requirements.lock \
		--no-emit-index-url --no-annotate --no-header --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) $(DEMO) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
