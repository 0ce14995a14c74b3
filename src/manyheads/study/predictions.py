"""Reading the prediction files of runs, and holding them to one set of dev examples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError

Label = str | int | float | bool


@dataclass(frozen=True)
class DevExamples:
    """The labelled dev examples of a task: what every run of a study is measured on.

    `labels`: the classes, or None for values. `targets`: float64[n], class indices or values. `source`: the run they
    were read from, for messages.
    """

    task: str
    metric: str
    labels: tuple[Label, ...] | None
    ids: tuple[str, ...]
    targets: NDArray[np.float64]
    source: Path


def read_dev(file: Path, task: str, metric: str, labels: Sequence[Label] | None) -> DevExamples:
    """The dev examples that a prediction file holds, those without a target left out.

    Raises:
        RunError: the file is missing or damaged, or holds a label that the task has not.
    """
    records = _known(_read(file))
    codes = _codes(labels)
    targets = _numbers(file, codes, [record["target"] for record in records])
    ids = tuple(str(record["id"]) for record in records)
    return DevExamples(task, metric, None if labels is None else tuple(labels), ids, targets, file)


def read_values(file: Path, dev: DevExamples) -> NDArray[np.float64]:
    """Predictions float64[n] of a run for these examples: class indices, or values.

    Raises:
        RunError: the file is missing, damaged, or of other dev examples.
    """
    records = _known(_read(file))
    codes = _codes(dev.labels)
    ids = tuple(str(record["id"]) for record in records)
    if ids != dev.ids or not np.array_equal(
        _numbers(file, codes, [record["target"] for record in records]), dev.targets
    ):
        raise RunError(
            f"two runs of the study have different dev examples of {dev.task}, so they cannot be compared",
            where=f"{file} and {dev.source}",
            found=f"{len(ids)} and {len(dev.ids)} labelled examples",
            hint="name one dev file for all rows (a share held out of train differs from seed to seed)",
        )
    return _numbers(file, codes, [record["prediction"] for record in records])


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        raise RunError("a run's predictions are missing", where=str(file), hint="remove the run's folder and run again")
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        # One call for the whole file: a study has millions of these lines.
        found: list[dict[str, Any]] = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError as error:
        hint = "remove the run's folder and run again"
        raise RunError("a file of predictions is damaged", where=str(file), found=str(error), hint=hint) from None
    return found


def _known(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in records if record.get("target") is not None]


def _codes(labels: Sequence[Label] | None) -> Mapping[Label, float] | None:
    return None if labels is None else {label: float(code) for code, label in enumerate(labels)}


def _numbers(file: Path, codes: Mapping[Label, float] | None, cells: Sequence[Any]) -> NDArray[np.float64]:
    try:
        numbers = [float(cell) for cell in cells] if codes is None else [codes[cell] for cell in cells]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError("a prediction is none of the task's labels", where=str(file), found=str(error)) from None
    if not all(map(math.isfinite, numbers)):
        raise RunError("a prediction is not a finite number", where=str(file))
    return np.array(numbers, dtype=np.float64)
