# One command each. Everything sets itself up: a virtual environment with the pinned requirements, made once.
#   make demo [WORLD=FILE]     make up [WORLD=FILE] [APPS=regional]     make check     make clean
#   make fidelity [ARGS=--write]
#   make test [TIER=unit|loop|all] [ARGS="-k routing"]
#     unit: pure decisions and the protocol's model, half a minute; loop: the loop in virtual time, a minute and a half;
#     all (the default): these, the catalog, the simulator, whole processes, the browser, the documents, the benchmarks
#     and infra/, seven to eight minutes
#   make simulate [SEEDS=1000] [FIRST=0] [ARGS=--trace]     make mutants     make fuzz [INPUTS=1000000]
#   make model [ARGS=--trace]
#   make cli ARGS="status"      the command line tool (cli/README.md)
#   make bench [ONLY=storm]     make azurite     make infra-test [ARGS="-k filter"]     make kusto
#   make audit     make lock [ARGS="--upgrade-package NAME"]
# Another Python: make test PYTHON=/path/to/python3.12 VENV=.venv-3.12

VENV ?= .venv
PYTHON ?=
WORLD ?=
APPS ?=
ARGS ?=
TIER ?= all
WORKERS ?= $(if $(filter all,$(TIER)),3,2)
SEEDS ?= 1000
FIRST ?= 0
INPUTS ?= 1000000
ONLY ?=
bin := $(VENV)/bin
install = $(bin)/python -m pip install --disable-pip-version-check --require-hashes
stamp := $(VENV)/.requirements-installed
world := $(if $(WORLD),--world "$(WORLD)")
tiers := unit loop all
tests_unit := tests/unit tests/protocol
tests_loop := tests/loop
tests_all :=
$(if $(filter undefined,$(origin tests_$(TIER))),$(error TIER=$(TIER) is not a tier of the tests. The tiers are: $(tiers)))

.PHONY: setup test check audit lock cli demo up fidelity simulate mutants model fuzz bench azurite infra infra-test kusto clean
.DEFAULT_GOAL := setup

setup: $(stamp)

# The stamp is as old as the requirements that were installed last; a half-made environment has none and is made anew.
$(stamp): requirements.txt requirements-dev.txt
	@python="$(PYTHON)"; \
	if [ -z "$$python" ]; then python=$$(script/python) || exit 1; fi; \
	if ! $(bin)/python -m pip --version >/dev/null 2>&1; then \
		echo "Making $(VENV) with $$("$$python" --version) ($$python)"; \
		"$$python" -m venv --clear $(VENV) || exit 1; \
	fi
	@echo "Installing the pinned requirements into $(VENV), once"
	@$(install) --requirement requirements-dev.txt
	@touch $@

# Whole processes wait a lot, so that three workers keep two cores busy; the other tiers only compute. Workers take
# neighbouring tests, which share a file's fixtures. With ARGS, only what they choose of the tier. infra/ is tested with
# all of the main suite, on the default environment's Python only.
test: setup
	$(bin)/python -m pytest -n $(WORKERS) --dist worksteal $(tests_$(TIER)) $(ARGS)
	$(if $(ARGS)$(filter-out .venv,$(VENV))$(filter-out all,$(TIER)),,@$(MAKE) --no-print-directory infra-test)

check: setup infra
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(infra)/python -m mypy infra
	$(bin)/lint-imports
	@$(MAKE) --no-print-directory audit

# Needs the advisory database of PyPI; without it the audit says that it was not done, and REQUIRE_AUDIT=1 fails then.
audit: setup
	@$(bin)/python script/audit

lock: setup
	script/lock $(ARGS)

demo: setup
	@$(bin)/python -m simulator.demo $(world)

up: setup
	@$(bin)/python -m simulator.up $(world) $(if $(APPS),--apps "$(APPS)")

# The command line tool, in an environment of its own, as pipx makes one.
cli := .venv-cli/bin
cli_stamp := .venv-cli/.requirements-installed

cli: $(cli_stamp)
	@PYTHONPATH=cli $(cli)/python -m nearzone_cli $(ARGS)

$(cli_stamp): cli/requirements.txt $(stamp)
	@$(bin)/python -m venv --clear .venv-cli
	@echo "Installing the command line tool's requirements into .venv-cli, once" >&2
	@$(cli)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement cli/requirements.txt
	@touch $@

# The recordings are not part of the project: NEARZONE_RECORDINGS names their folder (simulator/README.md).
fidelity: setup
	@PYTHONPATH=. $(bin)/python tests/simulator/fidelity.py $(ARGS)

simulate: setup
	@$(bin)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) --jobs 2 $(ARGS)

mutants: setup
	@$(bin)/python -m tests.simulation.mutants --seeds $(SEEDS) --jobs 2

# Every reachable state of the protocol's model, and every mutant of it.
model: setup
	@$(bin)/python -m tests.protocol --jobs 2 $(ARGS)

fuzz: setup
	@$(bin)/python -m tests.fuzz --inputs $(INPUTS) --jobs 2

# octodns-azure needs an older SDK than the app, so octoDNS has an environment of its own, on the same interpreter.
bench_stamp := .venv-bench/.requirements-installed
bench: setup $(bench_stamp)
	@$(bin)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

$(bench_stamp): requirements-bench.txt $(stamp)
	@$(bin)/python -m venv --clear .venv-bench
	@echo "Installing octoDNS into .venv-bench, once"
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement requirements-bench.txt
	@touch $@

# Pulumi and its Azure resources are large (0.6 GB), so infra/ has an environment of its own, on the same
# interpreter, with the app's requirements beside them: its tests run the app. `pulumi up` uses it as well.
infra := .venv-infra/bin
infra_stamp := .venv-infra/.requirements-installed

infra: $(infra_stamp)

infra-test: infra
	$(infra)/python -m pytest -n 2 infra/tests $(ARGS)

$(infra_stamp): infra/requirements.txt $(stamp)
	@$(bin)/python -m venv --clear .venv-infra
	@echo "Installing Pulumi into .venv-infra, once"
	@$(infra)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--requirement infra/requirements.txt
	@touch $@

# Azurite, Microsoft's emulator of Azure Storage, for the tests of the catalog in a table. Needs Node.js; nothing else does.
azurite: .azurite/node_modules/.bin/azurite-table

.azurite/node_modules/.bin/azurite-table:
	mkdir -p .azurite
	npm install --prefix .azurite --no-save --no-audit --no-fund azurite@3.35.0

# Microsoft's language service for KQL, for the tests of the queries of infra/. Needs Node.js; nothing else there does.
kusto_package := .kusto/node_modules/@kusto/language-service-next
kusto: $(kusto_package)

$(kusto_package):
	mkdir -p .kusto
	npm install --prefix .kusto --no-save --no-audit --no-fund @kusto/language-service-next@12.4.1

clean:
	rm -rf .azurite .kusto .venv .venv-* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
