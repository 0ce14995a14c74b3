"""The codec of predictions: records of one example each as JSON lines, and the two-column form of the course.

Numbers are the shortest decimals that give the same float32 again, so their precision does not depend on their size.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from manyheads.errors import DataError, RunError, argument
from manyheads.process_state import reads_tables
from manyheads.ragged import Ragged, Rows, flat, same_offsets
from manyheads.tasks.kind import Floats, Kind, Predictions, Target, known
from manyheads.tasks.task import Task

if TYPE_CHECKING:
    import polars as pl

OLD_STEP = 1e-6
"""Step of the targets in records of version 0.4.0, which had six decimal places."""


def records(
    kind: Kind,
    ids: Sequence[str],
    predictions: Predictions,
    targets: Rows | None = None,
    unknown: Sequence[str] | None = None,
) -> Iterator[dict[str, object]]:
    """Yield one record per example.

    Its keys are `id`, those of `Kind.record` (`prediction`, and `probabilities` or `value`), and `target` if `targets`
    are given. A missing target is None. `unknown`: the labels of each example of which some are not in the label
    space, as JSON, "" for the others. Its record has these labels as `target`, and `target_unknown`.
    """
    labelled = () if targets is None else known(targets)
    for row, example in enumerate(ids):
        record: dict[str, object] = {"id": example, **kind.record(predictions, row)}
        if targets is not None:
            if unknown is not None and unknown[row]:
                record |= {"target": json.loads(unknown[row]), "target_unknown": True}
            else:
                record["target"] = kind.present(targets[row]) if labelled[row] else None
        yield record


def json_lines(items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as one line of JSON, with its line end."""
    for record in items:
        yield json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Recorded:
    """The records of a file that have a target: n examples.

    `ids`: n strings. `predictions`, `targets`: float64[n, ...], or ragged. `probabilities`: float64[n, classes], ragged
    for a kind with ragged outputs, or None if the kind has none or they were not asked for. `unlabelled`: the number of
    records without a target, which are not among the n.
    """

    ids: pl.Series
    predictions: Rows
    targets: Rows
    probabilities: Rows | None
    unlabelled: int = 0


def read_records(file: Path, kind: Kind, *, probabilities: bool, hint: str) -> Recorded:
    """Read the records of a file that have a target.

    Args:
        file: The file.
        kind: The kind of the task.
        probabilities: Whether to read the probabilities.
        hint: What a user can do about a missing or damaged file.

    Raises:
        RunError: The file is missing or damaged, has a label that the task does not have, or has a number that is not
            finite.
    """
    if not file.is_file():
        raise RunError("the predictions of a run are missing", where=str(file), hint=hint)
    names = kind.probability_names if probabilities else ()
    if kind.ragged_outputs:
        return _by_lines(file, kind, names, hint, listed=probabilities)
    return _by_columns(file, kind, names) or _by_lines(file, kind, names, hint)


def same_targets(left: Rows, right: Rows) -> bool:
    """Return whether two files have the same targets, of which one may have been written by version 0.4.0."""
    one, other = flat(left), flat(right)
    if one.shape != other.shape or not same_offsets(left, right):
        return False
    if np.array_equal(one, other):
        return True
    near = bool(np.all(np.abs(one - other) <= 0.6 * OLD_STEP))
    return near and any(np.array_equal(np.round(each, 6), each) for each in (one, other))


def _by_columns(file: Path, kind: Kind, names: Sequence[str]) -> Recorded | None:
    """Read the records by columns, in a third of the time.

    None if the file is damaged or has cells of several types, or if polars cannot be used.
    """
    import polars as pl

    column = kind.column
    if column is None or not reads_tables():
        return None
    cell = {str: pl.String(), int: pl.Int64(), bool: pl.Boolean(), float: pl.Float64()}[column[0]]
    schema: dict[str, Any] = {"id": pl.String(), "prediction": cell, "target": cell}
    if names:
        schema["probabilities"] = pl.Struct(dict.fromkeys(names, pl.Float64()))
    try:
        # The content is passed and not the path, which polars would read as a pattern.
        frame = pl.read_ndjson(file.read_bytes(), schema=schema)
        total = frame.height
        frame = frame.filter(pl.col("target").is_not_null())
        if column[1] is not None:
            cells = pl.col("prediction", "target")
            codes = column[1]
            frame = frame.with_columns(cells.replace_strict(list(codes), list(codes.values()), return_dtype=pl.Float64))
        numbers = frame.select("prediction", "target").to_numpy()
        shares = frame["probabilities"].struct.unnest().to_numpy() if names else None
    except (pl.exceptions.PolarsError, OverflowError):
        return None
    if frame["id"].has_nulls() or not all(np.isfinite(each).all() for each in (numbers, shares) if each is not None):
        return None
    predictions, targets = np.ascontiguousarray(numbers.T)
    shares = None if shares is None else np.ascontiguousarray(shares)
    return Recorded(frame["id"], predictions, targets, shares, total - frame.height)


def _by_lines(file: Path, kind: Kind, names: Sequence[str], hint: str, *, listed: bool = False) -> Recorded:
    """Read the records one by one, and name what is wrong with the file.

    `listed`: whether `probabilities` is a list of numbers that is read.
    """
    import polars as pl

    # A string may contain other characters that end a line for `str.splitlines`.
    lines = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    try:
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        kept = [record for record in found if record.get("target") is not None]
        ids = pl.Series([str(record["id"]) for record in kept], dtype=pl.String)
        lacking = [name for record in kept for name in ("prediction",) if name not in record]
        if lacking:
            raise KeyError(lacking[0])
        shares: Rows | None = _shares(kept, names) if names else _listed(kept) if listed else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunError("a prediction file is damaged", where=str(file), found=str(error), hint=hint) from None
    predictions = _coded(file, kind, kept, kind.value_of, hint)
    targets = _coded(file, kind, kept, lambda record: _target_of(kind, record), hint)
    if kind.ragged_targets and not (
        same_offsets(predictions, targets) and (shares is None or same_offsets(shares, targets))
    ):
        what = "a prediction file is damaged"
        length = "a prediction whose length is not that of its target"
        raise RunError(what, where=str(file), found=length, hint=hint)
    return Recorded(ids, predictions, targets, shares, len(found) - len(kept))


def _shares(kept: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Floats:
    cells = [[float(record["probabilities"][name]) for name in names] for record in kept]
    shares = np.array(cells, dtype=np.float64).reshape(len(kept), len(names))
    if not np.isfinite(shares).all():
        raise ValueError("a probability is not a finite number")
    return shares


def _listed(kept: Sequence[Mapping[str, Any]]) -> Ragged:
    shares = Ragged.of([[float(share) for share in record["probabilities"]] for record in kept])
    if not np.isfinite(shares.values).all():
        raise ValueError("a probability is not a finite number")
    return shares


def _target_of(kind: Kind, record: Mapping[str, Any]) -> Target:
    """Return the target of a record, which may be a label that the task does not have."""
    if kind.counts_unknown and record.get("target_unknown") is True:
        return kind.unknown_target_of(record)
    return kind.target_of(record)


def _coded(
    file: Path, kind: Kind, kept: Sequence[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], Target], hint: str
) -> Rows:
    """Return the predictions or targets of records. `read` returns that of one record."""
    try:
        numbers = kind.targets([read(record) for record in kept])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        what = "a prediction is not a label of the task"
        raise RunError(what, where=str(file), found=str(error), hint=hint) from None
    if not np.isfinite(flat(numbers)).all():
        raise RunError("a prediction is not a finite number", where=str(file), hint=hint)
    return numbers


def course_header(task: Task) -> str:
    """Return the header line of the course's format. The course misspells "Predicted_Similiary" itself."""
    column = {0: "Predicted_Similiary", 2: "Predicted_Is_Paraphrase"}
    return f"id \t {column.get(len(task.kind.probability_names), 'Predicted_Sentiment')} \n"


def course_lines(task: Task, items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as the course's `{id} , {prediction} ` with the id in lower case.

    The format has numbers only: 0.0 or 1.0 for two classes, an integer for more classes.

    Raises:
        DataError: The task's labels are names. The course's format supports only numbers.
    """
    classes = len(task.kind.probability_names)
    for record in items:
        prediction = record["prediction"]
        if not isinstance(prediction, int | float):
            raise DataError(
                "the course's format supports only numeric labels",
                where=f"task {task.name}",
                found=prediction,
                hint=f"write another format, for example with {argument('form', 'jsonl', option='format')}",
            )
        if classes:
            prediction = float(prediction) if classes == 2 else int(prediction)
        yield f"{str(record['id']).lower()} , {prediction} \n"
