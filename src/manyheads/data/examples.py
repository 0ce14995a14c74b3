"""Examples: the usable rows of a file as columns, and every row that is not usable with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from manyheads.data.reading import BadRow, Row, Source
from manyheads.errors import DataError, did_you_mean
from manyheads.tasks.cells import is_missing
from manyheads.tasks.kind import LabelError
from manyheads.tasks.task import Task

SHOWN = 10
"""Bad rows that an error lists; the rest is counted."""


@dataclass(frozen=True)
class Examples:
    """n examples of a task, in the order of the file.

    `ids`: n names. `texts`: one list of n texts a text column. `targets`: float64[n], NaN where there is no label.
    `lines`: int64[n], the line that each begins on.
    """

    task: str
    source: str
    ids: list[str]
    texts: tuple[list[str], ...]
    targets: NDArray[np.float64]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Some of the examples, in the order given."""
        return Examples(
            self.task,
            self.source,
            [self.ids[row] for row in rows],
            tuple([column[row] for row in rows] for column in self.texts),
            self.targets[rows],
            self.lines[rows],
        )


def read_examples(task: Task, source: Source, *, on_bad_rows: str, labelled: bool) -> tuple[Examples, list[BadRow]]:
    """Read a file's examples for a task.

    `on_bad_rows`: "error", or "skip" to go on and return the bad rows. Unlabelled (`labelled=False`): the label
    column may be absent and its cells empty.

    Raises:
        DataError: a column is missing, no row is usable, or a row is bad under "error".
    """
    collect = _Collector(task, source, labelled)
    for row in source.rows():
        collect.add(row)
    if collect.bad and on_bad_rows == "error":
        raise bad_rows_error(collect.bad)
    if not collect.ids:
        shown = "; ".join(f"line {bad.line}: {bad.reason}" for bad in collect.bad[:3])
        raise DataError("the file has no usable rows", where=source.name, found=shown or "a header alone")
    return collect.examples(), collect.bad


def bad_rows_error(bad: list[BadRow]) -> DataError:
    """The error that lists the first bad rows and counts all."""
    shown = [f"    {row}" for row in bad[:SHOWN]]
    if len(bad) > SHOWN:
        shown.append(f"    ... and {len(bad) - SHOWN} more")
    count = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
    return DataError(
        f"{count} cannot be used:\n" + "\n".join(shown),
        hint='mend the file, or set on_bad_rows = "skip" for this task to go on without them',
    )


def examples_warnings(examples: Examples, task: Task) -> list[str]:
    """What is odd about examples but no error: duplicated ids, one class alone, one value alone."""
    found = []
    twice = [name for name, count in Counter(examples.ids).items() if count > 1]
    if twice:
        names = ", ".join(twice[:3]) + (", ..." if len(twice) > 3 else "")
        found.append(f"{examples.source}: {len(twice)} ids stand more than once ({names})")
    known = examples.targets[~np.isnan(examples.targets)]
    if len(known) and len(np.unique(known)) == 1:
        what = "class" if task.kind.labels is not None else "value"
        value = task.kind.present(float(known[0]))
        found.append(f"{examples.source}: every example has the one {what} {value!r}")
    return found


@dataclass
class _Collector:
    """Sorts rows into columns of examples and bad rows."""

    task: Task
    source: Source
    labelled: bool
    ids: list[str] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        wanted = [*self.task.text]
        if self.labelled:
            wanted.append(self.task.label)
        if self.task.id is not None:
            wanted.append(self.task.id)
        for column in wanted:
            require_column(self.source, column, self.task.name)
        self._id = self.task.id or ("id" if "id" in self.source.columns else None)
        self._texts: tuple[list[str], ...] = tuple([] for _ in self.task.text)
        self._targets: list[float] = []
        self._lines: list[int] = []
        self._seen = 0

    def add(self, row: Row | BadRow) -> None:
        """Sort one row."""
        self._seen += 1
        if isinstance(row, BadRow):
            self.bad.append(row)
            return
        try:
            texts = [text_of(row, column) for column in self.task.text]
            target = self._target(row)
            name = self._name(row)
        except LabelError as error:
            self.bad.append(BadRow(self.source.name, row.line, str(error)))
            return
        for column, text in zip(self._texts, texts, strict=True):
            column.append(text)
        self.ids.append(name)
        self._targets.append(target)
        self._lines.append(row.line)

    def examples(self) -> Examples:
        """All usable rows so far."""
        return Examples(
            self.task.name,
            self.source.name,
            self.ids,
            self._texts,
            np.array(self._targets, dtype=np.float64),
            np.array(self._lines, dtype=np.int64),
        )

    def _target(self, row: Row) -> float:
        cell = row.values.get(self.task.label)
        if not self.labelled and is_missing(cell):
            return float("nan")
        return self.task.kind.parse(cell)

    def _name(self, row: Row) -> str:
        cell = None if self._id is None else row.values.get(self._id)
        return str(self._seen) if cell is None or cell == "" else str(cell)


def text_of(row: Row, column: str) -> str:
    """The text in a row's column; a number counts as its digits.

    Raises:
        LabelError: there is none, or it is a list or a table; the message is the reason.
    """
    cell = row.values.get(column)
    if is_missing(cell):
        raise LabelError(f"text {column!r} is missing")
    if not isinstance(cell, str | int | float):
        raise LabelError(f"text {column!r} is no text but a {type(cell).__name__}")
    return str(cell)


def require_column(source: Source, column: str, task: str) -> None:
    """Check that a source has a column.

    Raises:
        DataError: it has not; the columns that there are and the nearest one are named.
    """
    if column not in source.columns:
        raise DataError(
            f"the file has no column {column!r}",
            where=f"{source.name}, task {task}",
            allowed=", ".join(source.columns),
            hint=did_you_mean(column, source.columns),
        )
