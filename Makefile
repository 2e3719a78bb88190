# The commands of this project. `make help` lists them.

PYTHON ?= python3
PACKAGES := .venv/.installed
NGSPICE := .ngspice/.installed

# PyPI's torch for Linux brings gigabytes of CUDA libraries that nothing here uses. PyTorch's own
# index has a CPU build, which pip prefers; it is offered to pip where it answers.
TORCH_INDEX := https://download.pytorch.org/whl/cpu

# Where this is set, every process would compile torch anew: 7 s each.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: help setup run test check docs figures datasheets netlists bench clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: $(PACKAGES) $(NGSPICE) ## install everything: .venv and .ngspice, nothing outside this folder

run: setup ## the main job: one sample of the ring, generated in ngspice
	.venv/bin/cosim run circle --force

test: setup ## the test suite
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal

check: setup ## style, types, layers and sizes
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m pytest -q -s tests/test_house.py

docs: setup ## the manual: every example executed, warnings are errors; results/runs/manual
	OMP_NUM_THREADS=1 .venv/bin/python -m sphinx -q -W --keep-going -j 2 \
	  cosim/docs results/runs/manual

figures: setup ## make results/figures again: the blocks, one solve, and 200 samples
	.venv/bin/cosim figures --jobs 2 --force
	.venv/bin/cosim run circle --samples 200 --jobs 2 --force --output results/runs/figures
	cp results/runs/figures/solve.png results/figures/circle_solve.png
	cp results/runs/figures/cloud.png results/figures/circle_cloud.png

datasheets: setup ## our blocks' datasheets over corners and temperatures: results/datasheets
	for sheet in results/datasheets/*.toml; do \
	  name=$$(basename $$sheet .toml); \
	  .venv/bin/cosim characterise $$sheet --jobs 2 || exit; \
	  cp results/runs/datasheets/$$name/datasheet.md results/datasheets/$$name.md; \
	done

netlists: setup ## write netlists/ again from the generators
	.venv/bin/cosim netlist --all

bench: setup ## measure speed: results/benchmarks.json, results/figures/benchmarks.png
	.venv/bin/python -m pytest -m benchmark tests
	.venv/bin/python -m tests.benchmarks.figure

clean: ## remove what `make setup` and the tools have made
	rm -rf .venv .ngspice .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -r {} +

$(PACKAGES): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	{ echo >&2 "cosim: $(PYTHON) is missing, older than 3.11 or has no venv module. On Debian and" \
	  "Ubuntu: sudo apt install python3-venv; elsewhere install Python 3.11 or later. Another" \
	  "Python is chosen by 'make PYTHON=/path/to/python3 ...'."; exit 1; }
	$(PYTHON) -m venv .venv
	@echo "cosim: installing the Python packages into .venv (a minute or two)"
	@if .venv/bin/python -c 'import urllib.request as r; r.urlopen("$(TORCH_INDEX)/torch/", \
	    timeout=5)' 2>/dev/null; \
	then echo "cosim: torch comes from $(TORCH_INDEX)"; index=--extra-index-url=$(TORCH_INDEX); \
	else echo "cosim: torch comes from pip's own index, as $(TORCH_INDEX) does not answer"; fi; \
	.venv/bin/python -m pip install -qq --disable-pip-version-check --no-compile $$index \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(NGSPICE): $(PACKAGES) cosim/engine/install.py
	.venv/bin/python -m cosim.engine.install
	@touch $@
