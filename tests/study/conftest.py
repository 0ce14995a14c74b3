"""A small study of real runs (two rows, two seeds, four steps), and a study of synthetic runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from manyheads.evaluation.evaluate import measure, summarise
from manyheads.evaluation.metrics.resolve import metrics_of
from manyheads.recipe.load import recipe_to_toml
from manyheads.recipe.tasks import build_task, kind_of, resolved_options
from manyheads.run.atomic import write_json
from manyheads.run.evaluations import Evaluations, write_evaluations
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import Cell, cells_of, error_file
from manyheads.studies.load import load_study
from manyheads.studies.schema import StudyPlan
from manyheads.tasks.kind import Predictions
from manyheads.tasks.records import json_lines, records
from manyheads.tasks.task import Task

STUDY = """
base = "{base}"
title = "Tiny"
seeds = [1, 2]
twins = []
[changes]
training.max_steps = 4
training.evaluate_every = 2
[rows.plain]
[rows.rescaled]
tasks.paraphrase.loss_weight = 0.2
"""


@pytest.fixture
def tiny_study(tiny_recipe: Path, tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(STUDY.format(base=tiny_recipe))
    return file


SYNTHETIC = """
base = "recipe.toml"
title = "Small & <synthetic>"
caption = "Made of random numbers."
seeds = [1, 2, 3]
baseline = "plain"
twins = ["even"]
[factors]
EB = { key = "batching.strategy", levels = { yes = "even", no = "sequential" } }
LR = { key = "tasks.para.loss_weight", levels = { no = 1.0 } }
[rows.plain]
batching.strategy = "sequential"
[rows.even]
batching.strategy = "even"
[rows."plain_rescale0.1"]
batching.strategy = "sequential"
tasks.para.loss_weight = 0.1
provenance = "one of four"
[rows."even_rescale0.1"]
batching.strategy = "even"
tasks.para.loss_weight = 0.1
[rows.again]
batching.strategy = "even"
"""

BASE = """
encoder = "minilm-offline"
threads = 1
[tasks.sst]
kind = "classification"
train = "sst-train.csv"
dev = "sst-dev.csv"
text = "sentence"
label = "sentiment"
labels = ["bad", "fair", "good"]
[tasks.para]
kind = "classification"
train = "para-train.csv"
dev = "para-dev.csv"
text = ["a", "b"]
label = "same"
labels = [0, 1]
[tasks.sts]
kind = "regression"
train = "sts-train.csv"
dev = "sts-dev.csv"
text = ["a", "b"]
label = "similarity"
range = [0, 5]
"""

DEV_ROWS = {"sst": 150, "para": 200, "sts": 120, "one": 80, "other": 80, "third": 80, "more": 80}


class SyntheticStudy:
    """A study file with run folders of random predictions, which are created quickly."""

    def __init__(self, folder: Path) -> None:
        self.file, self.out = folder / "study.toml", folder / "out"
        self.file.write_text(SYNTHETIC)
        (folder / "recipe.toml").write_text(BASE)

    def plan(self) -> StudyPlan:
        return load_study(self.file)

    def rewrite(self, old: str, new: str) -> None:
        assert old in self.file.read_text()
        self.file.write_text(self.file.read_text().replace(old, new))

    def run(
        self,
        gains: Mapping[str, float] | None = None,
        skip: Collection[tuple[str, int]] = (),
        collapsed: Collection[tuple[str, int]] = (),
    ) -> StudyPlan:
        """Create the runs of every cell except `skip`. `gains` makes rows better. `collapsed` runs are far worse."""
        plan = self.plan()
        for cell in cells_of(plan, self.out):
            if (cell.row, cell.seed) not in skip:
                make_run(cell, -0.6 if (cell.row, cell.seed) in collapsed else (gains or {}).get(cell.row, 0.0))
        return plan

    def keep_every_evaluation(self, rows: Collection[str] = ()) -> None:
        """Write the files with the dev predictions of both evaluations. `rows`: Default: all."""
        for cell in cells_of(self.plan(), self.out):
            if RunFolder(cell.folder).finished and (not rows or cell.row in rows):
                write_every_evaluation(cell)

    def add_test_files(self, *, labelled: bool = True) -> None:
        """Give every task a test file. Runs then have predictions for it."""
        base = self.file.parent / "recipe.toml"
        name = "labelled.csv" if labelled else "unlabelled.csv"
        base.write_text(base.read_text().replace("dev = ", f'test = "{name}"\ndev = '))

    def fail(self, row: str, seed: int, error: str) -> None:
        write_json(error_file(self.out, row, seed), {"error": error, "kind": "TrainingError"})


_MADE: dict[tuple[object, ...], dict[Path, str]] = {}
"""The files of the synthetic runs so far. Most tests make the same runs."""


def make_run(cell: Cell, gain: float) -> None:
    """Write a finished run folder with two epochs, the second of which is the best."""
    key = (recipe_to_toml(cell.recipe), cell.row, cell.seed, gain)
    if key not in _MADE:
        _MADE[key] = _files(cell, gain)
    for name, text in _MADE[key].items():
        _put(cell.folder / name, text)


def _files(cell: Cell, gain: float) -> dict[Path, str]:
    """Return the files of a run, by their path in the folder."""
    folder, files = RunFolder(Path()), {}
    tasks = {name: build_task(name, options, kind_of(options)) for name, options in cell.recipe.tasks.items()}
    resolved = {name: resolved_options(cell.recipe.tasks[name], task) for name, task in tasks.items()}
    files[folder.recipe] = recipe_to_toml(cell.recipe.model_copy(update={"tasks": resolved, "device": "cpu"}))
    files[folder.provenance] = json.dumps({"hardware": {"device": "cpu", "processor": "Abacus"}})
    entries = []
    for epoch in (1, 2):
        metrics = {}
        for name, task in tasks.items():
            options = cell.recipe.tasks[name]
            for split in ("dev",) if options.test is None else ("dev", "test"):
                predictions, targets = predicted(cell, name, task, split, epoch, gain)
                if split == "dev":
                    metrics[name] = measure(task, predictions, targets)
                known = None if split == "test" and "un" in str(options.test) else targets
                lines = "".join(json_lines(records(task.kind, ids_of(name), predictions, known)))
                for which in ("best", "last"):
                    files[folder.prediction_file(name, split, which)] = lines
        entries.append({"epoch": epoch, "step": 10 * epoch, **summarise(tasks, metrics, course_score=True)})
    columns = [f"{name}.{task.metric}" for name, task in tasks.items()]
    lines = [",".join(["epoch", "step", *columns, "average"])]
    for entry in entries:
        scores = [entry["tasks"][name][task.metric] for name, task in tasks.items()]
        lines.append(",".join(map(str, [entry["epoch"], entry["step"], *scores, entry["average"]])))
    files[folder.results_csv] = "\n".join(lines) + "\n"
    times = {"seconds": 60.0 + len(cell.row) + cell.seed, "examples": 2000}
    files[folder.results] = json.dumps({"best": entries[1], "last": entries[1], **times})
    files[folder.path / "gain"] = str(gain)
    return files


def ids_of(task: str) -> list[str]:
    """Return the ids of the dev examples of a task, and of its test examples."""
    return [f"{task}-{place}" for place in range(DEV_ROWS[task])]


def predicted(
    cell: Cell, name: str, task: Task, split: str, epoch: int, gain: float
) -> tuple[Predictions, NDArray[np.float64]]:
    """Return the predictions of one evaluation. All cells have the same examples, and their own predictions."""
    mark = [] if split == "dev" else [7]
    examples = np.random.default_rng([*mark, *name.encode()])
    own = np.random.default_rng([*mark, cell.seed, *cell.row.encode(), *name.encode(), epoch])
    return _predict(task, {1: 0.5, 2: 0.7}[epoch] + gain, examples, own, DEV_ROWS[name])


def write_every_evaluation(cell: Cell) -> None:
    """Write the file with the dev predictions of both evaluations. Its examples share no texts."""
    folder = RunFolder(cell.folder)
    gain = float((folder.path / "gain").read_text())
    for name, options in cell.recipe.tasks.items():
        task = build_task(name, options, kind_of(options))
        epochs = [predicted(cell, name, task, "dev", epoch, gain) for epoch in (1, 2)]
        every = Evaluations(
            ids=tuple(ids_of(name)),
            targets=epochs[0][1].astype(np.float32),
            clusters=1000 * list(DEV_ROWS).index(name) + np.arange(DEV_ROWS[name]),
            epochs=np.array([1.0, 2.0]),
            steps=np.array([10, 20]),
            values=np.array([predictions.values for predictions, _ in epochs], dtype=np.float32),
            probabilities=_probabilities(task, [predictions for predictions, _ in epochs]),
        )
        write_evaluations(folder.evaluations_file(name, "dev"), every)


def _probabilities(task: Task, epochs: Sequence[Predictions]) -> NDArray[np.float32] | None:
    if not any(metric.needs_probabilities for metric in metrics_of(task)):
        return None
    return np.array([predictions.probabilities for predictions in epochs], dtype=np.float32)


def _put(file: Path, text: str) -> None:
    """Write a file without syncing the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _predict(
    task: Task, skill: float, examples: np.random.Generator, own: np.random.Generator, count: int
) -> tuple[Predictions, NDArray[np.float64]]:
    if task.kind.unit:
        targets = np.round(examples.uniform(0, 5, count), 1)
        return Predictions(targets + own.normal(0, 2 * (1.2 - skill), count), None), targets
    classes = len(task.kind.probability_names)
    targets = examples.integers(classes, size=count).astype(np.float64)
    right = own.uniform(size=count) < skill + own.normal(0, 0.005)
    values = np.where(right, targets, (targets + 1) % classes)
    return Predictions(values, np.eye(classes)[values.astype(int)]), targets


@pytest.fixture
def synthetic(tmp_path: Path) -> SyntheticStudy:
    return SyntheticStudy(tmp_path)


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write tables without figures, for tests of other parts. Drawing takes most of the time."""
    monkeypatch.setattr("manyheads.studies.tabulate.FIGURES", {})
