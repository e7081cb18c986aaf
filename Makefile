# One command each. Everything sets itself up: a virtual environment with the pinned requirements, made once.
#   make demo [WORLD=FILE]     make up [WORLD=FILE]     make test [ARGS="-k routing"]     make check     make clean
# Another Python: make test PYTHON=/path/to/python3.12 VENV=.venv-3.12

VENV ?= .venv
PYTHON ?=
WORLD ?=
ARGS ?=
bin := $(VENV)/bin
stamp := $(VENV)/.requirements-installed
world := $(if $(WORLD),--world "$(WORLD)")

.PHONY: setup test check demo up clean
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
	@$(bin)/python -m pip install --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

test: setup
	$(bin)/python -m pytest -n 2 $(ARGS)

check: setup
	$(bin)/ruff format --check
	$(bin)/ruff check
	$(bin)/mypy
	$(bin)/lint-imports

demo: setup
	@$(bin)/python -m simulator.demo $(world)

up: setup
	@$(bin)/python -m simulator.up $(world)

clean:
	rm -rf .venv .venv-* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
