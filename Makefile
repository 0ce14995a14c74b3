# make demo    train on the demo corpus of the package
# make lint    check formatting, lint, types and layers
# make test    make lint, then run the tests
# make docs    the documentation site, into docs/_build/html
# make wheel   build the wheel, install it in a new environment and use it there
# make torture kill, damage and misuse the commands; the figures go to results/torture (two to three hours)
# make bench   measure the speed and compare it with other programs (about 50 minutes; about 10 with QUICK=1)
# make image   build a container image of the server (needs docker and a network)
# make image-check   run the steps of the Dockerfile in a chroot (needs root and debootstrap)
# All targets but `wheel` and `image` first create .venv with every extra, once.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo lint test tests docs wheel torture bench image image-check

demo: .venv/installed
	$(BIN)/manyheads demo

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

test: lint tests

# Two processes more than cores: some tests wait for servers and signals.
tests: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=$$(($$(getconf _NPROCESSORS_ONLN) + 2)) --dist=worksteal

# -n: every reference must have a target; -W: a warning is an error. No network is used.
docs: .venv/installed
	$(BIN)/python -m sphinx -q -n -W --keep-going -b html docs docs/_build/html
	$(BIN)/python -m tests.docs.links docs/_build/html README.md

wheel:
	$(PYTHON) -m tests.wheel

# It can be stopped and started again: trials in the ledger under runs/torture are not repeated.
torture: .venv/installed
	$(BIN)/python -m tests.torture --out results/torture

bench: .venv/benched
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

image:
	docker build -t manyheads .

image-check: .venv/installed
	$(BIN)/python -m tests.image.check

# pip installs torch, so that its settings decide which build it takes. uv installs the rest in a third of the time.
# Both take the versions that constraints.txt pins. --no-compile: compiling every module takes longer than compiling
# those that are imported.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt torch uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[all,dev,docs]'
	touch $@

.venv/benched: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@
