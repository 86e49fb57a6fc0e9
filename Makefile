# `make demo` needs Python 3.11 and nothing else; `make test` gets what it needs and runs everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
JOBS ?= 2

.PHONY: demo test lint unit docs wheel bench experiment real-parts clean

demo: $(VENV)/demo-is-ready  ## hunt the founding bug in the simulator: no root, no QEMU
	@$(BIN)/pyvirt-sim demo

test: lint real-parts docs wheel unit  ## everything; pytest comes last, so that its summary does

lint: $(VENV)/test-is-ready
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/pyright --warnings --pythonpath $(BIN)/python > $(VENV)/pyright.log || { cat $(VENV)/pyright.log; exit 1; }
	@PYTHONPATH=sim $(BIN)/lint-imports --no-cache > $(VENV)/imports.log || { cat $(VENV)/imports.log; exit 1; }
	@echo "lint: ruff, mypy, pyright and the import layers agree"

real-parts: $(VENV)/test-is-ready  ## QEMU (installed only when root), guest kernel (never installed)
	@$(BIN)/python -m tests.real

unit: $(VENV)/test-is-ready
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile

docs: $(VENV)/test-is-ready
	@$(BIN)/python -m sphinx -q -W --keep-going docs $(VENV)/docs
	@echo "docs: $(VENV)/docs/index.html"

wheel: $(VENV)/test-is-ready  ## built once, looked into, then used from an empty directory
	@PYTHON=$(BIN)/python sh tests/wheel/check.sh

bench: $(VENV)/test-is-ready real-parts
	@$(BIN)/python -m tests.benchmarks

experiment: $(VENV)/test-is-ready  ## the results table and its pictures; --quick left out: hours
	@$(BIN)/pyvirt-sim experiment --quick --again --output docs/explanation

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist pyvirt-demo

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/demo-is-ready: pyproject.toml | $(VENV)/bin/python
	@$(PIP) --editable '.[sim,cli]'
	@touch $@

$(VENV)/test-is-ready: pyproject.toml | $(VENV)/bin/python
	@$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/demo-is-ready
