# make demo    train on the corpus that comes with the package
# make test    formatting, lint, types, layers and tests
# make bench   speed on this machine, against other programs (about 50 minutes; QUICK=1, about 10)
# make image   the server in a container (needs docker and the network)
# make image-check   the steps of the Dockerfile in a chroot (needs root and debootstrap)
# All of them make .venv first, once, with every extra.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench image image-check

demo: .venv/installed
	$(BIN)/manyheads demo

test: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=auto --dist=worksteal

bench: .venv/benched
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

image:
	docker build -t manyheads .

image-check: .venv/installed
	$(BIN)/python -m tests.image.check

# torch is pinned in constraints.txt and installed by pip.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all,dev]'
	touch $@

.venv/benched: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@
