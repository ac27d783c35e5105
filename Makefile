# `make` lists the commands. Each makes .venv itself on a fresh machine.
PYTHON ?= python3
SUITE  ?= quick
OUT    ?= results/$(SUITE)
DEVICE ?= auto
BIN    := .venv/bin
READY  := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup bench test test-all lint report clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) -V): genbench needs 3.11 or newer; say make PYTHON=python3.12"; exit 2; }
	@echo "Setting up .venv: a few minutes and about 6 GB, once."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(READY)

setup: $(READY)  ## make .venv with genbench and all it needs

bench: $(READY)  ## train and measure a suite: SUITE=quick OUT=results/quick DEVICE=auto
	@$(BIN)/genbench run $(SUITE) --out $(OUT) --device $(DEVICE)

report: $(READY)  ## report.html of a run: OUT=results/quick
	@$(BIN)/genbench report $(OUT)

test: $(READY)  ## the tests, about ten minutes on two cores
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: $(READY)  ## the longer tests too: every suite at 64 images, the longer sums
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

clean:  ## remove caches and builds; .venv and results stay
	@rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
