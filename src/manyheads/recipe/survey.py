"""Survey the files of one task: columns, kind, labels or range, usable rows and bad rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.data.cache import cache_folder
from manyheads.data.examples import read_examples
from manyheads.data.reading import BadRow, Source, open_source
from manyheads.data.strings import Joined
from manyheads.recipe.columns import MOSTLY, Layout, guess_layout
from manyheads.recipe.file_groups import FileGroup
from manyheads.recipe.label_space import label_cells, labels_among, range_among
from manyheads.tasks.cells import as_number
from manyheads.tasks.classification import Classification
from manyheads.tasks.kind import Kind, LabelError
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Task

FEW = 20
"""Whole numbers are classes if no more than this number of them are distinct.

More of them are classes only if they start at 0 or 1, have no gaps, and have `ROWS_PER_CLASS` rows on average.
"""

ROWS_PER_CLASS = 5

LISTED_SHARES = 10


@dataclass(frozen=True)
class Survey:
    """One task as found in its files.

    `shares`: a summary of the training labels. `counts`: usable rows per split ("train", "dev", "test"). `bad`: the
    rows of all files that cannot be used.
    """

    group: FileGroup
    layout: Layout
    kind: Kind
    shares: str
    counts: Mapping[str, int]
    bad: Sequence[BadRow]

    def rows(self, split: str) -> str:
        """Return the number of usable rows of a split, as text."""
        return f"{self.counts[split]:,} rows"


def survey(group: FileGroup, *, text: Sequence[str] = (), label: str | None = None) -> Survey:
    """Read the files of a task twice: to find the labels or the range, and to find the rows that cannot be used.

    Raises:
        DataError: a file cannot be read, its columns cannot be found, or the label column has no labels or range.
    """
    named = {"train": group.train, "dev": group.dev, "test": group.test}
    sources = {split: open_source(str(file.absolute()), Path()) for split, file in named.items() if file is not None}
    labelled = [source for split, source in sources.items() if split != "test"]
    unlabelled = [source for split, source in sources.items() if split == "test"]
    layout = guess_layout(sources["train"], labelled, unlabelled, text=text, label=label)
    with_label = [source for source in sources.values() if layout.label in source.columns]
    cells = [cell for source in with_label for cell in label_cells(source, layout.label)]
    typed = all(source.typed for source in with_label)
    kind = guess_kind(sources["train"].name, cells, typed=typed)
    counts, bad = _audit(group.name, layout, kind, sources)
    return Survey(group, layout, kind, _shares(kind, list(label_cells(sources["train"], layout.label))), counts, bad)


def guess_kind(name: str, cells: Sequence[object], *, typed: bool = False) -> Kind:
    """Return a classification or a regression for the cells of a label column.

    Numbers with fractions, and many different whole numbers, give a regression. Everything else gives a
    classification. The range of a regression is rounded outwards to whole numbers.

    Args:
        name: the name of the file in messages.
        cells: the cells that are not missing.
        typed: whether text is text. Otherwise it may spell a number.

    Raises:
        DataError: there are fewer than two labels, or too many for a classification.
    """
    numbers = [(number, cell) for cell in cells if (number := as_number(cell)) is not None]
    if not numbers or len(numbers) < MOSTLY * len(cells):
        return _classification(name, cells, typed)
    values = [number for number, _ in numbers]
    if all(number.is_integer() for number in values) and _are_classes(values):
        return _classification(name, [cell for _, cell in numbers], typed)
    low, high = range_among(name, values).value_range or (0.0, 1.0)
    return Regression(math.floor(low), math.ceil(high))


def _are_classes(numbers: Sequence[float]) -> bool:
    distinct = set(numbers)
    if len(distinct) <= FEW:
        return True
    gapless = min(distinct) in (0, 1) and max(distinct) - min(distinct) == len(distinct) - 1
    return gapless and len(numbers) >= ROWS_PER_CLASS * len(distinct)


def _classification(name: str, cells: Sequence[object], typed: bool) -> Classification:
    return Classification(labels_among(name, cells, typed=typed).labels or ())


def _shares(kind: Kind, cells: Sequence[object]) -> str:
    """Summarise the training labels as text: the share of each class, or the mean."""
    if kind.labels is None:
        numbers = [number for number in map(as_number, cells) if number is not None]
        return f"mean {sum(numbers) / len(numbers):.3g}"
    counts = Counter(index for cell in cells if (index := _index(kind, cell)) is not None)
    known = [(label, counts[index]) for index, label in enumerate(kind.labels)]
    total = max(1, sum(count for _, count in known))
    if len(known) > LISTED_SHARES:
        rarest = min(known, key=lambda pair: pair[1])
        return f"{len(known)} labels; the rarest, {rarest[0]!r}, is in {rarest[1]} of {total:,} rows"
    return ", ".join(f"{label}: {count / total:.0%}" for label, count in known)


def _index(kind: Kind, cell: object) -> int | None:
    try:
        return int(kind.parse(cell))
    except LabelError:
        return None


def _audit(
    name: str, layout: Layout, kind: Kind, sources: Mapping[str, Source]
) -> tuple[dict[str, int], Sequence[BadRow]]:
    """Return the number of usable rows per split, and all other rows. Training reads the files in the same way."""
    task = Task(
        name=name,
        kind=kind,
        text=layout.text,
        label=layout.label,
        id=layout.id,
        pair="cross" if len(layout.text) == 2 else None,
        head="",
        dropout=0.0,
        loss=kind.losses[0],
        metric=kind.metrics[0],
    )
    counts: dict[str, int] = {}
    rejected: list[Sequence[BadRow]] = []
    for split, source in sources.items():
        labelled = split != "test"
        examples, bad = read_examples(task, source, on_bad_rows="skip", labelled=labelled, cache=cache_folder())
        counts[split] = len(examples)
        rejected.append(bad)
    return counts, Joined(rejected)
