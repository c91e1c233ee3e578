# ganctl: `make help` lists what can be made.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CHECKED := ganctl tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help train test lint types check smoke soak speed format doctor clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable . --group dev --constraint constraints.txt
	@touch $@

train: $(READY) ## install, train a DCGAN on handwritten digits (about four minutes on 2 slow cores) and say where the pictures are
	$(BIN)/ganctl train model=dcgan dataset=digits loss=r1_small model.game.discriminator.norm=none images=250k

test: $(READY) ## install what tests need and run them
	$(BIN)/python -m pytest -n 2 -m "not slow and not gpu"

lint: $(READY) ## style and unused code
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)

types: $(READY) ## strict type check of ganctl/
	$(BIN)/mypy

check: lint types test ## everything that CI runs

format: $(READY) ## put the code into the agreed form
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

smoke: $(READY) ## every model with every loss that makes sense, at every size, with 1 to 4 channels, paper sizes too (minutes)
	$(BIN)/python -m pytest -m slow tests/test_every_model.py tests/test_any_size.py tests/test_presets.py

soak: $(READY) ## at least 100 kills at random moments, of paper-size models made narrow too: nothing lost, bit-equal ends (a quarter of an hour)
	$(BIN)/python -m pytest -m slow tests/test_exact_resume.py

speed: $(READY) ## images per second against a plain and a lean loop, side by side
	$(BIN)/python benchmarks/train_speed.py
	$(BIN)/python -m benchmarks.lean_speed

doctor: $(READY) ## failures made on purpose and healthy recipes on held-out seeds: does the doctor tell them apart (an hour)
	$(BIN)/python -m benchmarks.doctor_harness --seeds 20 21 --out benchmarks/results

clean: ## remove the environment and caches, keep outputs/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
