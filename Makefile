# Thin lines over public tools. `make` alone lists them. The README says the same without make.

PYTHON ?= python3
BIN := .venv/bin
# More parameters for `make run`, for example: make run ARGS="-p dataset brick -p seed 1"
ARGS ?=

# Threads that wait should sleep, not spin: on a machine with other work this is many times faster.
export OMP_WAIT_POLICY ?= passive

.DEFAULT_GOAL := help
.PHONY: help install run test nightly lab study dashboard lint notebooks html site kit bench clean

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/installed ## Make .venv with exact versions and this package in it

run: .venv/installed ## Train on the retina photograph with and without a topological loss (minutes)
	$(BIN)/python -m toposeg_lite.training $(ARGS)

test: .venv/installed-dev ## Run every test: unit, property, oracle, notebook, browser
	$(BIN)/pytest -n 2 --dist loadfile

nightly: .venv/installed-dev ## Run the tests that take too long for every day: every data set with every loss, 10,000 images a kernel
	$(BIN)/pytest -n 2 --dist loadfile -m nightly --ignore=tests/topology/test_fuzz.py
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.bounds $(BIN)/pytest -n 2 --dist load -m nightly tests/topology/test_fuzz.py

lab: .venv/installed ## Open the workbook in JupyterLab
	$(BIN)/jupyter lab notebooks/00_start_here.ipynb

dashboard: .venv/installed ## Show all explorers in the browser, one tab each, for a lecture
	env "JUPYTER_PATH=$(CURDIR)/toposeg_lite/workbook" $(BIN)/voila --template=own_host --Voila.auto_token=True --VoilaConfiguration.extension_denylist="['jupyterlab-jupytext', '@jupyter-notebook/lab-extension']" notebooks/90_dashboard.ipynb

study: .venv/installed ## Compare all losses on a benchmark over three seeds (hours; goes on where it was stopped)
	$(BIN)/python -m toposeg_lite.training study -p dataset topomortar $(ARGS)

lint: .venv/installed-dev ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

notebooks: .venv/installed-dev ## Execute the chapters from clean kernels and store their outputs
	$(BIN)/python notebooks/build.py

html: .venv/installed-dev ## Make a page of every chapter in html/: pictures inside, no network needed
	$(BIN)/python notebooks/pages.py html

kit: .venv/installed-dev ## Make slides, sheets and quizzes for teachers in kit/
	$(BIN)/python notebooks/kit.py kit

site: .venv/installed-site ## Make the static site in site/: chapters, reference, results; explorers move without a kernel
	$(BIN)/python -m sphinx -q -W --keep-going -d .site-trees -c docs . site

bench: .venv/installed-bench .bench/topolosses .bench/torch-topological ## Time the library against its peers and print the table
	$(BIN)/python -m tests.benchmarks

clean: ## Remove the environments (runs/ stays)
	rm -rf .venv .bench .bounds .site-trees site

# A stamp per environment: a second call installs nothing, an edited requirement does.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[workbook]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install -c constraints.txt -e '.[workbook,dev,site]'
	touch $@

.venv/installed-site: .venv/installed
	$(BIN)/python -m pip install -c constraints.txt -e '.[workbook,site]'
	touch $@

.venv/installed-bench: .venv/installed
	$(BIN)/python -m pip install -c constraints.txt -e '.[workbook,bench]'
	touch $@

# Without their own requirements, which would bring another torch or another GUDHI. The "-": a peer
# that cannot be installed is named in the table with the reason.
.bench/topolosses: | .venv/installed
	-$(BIN)/python -m pip install --quiet --no-deps --target $@ topolosses==0.2.0

.bench/torch-topological: | .venv/installed
	-$(BIN)/python -m pip install --quiet --no-deps --target $@ torch-topological==0.1.9 gudhi==3.11.0
