"""Examples: the usable rows of a file as columns, and every bad row with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import Strings, TextLists, blocks, gather, scratch
from manyheads.data.distinct import distinct, hashes_of
from manyheads.data.given import given_row
from manyheads.data.reading import BadRow, Source
from manyheads.data.table import LINE_BITS, BadRows, Unknown, read_table, require_column, text_of
from manyheads.errors import DataError
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.kind import known
from manyheads.tasks.task import Task

__all__ = [
    "Examples",
    "bad_row_hints",
    "bad_rows_error",
    "examples_warnings",
    "labelled_rows",
    "read_examples",
    "require_column",
    "taken",
    "text_of",
]

SHOWN = 10
"""Bad rows that an error lists. The others are counted."""

INSPECTED = 100
"""Bad rows whose hints an error has."""


@dataclass(frozen=True)
class Examples:
    """n examples of a task, in the order of the file.

    `ids`: n ids. `texts`: n texts for each text column. `targets`: float64[n, ...], NaN if an example has no label; or
    ragged. `lines`: int64[n], the line on which each example begins. `fingerprint`: SHA-256 of the file. `key`: a hash
    of everything that decides which examples these are, or "" if it is unknown. `warnings`: what was suspicious in the
    file; a part of the examples has none. `places`: int64[n], the line and the file of each example if several files
    were read. Default: `lines`. `groups`: int64[n], equal for examples that belong together; None if the task names no
    column of groups. `weights`: float64[n], the weight of each example in the loss; None without a column of weights.
    `soft`: float64[n, ...], soft labels, NaN if an example has none; None for a task without.
    `files`: the names of the files by their numbers in `places`, "" for the only file. `words`: int64[N, 2], ragged,
    the first character of each word of the text and the one after it; None for a task without words. `unknown`: the
    labels of each example of which some are not in the label space, as JSON, "" for the others; None if there is none.
    `targets` may then be one wider, see `Kind.counted_shape`.
    `candidates`: the texts of the candidates of each example; None for a task without.
    """

    task: str
    source: str
    ids: Sequence[str]
    texts: tuple[Sequence[str], ...]
    targets: Rows
    lines: NDArray[np.int64]
    fingerprint: str = ""
    key: str = ""
    warnings: tuple[str, ...] = ()
    places: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float64] | None = None
    soft: NDArray[np.float64] | None = None
    files: tuple[str, ...] = ()
    words: Ragged | None = None
    unknown: Sequence[str] | None = None
    candidates: TextLists | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Return the examples with these indices, in that order."""
        return Examples(
            self.task,
            self.source,
            taken(self.ids, rows),
            tuple(taken(column, rows) for column in self.texts),
            gather(self.targets, rows),
            gather(self.lines, rows),
            self.fingerprint,
            self.key and _key(self.key, rows),
            places=None if self.places is None else gather(self.places, rows),
            groups=None if self.groups is None else gather(self.groups, rows),
            weights=None if self.weights is None else gather(self.weights, rows),
            soft=None if self.soft is None else gather(self.soft, rows),
            files=self.files,
            words=None if self.words is None else gather(self.words, rows),
            unknown=None if self.unknown is None else taken(self.unknown, rows),
            candidates=None if self.candidates is None else self.candidates.take(rows),
        )

    @property
    def all_texts(self) -> tuple[Sequence[str], ...]:
        """The texts of each column, and those of all candidates one after another."""
        return self.texts if self.candidates is None else (*self.texts, self.candidates.flat)

    @property
    def columns(self) -> tuple[Sequence[str], ...]:
        """The texts of each column, and the candidates of each example as one text, for people and comparisons."""
        if self.candidates is None:
            return self.texts
        return (*self.texts, [" | ".join(each) for each in self.candidates])

    def file_of(self, row: int) -> str:
        """Return the name of the file of an example, "" if only one file was read."""
        return "" if self.places is None or not self.files else self.files[int(self.places[row]) >> LINE_BITS]


def with_columns(examples: Examples, count: int) -> Examples:
    """Return examples with their first text columns only."""
    if count >= len(examples.texts):
        return examples
    key = examples.key and hashlib.sha256(f"{examples.key}/{count}".encode()).hexdigest()
    return replace(examples, texts=examples.texts[:count], key=key)


def taken(texts: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """Return the texts with these indices, in that order."""
    return texts.take(rows) if isinstance(texts, Strings) else [texts[row] for row in rows]


def read_examples(
    task: Task,
    source: Source,
    *,
    on_bad_rows: str,
    labelled: bool,
    cache: Path | None = None,
    grouped: bool = False,
    weight: str | None = None,
    holes: bool = False,
    unknown: Unknown | None = None,
) -> tuple[Examples, Sequence[BadRow]]:
    """Read a file's examples for a task, or load them from the `cache` if the same content was read before.

    `on_bad_rows`: "error" raises an error, "skip" skips and returns the bad rows. `labelled`: with False, the label
    column may be missing, and a row whose label is missing or unknown has the target NaN. `grouped`: whether to read
    the groups of a task that names a column of groups. `weight`: the column of the weights of the rows. `holes`:
    whether other tasks read the labels of the same rows. Then a row without a label has the target NaN, and so has one
    whose label is skipped as bad. `unknown`: what to do with a label that is not in the label space: "wrong" gives the
    target of `Kind.counted`, "skip" skips the row, "error" makes it a bad row. Default: it is a bad row, or has no
    target if `labelled` is False. The examples are memory-mapped from the disk.

    Raises:
        DataError: A column is missing, no row is usable, or a row is bad and `on_bad_rows` is "error".
    """
    table = read_table(
        task, source, labelled=labelled, cache=cache, grouped=grouped, weight=weight, holes=holes, unknown=unknown
    )
    arrays = table.arrays
    bad = BadRows(source.name, arrays)
    if bad and on_bad_rows == "error":
        raise bad_rows_error(bad)
    if task.kind.ragged_targets:
        targets: Rows = Ragged(arrays["targets"], arrays["target_offsets"])
    else:
        targets = _targets(arrays["targets"], len(arrays["lines"]), task)
    if not len(arrays["lines"]) or (holes and not known(targets).any()):
        places = [given_row(row.source, row.line) or f"line {row.line}" for row in bad[:3]]
        reasons = "; ".join(f"{place}: {row.reason}" for place, row in zip(places, bad, strict=False))
        found = reasons or "a header without rows"
        hint = "; or ".join([*bad_row_hints(bad), "check the rows, the text column and the label column in the recipe"])
        raise DataError("the file has no usable rows", where=source.name, found=found, hint=hint)
    texts = tuple(Strings.of(arrays, f"text{place}") for place in range(len(task.text)) if f"text{place}" in arrays)
    ids, lines = Strings.of(arrays, "ids"), arrays["lines"]
    warnings = (
        *source.warnings,
        *(source.name + text if text.startswith(":") else text for text in Strings.of(arrays, "warnings")),
    )
    own = (table.fingerprint, table.key, warnings, arrays["places"])
    soft = arrays["soft"].reshape(-1, *task.kind.soft_shape) if task.kind.soft_shape else None
    words = None
    if "word_places" in arrays:
        words = Ragged(arrays["word_places"].reshape(-1, 2), arrays["word_places_offsets"])
    candidates = None
    if "candidates" in arrays:
        candidates = TextLists.of(Strings.of(arrays, "candidates"), arrays["candidate_lists"])
    columns = (arrays.get("groups"), arrays.get("weights"), soft, tuple(Strings.of(arrays, "files")))
    unknown_names = Strings.of(arrays, "unknown") if len(arrays.get("unknown", ())) else None
    examples = Examples(task.name, source.name, ids, texts, targets, lines, *own, *columns)
    return replace(examples, words=words, unknown=unknown_names, candidates=candidates), bad


def _targets(flat: NDArray[np.float64], rows: int, task: Task) -> NDArray[np.float64]:
    """Return the targets of a file, with a column for unknown labels only if some row has one."""
    shape, wider = task.kind.shape, task.kind.counted_shape
    if wider is None or not rows or len(flat) == rows * int(np.prod(shape)):
        return flat.reshape(-1, *shape)
    targets = flat.reshape(-1, *wider)
    return targets if (targets[:, -1] > 0).any() else np.ascontiguousarray(targets[:, :-1])


def bad_rows_error(bad: Sequence[BadRow]) -> DataError:
    """Return the error that lists the first bad rows and counts all of them."""
    lines = [f"    {row}" for row in bad[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"    ... and {len(bad) - SHOWN} more")
    count = "1 row" if len(bad) == 1 else f"{len(bad)} rows"
    hints = [*bad_row_hints(bad), 'correct the rows, or skip bad rows with the key on_bad_rows = "skip" of the task']
    return DataError(f"{count} cannot be used:\n" + "\n".join(lines), hint="; or ".join(hints))


def bad_row_hints(bad: Sequence[BadRow]) -> list[str]:
    """Return what to do about the first bad rows, without repetitions."""
    return list(dict.fromkeys(row.hint for row in bad[:INSPECTED] if row.hint is not None))


def examples_warnings(examples: Examples, task: Task) -> list[str]:
    """Return warnings about suspicious examples: duplicate ids, or the same class or value in all examples."""
    warnings = []
    duplicates, names = _duplicates(examples.ids)
    if duplicates:
        listed = ", ".join(names) + (", ..." if duplicates > len(names) else "")
        count = "1 id occurs" if duplicates == 1 else f"{duplicates} ids occur"
        warnings.append(f"{examples.source}: {count} more than once ({listed})")
    constant = task.kind.constant(known_targets(examples))
    if constant is not None:
        warnings.append(f"{examples.source}: {constant}")
    return warnings


def labelled_rows(examples: Examples) -> Examples:
    """Return the examples that have a target."""
    labelled = known(examples.targets)
    return examples if labelled.all() else examples.take(np.flatnonzero(labelled))


def known_targets(examples: Examples) -> Rows:
    """Return the targets of the examples that have one."""
    targets = examples.targets
    labelled = known(targets)
    return targets if labelled.all() else targets[labelled]


def _duplicates(ids: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many ids occur more than once, and the first three of them."""
    numbered = distinct(hashes_of(ids, len(ids)))
    if numbered.count == len(ids):
        return 0, []
    repeated = scratch(numbered.count, np.bool_)
    for start, stop in blocks(len(ids)):
        repeated[numbered.index[start:stop][~numbered.fresh[start:stop]]] = True
    names = (name for number, name in enumerate(numbered.once(ids)) if repeated[number])
    return int(np.count_nonzero(repeated)), list(islice(names, 3))


def _key(key: str, rows: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(key.encode())
    for start, stop in blocks(len(rows)):
        digest.update(np.asarray(rows[start:stop], dtype=np.int64).tobytes())
    return digest.hexdigest()
