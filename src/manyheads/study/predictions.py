"""Reading the prediction files of runs, and holding them to one set of dev examples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
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

    @cached_property
    def names(self) -> pl.Series:
        """The ids, as a column."""
        return pl.Series(self.ids, dtype=pl.String)


def read_dev(file: Path, task: str, metric: str, labels: Sequence[Label] | None) -> DevExamples:
    """The dev examples that a prediction file holds, those without a target left out.

    Raises:
        RunError: the file is missing or damaged, or holds a label that the task has not.
    """
    columns = _columns(file, labels)
    kept = None if labels is None else tuple(labels)
    return DevExamples(task, metric, kept, tuple(columns.ids), columns.targets, file)


def read_values(file: Path, dev: DevExamples) -> NDArray[np.float64]:
    """Predictions float64[n] of a run for these examples: class indices, or values.

    Raises:
        RunError: the file is missing, damaged, or of other dev examples.
    """
    columns = _columns(file, dev.labels)
    if not columns.ids.equals(dev.names) or not np.array_equal(columns.targets, dev.targets):
        raise RunError(
            f"two runs of the study have different dev examples of {dev.task}, so they cannot be compared",
            where=f"{file} and {dev.source}",
            found=f"{len(columns.ids)} and {len(dev.ids)} labelled examples",
            hint="name one dev file for all rows",
        )
    return columns.predictions


@dataclass(frozen=True)
class _Columns:
    """The labelled records of a file: ids (strings), predictions and targets as numbers, float64[n]."""

    ids: pl.Series
    predictions: NDArray[np.float64]
    targets: NDArray[np.float64]


def _columns(file: Path, labels: Sequence[Label] | None) -> _Columns:
    found = _fast(file, labels)
    if found is not None:
        return found
    records = [record for record in _read(file) if record.get("target") is not None]
    codes = _codes(labels)
    return _Columns(
        pl.Series([str(record["id"]) for record in records], dtype=pl.String),
        _numbers(file, codes, [record["prediction"] for record in records]),
        _numbers(file, codes, [record["target"] for record in records]),
    )


def _fast(file: Path, labels: Sequence[Label] | None) -> _Columns | None:
    """The same by columns, a third of the time (a study has millions of records); None for whatever is not plain."""
    kinds = {type(label) for label in labels} if labels is not None else {float}
    if len(kinds) > 1 or not file.exists():
        return None
    cell = {str: pl.String(), int: pl.Int64(), bool: pl.Boolean(), float: pl.Float64()}[kinds.pop()]
    try:
        frame = pl.read_ndjson(file, schema={"id": pl.String(), "prediction": cell, "target": cell})
        frame = frame.filter(pl.col("target").is_not_null())
        if labels is not None:
            codes = [float(code) for code in range(len(labels))]
            cells = pl.col("prediction", "target")
            frame = frame.with_columns(cells.replace_strict(list(labels), codes, return_dtype=pl.Float64))
    except pl.exceptions.PolarsError:
        return None
    numbers = frame.select("prediction", "target").to_numpy()
    if frame["id"].has_nulls() or not np.isfinite(numbers).all():
        return None
    predictions, targets = np.ascontiguousarray(numbers.T)
    return _Columns(frame["id"], predictions, targets)


def _read(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        raise RunError("a run's predictions are missing", where=str(file), hint="remove the run's folder and run again")
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        found: list[dict[str, Any]] = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError as error:
        hint = "remove the run's folder and run again"
        raise RunError("a file of predictions is damaged", where=str(file), found=str(error), hint=hint) from None
    return found


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
