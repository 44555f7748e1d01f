# What a person or CI types. Needs make, a POSIX sh and Python 3.11 or newer with pip; uses uv where it is there.
# PYTHON=... picks the interpreter, VENV=... another place, PYTEST_ARGS=... is handed to pytest.

VENV ?= .venv
PYTHON ?=
PYTEST_ARGS ?=
BIN = $(VENV)/bin
BENCHMARKS = romania kernels cost memory
LOCKFLAGS = --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

.PHONY: help setup demo test test-slow lint lock bench clean
.SUFFIXES:

help:
	@echo 'make setup      install geomon into $(VENV) (exact versions of requirements.lock)'
	@echo 'make demo       simulate a landscape and run the whole job on it, into demo-out/'
	@echo 'make test       the fast tests;  make test-slow  the others'
	@echo 'make lint       ruff, mypy, import contracts'
	@echo 'make bench      the benchmarks (installs requirements-bench.lock too)'
	@echo 'make lock       compile the lock files again (needs uv);  make clean  remove what was made'

setup: $(VENV)/.ok
	@:

$(VENV)/.ok: requirements.lock pyproject.toml
	@VENV='$(VENV)' PYTHON='$(PYTHON)' sh tools/setup.sh requirements.lock
	@touch $@

demo: setup
	@$(BIN)/geomon demo --out demo-out

test: setup
	@$(BIN)/python -m pytest -m 'not slow' $(PYTEST_ARGS)

# pytest says 5 when nothing was selected: no slow test is no fault
test-slow: setup
	@$(BIN)/python -m pytest -m slow $(PYTEST_ARGS) || [ $$? -eq 5 ]

lint: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

lock:
	@command -v uv >/dev/null || { echo 'make lock: uv was not found; do: pip install uv' >&2; exit 1; }
	@uv pip compile $(LOCKFLAGS) --group dev pyproject.toml -o requirements.lock
	@uv pip compile $(LOCKFLAGS) --group bench -c requirements.lock pyproject.toml -o requirements-bench.lock

$(VENV)/.bench: requirements-bench.lock $(VENV)/.ok
	@VENV='$(VENV)' PYTHON='$(PYTHON)' sh tools/setup.sh requirements-bench.lock
	@touch $@

bench: $(VENV)/.bench
	@set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python "benchmarks/$$name.py"; done

clean:
	@rm -rf demo-out build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find geomon pipelines tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || :
