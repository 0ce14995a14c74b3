"""Shared fixtures: a tiny BERT encoder, a small recipe on the demo corpus, and a trained run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.forked.start import ForkServer, made_once, shared_folder
from tests.tiny import CORPUS, write_tiny_encoder

import manyheads

RECIPE = """
encoder = "{encoder}"
threads = 1
data_dir = "{corpus}"

[tasks.sentiment]
kind = "classification"
train = "sentiment-train.tsv"
dev = "sentiment-dev.tsv"
text = "sentence"
label = "sentiment"
labels = [0, 1, 2, 3, 4]

[tasks.paraphrase]
kind = "classification"
train = "paraphrase-train.tsv"
dev = "paraphrase-dev.tsv"
text = ["sentence1", "sentence2"]
label = "is_paraphrase"
labels = [0, 1]

[tasks.similarity]
kind = "regression"
train = "similarity-train.tsv"
dev = "similarity-dev.tsv"
test = "similarity-dev.tsv"
text = ["sentence1", "sentence2"]
pair = "bi"
label = "similarity"
range = [0, 5]

[batching]
batch_size = 16

[training]
epochs = 1
max_steps = 24
evaluate_every = 12
learning_rate = 1e-3
"""


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so it is in a background job of a shell
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # so it is under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-golden", action="store_true", help="write the golden losses instead of comparing them")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a temporary cache instead of the user's, also in subprocesses."""
    os.environ["MANYHEADS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _no_reports() -> Iterator[None]:
    """Let `manyheads.train` write no report, which takes longer than a tiny run. Its own test writes one."""
    import manyheads.api.training

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manyheads.api.training, "write_report", lambda _run: None)
        yield


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """The fork server, which runs commands without importing torch again. `forked.bin` has `manyheads` and `python`."""
    folder = shared_folder(tmp_path_factory.getbasetemp()) / "forked"
    found = ForkServer(folder)
    with made_once(folder) as first:
        if first:
            found.start({**os.environ, "OMP_NUM_THREADS": "1"})
        lease = found.lease()
    yield found
    lease.close()


@pytest.fixture
def forked_commands(forked: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fork server run the commands that a test, or the program, starts with `sys.executable`."""
    forked.run_commands(monkeypatch)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder folder: 2 layers of width 32, random weights, a pooler, the words of the demo corpus."""
    return write_tiny_encoder(tmp_path_factory.mktemp("tiny-encoder"))


@pytest.fixture(scope="session")
def tiny_recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of three tasks (one text, a cross-encoded pair, a bi-encoded pair), 24 steps and two evaluations."""
    file = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    file.write_text(RECIPE.format(encoder=tiny_encoder, corpus=CORPUS))
    return file


@pytest.fixture(scope="session")
def trained(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    """A finished run of the tiny recipe. Tests must not change it."""
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("runs") / "trained")
