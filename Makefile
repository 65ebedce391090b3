# Every target sets up .venv by itself when it is missing or stale. Two commands matter: `make rehearse`, `make test`.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Empty: the quickest `python3` of this machine (`.ci/quickest`).
PYTHON ?=
BIN := .venv/bin
# More than two cores: a test that waits for a disk, a clock or the embedded AWS leaves its core to another.
JOBS ?= 4
STAMP := .venv/.stamp
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
# Each kernel and command is a process of its own: without compiled modules on disk each compiles the library anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup rehearse rehearse-example test test-fast test-random lab lint bench bench-scenarios bench-judge fuzz-judge mutate-judge bench-healthy bench-harm architecture pictures policies lock strip docs clean

help: ## What there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml requirements.lock
	@bash .ci/setup "$(PYTHON)"
	@touch $(STAMP)

setup: $(STAMP) ## Set up .venv from the lock file (the other targets do it by themselves)

rehearse: $(STAMP) ## The whole rehearsal on the embedded AWS: no account, no network
	@$(BIN)/runbook rehearse

rehearse-example: $(STAMP) ## The same for a second service with an HTTP API, examples/orders-export
	@$(BIN)/runbook rehearse --project examples/orders-export

test: $(STAMP) ## All tests, in parallel, with coverage of judge, act and record
	@$(BIN)/python -m coverage erase
	@PYTEST_PLUGINS=tests.lines $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=8
	@$(BIN)/python -m coverage combine -q
	@$(BIN)/python -m coverage report --include='runbook_lib/judge/**,runbook_lib/act/**,runbook_lib/record/**' --fail-under=95 --skip-covered

test-fast: $(STAMP) ## Tests without the embedded AWS, kernels and browser; properties with five examples each
	@HYPOTHESIS_PROFILE=quick $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow and not emulator and not kernel and not browser"

test-random: $(STAMP) ## The property tests with a thousand examples each, drawn anew at each run
	@HYPOTHESIS_PROFILE=random $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "hypothesis and not emulator and not kernel and not browser" --hypothesis-show-statistics -q

lab: $(STAMP) ## JupyterLab beside a rollout in the embedded AWS (SCENARIO=async_failing to practise an incident)
	@$(BIN)/runbook lab $(if $(SCENARIO),--scenario "$(SCENARIO)")

lint: $(STAMP) ## ruff, mypy, import contracts, notebooks without outputs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/nbstripout --verify notebooks/*.ipynb

bench: $(STAMP) ## Measurements as ratios within one run
	@for bench in tests/benchmarks/bench_*.py; do echo "== $$bench"; $(BIN)/python -m tests.benchmarks.$$(basename "$$bench" .py); done

bench-scenarios: $(STAMP) ## Every scenario against what it declares, and docs/scenarios.md (SEEDS=20, NOTEBOOKS=1)
	@$(BIN)/python -m tests.benchmarks.bench_scenarios --seeds $(or $(SEEDS),20) $(if $(NOTEBOOKS),--notebooks) --write

bench-judge: $(STAMP) ## Operating characteristics of the judge by simulation; fails where a limit is missed
	@$(BIN)/python -m tests.benchmarks.bench_judge

fuzz-judge: $(STAMP) ## Worlds drawn at random against the judge, and docs/fuzz.md (PLAYS=6000, SEED=1; KEPT=file to go on from)
	@$(BIN)/python -m tests.benchmarks.fuzz_judge --plays $(or $(PLAYS),6000) --seed $(or $(SEED),1) --out build/fuzz $(if $(KEPT),--kept $(KEPT)) --write

mutate-judge: $(STAMP) ## Small changes of the judge against its tests, and docs/mutation.md (MOST=25 of each module, SEED=1)
	@$(BIN)/python -m tests.benchmarks.mutate_judge --most $(or $(MOST),25) --seed $(or $(SEED),1) --write

bench-harm: $(STAMP) ## The harm forecast against worlds drawn at random, and docs/harm.md (PLAYS=1000, SEED=1)
	@$(BIN)/python -m tests.benchmarks.bench_harm --plays $(or $(PLAYS),1000) --seed $(or $(SEED),1) --write

architecture: $(STAMP) ## Draw the rooms and their arrows into docs/architecture.md
	@$(BIN)/python tests/architecture.py --write >/dev/null

pictures: $(STAMP) ## The README's pictures anew, from a rehearsal; needs Chromium
	@$(BIN)/python -m tests.pictures

bench-healthy: $(STAMP) ## 300 soaks of a service that is well, and docs/healthy.md; fails where one is taken back
	@$(BIN)/python -m tests.benchmarks.bench_healthy --write

policies: $(STAMP) ## Write iam/ anew, from the calls that the runbook makes
	@$(BIN)/runbook policies --env prod --write iam --replace

lock: ## Renew requirements.lock from pyproject.toml
	@uv pip compile -q --generate-hashes --no-emit-index-url --no-header --extra rehearse --extra dev --python-version 3.11 pyproject.toml -o requirements.lock

strip: $(STAMP) ## Take outputs and counts out of the notebooks
	@$(BIN)/nbstripout notebooks/*.ipynb

clean: ## Remove everything that the other targets made (the archive of real runs stays)
	@rm -rf .venv build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* archive/rehearsal archive/lab

docs: $(STAMP) ## The documentation site in build/docs; fails where a link leads nowhere
	@$(BIN)/python -m tests.pages
