# Every target sets up what it needs. `make` alone lists them.

VENV   := .venv
PYTHON := $(VENV)/bin/python
SYSTEM_PYTHON := $(shell command -v python3.11 || command -v python3 || echo python3.11)
# Everything written here stays in the checkout or in the cache (CLAWSTACK_CACHE_DIR); nothing is installed globally
# but, for root on Debian, Chromium for the browser tests.
PINS   := toolchain/ground/pins.py toolchain/ground/plugin_choice.py $(wildcard toolchain/steps/*.py) \
          $(wildcard toolchain/*/go.* toolchain/*/package*.json)
CLUSTER_PINS := $(wildcard toolchain/cluster/*.py toolchain/cluster/modules/*/*.go toolchain/cluster/modules/*/go.*)
IMAGE_PINS   := $(wildcard toolchain/image/*)
JUDGES_PINS  := $(wildcard toolchain/judges/*.py toolchain/judges/modules/*/go.*)
PACKAGES := platform/clawstack tenants services sandbox toolchain policies/clawstack_policies
# `make test` runs everything; the narrower targets leave the tests that take minutes to `make test-long`.
NOT_LONG := -m "not long"
# Tests that wait for pods and gateways leave half of a processor idle: three workers fill two. Unit tests only compute.
# WORKERS=0 runs them one after the other in one process.
WORKERS ?= 3
UNIT_WORKERS ?= logical
PYTEST := $(PYTHON) -m pytest -n $(WORKERS) --second-try

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup check test test-unit test-integration test-e2e test-attack test-long test-near durations demo image release \
        migration clean

help: ## list the targets
	@echo "clawstack: hosted OpenClaw assistants, one Pulumi stack each"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@for file in bench/*.py; do test -f "$$file" || continue; name=$$(basename "$$file" .py); \
	  case "$$name" in _*) ;; *) printf "  make %-18s %s\n" "bench-$$name" "$$(sed -n '1s/^"""\([^"]*\).*/\1/p' "$$file")" ;; esac; done

setup: $(VENV)/.ready-tools ## get everything: Python packages, Pulumi, Node, OpenClaw, Chromium

$(VENV)/bin/python:
	@$(SYSTEM_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { echo "Python 3.11 is needed and not on PATH: install it (Debian: apt-get install python3.11-venv) and run make again." >&2; exit 1; }
	@$(SYSTEM_PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python 3.11 lacks its venv module: install it (Debian: apt-get install python3.11-venv) and run make again." >&2; exit 1; }
	$(SYSTEM_PYTHON) -m venv $(VENV)

$(VENV)/.ready-packages: requirements.txt requirements-dev.txt pyproject.toml | $(VENV)/bin/python
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/.ready-tools: $(PINS) $(VENV)/.ready-packages
	$(PYTHON) -m toolchain setup all
	@touch $@

# A Kubernetes control plane and node from Go modules and Debian packages; only tests and SUBSTRATE=namespace need them.
$(VENV)/.ready-cluster: $(VENV)/.ready-tools $(CLUSTER_PINS)
	$(PYTHON) -m toolchain setup cluster kwok
	@touch $@

# Judges that are not ours: kubeconform, kube-score, cloud-init's schema, shellcheck. Only tests need them.
$(VENV)/.ready-judges: $(VENV)/.ready-tools $(JUDGES_PINS)
	$(PYTHON) -m toolchain setup judges linters
	@touch $@

# The layers of the services' image that change seldom: Debian's packages and the Python packages.
$(VENV)/.ready-image: $(VENV)/.ready-tools $(IMAGE_PINS)
	$(PYTHON) -m toolchain setup image
	@touch $@

# All of the four in one go: side by side they take less time than one after the other.
$(VENV)/.ready-everything: $(PINS) $(CLUSTER_PINS) $(JUDGES_PINS) $(IMAGE_PINS) $(VENV)/.ready-packages
	$(PYTHON) -m toolchain setup all cluster kwok judges linters image
	@touch $(VENV)/.ready-tools $(VENV)/.ready-cluster $(VENV)/.ready-judges $(VENV)/.ready-image $@

check: $(VENV)/.ready-packages ## lint, format, types and import arrows: what CI runs first
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(wildcard $(PACKAGES))
	$(if $(wildcard policies/__main__.py),$(VENV)/bin/mypy policies/__main__.py)
	$(if $(wildcard __main__.py),$(VENV)/bin/mypy __main__.py)
	$(VENV)/bin/lint-imports

test: $(VENV)/.ready-everything ## all tests, by WORKERS (3) workers
	$(PYTEST) tests

test-unit: $(VENV)/.ready-packages ## tests without network and processes; under a minute
	$(PYTHON) -m pytest -n $(UNIT_WORKERS) $(NOT_LONG) tests/unit

test-integration: $(VENV)/.ready-tools $(VENV)/.ready-judges $(VENV)/.ready-image ## tests with a real PostgreSQL and a real Pulumi engine
	$(PYTEST) $(NOT_LONG) tests/integration

test-e2e: $(VENV)/.ready-cluster $(VENV)/.ready-image ## tests with a real gateway, a real browser and a real Kubernetes node
	$(PYTEST) $(NOT_LONG) tests/e2e

test-attack: $(VENV)/.ready-tools ## attempts to get in or to stop the platform, from a stranger's account and from cells' own
	$(PYTHON) -m pytest tests/e2e/attack

test-long: $(VENV)/.ready-everything ## only the tests that take minutes, and every property with many new examples
	$(PYTEST) -m "long or hypothesis" --hypothesis-profile=long tests

test-near: $(VENV)/.ready-packages ## what the change since BASE (HEAD) can reach by imports, nearest first, until something fails
	@near=$$($(PYTHON) -m tests.near --base $(or $(BASE),HEAD)); \
	  test -z "$$near" || $(PYTHON) -m pytest -x --as-given -n $(UNIT_WORKERS) $(NOT_LONG) $$near

durations: $(VENV)/.ready-everything ## all tests, and what each group took into tests/durations.json
	$(PYTEST) --write-durations --durations=40 tests
	$(PYTHON) -m tests.plugins.durations

demo: $(VENV)/.ready-tools ## sign-up to chat to cancellation on this machine (KEEP=1 leaves it running, SUBSTRATE=process|namespace)
	$(VENV)/bin/clawstack demo $(if $(KEEP),--keep) $(if $(SUBSTRATE),--substrate $(SUBSTRATE))

image: $(VENV)/.ready-image ## the image of clawstack's own services into TO (dist/image), an OCI layout
	$(PYTHON) -m toolchain image build $(or $(TO),dist/image)

release: $(VENV)/.ready-image ## publish it as REFERENCE (HOST/REPOSITORY:TAG), signed by KEY; a dry run without PUSH=1
	@test -n "$(REFERENCE)" || { echo "Name it: make release REFERENCE=registry.example/you/clawstack:1.2.0 KEY=release.key PUSH=1" >&2; exit 1; }
	$(PYTHON) -m toolchain release publish $(REFERENCE) $(if $(KEY),--key $(KEY)) $(if $(SETTINGS),--settings $(SETTINGS)) $(if $(PUSH),--push)

migration: $(VENV)/.ready-packages ## write the database migration anew from the tables
	$(PYTHON) -m services.tables.migrations.regenerate

bench-%: $(VENV)/.ready-tools ## run one benchmark, bench/%.py
	@test -f bench/$*.py || { echo "There is no bench/$*.py; \`make\` lists the benchmarks." >&2; exit 1; }
	$(PYTHON) bench/$*.py

clean: ## remove what make wrote into this checkout (the cache of tools stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
