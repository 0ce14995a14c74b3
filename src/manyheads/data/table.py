"""The table of a file for a task: its usable rows as columns, and the bad rows with their reasons. It is cached."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeGuard, overload

import numpy as np

from manyheads.data.arrays import BLOCK, Strings, StringsFile
from manyheads.data.cache import ArrayFile, Arrays, RaggedFile, entry, save
from manyheads.data.reading import BadRow, Row, Several, Source, listed_columns
from manyheads.data.reading.combined import LabelDecidesError, read_together, rows_together
from manyheads.data.reading.parallel import Parallel
from manyheads.errors import DataError, did_you_mean
from manyheads.tasks.cells import Spellings, as_number, is_missing, is_no_label, label_cell, listed_words, quoted
from manyheads.tasks.kind import Candidates, Floats, LabelError, Target, UnknownLabelError
from manyheads.tasks.tags import SplitText
from manyheads.tasks.task import Task

Unknown = Literal["wrong", "error", "skip"]
"""What to do with a label that is not in the label space."""

LINE_BITS = 40
"""Bits of the line in the place of a row. The bits above are the number of the file among several."""

VERSION = "10"
"""Part of every cache key. It changes when the rules for usable rows, their reasons or the columns change."""

LISTED = 100
"""Columns that an error lists. The others are counted."""

SHOWN = 5
"""Warnings about single rows that are kept. The others are counted."""


@dataclass(frozen=True)
class Table:
    """The arrays of an entry (`targets`, `lines`, `ids`, `text0`, ...), the file's SHA-256, and the entry's key.

    `files`: the names of several files by their numbers in `places`, "" for the only file. `warnings`: texts that begin
    with a file or, where the source is one file, with nothing: ":7: ..." is its line 7.
    """

    arrays: Arrays
    fingerprint: str
    key: str


class BadRows(Sequence[BadRow]):
    """The rows of a table that cannot be used, in the order of the file."""

    def __init__(self, source: str, arrays: Arrays) -> None:
        self._source, self._lines = source, arrays["bad_lines"]
        self._reasons, self._hints = Strings.of(arrays, "bad_reasons"), Strings.of(arrays, "bad_hints")
        self._files = Strings.of(arrays, "bad_files")

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, place: int) -> BadRow: ...
    @overload
    def __getitem__(self, place: slice) -> list[BadRow]: ...
    def __getitem__(self, place: int | slice) -> BadRow | list[BadRow]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        file, hint = self._files[place] or self._source, self._hints[place] or None
        return BadRow(file, int(self._lines[place]), self._reasons[place], hint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))


def read_table(
    task: Task,
    source: Source,
    *,
    labelled: bool,
    cache: Path | None,
    grouped: bool = False,
    weight: str | None = None,
    holes: bool = False,
    unknown: Unknown | None = None,
) -> Table:
    """Return the table of a source for a task, from the cache if the same content was read before.

    `grouped`: whether to read the column that `task.group` names. It has no effect on a task without one. `weight`: the
    column of the weights of the rows. `holes`: whether other tasks read the labels of the same rows. Then a row without
    a label of this task is usable. A row whose label or weight cannot be read is a bad row, and also in the table
    without a label. `unknown`: what to do with a label that is not in the label space, see `read_examples`.

    Raises:
        DataError: A column is missing, or the source changed while it was read.
    """
    group = task.group if grouped else None
    wanted = [
        *task.columns,
        *(task.label_columns if labelled else ()),
        *(each for each in (task.id, group, weight, task.kind.gathered_by) if each is not None),
        *(each for each in (task.kind.names,) if each is not None and labelled),
    ]
    for column in wanted:
        require_column(source, column, task.name)
    fingerprint = source.fingerprint()
    key = _key(task, source, fingerprint, labelled, group, weight, holes, unknown)

    def fill(folder: Path) -> None:
        with _Writer(folder, task, source, labelled, group, weight, holes, unknown) as writer:
            for row in source.rows():
                writer.add(row)
        _check_unchanged(source, fingerprint)

    return Table(entry(None if cache is None else cache / "tables" / key, fill), fingerprint, key)


@dataclass(frozen=True)
class Reading:
    """The arguments of `read_table`, except the cache."""

    task: Task
    source: Source
    labelled: bool
    grouped: bool = False
    weight: str | None = None
    holes: bool = False
    unknown: Unknown | None = None


def fill_tables(readings: Sequence[Reading], cache: Path | None) -> None:
    """Read a file once for several tasks, and write their tables to the cache, where `read_table` finds them.

    Nothing is done if the cache has them, or if the tasks need a pass each.
    """
    if cache is None or len(readings) < 2 or not read_together([each.source for each in readings]):
        return
    fingerprint = readings[0].source.fingerprint()
    own: dict[str, tuple[Any, ...]] = {}
    for each in readings:
        group = each.task.group if each.grouped else None
        options = (each.labelled, group, each.weight, each.holes, each.unknown)
        key = _key(each.task, each.source, fingerprint, *options)
        if not (cache / "tables" / key).exists():
            own[key] = (each.task, each.source, *options)
    if len(own) < 2:
        return
    sources = [each[1] for each in own.values()]

    def fill(folders: Sequence[Path]) -> None:
        with ExitStack() as stack:
            pairs = zip(folders, own.values(), strict=True)
            writers = [stack.enter_context(_Writer(folder, *options)) for folder, options in pairs]
            for rows in rows_together(sources):
                for writer, row in zip(writers, rows, strict=True):
                    writer.add(row)
        _check_unchanged(sources[0], fingerprint)

    with suppress(LabelDecidesError, _UnfinishedError):
        _save_all([cache / "tables" / key for key in own], fill)


class _UnfinishedError(Exception):
    """An entry could not be written, so those that are written together with it are not complete."""


def _save_all(entries: Sequence[Path], fill: Callable[[Sequence[Path]], None]) -> None:
    """Write several entries of the cache at once."""
    filled = False

    def inside(folders: list[Path]) -> None:
        nonlocal filled
        if len(folders) == len(entries):
            fill(folders)
            filled = True
            return
        save(entries[len(folders)], lambda folder: inside([*folders, folder]))
        if not filled:
            raise _UnfinishedError

    inside([])


def _check_unchanged(source: Source, fingerprint: str) -> None:
    if source.fingerprint() != fingerprint:
        hint = "wait until no program writes to it, then run the command again"
        raise DataError("the file changed while it was read", where=source.name, hint=hint)


def _key(
    task: Task,
    source: Source,
    fingerprint: str,
    labelled: bool,
    group: str | None,
    weight: str | None = None,
    holes: bool = False,
    unknown: Unknown | None = None,
) -> str:
    """Return the SHA-256 of everything that decides which rows are usable and what they mean."""
    kind = task.kind
    reading = [type(source).__name__, fingerprint, source.columns, dict(source.form)]
    if isinstance(source, Several):
        reading.append([each.name for each in source.sources])
    if isinstance(source, Parallel):
        reading.append(list(source.files.values()))
    meaning = [task.text, task.label, task.id, kind.name, kind.space(), labelled]
    if group is not None:
        meaning.append(group)
    if weight is not None:
        meaning.append({"weight": weight})
    if holes:
        meaning.append({"holes": True})
    if unknown is not None:
        meaning.append({"unknown": unknown})
    return hashlib.sha256(json.dumps([VERSION, reading, meaning]).encode()).hexdigest()


_File = StringsFile | ArrayFile | RaggedFile


class _SkippedError(LabelError):
    """A row is left out, and is not a bad row."""

    def __init__(self) -> None:
        super().__init__("")


class _Writer:
    """Write rows into the columns of examples and of bad rows, one block at a time."""

    def __init__(
        self,
        folder: Path,
        task: Task,
        source: Source,
        labelled: bool,
        group: str | None,
        weight: str | None,
        holes: bool,
        unknown: Unknown | None,
    ) -> None:
        self._task, self._source, self._labelled, self._group, self._weight = task, source, labelled, group, weight
        self._holes, self._unknown = holes, unknown
        self._unknown_labels: Counter[str] = Counter()
        self._unknown_rows = 0
        self._presented = ""
        self._wider = unknown == "wrong" and task.kind.counted_shape is not None
        self._id = task.id or task.kind.gathered_by or ("id" if "id" in source.columns else None)
        self._chooses = task.kind.reads == "candidates"
        self._files = ExitStack()
        texts = [f"text{place}" for place in range(1 if self._chooses else len(task.text))]
        self._columns: list[tuple[_File, list[Any]]] = [
            (self._files.enter_context(StringsFile(folder, name)), []) for name in ("ids", *texts)
        ]
        if task.kind.ragged_targets:
            file = RaggedFile(folder, "targets", np.float64, offsets="target_offsets")
            self._columns.append((self._files.enter_context(file), []))
        else:
            self._columns.append((self._files.enter_context(ArrayFile(folder, "targets", np.float64)), []))
        for name in ("lines", "places"):
            self._columns.append((self._files.enter_context(ArrayFile(folder, name, np.int64)), []))
        if unknown == "wrong":
            self._columns.append((self._files.enter_context(StringsFile(folder, "unknown")), []))
        if group is not None:
            self._columns.append((self._files.enter_context(ArrayFile(folder, "groups", np.int64)), []))
        if weight is not None:
            self._columns.append((self._files.enter_context(ArrayFile(folder, "weights", np.float64)), []))
        if task.kind.soft_shape:
            self._columns.append((self._files.enter_context(ArrayFile(folder, "soft", np.float64)), []))
        if task.kind.reads == "tokens":
            self._columns.append((self._files.enter_context(RaggedFile(folder, "word_places", np.int64)), []))
        if self._chooses:
            each = StringsFile(folder, "candidates")
            lists = RaggedFile(folder, "candidates", np.str_, offsets="candidate_lists", file=each)
            self._columns.append((self._files.enter_context(lists), []))
        self._bad: list[tuple[_File, list[Any]]] = [
            (self._files.enter_context(ArrayFile(folder, "bad_lines", np.int64)), []),
            *(
                (self._files.enter_context(StringsFile(folder, f"bad_{name}")), [])
                for name in ("reasons", "hints", "files")
            ),
        ]
        self._warnings = self._files.enter_context(StringsFile(folder, "warnings"))
        self._names = self._files.enter_context(StringsFile(folder, "files"))
        self._suspicious: list[str] = []
        self._suspicions = 0
        self._spellings = Spellings(task.kind)
        self._ignored, self._first_ignored = 0, ""
        self._seen = 0
        self._at = ""
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._files:
            if kind is None:
                self._flush()
                more = self._suspicions - len(self._suspicious)
                counted = [f": ... and {more} more records that may be two rows"] if more else []
                same = [f": {text}" for text in self._spellings.warnings()]
                rows = "1 row" if self._ignored == 1 else f"{self._ignored} rows"
                text = f"{self._first_ignored}; {rows} without a usable label, only predicted"
                ignored = [text] if self._ignored else []
                same += self._unknown_warnings()
                self._names.append(self._numbers)
                self._warnings.append([*self._suspicious, *counted, *same, *ignored])

    def add(self, row: Row | BadRow) -> None:
        """Add one row."""
        self._seen += 1
        file = self._file(row.source if isinstance(row, BadRow) else row.file)
        place = (self._numbers.setdefault(file, len(self._numbers)) << LINE_BITS) + row.line
        if isinstance(row, BadRow):
            self._put(self._bad, (row.line, row.reason, row.hint or "", file))
        else:
            try:
                self._put(self._columns, self._cells(row, place))
            except _SkippedError:
                pass
            except LabelError as error:
                self._reject(row, file, error)
            if row.warning is not None:
                self._suspicions += 1
                if len(self._suspicious) < SHOWN:
                    self._suspicious.append(f"{file}:{row.line}: {row.warning}")
        if self._seen % BLOCK == 0:
            self._flush()

    def _cells(self, row: Row, place: int) -> tuple[object, ...]:
        """Return the cells of the columns of examples. `self._at` is the column that was read last."""
        texts: list[str] = []
        for column in self._task.text:
            self._at = column
            texts.append(text_of(row, column, one=self._task.kind.vectors))
        candidates = Candidates(())
        if self._chooses:
            texts = [" ".join(texts)]
            self._at = next(iter(self._task.kind.input_columns), self._at)
            candidates = self._task.kind.candidates(row.values)
        others: list[Any] = []
        if self._group is not None:
            self._at = self._group
            others.append(group_of(row, self._group))
        usable = True
        if self._weight is not None:
            self._at = self._weight
            try:
                others.append(weight_of(row, self._weight))
            except LabelError as error:
                if not self._holes:
                    raise
                self._reject(row, self._file(row.file), error)
                others.append(1.0)
                usable = False
        self._at = next(iter(self._task.label_columns), self._at)
        given = None if self._task.label_columns else self._task.kind.given
        target = self._task.kind.missing
        if given is not None or usable:
            target = given if given is not None else self._target(row, texts, candidates)
        if self._task.kind.soft_shape:
            others.append(self._soft(row, target))
        if self._task.kind.reads == "tokens":
            others.append(self._task.kind.words(texts[0]))
        if self._chooses:
            others.append(candidates.texts)
        unknown = () if self._unknown != "wrong" else (self._presented,)
        if self._wider and len(np.atleast_1d(target)) == len(np.atleast_1d(self._task.kind.missing)):
            target = np.append(target, np.nan if np.isnan(target).all() else 0.0)
        return (self._name(row), *texts, target, row.line, place, *unknown, *others)

    def _reject(self, row: Row, file: str, error: LabelError) -> None:
        """Add a bad row, whose fault is in the column that was read last."""
        file = file if row.files is None else row.files.get(self._at, file)
        self._put(self._bad, (row.line, str(error), error.hint or "", file))

    @staticmethod
    def _put(columns: list[tuple[_File, list[Any]]], cells: tuple[object, ...]) -> None:
        for (_, waiting), cell in zip(columns, cells, strict=True):
            waiting.append(cell)

    def _flush(self) -> None:
        for file, waiting in (*self._columns, *self._bad):
            file.append(waiting)
            waiting.clear()

    def _target(self, row: Row, texts: Sequence[str], candidates: Candidates) -> Target:
        self._presented = ""
        cell = label_cell(row.values, self._task.label_columns)
        if (self._holes or not self._labelled) and is_missing(cell):
            return self._task.kind.missing
        try:
            kind = self._task.kind
            target = kind.parse_among(cell, candidates) if self._chooses else kind.parse_of(cell, texts)
        except LabelError as error:
            if isinstance(error, UnknownLabelError) and not is_no_label(cell):
                if self._unknown in ("wrong", "skip"):
                    self._unknown_labels.update(error.labels)
                    self._unknown_rows += 1
                if self._unknown == "wrong":
                    self._presented = json.dumps(error.presented)
                    return self._task.kind.counted_among(error.presented, candidates)
                if self._unknown == "skip" and self._holes:
                    return self._task.kind.missing
                if self._unknown == "skip":
                    raise _SkippedError from None
                if self._unknown == "error":
                    error = LabelError(str(error), error.hint or self._unknown_hint)
                    if not self._holes:
                        raise error from None
            if self._holes:
                self._reject(row, self._file(row.file), error)
                return self._task.kind.missing
            if self._labelled:
                raise
            self._ignored += 1
            self._first_ignored = self._first_ignored or f"{self._file(row.file)}:{row.line}: {error}"
            return self._task.kind.missing
        self._spellings.add(target, cell)
        return target

    @property
    def _unknown_hint(self) -> str:
        """What to do about a label of a dev or test file that training does not know."""
        counted = 'count such labels as wrong with labels_unknown = "wrong", or ' * self._task.kind.counts_unknown
        return f'{counted}leave out their rows with labels_unknown = "skip"'

    def _unknown_warnings(self) -> list[str]:
        """Return a warning with the labels that are not in the label space, and their numbers."""
        rows = self._unknown_rows
        if not rows:
            return []
        most = self._unknown_labels.most_common(SHOWN)
        shown = ", ".join(f"{quoted(label)} ({count})" for label, count in most)
        more = "" if len(most) == len(self._unknown_labels) else ", ..."
        number = "1 row has labels" if rows == 1 else f"{rows} rows have labels"
        fate = "counted as wrong" if self._unknown == "wrong" else "left out"
        return [f": {number} that training does not know, {fate}: {shown}{more}"]

    def _soft(self, row: Row, target: Target) -> Floats:
        kind = self._task.kind
        if np.isnan(target).all() or self._presented:
            return np.full(kind.soft_shape, np.nan)
        return kind.soften(label_cell(row.values, self._task.label_columns))

    def _file(self, name: str | None) -> str:
        """Return the file of a bad row if the source has several, otherwise ""."""
        return "" if name is None or name == self._source.name else name

    def _name(self, row: Row) -> str:
        cell = None if self._id is None else row.values.get(self._id)
        return str(self._seen) if cell is None or cell == "" else str(cell)


def text_of(row: Row, column: str, *, one: bool = False) -> str:
    """Return the text in a row's column. A number is converted to text, and the words of a list are a `SplitText`.

    The list may be written as text, as in CSV files of pandas.

    `one`: whether a list of several texts is refused, because each of them has a vector of its own.

    Raises:
        LabelError: The text is missing, or is an object or a list of other things. The message is the reason.
    """
    cell = row.values.get(column)
    if one and are_texts(cell):
        first = f"{column}[0]"
        hint = f"name the first text as {first!r}, or write a row for each text"
        raise LabelError(f"text {column!r} is a list of {len(cell)} texts", hint)
    text = as_text(cell)
    if is_missing(text):
        raise LabelError(f"text {column!r} is missing")
    if not isinstance(text, str):
        raise LabelError(f"text {column!r} is a {type(text).__name__} and not text or a number")
    return text


def as_text(cell: Any) -> Any:
    """Return a number as text, and the words of a list as a `SplitText`. Another cell, or NaN, is unchanged.

    The list may be written as text.
    """
    words = [str(each) for each in cell] if _are_words(cell) else listed_words(cell)
    if words is not None:
        return SplitText(words)
    return str(cell) if isinstance(cell, int | float) and not is_missing(cell) else cell


def _are_words(cell: object) -> TypeGuard[list[str | int | float]]:
    """Whether a cell is a list of text and numbers."""
    return isinstance(cell, list | tuple) and all(
        isinstance(each, str | int | float) and not isinstance(each, bool) for each in cell
    )


def are_texts(cell: object) -> TypeGuard[list[str | int | float]]:
    """Whether a cell is a list of several texts: one of its items has several words."""
    return _are_words(cell) and len(cell) > 1 and any(len(str(each).split()) > 1 for each in cell)


def group_of(row: Row, column: str) -> int:
    """Return the group of a row as a 64-bit hash of the column's name and its cell, which tasks share.

    Raises:
        LabelError: The cell is missing. The message is the reason.
    """
    cell = row.values.get(column)
    if is_missing(cell):
        raise LabelError(f"group {column!r} is missing")
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
    digest = hashlib.blake2b(f"{column}\n{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def weight_of(row: Row, column: str) -> float:
    """Return the weight of a row.

    Raises:
        LabelError: The cell is missing, is not a finite number, or is negative. The message is the reason.
    """
    cell = row.values.get(column)
    if is_missing(cell):
        raise LabelError(f"weight {column!r} is missing")
    number = as_number(cell)
    if number is None:
        raise LabelError(f"weight {column!r} is {quoted(cell)} and not a finite number")
    if number < 0:
        raise LabelError(f"weight {column!r} is {quoted(cell)}, below 0")
    return number


def require_column(source: Source, column: str, task: str) -> None:
    """Check that a source has a column.

    Raises:
        DataError: It does not have it. The error names its columns and the nearest one.
    """
    if column not in source.columns:
        names = listed_columns(source)
        raise DataError(
            f"the file has no column {column!r}",
            where=f"{source.name}, task {task}",
            allowed=", ".join(names[:LISTED]) + (f", ... ({len(names)} columns)" if len(names) > LISTED else ""),
            hint=did_you_mean(column, names) or next(iter(source.warnings), None),
        )
