# Everything a newcomer needs: `make demo`, `make test`, `make check`, `sudo make install`.
SHELL := /bin/bash
PYTHON ?=
# `make test PYTHON=3.13` has an environment of its own: going back and forth makes none again
VENV := .venv$(if $(PYTHON),-$(patsubst python%,%,$(notdir $(PYTHON))))
BIN := $(VENV)/bin

.PHONY: help setup demo test hass check simulate bench bench-quick screenshots chroot-test lock bundle install uninstall clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## the virtual environment

$(VENV)/.ready: pyproject.toml requirements.lock systemd/packages
	@sh systemd/packages
	@python=$$(sh systemd/python $(PYTHON)) && echo "making $(VENV) with $$python" && $$python -m venv $(VENV)
	@sed -n 's/^\([^ #]*==[^ ]*\) .*/\1/p' requirements.lock >$(VENV)/versions
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 --constraint $(VENV)/versions --editable '.[dev]'
	@touch $@

demo: setup ## four simulated doors, a broker, a little traffic; Ctrl-C ends it
	@sh systemd/packages demo
	@$(BIN)/python -m edge.demo

test: setup ## all tests; PYTHON=3.13 chooses another Python
	@sh systemd/packages test
	@$(BIN)/python -m tests.support.hass_make || true
	$(BIN)/python -m pytest -q

hass: setup ## Home Assistant itself, which tests then ask
	@$(BIN)/python -m tests.support.hass_make

# What must be written down when something is added: pages, schemas, a case or a scenario for each
WRITTEN := tests/test_house.py tests/test_docs*.py tests/*/test_docs.py tests/model/test_roles.py tests/doors/test_conditions.py \
    tests/diagnosis/test_diagnose.py tests/config/test_reading.py tests/scenarios/test_catalogue.py tests/scenarios/test_conditions.py

check: setup ## style, types, house rules, and whether pages and schemas say what the code does
	@sh systemd/packages test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q $(WRITTEN)

simulate: setup ## a whole controller through faults at random (make simulate SEEDS=1000 [FIRST=0])
	@$(BIN)/python -m tests.simulation $(or $(SEEDS),100) --first $(or $(FIRST),0)

bench: setup ## one table of speed and cost, beside references in the same run; 20 minutes on a quiet machine
	@sh systemd/packages test
	@$(BIN)/python -m tests.benchmarks

bench-quick: setup ## a short form of it, two minutes
	@sh systemd/packages test
	@$(BIN)/python -m tests.benchmarks --quick

screenshots: setup ## a picture of every page in build/screenshots, with few and many doors, calm and with an alarm
	@sh systemd/packages test
	@$(BIN)/python -m tests.support.screenshots

chroot-test: ## demo, bundle and installation on fresh systems (sudo make chroot-test [RELEASE=trixie] [TEST=--test])
	@tests/chroot/run $(TEST) $(RELEASE)

lock: setup ## the newest versions of what Doorward needs, with their hashes
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --extra web \
	    --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

bundle: ## one file that installs without a network (make bundle [ARCH=aarch64] [PYTHON=3.13])
	@sh systemd/packages
	@sh systemd/bundle "$(ARCH)" "$(PYTHON)"

install: ## the service on this machine (sudo make install)
	@systemd/install

uninstall: ## removes the service; keeps configuration and log
	@systemd/install --remove

clean: ## removes what was made here
	rm -rf .venv .venv-* .hass build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
