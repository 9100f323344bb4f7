# `make help` lists what can be done. Every target creates the environment it needs.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TESTABLE := .venv/.testable
DOCUMENTABLE := .venv/.documentable

.DEFAULT_GOAL := help
.PHONY: help run serve test check docs train clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(READY)  ## certify 50 handwritten digits through the whole service, then stop it
	@$(BIN)/python -m examples.certify_digits

serve: $(READY)  ## start server, API and worker, and leave them up; Ctrl-C stops them
	@$(BIN)/python -m api --embedded

test: $(TESTABLE)  ## run the whole suite
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 40 --durations-min 5

check: $(TESTABLE)  ## lint, types, import contracts, and the quick tests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/python -m pytest -m "not slow and not statistical and not integration and not house"

docs: $(DOCUMENTABLE)  ## build the documentation into site/, where index.html opens without a server
	@$(BIN)/mkdocs build --quiet --strict

train: $(READY)  ## train the built-in digits model again, from its seed
	@$(BIN)/python -m certd.models.builtin.train_digits_cnn

clean:  ## remove the environment and everything that was made
	rm -rf .venv .certd build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# torch goes first and pinned: without the pin pip takes the newest build, with gigabytes of CUDA.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "certd needs Python 3.11 or newer; try make PYTHON=python3.12"; exit 2; }
	@echo "Setting up .venv (once; about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet -c constraints.txt torch
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[service]'
	@touch $@

$(TESTABLE): $(READY)
	@echo "Adding what the tests need (once) ..."
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

$(DOCUMENTABLE): $(READY)
	@$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@
