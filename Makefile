# One installation path: everything below needs Python 3.11 or newer and nothing else.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(p) -c 'import sys; print(sys.executable) if sys.version_info >= (3, 11) else None' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help serve install test check fix bench clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

serve: $(VENV)/.serve ## set everything up and serve on http://127.0.0.1:8080
	@exec $(BIN)/tintype serve

install: $(VENV)/.dev ## set up .venv with everything, tools included

test: $(VENV)/.dev ## set everything up and run all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev ## formatting, lint, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(VENV)/.dev ## format and repair what can be repaired
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## run the benchmarks that need no GPU
	$(BIN)/python benchmarks/engine.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python benchmarks/accept.py
	$(BIN)/python benchmarks/polling.py
	$(BIN)/python benchmarks/sockets.py
	$(BIN)/python benchmarks/moderation.py

clean: ## remove .venv and caches; data stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Tintype needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
	@"$(PYTHON)" -m venv $(VENV)

$(VENV)/.serve: pyproject.toml | $(BIN)/python
	@echo "Installing Tintype into $(VENV) (the first time takes a few minutes) ..."
	@$(PIP) --editable '.[server,engine]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing Tintype and its tools into $(VENV) ..."
	@$(PIP) --editable '.[server,engine,gpu,dev]'
	@touch $@ $(VENV)/.serve
