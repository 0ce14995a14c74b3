"""Read the prediction files of runs and check that all runs have the same dev examples."""

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

HINT = "remove the folder of this run, and repeat the study"


@dataclass(frozen=True)
class DevExamples:
    """The labelled dev examples of a task, on which every run of a study is evaluated.

    `labels`: the classes, or None for regression. `targets`: float64[n], class indices or values. `source`: the
    prediction file from which the examples were read, for messages.
    """

    task: str
    metric: str
    labels: tuple[Label, ...] | None
    ids: tuple[str, ...]
    targets: NDArray[np.float64]
    source: Path

    @cached_property
    def names(self) -> pl.Series:
        """The ids as a polars column."""
        return pl.Series(self.ids, dtype=pl.String)


def read_dev(file: Path, task: str, metric: str, labels: Sequence[Label] | None) -> DevExamples:
    """Read the dev examples of a prediction file, without those that have no target.

    Raises:
        RunError: the file is missing or damaged, or contains a label that the task does not have.
    """
    columns = _columns(file, labels)
    kept = None if labels is None else tuple(labels)
    return DevExamples(task, metric, kept, tuple(columns.ids), columns.targets, file)


def read_values(file: Path, dev: DevExamples) -> NDArray[np.float64]:
    """Read the predictions of a run for these examples: float64[n], class indices or values.

    Raises:
        RunError: the file is missing or damaged, or has other dev examples.
    """
    columns = _columns(file, dev.labels)
    if not columns.ids.equals(dev.names) or not np.array_equal(columns.targets, dev.targets):
        raise RunError(
            f"two runs of the study have different dev examples of {dev.task}, so they cannot be compared",
            where=f"{file} and {dev.source}",
            found=f"{len(columns.ids)} and {len(dev.ids)} labelled examples",
            hint="use the same dev file in all rows",
        )
    return columns.predictions


@dataclass(frozen=True)
class _Columns:
    """The labelled records of a file: ids as strings, predictions and targets float64[n]."""

    ids: pl.Series
    predictions: NDArray[np.float64]
    targets: NDArray[np.float64]


def _columns(file: Path, labels: Sequence[Label] | None) -> _Columns:
    columns = _fast(file, labels)
    if columns is not None:
        return columns
    records = [record for record in _read(file) if record.get("target") is not None]
    codes = _codes(labels)
    return _Columns(
        pl.Series([str(record["id"]) for record in records], dtype=pl.String),
        _numbers(file, codes, [record["prediction"] for record in records]),
        _numbers(file, codes, [record["target"] for record in records]),
    )


def _fast(file: Path, labels: Sequence[Label] | None) -> _Columns | None:
    """Read the records by columns, in a third of the time. None if the file is missing, damaged or has mixed labels."""
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
        raise RunError("the predictions of a run are missing", where=str(file), hint=HINT)
    lines = file.read_text(encoding="utf-8").splitlines()
    try:
        records: list[dict[str, Any]] = json.loads(f"[{','.join(lines)}]")
    except json.JSONDecodeError as error:
        raise RunError("a prediction file is damaged", where=str(file), found=str(error), hint=HINT) from None
    return records


def _codes(labels: Sequence[Label] | None) -> Mapping[Label, float] | None:
    return None if labels is None else {label: float(code) for code, label in enumerate(labels)}


def _numbers(file: Path, codes: Mapping[Label, float] | None, cells: Sequence[Any]) -> NDArray[np.float64]:
    try:
        numbers = [float(cell) for cell in cells] if codes is None else [codes[cell] for cell in cells]
    except (KeyError, TypeError, ValueError) as error:
        raise RunError("a prediction is not a label of the task", where=str(file), found=str(error)) from None
    if not all(map(math.isfinite, numbers)):
        raise RunError("a prediction is not a finite number", where=str(file))
    return np.array(numbers, dtype=np.float64)
