# Everything a developer runs. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check --quiet

.PHONY: help demo test dates kills chaos corpus interop wheel newest oldest check lint docs messages locks clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.service ## take a PDF through signing: PDF=file OUT=folder (demo-result); AUTO=1 signs for both people
	@$(PYTHON) demo/demo.py $(if $(PDF),--pdf="$$PDF") $(if $(OUT),--out="$$OUT") $(if $(filter-out 0 no,$(AUTO)),--auto)

test: $(VENV)/.test ## install what the tests need and run them all: TESTS="-k name" selects some
	$(PYTHON) -m pytest -n 5 --dist worksteal $(TESTS)

dates: $(VENV)/.test ## run the time-dependent tests on awkward dates (needs faketime): DATES="2028-02-29T12:00Z" chooses others
	scripts/dates.sh $(TESTS)

chaos: $(VENV)/.test ## break a service under load at random, and check that nothing was lost: MINUTES=10 SEED=number
	PYTHONPATH=tests $(PYTHON) -m chaos $(if $(MINUTES),--minutes=$(MINUTES)) $(if $(SEED),--seed=$(SEED))

corpus: $(VENV)/.test ## take every PDF of a folder through signing, and compare its pages before and after (needs poppler-utils): DIR=folder
	PYTHONPATH=tests $(PYTHON) -m corpus $(DIR)

kills: $(VENV)/.test ## kill the service at every step of a job's life, on each kind of database
	$(PYTHON) -m pytest -n 4 --whole tests/acceptance/test_kill.py $(TESTS)

interop: $(VENV)/.test ## drive the service with the official Java client (needs maven and default-jdk-headless)
	$(PYTHON) -m pytest tests/interop $(TESTS)

wheel: $(VENV)/.service ## build the wheel, install it without extras, and run the tests of SDK and diagnosis on it
	scripts/test_wheel.sh $(TESTS)

newest: ## run the tests with the newest dependencies that pyproject.toml allows, in an environment without locks
oldest: ## the same with the oldest ones
newest oldest:
	scripts/test_versions.sh $@ $(TESTS)

# The same commands are in .pre-commit-config.yaml. mypy's Django plugin loads the settings.
lint: $(VENV)/.check docs ## check the code and the guide: ruff, mypy --strict, import-linter, mkdocs
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	env SEGL_CONFIG=tests/configuration/segl.toml $(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: $(VENV)/.check ## build the guide in build/docs; a broken link fails the build
	$(VENV)/bin/mkdocs build --quiet --strict --site-dir build/docs

check: lint test ## lint, then test

messages: $(VENV)/.test ## compile the pages' translations, after a change of a .po file
	$(VENV)/bin/pybabel --quiet compile --domain=django --directory=src/segl/service/web/locale

locks: ## rewrite the hashed lock files: UPGRADE=1 takes the newest versions
	scripts/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## remove the environment, caches and results
	rm -rf $(VENV) demo-result build dist tests/interop/java/target .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment, growing: service, then test, then check. A changed lock is installed over the old one.
$(VENV)/.python: scripts/venv.sh
	@scripts/venv.sh $(VENV)
	@touch $@

$(VENV)/.service: requirements/service.txt pyproject.toml $(VENV)/.python
	@echo 'Installing what the service needs into $(VENV) ...'
	@$(PIP) install --require-hashes --requirement requirements/service.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.service
	@echo 'Installing what the tests need into $(VENV) ...'
	@$(PIP) install --require-hashes --requirement requirements/test.txt
	@touch $@

$(VENV)/.check: requirements/check.txt $(VENV)/.test
	@echo 'Installing what the checks need into $(VENV) ...'
	@$(PIP) install --require-hashes --requirement requirements/check.txt
	@touch $@
