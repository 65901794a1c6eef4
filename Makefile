# Carnet. `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONPATH := .

.PHONY: help run test lint format bench requirements clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 24

$(VENV)/.runtime: requirements.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned packages (once)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	@echo "Installing the development tools (once)…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

run: $(VENV)/.runtime ## Serve a sandbox with the demo world on http://127.0.0.1:8000
	@PHR_ENV=$${PHR_ENV:-sandbox} exec $(BIN)/python -m phr serve

test: $(VENV)/.dev ## Run the whole test suite (no Docker, no network)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --cov=phr --cov=fhir --cov=auth --cov-branch --cov-report=
	@$(BIN)/python -m coverage report --include='phr/access/*,fhir/predicate.py,fhir/criteria.py,fhir/lens.py,fhir/search.py' --fail-under=100

lint: $(VENV)/.dev ## Check style, types and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure, as ratios against floors of the same run
	@$(BIN)/python -m bench

requirements: $(VENV)/.dev ## Pin the packages of pyproject.toml again, with hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --group dev pyproject.toml -o requirements-dev.txt

clean: ## Remove the environment, caches and the sandbox's data (var/)
	@rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* htmlcov
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
