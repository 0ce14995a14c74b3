"""Find the text, label and id columns of a file by the names and the contents of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from manyheads.data.reading import Row, Source
from manyheads.errors import DataError, did_you_mean
from manyheads.tasks.cells import as_number, is_missing

FIRST_ROWS = 5_000
"""Number of rows that are read to find the columns."""

LABEL_WORD = re.compile(
    "labels?|targets?|class|category|sentiment|emotion|similarity|relatedness|scores?|rating|stars|grade|duplicate|"
    "paraphrase|entailment|intent|topic|polarity|toxic|spam|gold|y"
)
ID_WORD = re.compile("id|idx|index|uid|guid|uuid|key")
TEXT_WORD = re.compile("text|sentence|review|comment|question|content|tweet|message|document|utterance|body")
"""Words in the name of a column that indicate its role."""

PAIRS = (("premise", "hypothesis"), ("query", "passage"), ("query", "document"), ("question", "answer"))
ENDS = (("1", "2"), ("0", "1"), ("a", "b"), ("left", "right"), ("first", "second"))
"""Endings of the names of two text columns that form a pair."""

MOST_LABELS = 200
"""A text column with more distinct values is not a label column."""

MOSTLY = 0.99
"""A column is numeric if at least this share of its cells are numbers. The other cells count as mistakes."""

MOST_ENUMERATED = 10
"""In a file with more rows than this, a column of whole numbers that are all different is not a label column."""


@dataclass
class Column:
    """Statistics of one column: cells that are not missing, numbers among them, all words and all letters."""

    name: str
    cells: int = 0
    numbers: int = 0
    words: int = 0
    letters: int = 0
    values: Counter[str] = field(default_factory=Counter)

    def add(self, cell: object) -> None:
        """Add one cell to the statistics."""
        if is_missing(cell):
            return
        text = str(cell).strip()
        self.cells += 1
        self.numbers += as_number(cell) is not None
        self.words += len(text.split())
        self.letters += len(text)
        self.values[text] += 1

    @property
    def numeric(self) -> bool:
        """Whether the cells are numbers, except for a few mistakes."""
        return self.numbers > 0 and self.numbers >= MOSTLY * self.cells

    @property
    def distinct(self) -> bool:
        """Whether all values are different."""
        return len(self.values) == self.cells

    def named(self, word: re.Pattern[str]) -> bool:
        """Whether a word of the name matches. `isDuplicate` and `is_duplicate` both have the words is, duplicate."""
        words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", self.name)
        return any(word.fullmatch(each.lower()) for each in words)


@dataclass(frozen=True)
class Layout:
    """The columns of a task: one or two texts, the label, the id if there is one, and all others."""

    text: tuple[str, ...]
    label: str
    id: str | None
    other: tuple[str, ...]


def read_columns(source: Source) -> dict[str, Column]:
    """Return the statistics of every column, from the first rows of the file."""
    columns = {name: Column(name) for name in source.columns}
    good = (row for row in source.rows() if isinstance(row, Row))
    for row, _ in zip(good, range(FIRST_ROWS), strict=False):
        for name, column in columns.items():
            column.add(row.values.get(name))
    return columns


def guess_layout(
    train: Source,
    labelled: Sequence[Source],
    unlabelled: Sequence[Source],
    *,
    text: Sequence[str] = (),
    label: str | None = None,
) -> Layout:
    """Find the text, label and id columns of a training file. `text` and `label` are used if they are given.

    Text and id columns must be in every file of the task. The label column must be in the `labelled` files; a column
    that the `unlabelled` files do not have is probably the label.

    Raises:
        DataError: a given column does not exist, or a column cannot be found.
    """
    for name in (*text, *([label] if label else [])):
        if name not in train.columns:
            hint = did_you_mean(name, train.columns)
            raise DataError(f"the file has no column {name!r}", where=train.name, allowed=_listed(train), hint=hint)
    columns = read_columns(train)
    if not any(column.cells for column in columns.values()):
        raise DataError("the file has no usable rows", where=train.name, found="only a header, or only invalid rows")
    everywhere = {name for name in train.columns if all(name in each.columns for each in (*labelled, *unlabelled))}
    may_be_label = [
        column
        for name, column in columns.items()
        if name not in text and all(name in each.columns for each in labelled) and _could_be_label(column)
    ]
    missing_in_test = {name for name in columns if any(name not in each.columns for each in unlabelled)}
    chosen = label or _best_label(may_be_label, missing_in_test)
    if chosen is None:
        raise _not_found("label", train)
    rest = [columns[name] for name in train.columns if name in everywhere and name != chosen]
    id_ = next((column.name for column in rest if _is_id(column) and column.name not in text), None)
    texts = tuple(text) or _best_texts([column for column in rest if column.name != id_])
    if not texts:
        raise _not_found("text", train)
    other = tuple(name for name in train.columns if name not in (*texts, chosen, id_))
    return Layout(texts, chosen, id_, other)


def _could_be_label(column: Column) -> bool:
    if column.named(LABEL_WORD) and len(column.values) == 1:
        return True  # The error message is then about the labels, not about the column.
    if len(column.values) < 2 or _is_id(column) or (_counts_rows(column) and not column.named(LABEL_WORD)):
        return False
    if column.numeric:
        return True
    return len(column.values) <= min(MOST_LABELS, max(2, column.cells // 2))


def _best_label(candidates: Sequence[Column], missing_in_test: set[str]) -> str | None:
    """Return the most likely column.

    In this order: the test file does not have it, its name indicates a label, its name does not indicate a text, its
    values repeat, it is further right.
    """
    if not candidates:
        return None

    def likelihood(position: int) -> tuple[bool, bool, bool, bool, int]:
        column = candidates[position]
        like_label, like_text = column.named(LABEL_WORD), column.named(TEXT_WORD)
        return (column.name in missing_in_test, like_label, not like_text, not column.distinct, position)

    return candidates[max(range(len(candidates)), key=likelihood)].name


def _counts_rows(column: Column) -> bool:
    """Whether the column has whole numbers that are all different: a row number, or an id with another name."""
    return column.distinct and column.cells > MOST_ENUMERATED and all(map(str.isdecimal, column.values))


def _is_id(column: Column) -> bool:
    """Whether the name indicates an id and all values are different."""
    return column.cells > 0 and column.distinct and column.named(ID_WORD)


def _best_texts(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the two text columns of a pair, or one text column."""
    texts = [column for column in columns if column.cells and not column.numeric]
    names = [column.name for column in texts]
    for first in names:
        for second in names:
            if _are_pair(first.lower(), second.lower()):
                return (first, second)
    prose = [column for column in texts if column.words >= 3 * column.cells]
    if len(prose) == 2 and len(texts) == 2:
        return (prose[0].name, prose[1].name)
    ranked = sorted(
        prose or texts,
        key=lambda column: (column.named(TEXT_WORD), column.letters / column.cells),
    )
    return (ranked[-1].name,) if ranked else ()


def _are_pair(first: str, second: str) -> bool:
    if (first, second) in PAIRS:
        return True
    return any(
        first.endswith(one) and second.endswith(two) and first.removesuffix(one) == second.removesuffix(two) != ""
        for one, two in ENDS
    )


def _not_found(what: str, source: Source) -> DataError:
    return DataError(
        f"the {what} column cannot be found",
        where=source.name,
        found=f"columns {_listed(source)}",
        allowed="a header that names the columns, then rows",
        hint=f"name the column: manyheads init --{what} COLUMN FILE...",
    )


def _listed(source: Source) -> str:
    return ", ".join(source.columns)
