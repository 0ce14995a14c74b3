"""After every public call the process is as it was before, also after an error or an interrupt."""

from __future__ import annotations

import logging
import os
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.study.conftest import STUDY

import manyheads
from manyheads.runs.export import export_run
from manyheads.runs.measure import measure_run
from manyheads.studies.cells import cells_of
from manyheads.studies.load import load_study
from manyheads.studies.tabulate import write_table
from manyheads.studies.worker import work

SHORT = ["training.max_steps=2", "training.evaluate_every=2", "threads=3"]
PRETRAINING = ["pretraining.epochs=1", "pretraining.head_epochs=1", "pretraining.batch_size=256", "threads=3"]
BYTES = ("model/model.safetensors", "model/heads.safetensors", "results.csv", "predictions/sentiment.dev.last.jsonl")
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def state() -> dict[str, Any]:
    """Return everything that a call must not change."""
    return {
        "threads": torch.get_num_threads(),
        "handlers": [signal.getsignal(number) for number in NUMBERS],
        "environment": dict(os.environ),
        "folder": Path.cwd(),
        "filters": list(warnings.filters),
        "logging": (logging.root.manager.disable, logging.getLogger("transformers").level),
        "random": random.getstate(),
        "numpy": str(np.random.get_state()),
        "torch": torch.get_rng_state().tolist(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "defaults": (torch.get_default_dtype(), torch.get_default_device()),
        "autocast": torch.is_autocast_enabled("cpu"),
        "output": (sys.stdout, sys.stderr, sys.excepthook),
    }


@dataclass(frozen=True)
class Place:
    """A recipe, a finished run, a study with a finished run next to it, and an empty folder."""

    recipe: Path
    run: Path
    study: Path
    folder: Path

    @property
    def model(self) -> manyheads.Predictor:
        """The model of the run."""
        return manyheads.load(self.run, threads=3)


def train(place: Place, outcome: str) -> None:
    def listen(event: str, **_: object) -> None:
        if event == "step":
            act(outcome)

    manyheads.train(place.recipe, place.folder / "run", changes=SHORT, listeners=[listen])


def pretrain(place: Place, outcome: str) -> None:
    def listen(event: str, **_: object) -> None:
        if event == "pretraining_step":
            act(outcome)

    changes = [*PRETRAINING, f"pretraining.seed={len(outcome)}"]
    manyheads.pretrain(place.recipe, changes=changes, listeners=[listen])


def load(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.inference.bundle.load_file"):
        manyheads.load(place.run, threads=3)


def load_int8(place: Place, outcome: str) -> None:
    with acting(outcome, "torch.ao.quantization.quantize_dynamic"):
        manyheads.load(place.run, threads=3, int8=True)


def predict(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.model.forward.assemble"):
        place.model.predict("sentiment", ["a film"])


def predict_several(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.model.forward.assemble_rows"):
        place.model.decode_several({"sentiment": [("a film",)]})


def explain(place: Place, outcome: str) -> None:
    model = place.model
    with acting(outcome, "manyheads.inference.torch_engine.assemble"):
        model.explain(model.task("sentiment"), ("a film",))


def evaluate(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.runs.measure.evaluate"):
        measure_run(place.run, task="sentiment")


def export(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.runs.export.largest_difference"):
        export_run(place.run, "onnx", place.folder / "onnx")
        manyheads.load(place.folder / "onnx", runtime="onnx").predict("sentiment", ["a film"])


def study(place: Place, outcome: str) -> None:
    def listen(event: str, **_: object) -> None:
        if event == "cell_start":
            act(outcome)

    manyheads.study(place.study, place.folder / "study", changes=SHORT, jobs=1, notify=listen)


def table(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.studies.tabulate.render"):
        write_table(load_study(place.study), place.study.parent / "study")


def power(place: Place, outcome: str) -> None:
    with acting(outcome, "manyheads.studies.power.read_tasks"):
        manyheads.power(place.study)


CALLS = (
    *(train, pretrain, load, load_int8, predict, predict_several),
    *(explain, evaluate, export, study, table, power),
)


class StopError(Exception):
    """An error within a call."""


def act(outcome: str) -> None:
    """Fail, or be interrupted as by Ctrl-C."""
    if outcome == "error":
        raise StopError
    if outcome == "interrupt":
        signal.raise_signal(signal.SIGINT)


@contextmanager
def acting(outcome: str, name: str) -> Iterator[None]:
    """Fail, or be interrupted, where the block calls the function of this name."""
    with pytest.MonkeyPatch.context() as patch:
        if outcome != "ok":
            patch.setattr(name, lambda *_, **__: act(outcome))
        yield


@pytest.fixture(scope="module")
def made(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one run, and the finished run."""
    file = tmp_path_factory.mktemp("study") / "tiny.toml"
    file.write_text(STUDY.format(base=tiny_recipe).replace("[1, 2]", "[1]").partition("[rows.rescaled]")[0])
    for cell in cells_of(load_study(file), file.parent / "study"):
        work(cell, keep_models=False, notify=lambda event, **_: None)
    return file


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize("outcome", ["ok", "error", "interrupt"])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_call_leaves_the_process_as_it_was(
    call: Callable[[Place, str], None],
    outcome: str,
    tiny_recipe: Path,
    trained: manyheads.Run,
    made: Path,
    tmp_path: Path,
) -> None:
    place = Place(tiny_recipe, trained.folder.path, made, tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        before, modules = state(), set(sys.modules)
        if outcome == "ok":
            call(place, outcome)
        else:
            with pytest.raises(StopError if outcome == "error" else KeyboardInterrupt):
                call(place, outcome)
        after = state()
    finally:
        torch.set_num_threads(threads)
    if set(sys.modules) - modules:
        # The first import of a library may add filters.
        del before["filters"], after["filters"]
    assert after == before


def test_the_import_of_the_package_needs_no_torch_and_changes_nothing(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal, sys, threading, warnings\n"
        "def state():\n"
        "    handlers = [signal.getsignal(number) for number in signal.valid_signals()]\n"
        "    return handlers, dict(os.environ), list(warnings.filters), threading.enumerate(), sys.excepthook\n"
        "before = state()\n"
        "import manyheads\n"
        "assert state() == before\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )

    subprocess.run([sys.executable, str(program)], check=True)


@contextmanager
def unusual() -> Iterator[None]:
    """Run the block with another default dtype and device, in inference mode and under autocast."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(before)


def test_defaults_around_a_call_change_nothing(tiny_recipe: Path, trained: manyheads.Run, tmp_path: Path) -> None:
    texts, pairs = ["a fine film", "a bad soup"], [("a dog runs", "a cat sleeps")]
    with unusual():
        before = state()
        run = manyheads.train(tiny_recipe, tmp_path / "run")
        model = manyheads.load(run)
        inside = [*model.predict("sentiment", texts), *model.predict("similarity", pairs)]
        several = model.decode_several({"sentiment": [("a fine film",)]})["sentiment"].values.tolist()
        weights = model.explain(model.task("sentiment"), ("a fine film",))
        assert state() == before
    for name in (
        "model/model.safetensors",
        "model/heads.safetensors",
        "results.csv",
        "predictions/sentiment.dev.last.jsonl",
    ):
        assert (run.folder.path / name).read_bytes() == (trained.folder.path / name).read_bytes()
    model = manyheads.load(trained)
    assert inside == [*model.predict("sentiment", texts), *model.predict("similarity", pairs)]
    assert several == model.decode_several({"sentiment": [("a fine film",)]})["sentiment"].values.tolist()
    assert weights == model.explain(model.task("sentiment"), ("a fine film",))


def test_random_numbers_between_trainings_differ(tiny_recipe: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    rates = []
    for number in range(3):
        rates.append(float(torch.rand(())))
        manyheads.train(
            tiny_recipe, tmp_path / str(number), changes=["training.max_steps=1", "training.evaluate_every=1"]
        )
    assert len(set(rates)) == 3
