# `make` sets up and runs the main job; `make test test-slow` sets up and runs every test; `make help` lists the rest.

# Paths may hold blanks. `quoted` is for one; `each` puts an option before each of several, or before one that exists.
empty    :=
space    := $(empty) $(empty)
restored  = $(subst ?,$(space),$(1))
quoted    = '$(subst ','\'',$(1))'
pasted    = $(if $(filter-out 1,$(words $(1)))$(findstring ',$(1)),$(quoted),$(1))
each      = $(if $(1),$(if $(shell test -e $(call quoted,$(1)) && echo there),$(2) $(call quoted,$(1)),$(foreach path,$(1),$(2) $(call quoted,$(path)))))

CONFIG  ?= configs/econ_t_5elink.yaml
BUDGETS ?= 2 3 4 5
SAME_MODULES = --set data.layers=[5,7,9,11,13]
DATA    ?=
BACKEND ?= vitis catapult
TECHNOLOGY ?= gates xc7
FOLD    ?=
NAME    := $(call restored,$(basename $(notdir $(subst $(space),?,$(CONFIG)))))
RUN     ?= runs/$(NAME)
INPUT   ?= $(RUN)/test.csv
WEIGHTS ?= $(RUN)/weights.npz
SEED    ?= 1
N       ?= 20000
RUNS    ?=
EVENTS  ?= 2000
SECONDS ?= 30
SEEDS   ?= 3
READER  ?=
VECTORS ?= $(wildcard ../shared/data/econt_vectors ../shared/data/econt_vectors_production)
KILLS   ?= 50
JOBS    ?= 2

BASE   ?=
QUICK  ?= $(addprefix bitexact_tests/, models emulator training/data training/networks training/physics/test_emd.py \
    training/physics/test_metrics.py training/physics/test_statistics.py training/losses/test_charge_maps.py \
    training/production/test_toy.py training/production/test_default_set.py training/commands/test_old_options.py \
    rtl/simulation/test_activity.py project/test_package.py project/test_comparison.py)
run          = $(call quoted,$(RUN))
with_config  = --config $(call quoted,$(CONFIG))
with_weights = $(with_config) --weights $(call quoted,$(WEIGHTS))
with_input   = --input $(call quoted,$(INPUT))

VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/ready
FOLDED  = $(if $(filter-out 1,$(FOLD)),_fold$(FOLD))
EXTRAS  = training search data trigger rtl docs dev
COMPILE = $(VENV)/bin/uv pip compile pyproject.toml $(EXTRAS:%=--extra %) --universal --python-version 3.10 --no-header \
    --no-annotate --generate-hashes --quiet

export TF_CPP_MIN_LOG_LEVEL ?= 2
export PYTHONUNBUFFERED = 1

next = @printf '%s\n' 'Next, one module on its way: $(VENV)/bin/econ-t show --run '$(call quoted,$(call pasted,$(1)))' --row 17 --algorithm all'

# Before the steps of the main job, in one shell.
resumable = trap 'echo "Interrupted. The same command continues: finished trainings stay, an unfinished one resumes from its checkpoint." >&2; exit 130' INT TERM; set -e;

.DEFAULT_GOAL := main
.DELETE_ON_ERROR:
# Each step reads what the one before it wrote, and steps use both cores by themselves: -j changes nothing.
.NOTPARALLEL:
.PHONY: main setup data train weights hls hls-csim hls-synth rtl rtl-sim rtl-synth rtl-activity rtl-place rtl-constant seu compare size distill report evaluate vectors physics pareto test test-slow compat bench bench-all bench-memory bench-profile bench-scale matrix faults fuzz kill-test docs lint lock check-lock clean help

main: ## set up, then the whole loop for BUDGETS="2 3 4 5" links on the same modules, and one report; CONFIG=... for one run
ifeq ($(origin CONFIG)$(origin RUN),filefile)
	@$(resumable) for links in $(BUDGETS); do \
	    config=configs/econ_t_$${links}elink.yaml; \
	    $(MAKE) --no-print-directory CONFIG=$$config ARGS=$(call quoted,$(SAME_MODULES) $(ARGS)) train; \
	    $(MAKE) --no-print-directory CONFIG=$$config ARGS= hls compare evaluate; \
	done; \
	$(MAKE) --no-print-directory CONFIG=configs/econ_t_$(lastword $(BUDGETS))elink.yaml ARGS= \
	    RUNS="$(BUDGETS:%=runs/econ_t_%elink)" physics distill size report
	$(call next,runs/econ_t_$(lastword $(BUDGETS))elink)
else
	@$(resumable) $(MAKE) --no-print-directory train; \
	$(MAKE) --no-print-directory ARGS= hls compare evaluate physics distill size report
	$(call next,$(RUN))
endif

setup: $(READY) ## make the virtual environment from the lock file, with this project and its command econ-t in it

$(READY): requirements.lock
	@for p in $(BASE) python3 python3.13 python3.12 python3.11 python3.10; do \
	    $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null \
	        && found=$$p && break; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "error: no Python 3.10 to 3.13 with venv found (python3 is $$(python3 -V 2>&1)): install one" >&2; exit 1; \
	fi; \
	echo "set-up: $(VENV) with $$($$found -V), packages from requirements.lock (about 1 GB, a minute or more)"; \
	rm -rf $(VENV) && $$found -m venv $(VENV)
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PYTHON) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

data: $(READY) ## generate module charges: N=20000 SEED=1, COMPARE=file to compare with, ARGS="--source toy"
	$(PYTHON) -m training data generate --n-modules $(N) --seed $(SEED) --output runs/data/calq.csv \
	    $(call each,$(COMPARE),--compare-to) $(ARGS)

train: $(READY) ## train encoder and decoder: CONFIG=..., DATA=file or folder of CALQ (default: collisions, made once)
	$(PYTHON) -m training train $(with_config) $(call each,$(DATA),--data) --output $(run) $(ARGS)

weights: $(READY) ## train all recipes of configs/weights and ship them: PUBLISHED=file SPARSE=file to measure them on; two hours
	$(PYTHON) -m training weights make $(if $(PUBLISHED),--published $(call quoted,$(PUBLISHED))) $(if $(SPARSE),--sparse $(call quoted,$(SPARSE))) $(ARGS)

evaluate: $(READY) ## physics performance (EMD) of the trained weights on INPUT=...
	$(PYTHON) -m training evaluate $(with_weights) --decoder $(run) $(with_input) --json $(run)/metrics.json

hls: $(READY) ## write the hls4ml C++ projects: BACKEND="vitis catapult"
	$(PYTHON) -m hls convert $(with_weights) $(foreach backend,$(BACKEND),--backend $(backend)) --output $(run)/'hls_{backend}'

hls-csim: $(READY) ## run all events of INPUT=... through the compiled C++
	@set -e; for backend in $(BACKEND); do \
	    $(PYTHON) -m hls csim $(with_weights) $(with_input) --backend $$backend --output $(run)/latent_$$backend.csv; \
	done

hls-synth: $(READY) ## run the vendor tools on the projects of `make hls`; fails if one of BACKEND is not installed
	@status=0; for backend in $(BACKEND); do \
	    $(PYTHON) -m hls synth $(with_config) --project $(run)/hls_$$backend --backend $$backend || status=$$?; \
	done; exit $$status

rtl-constant: $(READY) ## the two layers with WEIGHTS=... as constants: Verilog and size by da4ml, mapped by Yosys
	$(PYTHON) -m rtl constant $(with_weights) --output $(run)/constant $(ARGS)

compare: $(READY) ## emulator against HLS on all events of INPUT=..., every stage, bit by bit
	$(PYTHON) -m bitexact_tests compare $(with_weights) $(with_input) \
	    $(foreach backend,$(BACKEND),--backend $(backend)) --json $(run)/compare.json

vectors: $(READY) ## emulator against published test vectors, VECTORS="folder ...", for the report
	$(if $(VECTORS),,$(error VECTORS="folder ...": name the folders of the vector sets))
	$(PYTHON) -m emulator verify $(call each,$(VECTORS)) --json $(run)/vectors.json

physics: $(READY) ## AE of RUNS="dir ..." and the shipped sets vs. TS, BC, STC and RPT on 2 to 5 links, EVENTS=2000 rows of INPUT=...
	$(PYTHON) -m training compare $(if $(RUNS),$(call each,$(RUNS),--run),--run $(run)) --shipped $(with_input) \
	    --n-modules $(EVENTS) --json $(run)/physics.json $(ARGS)

rtl: $(READY) ## write the Verilog of the encoder block
	$(PYTHON) -m rtl verilog $(with_config) --output $(run)/rtl/encoder.v $(ARGS)

rtl-sim: $(READY) ## Verilog against emulator: all events of INPUT=..., then vectors, weights, masks, orbits, reset, latency
	$(PYTHON) -m bitexact_tests compare $(with_weights) $(with_input) --backend rtl \
	    $(if $(FOLD),--fold $(FOLD)) --json $(run)/compare_rtl.json
	$(PYTHON) -m pytest bitexact_tests/rtl/design $(ARGS)

rtl-synth: $(READY) ## gates and look-up tables of every block, by Yosys: TECHNOLOGY="gates xc7" FOLD=16, many minutes
	@set -e; for technology in $(TECHNOLOGY); do \
	    $(PYTHON) -m rtl synth $(with_config) --technology $$technology $(if $(FOLD),--fold $(FOLD)) \
	        --json $(run)/rtl_$$technology$(FOLDED).json $(ARGS); \
	done

rtl-place: $(READY) ## the encoder block on a Lattice ECP5: routed clock, size, critical path; FOLD=16 SEEDS=3, within an hour
	$(PYTHON) -m rtl place $(with_config) --fold $(or $(FOLD),16) --seeds $(SEEDS) --build $(run)/placed \
	    --json $(run)/placed_fold$(or $(FOLD),16).json $(ARGS)

pareto: $(READY) ## area vs. EMD over bit widths, resumable: ARGS="--weight-bits 3,4,5,6,7,8 --input-bits 4,5,6,7,8 --epochs 20"
	$(PYTHON) -m training pareto $(with_config) --output $(run)/pareto $(call each,$(DATA),--data) $(ARGS)

rtl-activity: $(READY) ## how often the gates change on the events of INPUT=...; FOLD=16 for the folded encoder
	$(PYTHON) -m rtl synth $(with_config) --technology gates --netlists $(run)/rtl/gates$(FOLDED) --timeout 3000 \
	    $(if $(FOLD),--fold $(FOLD)) --json $(run)/rtl_gates$(FOLDED).json $(ARGS)
	$(PYTHON) -m rtl activity $(with_weights) $(with_input) --netlists $(run)/rtl/gates$(FOLDED) \
	    --json $(run)/rtl_gates$(FOLDED).json

seu: $(READY) ## flip every bit of weights and RTL registers of RUN: latents, frames, EMD; ARGS="--no-rtl"
	$(PYTHON) -m training seu --run $(run) $(with_input) $(ARGS)

size: $(READY) ## how big, how fast: gates, look-up tables and latency by open tools, decoders included; seconds
	$(PYTHON) -m training size --run $(run) --json $(run)/size.json $(ARGS)

distill: $(READY) ## a decoder of 3,000 multiply-accumulates for an FPGA, trained briefly; ARGS="--epochs 60"
	$(PYTHON) -m training distill --run $(run) --macs 3000 --epochs 12 --retrain --output $(run)/compact $(ARGS)

report: $(READY) ## one HTML page of the run: RUN/report.html; ARGS="--json F --figures DIR --format png" for the rest
	$(PYTHON) -m training report $(with_config) --run $(run) $(ARGS)

test: $(READY) ## the tests of every part, in minutes, JOBS=2 at a time; with REQUIRE_TOOLS=1 a missing tool fails
	$(PYTHON) -m pytest -n $(JOBS) --dist loadfile -m "not slow" $(ARGS)

test-slow: $(READY) ## the other tests: long pages of the documentation, every fold of the RTL, flips inside it, kills
	$(PYTHON) -m pytest -n $(JOBS) --dist loadfile -m slow $(ARGS)

compat: ## quick tests on the oldest and the newest supported Python of this machine, each in an environment of its own
	@set -e; for python in $$(.ci/pythons); do \
	    version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	    $(MAKE) --no-print-directory test BASE=$$python VENV=.venv-$$version ARGS="$(QUICK)"; \
	done

matrix: $(READY) ## every configuration and weight family through emulator, HLS and RTL; TIME=600 begins nothing later
	$(PYTHON) -m bitexact_tests matrix $(if $(TIME),--seconds $(TIME)) $(ARGS)

faults: $(READY) ## put single faults into the code, one by one: a test must find each; many minutes
	$(PYTHON) -m bitexact_tests faults $(if $(findstring --only,$(ARGS)),,--output docs/faults.md) $(ARGS)

bench: $(READY) ## benchmarks, medians of repeated runs and ratios in the same run
	$(PYTHON) -m pytest bitexact_tests/bench --benchmark-enable --benchmark-columns=median,iqr,ops,rounds $(ARGS)

bench-all: bench bench-profile bench-memory bench-scale ## everything of docs/performance.md, on an idle machine; under an hour

bench-profile: $(READY) ## where the time of each command goes, as a table; minutes
	$(PYTHON) -m bitexact_tests.bench.where $(ARGS)

bench-memory: $(READY) ## largest memory of each command for 10^6 and 10^7 modules, as a table; many minutes
	$(PYTHON) -m bitexact_tests.bench.memory $(ARGS)

bench-scale: $(READY) ## collisions to latents on 1, 2 and 4 workers; 10^7 modules, killed once in every step; minutes
	$(PYTHON) -m bitexact_tests.bench.scale $(ARGS)

fuzz: $(READY) ## broken files for every reader, guided by coverage: SECONDS=30 each, READER="name ..."; needs Linux on x86_64, Python 3.11 or newer
	@mkdir -p runs
	$(PYTHON) -m bitexact_tests.fuzz --seconds $(SECONDS) $(READER) -artifact_prefix=runs/

kill-test: $(READY) ## jobs killed at KILLS=50 random points end as if undisturbed; a full disk; many minutes
	KILLS=$(KILLS) $(PYTHON) -m pytest bitexact_tests/project/test_kill.py bitexact_tests/project/test_disk.py -s $(ARGS)

docs: $(READY) ## the documentation site, into site/, to open as a file; ARGS=... go to zensical
	@$(PYTHON) -m zensical build --clean --strict $(ARGS)
	@echo "The site: site/index.html"

lint: $(READY) ## style, types and import contracts
	$(PYTHON) -m pytest bitexact_tests/project/test_architecture.py

lock: $(READY) ## renew requirements.lock from pyproject.toml
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	$(COMPILE) --upgrade -o requirements.lock

check-lock: $(READY) ## fails if the lock is not of pyproject.toml; shows which packages have newer versions
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check uv
	@mkdir -p runs && cp requirements.lock runs/lock && $(COMPILE) -o runs/lock && diff requirements.lock runs/lock \
	    || { echo "error: requirements.lock: not what pyproject.toml asks for: make lock" >&2; exit 1; }
	@$(COMPILE) --upgrade -o runs/newest
	@for lock in requirements.lock runs/newest; do sed -n '/^[A-Za-z0-9]/s/ *\\$$//p' $$lock > runs/versions.$$(basename $$lock); done; \
	if diff --unchanged-line-format= --old-line-format='locked  %L' --new-line-format='newest  %L' \
	    runs/versions.requirements.lock runs/versions.newest; then echo "every package is the newest that fits"; fi

clean: ## remove caches and the site; runs and the virtual environment stay
	rm -rf site .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F '\t' -v width="$${COLUMNS:-80}" '{ \
	    line = sprintf("%-14s", $$1); empty = 1; n = split($$2, words, " "); \
	    for (k = 1; k <= n; k++) { \
	        if (!empty && length(line) + 1 + length(words[k]) > width) { print line; line = sprintf("%14s", ""); empty = 1 } \
	        line = line (empty ? "" : " ") words[k]; empty = 0 } \
	    print line }'
