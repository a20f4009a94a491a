# `make demo` and `make test` do all their own set-up, on any machine with Python 3.11 or later and a C library.
# The first Python that is new enough; make PYTHON=… names another.
PYTHON ?= $(shell \
	for python in python3 python3.13 python3.12 python3.11 $(HOME)/.pyenv/versions/*/bin/python3; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; \
	done)
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# The small CPU build, where the index can be reached; where it cannot, nothing is lost.
TORCH_INDEX := https://download.pytorch.org/whl/cpu

# Two tests at a time, those of a file by the same process.
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
IMAGES := onnxruntime openvino torch transformers deepsparse torchserve load
# What the container engine needs to build, e.g. --network host.
export DOCKER_BUILD ?=

.PHONY: help setup demo test test-all fuzz soak images test-images bench check format clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Make the virtual environment (.venv)

$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'There is no Python 3.11 or later here; name one with make PYTHON=…'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ParetoServe needs Python 3.11 or later; name one with make PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --retries 0 $(TORCH) --extra-index-url $(TORCH_INDEX)
	$(BIN)/pip install --quiet --disable-pip-version-check --progress-bar off --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup ## Train a small model, build variants, load each until it throttles, report (about 4 minutes)
	$(BIN)/paretoserve demo

test: setup check ## Check, and run the quick tests: nearly all
	$(PYTEST)

test-all: setup check ## Check, and run all tests but those of the images; makes an environment for each engine
	$(BIN)/python -m tests.environments
	$(PYTEST) -m 'not images' --environments

fuzz: setup ## Look for what is read wrongly, and send 200 000 spoiled requests to a server (these take about 10 minutes)
	HYPOTHESIS_PROFILE=long $(BIN)/pytest --numprocesses 2 --timeout 1800 tests/properties
	$(BIN)/python -m benchmarks fuzz

soak: setup ## One hour of good and bad traffic: does a server grow? Then ten minutes in which its worker is killed
	$(BIN)/python -m benchmarks soak
	$(BIN)/python -m benchmarks soak --minutes 10 --settle 2 --kill-every 20

images: ## Build the images paretoserve:BACKEND and paretoserve:load
	for name in $(IMAGES); do docker build $(DOCKER_BUILD) -f docker/Dockerfile.$$name -t paretoserve:$$name . || exit 1; done

test-images: setup ## Build the images and test them; needs a container engine behind the docker command
	$(BIN)/pytest -m images -s tests/docker

bench: setup ## Measure again what docs/performance.md says (about an hour; makes an environment for each peer)
	for name in front overhead cores overload kills start sparse peers report; do $(BIN)/python -m benchmarks $$name || exit 1; done

check: setup ## Lint, types, and generated documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m docs.generate --check

format: setup ## Format the code and write the generated documentation anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m docs.generate

clean: ## Remove the virtual environments and caches
	rm -rf $(VENV) .envs .mypy_cache .ruff_cache .pytest_cache *.egg-info
