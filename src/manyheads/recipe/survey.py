"""What the files of one task hold: columns, kind, label space, rows, and rows that cannot be used."""

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
from manyheads.tasks.classification import Classification, canonical
from manyheads.tasks.kind import Kind
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Task

FEW = 20
"""Whole numbers are classes where there are so few of them, or where they count from 0 or 1 without a gap."""

ROWS_A_CLASS = 5

LISTED_SHARES = 10


@dataclass(frozen=True)
class Survey:
    """One task as its files show it. `counts`: usable rows by part ("train", "dev", "test")."""

    group: FileGroup
    layout: Layout
    kind: Kind
    shares: str
    counts: Mapping[str, int]
    bad: Sequence[BadRow]

    def rows(self, part: str) -> str:
        """How many usable rows a part has, in words."""
        return f"{self.counts[part]:,} rows"


def survey(group: FileGroup, *, text: Sequence[str] = (), label: str | None = None) -> Survey:
    """Read a task's files through, once for the label space and once for the rows that cannot be used.

    Raises:
        DataError: a file cannot be read, its columns cannot be told, or they hold no label space.
    """
    named = {"train": group.train, "dev": group.dev, "test": group.test}
    sources = {part: open_source(str(file.absolute()), Path()) for part, file in named.items() if file is not None}
    labelled = [source for part, source in sources.items() if part != "test"]
    unlabelled = [source for part, source in sources.items() if part == "test"]
    layout = guess_layout(sources["train"], labelled, unlabelled, text=text, label=label)
    with_label = [source for source in sources.values() if layout.label in source.columns]
    cells = [cell for source in with_label for cell in label_cells(source, layout.label)]
    kind = guess_kind(sources["train"].name, cells)
    counts, bad = _audit(group.name, layout, kind, sources)
    return Survey(group, layout, kind, _shares(kind, list(label_cells(sources["train"], layout.label))), counts, bad)


def guess_kind(name: str, cells: Sequence[object]) -> Kind:
    """Classes or values: fractions are values, so are many whole numbers, all else is classes.

    A range reaches to the whole numbers around what was seen. `name` is what messages call the file.

    Raises:
        DataError: there are fewer than two labels, or far too many.
    """
    numbers = [number for number in map(as_number, cells) if number is not None]
    if not numbers or len(numbers) < MOSTLY * len(cells):
        return _classification(name, cells)
    if all(number.is_integer() for number in numbers) and _are_classes(numbers):
        return _classification(name, numbers)
    low, high = range_among(name, numbers).value_range or (0.0, 1.0)
    return Regression(math.floor(low), math.ceil(high))


def _are_classes(numbers: Sequence[float]) -> bool:
    distinct = set(numbers)
    if len(distinct) <= FEW:
        return True
    gapless = min(distinct) in (0, 1) and max(distinct) - min(distinct) == len(distinct) - 1
    return gapless and len(numbers) >= ROWS_A_CLASS * len(distinct)


def _classification(name: str, cells: Sequence[object]) -> Classification:
    return Classification(labels_among(name, cells).labels or ())


def _shares(kind: Kind, cells: Sequence[object]) -> str:
    """What the training labels are, in words: shares of classes, or the mean."""
    if kind.labels is None:
        numbers = [number for number in map(as_number, cells) if number is not None]
        return f"mean {sum(numbers) / len(numbers):.3g}"
    found = Counter(map(canonical, cells))
    known = [(label, found[canonical(label)]) for label in kind.labels]
    total = sum(count for _, count in known)
    if len(known) > LISTED_SHARES:
        rarest = min(known, key=lambda pair: pair[1])
        return f"{len(known)} labels, the rarest {rarest[0]!r} in {rarest[1]} of {total:,} rows"
    return ", ".join(f"{label}: {count / total:.0%}" for label, count in known)


def _audit(
    name: str, layout: Layout, kind: Kind, sources: Mapping[str, Source]
) -> tuple[dict[str, int], Sequence[BadRow]]:
    """Usable rows of each file, and all rows that are not, as training will find them."""
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
    for part, source in sources.items():
        examples, bad = read_examples(task, source, on_bad_rows="skip", labelled=part != "test", cache=cache_folder())
        counts[part] = len(examples)
        rejected.append(bad)
    return counts, Joined(rejected)
