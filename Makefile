# Commands for a fresh Debian machine with Python 3.11 or 3.12; `make demo` and `make test` are the first two.
# Each makes its own environment (.venv) first, and asks Debian for the shared libraries that it misses.
#
#   make demo      read the sample study and write out/demo
#   make demo-mri  the same with the sample MRI, into out/demo-mri
#   make test      all tests but the slow ones, in minutes
#   make test-all  the slow ones too
#   make check     style, formatting and types
#   make bench     the benchmarks: tables on the screen, JSON in out/bench
#   make clean     remove .venv, out and caches
#
# PYTHON=python3.12              choose the interpreter
# PIP_OPTIONS='--extra-index-url URL'   for instance PyTorch's own index of CPU builds: on Linux the torch that
#                                pip finds by itself brings several GB of CUDA libraries, which a machine without
#                                an NVIDIA card does not need

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

# The system's own python3 when it is 3.11 or 3.12, since its venv package is most likely there.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do $$p -c \
	'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
PIP_OPTIONS ?=
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_OPTIONS ?=

# Rendering without a screen, one process's threads as the tests expect them.
export QT_QPA_PLATFORM := offscreen
export VTK_DEFAULT_OPENGL_WINDOW := vtkEGLRenderWindow

.PHONY: demo demo-mri test test-all check bench clean

demo: $(VENV)/ready-demo
	@$(BIN)/neurotriage triage Resources/SampleData/HeadCtSample -o out/demo --force
	@echo; ls -l out/demo

demo-mri: $(VENV)/ready-demo
	@$(BIN)/neurotriage triage Resources/SampleData/BrainMrSample -o out/demo-mri --force
	@echo; ls -l out/demo-mri

test: $(VENV)/ready-test
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_OPTIONS)

test-all: $(VENV)/ready-test
	$(BIN)/python -m pytest $(PYTEST_OPTIONS)

check: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/ready-test
	@mkdir -p out/bench
	$(BIN)/python Testing/Benchmarks/reading.py --json out/bench/reading.json
	for system in consensus kuo2019; do \
		$(BIN)/python Testing/Benchmarks/triage_time.py --system $$system --json out/bench/$$system.json; done

clean:
	rm -rf $(VENV) out build *.egg-info .pytest_cache .ruff_cache .mypy_cache

# One environment for both; the tests' one holds more.
$(VENV)/ready-demo: $(VENV)/bin/pip pyproject.toml constraints.txt
	@scripts/system_packages.sh
	@echo "Installing NeuroTriage with PyTorch and Slicer's core into $(VENV); this takes minutes, once."
	$(BIN)/pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt --editable '.[scene]'
	@touch $@

$(VENV)/ready-test: $(VENV)/bin/pip pyproject.toml constraints.txt
	@scripts/system_packages.sh --tests
	@echo "Installing NeuroTriage and what its tests need into $(VENV); this takes minutes, once."
	$(BIN)/pip install --quiet $(PIP_OPTIONS) --constraint constraints.txt --editable '.[scene,service,dicomweb,train,test]'
	@touch $@ $(VENV)/ready-demo

$(VENV)/bin/pip:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/system_packages.sh --venv
	$(PYTHON) -m venv $(VENV)
