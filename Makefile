# Two commands for a newcomer: `make run` and `make test`. Everything else is behind them.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: run test check bench soak openapi lock clean

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

run: $(STAMP) ## one whole trade, then keep serving; ARGS="--exit", ARGS="--master FILE"
	$(BIN)/exchange demo $(ARGS)

test: check ## every test, files shared out over WORKERS processes; ARGS go to pytest
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP) ## style, types, imports, the house tests, the HTTP contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

bench: $(STAMP) ## make bench B=trade
	$(BIN)/python -m tests.benchmarks.$(B)

soak: $(STAMP) ## the long campaigns; SOAK_SECONDS bounds them
	$(BIN)/python -m tests.soak

openapi: $(STAMP) ## write openapi/exchange.json
	$(BIN)/exchange openapi --write

lock: ## pin the dependencies again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.lock

clean: ## remove what was built, keep the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
