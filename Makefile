# Everything a person or a machine does with this repository. `make` alone lists it.
# Needs Python 3.11, 3.12 or 3.13 (PYTHON=... picks one) and nothing else: the rest goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
CORES := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# One more than cores: some tests wait for a lease to run out, or for a slow client to be sent away.
TESTERS := $(shell expr $(CORES) + 1)
# More arguments for the program behind a target: make test ARGS="-k parity", make run ARGS=--no-serve
ARGS :=
UPGRADE :=

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format bench docs lock wheel clean

help: ## List what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(VENV)/.run $(VENV)/.dev ## Set everything up in .venv, and only that

run: $(VENV)/.run ## Train, check and serve the iris example on port 5000
	$(BIN)/python -m modelwright up examples/iris $(ARGS)

test: $(VENV)/.dev ## Run the whole test suite
	$(BIN)/python -m pytest -n $(TESTERS) --dist worksteal -ra --durations 10 $(ARGS)

lint: $(VENV)/.dev ## Check style, types and which room imports which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy -p bench
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Put the code into its standard form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev ## Measure the product against its budgets; writes docs/reference/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

docs: $(VENV)/.dev ## Build the documentation into site/: it opens without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

lock: $(VENV)/.dev ## Bring requirements/ up to pyproject.toml (UPGRADE=1: to the newest versions)
	scripts/lock $(if $(UPGRADE),--upgrade)

wheel: $(VENV)/.dev ## Build the wheel and try it where this source tree is not
	scripts/try-wheel

clean: ## Remove .venv, caches and what was built
	rm -rf $(VENV) build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# Two stamps on one environment: running the product needs less than working on it.
# The version is part of what is installed, and pyproject.toml takes it from the package.
PROJECT := pyproject.toml src/modelwright/__init__.py scripts/install

$(VENV)/.run: requirements/train.lock requirements/build.lock $(PROJECT)
	@PYTHON="$(PYTHON)" scripts/install train build
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(PROJECT) | $(VENV)/.run
	@PYTHON="$(PYTHON)" scripts/install dev
	@touch $@
