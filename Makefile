# Everything is done inside .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos lint lock

help:
	@echo "make setup   a .venv with exactly what requirements.lock names"
	@echo "make demo    set up, then a Dagster UI with two demo companies in step"
	@echo "make test    set up, then run the tests"
	@echo "make chaos   set up, then crash the engine on purpose; FOR=300 ends it after 300 seconds"
	@echo "make lint    set up, then ruff, mypy and import-linter"
	@echo "make lock    renew requirements.lock from pyproject.toml"

setup: $(READY)
	@:

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "Python 3.11, 3.12 or 3.13 is needed, and '$(PYTHON)' is not one of them." \
		"Install one and name it: make setup PYTHON=python3.12" >&2; exit 1; }
	@echo "Setting up .venv ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) install -qq --no-deps --require-hashes -r requirements.lock
	@$(PIP) install -qq --no-deps --no-build-isolation -e .
	@$(PIP) check
	@touch $(READY)

demo: $(READY)
	@exec $(BIN)/qbo-sync demo

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

chaos: $(READY)
	@$(BIN)/python -m chaos $(if $(FOR),--for $(FOR)) $(if $(SEED),--seed $(SEED))

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: $(READY)
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
		--no-strip-extras --no-annotate --extra dev --python-version 3.11 \
		pyproject.toml -o requirements.lock
