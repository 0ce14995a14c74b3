"""Predictions per second in each runtime: `python -m benchmarks.runtimes RUN [--task TASK] [--texts 2000]`.

A run is exported, and the same dev texts are predicted by torch (flat batches, the default of `manyheads.load`), by
onnxruntime (padded graphs), and by both in 8-bit integers. The runtimes take turns within a round. Each has one pass to
warm up. Times include tokenising. The difference is the largest one between any output and torch's, over all texts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import manyheads
from manyheads.inference.load import Runtime
from manyheads.recipe.load import load_recipe
from manyheads.run.folder import RunFolder
from manyheads.runs.export import export_run
from manyheads.runs.measure import labelled_examples

RUNTIMES: tuple[tuple[str, Runtime, bool], ...] = (
    ("torch, flat", "torch", False),
    ("onnxruntime", "onnx", False),
    ("torch, int8", "torch", True),
    ("onnxruntime, int8", "onnx", True),
)


def texts_of(run: Path, model: manyheads.Predictor, task: str, most: int) -> list[tuple[str, ...]]:
    """Return the first dev texts of a task."""
    examples = labelled_examples(load_recipe(RunFolder(run).recipe), model.task(task), "dev")
    assert examples is not None
    return list(zip(*(column[:most] for column in examples.texts), strict=True))


def outputs(model: manyheads.Predictor, task: str, rows: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Return the probabilities of labels, or values."""
    decoded = model.decode(model.task(task), rows)
    return decoded.values if decoded.probabilities is None else decoded.probabilities


def measure(run: Path, exported: Path, task: str, most: int, rounds: int) -> list[dict[str, object]]:
    """Return one row per runtime."""
    models = {
        name: manyheads.load(run if runtime == "torch" else exported, runtime=runtime, int8=int8)
        for name, runtime, int8 in RUNTIMES
    }
    first = next(iter(models.values()))
    rows = texts_of(run, first, task, most)
    predicted = {name: outputs(model, task, rows) for name, model in models.items()}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds):
        for name in list(models)[turn % len(models) :] + list(models)[: turn % len(models)]:
            started = time.perf_counter()
            models[name].decode(models[name].task(task), rows)
            seconds[name].append(time.perf_counter() - started)
    torch_seconds = np.array(seconds["torch, flat"])
    return [
        {
            "task": task,
            "runtime": name,
            "texts/s": round(len(rows) / float(np.median(seconds[name]))),
            "time, of torch's": f"{float(np.median(np.array(seconds[name]) / torch_seconds)):.2f}x",
            "largest difference": f"{float(np.abs(predicted[name] - predicted['torch, flat']).max()):.1e}",
        }
        for name in models
    ]


def main() -> None:
    """Measure, print and save."""
    from benchmarks.record import save, table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", action="append", help="default: every task")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="write measured/runtimes.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "onnx"
        export_run(arguments.run, "onnx", exported, int8=True)
        names = arguments.task or list(manyheads.load(arguments.run).tasks)
        rows = [
            row for task in names for row in measure(arguments.run, exported, task, arguments.texts, arguments.rounds)
        ]
    print(table(rows, tuple(rows[0])))
    if arguments.keep:
        save("runtimes", rows)


if __name__ == "__main__":
    main()
