"""Answers a second in each runtime: `python -m benchmarks.runtimes RUN [--task TASK] [--texts 2000] [--rounds 5]`.

One run, exported; the same dev texts answered by torch (flat, as `manyheads.load` gives it), by onnxruntime (padded
graphs), and by both in 8-bit integers. They take turns within a round, each after one pass to warm up. From texts to
answers: tokenising is counted. The difference is the largest of any output from torch's, over all those texts.
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
from manyheads.recipe.export import export_run
from manyheads.recipe.load import load_recipe
from manyheads.recipe.measure import labelled_examples
from manyheads.run.folder import RunFolder

RUNTIMES: tuple[tuple[str, Runtime, bool], ...] = (
    ("torch, flat", "torch", False),
    ("onnxruntime", "onnx", False),
    ("torch, int8", "torch", True),
    ("onnxruntime, int8", "onnx", True),
)


def texts_of(run: Path, model: manyheads.Predictor, task: str, most: int) -> list[tuple[str, ...]]:
    """The first dev texts of a task."""
    found = labelled_examples(load_recipe(RunFolder(run).recipe), model.task(task), "dev")
    assert found is not None
    return list(zip(*(column[:most] for column in found.texts), strict=True))


def outputs(model: manyheads.Predictor, task: str, rows: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Chances of labels, or values."""
    decoded = model.decode(model.task(task), rows)
    return decoded.values if decoded.probabilities is None else decoded.probabilities


def measure(run: Path, exported: Path, task: str, most: int, rounds: int) -> list[dict[str, object]]:
    """A row a runtime."""
    models = {
        name: manyheads.load(run if runtime == "torch" else exported, runtime=runtime, int8=int8)
        for name, runtime, int8 in RUNTIMES
    }
    first = next(iter(models.values()))
    rows = texts_of(run, first, task, most)
    answers = {name: outputs(model, task, rows) for name, model in models.items()}
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
            "largest difference": f"{float(np.abs(answers[name] - answers['torch, flat']).max()):.1e}",
        }
        for name in models
    ]


def main() -> None:
    """Measure, print and keep."""
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
