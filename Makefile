# Needs Python >= 3.11 and make; everything else goes into .venv inside the checkout.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIDEO ?=
# Asked for by exact version, so that an index with a CPU build of it serves that one.
TORCH := 2.13.0
OUTPUT ?= results
PORT ?= 5000
# Tests run side by side, by file: on as many cores as there are, but no more than four, because each takes memory.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup run browser test test-all mutants bench bench-peer lint format lock clean

help:
	@echo "make run                               serve the web page on http://localhost:$(PORT)"
	@echo "make run VIDEO=path [OUTPUT=folder]    analyse a video without the web page"
	@echo "make setup                             only set up: $(BIN)/visagram works afterwards"
	@echo "make test | test-all                   every check and test | the slow proofs too"
	@echo "make bench                             measure speed, memory and agreement"

$(VENV)/.core: pyproject.toml requirements.lock
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Visagram needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "Setting up $(VENV) ..."
	@$(PIP) install --constraint requirements.lock --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "Setting up what the tests need ..."
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install torch==$(TORCH)
	@$(PIP) install --constraint requirements.lock --editable '.[train,deepface,huggingface,generate]' --group dev
	@touch $@

setup: $(VENV)/.core

run: setup
	@$(BIN)/visagram $(if $(VIDEO),analyze "$(VIDEO)" --output "$(OUTPUT)",serve --port $(PORT))

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The browser tests drive whichever Chromium, Chrome or Edge there is; where there is none, one is fetched.
browser: $(VENV)/.dev
	@$(BIN)/python tools/browser.py --install >/dev/null

test: lint browser
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

test-all: lint browser
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m ""

# Deliberate mistakes, a sample of them: which do the tests of their files not notice? SAMPLE: how many.
SAMPLE ?= 100
mutants: $(VENV)/.dev
	$(BIN)/python tools/mutants.py --sample $(SAMPLE) core export jobs media

# CLIPS: further videos for the agreement. FACES: folder of labelled faces for the expression model.
bench: $(VENV)/.dev
	$(BIN)/python -m bench --json bench/results.json $(if $(wildcard $(PEER)),--peer $(PEER)) $(if $(FACES),--faces "$(FACES)") $(CLIPS)

PEER := .venv-peer/bin/python
bench-peer:
	"$(PYTHON)" -m venv .venv-peer
	$(PEER) -m pip install --quiet torch==$(TORCH)
	$(PEER) -m pip install --quiet deepface==0.0.103 retina-face==0.0.19 flask onnx onnxscript av
	$(MAKE) bench

# The lock is one resolution for every platform, and one version of each package for every Python as far as that goes:
# what was tested with one is what the others get. requirements.txt is its core part, with hashes.
COMPILE := $(BIN)/uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --no-header --no-annotate \
  --no-emit-index-url
lock: $(VENV)/.dev
	$(PIP) install uv
	echo torch==$(TORCH) | $(COMPILE) --constraint - --extra train --extra deepface --extra huggingface --extra generate --group dev pyproject.toml --output-file requirements.lock
	$(COMPILE) --generate-hashes --constraint requirements.lock pyproject.toml --output-file requirements.txt

clean:
	rm -rf $(VENV) results .pytest_cache .mypy_cache .ruff_cache .hypothesis
