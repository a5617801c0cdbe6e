# Every target first creates what it needs: .venv is created by the first call and then reused.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo demo-serve test test-slow lint format bench soak fuzz clean

setup: .venv/.ready

# The second distribution, sasrec-serve, is tested here too.
.venv/.ready: pyproject.toml serve/pyproject.toml setup.py serve/setup.py constraints.txt $(wildcard src/sasrec/kernels/*.[ch] serve/src/sasrec_serve/scoring/*.[ch])
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' --editable './serve[all]'
	touch $@

demo: setup
	$(BIN)/sasrec train -d ml-100k --out saved/demo --overwrite
	$(BIN)/sasrec recommend saved/demo --user 196 -k 10

# Trains the demo if needed; make demo-serve OPTIONS=--once asks it once and ends.
demo-serve: setup
	test -e saved/demo || $(MAKE) demo
	$(BIN)/sasrec export saved/demo --out saved/demo-export --overwrite
	$(BIN)/python serve/demo.py saved/demo-export "$$($(BIN)/sasrec data fetch ml-100k | sed 's/^ml-100k is in //')/ml-100k.inter" --store saved/demo-events.sqlite $(OPTIONS)

# Two processes with one thread each: two threads each would be ten times slower.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# Tests marked slow (memory limits, several processes, large data), and the property tests again
# with 100 examples instead of 25.
test-slow: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m '(slow or hypothesis) and not soak' --hypothesis-profile thorough

# The long tests: killed processes, long runs, large data.
soak: setup
	$(BIN)/python -m pytest -m soak -s -o faulthandler_timeout=0

# A million inputs for everything that reads files; the second part is guided by coverage.
fuzz: setup
	$(BIN)/python fuzz/run.py --inputs 1000000
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python fuzz/run.py --guided --inputs 100000

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup .venv-recbole/.ready .venv-rectools/.ready
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/epoch.py
	$(BIN)/python benchmarks/evaluation.py
	$(BIN)/python benchmarks/softmax.py
	$(BIN)/python benchmarks/growth.py --epochs 1
	$(BIN)/python benchmarks/peers.py ml-100k --epochs 40
	$(BIN)/python benchmarks/peers.py ml-100k --epochs 10 --same-targets
	$(BIN)/python benchmarks/parity.py

# The other packages, each in its own environment, with the newest versions that still work.
.venv-recbole/.ready:
	$(PYTHON) -m venv .venv-recbole
	.venv-recbole/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 \
		recbole==1.2.1 'setuptools<80' 'numpy<2' 'pandas<2.3' 'scipy<1.14' safetensors
	touch $@

.venv-rectools/.ready:
	$(PYTHON) -m venv .venv-rectools
	.venv-rectools/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 \
		'rectools[torch]==0.19.0' fastapi uvicorn
	touch $@

clean:
	rm -rf .venv .venv-recbole .venv-rectools build dist src/*.egg-info
