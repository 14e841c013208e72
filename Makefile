# Needs python3 (3.11 to 3.13) and make. Another interpreter: make lab PYTHON=/path/to/python3.12 (after make clean).

# Each candidate is run, not just looked up: the name may exist and still not start, or be another version.
supported = import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c '$(supported)' 2>/dev/null && echo $$p && break; done)

help:
	@echo "make lab           install into .venv on the first run, then open the notebooks in JupyterLab"
	@echo "make app           likewise, then serve the start notebook as a page without code"
	@echo "make test          install likewise, then run every test and every notebook"
	@echo "make lint          likewise, then look over the code: ruff and pyright"
	@echo "make test-browser  likewise, then run the tests that need Chromium (apt-get install chromium)"
	@echo "make figures       draw the figures of docs/ anew"
	@echo "make clean         remove .venv, caches and build output"

# Large arrays in large pages (glibc 2.35 and later; else ignored): a step with a large Jacobian is a fifth faster.
lab: .venv/.installed
	GLIBC_TUNABLES=glibc.malloc.hugetlb=1 .venv/bin/sketchlab lab

# Options go through: make app OPTIONS="--no-browser --port=8866"
app: .venv/.installed
	.venv/bin/python -m pip install -q -e ".[app]"
	.venv/bin/sketchlab app -- $(OPTIONS)

# SKETCHLAB_FAST=1 shortens the training runs in the notebooks. One pytest run, so one summary counts everything. Tests compile much
# and compute little: XLA is told to compile in a quarter of the time, for steps of twice the time, and what one test has compiled the
# others need not. Two workers take files in this order: the long ones first.
test: export SKETCHLAB_FAST = 1
test: export XLA_FLAGS := $(XLA_FLAGS) --xla_backend_optimization_level=0
test: export JAX_COMPILATION_CACHE_DIR = $(CURDIR)/.pytest_cache/compiled
test: export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS = 0
test: .venv/.installed
	.venv/bin/python -m pytest -n 2 --no-loadscope-reorder --doctest-modules \
	  --nbval-lax --nbval-current-env --nbval-cell-timeout=300 notebooks docs/solutions tests sketchlab

# Pyright looks at the numerics only: plotly and ipywidgets have no types.
lint: .venv/.installed
	.venv/bin/python -m pip install -q -e ".[lint]"
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/basedpyright

test-browser: .venv/.installed
	.venv/bin/python -m pip install -q -e ".[browser]"
	.venv/bin/python -m pytest tests/browser

# A .venv with a working pip is kept; a missing, half-made or stale one is made anew.
.venv/.installed: pyproject.toml
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || { \
	  '$(PYTHON)' -c '$(supported)' 2>/dev/null || { echo "sketchlab needs Python 3.11, 3.12 or 3.13: install one, or name it with PYTHON=/path/to/python3" >&2; exit 1; }; \
	  '$(PYTHON)' -m venv --clear .venv; }
	.venv/bin/python -m pip install -e ".[lab,test]"
	@touch $@

# Every figure of docs/spectra.md.
figures: .venv/.installed
	.venv/bin/python docs/make_figures.py

clean:
	rm -rf .venv build dist .pytest_cache .ruff_cache
	find sketchlab tests notebooks -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

.PHONY: help lab app test lint test-browser figures clean
