"""Examples: the usable rows of a file as columns, and every row that is not usable with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, gather, scratch
from manyheads.data.distinct import distinct, hashes_of
from manyheads.data.reading import BadRow, Source
from manyheads.data.strings import Strings
from manyheads.data.table import BadRows, read_table, require_column, text_of
from manyheads.errors import DataError
from manyheads.tasks.task import Task

__all__ = ["Examples", "bad_rows_error", "examples_warnings", "read_examples", "require_column", "taken", "text_of"]

SHOWN = 10
"""Bad rows that an error lists; the rest is counted."""


@dataclass(frozen=True)
class Examples:
    """n examples of a task, in the order of the file.

    `ids`: n names. `texts`: n texts a text column. `targets`: float64[n], NaN where there is no label.
    `lines`: int64[n], the line that each begins on. `fingerprint`: SHA-256 of the file; `key`: a hash of all that
    decides which examples these are, "" where it is not known.
    """

    task: str
    source: str
    ids: Sequence[str]
    texts: tuple[Sequence[str], ...]
    targets: NDArray[np.float64]
    lines: NDArray[np.int64]
    fingerprint: str = ""
    key: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Examples:
        """Some of the examples, in the order given."""
        return Examples(
            self.task,
            self.source,
            taken(self.ids, rows),
            tuple(taken(column, rows) for column in self.texts),
            gather(self.targets, rows),
            gather(self.lines, rows),
            self.fingerprint,
            self.key and _key(self.key, rows),
        )


def taken(texts: Sequence[str], rows: NDArray[np.int64]) -> Sequence[str]:
    """Some of many texts, in the order given."""
    return texts.take(rows) if isinstance(texts, Strings) else [texts[row] for row in rows]


def read_examples(
    task: Task, source: Source, *, on_bad_rows: str, labelled: bool, cache: Path | None = None
) -> tuple[Examples, Sequence[BadRow]]:
    """Read a file's examples for a task, or take them from the `cache` where the same content was read before.

    `on_bad_rows`: "error", or "skip" to go on and return the bad rows. Unlabelled (`labelled=False`): the label
    column may be absent and its cells empty. What is returned lies on the disk, and not in memory.

    Raises:
        DataError: a column is missing, no row is usable, or a row is bad under "error".
    """
    table = read_table(task, source, labelled=labelled, cache=cache)
    arrays = table.arrays
    bad = BadRows(source.name, arrays["bad_lines"], Strings.of(arrays, "bad_reasons"))
    if bad and on_bad_rows == "error":
        raise bad_rows_error(bad)
    if not len(arrays["targets"]):
        shown = "; ".join(f"line {row.line}: {row.reason}" for row in bad[:3])
        raise DataError("the file has no usable rows", where=source.name, found=shown or "a header alone")
    texts = tuple(Strings.of(arrays, f"text{place}") for place in range(len(task.text)))
    ids, targets, lines = Strings.of(arrays, "ids"), arrays["targets"], arrays["lines"]
    return Examples(task.name, source.name, ids, texts, targets, lines, table.fingerprint, table.key), bad


def bad_rows_error(bad: Sequence[BadRow]) -> DataError:
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
    twice, names = _repeated(examples.ids)
    if twice:
        shown = ", ".join(names) + (", ..." if twice > len(names) else "")
        found.append(f"{examples.source}: {twice} ids stand more than once ({shown})")
    low, high = np.fmin.reduce(examples.targets), np.fmax.reduce(examples.targets)
    if low == high:
        what = "class" if task.kind.labels is not None else "value"
        value = task.kind.present(float(low))
        found.append(f"{examples.source}: every example has the one {what} {value!r}")
    return found


def _repeated(ids: Sequence[str]) -> tuple[int, list[str]]:
    """How many ids stand more than once, and the first three of them."""
    found = distinct(hashes_of(ids, len(ids)))
    if found.count == len(ids):
        return 0, []
    again = scratch(found.count, np.bool_)
    for start, stop in blocks(len(ids)):
        again[found.index[start:stop][~found.fresh[start:stop]]] = True
    names = (name for number, name in enumerate(found.once(ids)) if again[number])
    return int(np.count_nonzero(again)), list(islice(names, 3))


def _key(key: str, rows: NDArray[np.int64]) -> str:
    digest = hashlib.sha256(key.encode())
    for start, stop in blocks(len(rows)):
        digest.update(np.asarray(rows[start:stop], dtype=np.int64).tobytes())
    return digest.hexdigest()
