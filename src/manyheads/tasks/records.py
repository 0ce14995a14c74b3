"""The codec of predictions: records of one example each, written and read as JSON lines.

Numbers are the shortest decimals that give the same float32 again, so their precision does not depend on their size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.numbers import resolved, shortest

if TYPE_CHECKING:
    import polars as pl

Label = str | int | float | bool
Floats = NDArray[np.float64]

OLD_STEP = 1e-6
"""Step of the targets in records of version 0.4.0, which had six decimal places."""


def records(
    kind: Kind, ids: Sequence[str], predictions: Predictions, targets: NDArray[np.floating] | None = None
) -> Iterator[dict[str, object]]:
    """Yield one record per example.

    Its keys are `id`, `prediction`, `probabilities` (label to probability) or `value`, and `target` if `targets` are
    given. A target of NaN is None.
    """
    for row, example in enumerate(ids):
        record: dict[str, object] = {"id": example, **record_of(kind, predictions, row)}
        if targets is not None:
            target = float(targets[row])
            record["target"] = None if math.isnan(target) else kind.present(_number(kind, target))
        yield record


def record_of(kind: Kind, predictions: Predictions, row: int) -> dict[str, object]:
    """Return the prediction of one row: `prediction`, and `probabilities` for classes or `value` for values."""
    value = float(predictions.values[row])
    if predictions.probabilities is None or kind.labels is None:
        number = _number(kind, value)
        return {"prediction": number, "value": number}
    probabilities = map(shortest, predictions.probabilities[row])
    return {
        "prediction": kind.present(value),
        "probabilities": dict(zip(map(str, kind.labels), probabilities, strict=True)),
    }


def json_lines(items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as one line of JSON, with its line end."""
    for record in items:
        yield json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _number(kind: Kind, value: float) -> float:
    """Return a value or target of a kind as it is written. A range that float32 does not resolve stays in float64."""
    return shortest(value) if kind.value_range is None or resolved(*kind.value_range) else value


@dataclass(frozen=True)
class Recorded:
    """The records of a file that have a target: n examples.

    `ids`: n strings. `predictions`, `targets`: float64[n], class indices or values. `probabilities`: float64[n,
    classes], or None if the task predicts values or they were not asked for. `unlabelled`: the number of records
    without a target, which are not among the n.
    """

    ids: pl.Series
    predictions: Floats
    targets: Floats
    probabilities: Floats | None
    unlabelled: int = 0


def read_records(file: Path, labels: Sequence[Label] | None, *, probabilities: bool, hint: str) -> Recorded:
    """Read the records of a file that have a target.

    Args:
        file: The file.
        labels: The labels of the task, or None if it predicts values.
        probabilities: Whether to read the probabilities of a classification.
        hint: What a user can do about a missing or damaged file.

    Raises:
        RunError: The file is missing or damaged, has a label that the task does not have, or has a number that is not
            finite.
    """
    if not file.is_file():
        raise RunError("the predictions of a run are missing", where=str(file), hint=hint)
    wanted = probabilities and labels is not None
    return _by_columns(file, labels, wanted) or _by_lines(file, labels, wanted, hint)


def same_targets(one: Floats, other: Floats) -> bool:
    """Return whether two files have the same targets, of which one may have been written by version 0.4.0."""
    if len(one) != len(other):
        return False
    if np.array_equal(one, other):
        return True
    near = bool(np.all(np.abs(one - other) <= 0.6 * OLD_STEP))
    return near and any(np.array_equal(np.round(each, 6), each) for each in (one, other))


def _by_columns(file: Path, labels: Sequence[Label] | None, probabilities: bool) -> Recorded | None:
    """Read the records by columns, in a third of the time. None if the file is damaged or has mixed labels."""
    import polars as pl

    kinds = {type(label) for label in labels} if labels is not None else {float}
    if len(kinds) > 1:
        return None
    cell = {str: pl.String(), int: pl.Int64(), bool: pl.Boolean(), float: pl.Float64()}[kinds.pop()]
    schema: dict[str, Any] = {"id": pl.String(), "prediction": cell, "target": cell}
    if probabilities and labels is not None:
        schema["probabilities"] = pl.Struct({str(label): pl.Float64() for label in labels})
    try:
        # The content is passed and not the path, which polars would read as a pattern.
        frame = pl.read_ndjson(file.read_bytes(), schema=schema)
        total = frame.height
        frame = frame.filter(pl.col("target").is_not_null())
        if labels is not None:
            codes = [float(code) for code in range(len(labels))]
            cells = pl.col("prediction", "target")
            frame = frame.with_columns(cells.replace_strict(list(labels), codes, return_dtype=pl.Float64))
        numbers = frame.select("prediction", "target").to_numpy()
        shares = frame["probabilities"].struct.unnest().to_numpy() if "probabilities" in schema else None
    except (pl.exceptions.PolarsError, OverflowError):
        return None
    if frame["id"].has_nulls() or not all(np.isfinite(each).all() for each in (numbers, shares) if each is not None):
        return None
    predictions, targets = np.ascontiguousarray(numbers.T)
    shares = None if shares is None else np.ascontiguousarray(shares)
    return Recorded(frame["id"], predictions, targets, shares, total - frame.height)


def _by_lines(file: Path, labels: Sequence[Label] | None, probabilities: bool, hint: str) -> Recorded:
    """Read the records one by one, and name what is wrong with the file."""
    import polars as pl

    # A string may contain other characters that end a line for `str.splitlines`.
    lines = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    try:
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        kept = [record for record in found if record.get("target") is not None]
        ids = pl.Series([str(record["id"]) for record in kept], dtype=pl.String)
        cells = {name: [record[name] for record in kept] for name in ("prediction", "target")}
        shares = _shares(kept, labels or ()) if probabilities else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError("a prediction file is damaged", where=str(file), found=str(error), hint=hint) from None
    codes = None if labels is None else {label: float(code) for code, label in enumerate(labels)}
    return Recorded(
        ids,
        _numbers(file, codes, cells["prediction"], hint),
        _numbers(file, codes, cells["target"], hint),
        shares,
        len(found) - len(kept),
    )


def _shares(kept: Sequence[Mapping[str, Any]], labels: Sequence[Label]) -> Floats:
    cells = [[float(record["probabilities"][str(label)]) for label in labels] for record in kept]
    shares = np.array(cells, dtype=np.float64).reshape(len(kept), len(labels))
    if not np.isfinite(shares).all():
        raise ValueError("a probability is not a finite number")
    return shares


def _numbers(file: Path, codes: Mapping[Label, float] | None, cells: Sequence[Any], hint: str) -> Floats:
    try:
        numbers = [float(cell) for cell in cells] if codes is None else [codes[cell] for cell in cells]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = "a prediction is not a label of the task"
        raise RunError(what, where=str(file), found=str(error), hint=hint) from None
    if not all(map(math.isfinite, numbers)):
        raise RunError("a prediction is not a finite number", where=str(file), hint=hint)
    return np.array(numbers, dtype=np.float64)
