# `make quickstart` and `make test` are all that a fresh machine needs: both make the
# environment first. Everything runs from .venv; `. .venv/bin/activate` for the rest.

BIN := .venv/bin
# A file's tests run in one worker, so that its engine is started once and its tables are
# made once. (loadgroup would do for the engines, but xdist 3.8 does not group under pytest 9.2.)
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile --durations 15

.PHONY: quickstart test test-verl test-hub-old gpu-proof quick check bench audit coverage environment lock clean

quickstart: environment
	$(BIN)/benchgen quickstart

test: check test-verl test-hub-old
	$(PYTEST)

# What we give to verl, OpenRLHF and verifiers, with them, in an environment of its own.
test-verl: environment
	@./setup verl
	.venv-verl/bin/python -m pytest tests/integrations

# Publishing with the oldest client of the Hub that we admit, in an environment of its own.
# CI leaves out every fault at every request, which it does with the newest: `make test-hub-old SLOW=`.
SLOW ?= not slow
test-hub-old: environment
	@./setup hub-old
	.venv-hub-old/bin/python -m pytest -m "$(SLOW)" tests/leaderboards/test_hub.py \
		tests/leaderboards/test_hub_faults.py tests/leaderboards/test_hub_readers.py \
		tests/leaderboards/test_model_card.py

# On a machine with GPUs and vLLM's build for them: what only those can show, as a JSON.
gpu-proof: environment
	$(BIN)/python -m finetune.gpu_proof --out gpu-proof.json

# Without what takes long.
quick: environment
	$(PYTEST) -m "not slow"

check: environment
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: environment
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/bench.txt
	$(BIN)/python benchmarks/synth.py

# Other items every day; SEED=0 for the same ones.
SEED ?= $(shell date +%Y%m%d)
audit: environment
	$(BIN)/benchgen audit sheet_music --workers 2 --seed $(SEED)

environment:
	@./setup

# All 10,000 simulated runs behind "95 %" (CI does a tenth of the long ones).
coverage: environment
	COVERAGE=1 $(PYTEST) -rP tests/evaluators/test_coverage.py

# Resolve requirements/cpu.in anew.
lock: environment
	$(BIN)/python requirements/lock.py

clean:
	rm -rf .venv .venv-verl .venv-hub-old build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
