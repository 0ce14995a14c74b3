"""Find the text, label and id columns of a file by the names and the contents of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Literal

from manyheads.data.reading import BadRow, Row, Source
from manyheads.errors import DataError, by_caller, did_you_mean
from manyheads.tasks.cells import MOSTLY, as_number, is_missing
from manyheads.tasks.kinds.regression import DECIMAL_COMMA

FIRST_ROWS = 5_000
"""Number of rows that are read to find the columns."""

LABEL_WORD = re.compile(
    "labels?|targets?|class|category|sentiment|emotion|similarity|relatedness|scores?|rating|stars|grade|duplicate|"
    "paraphrase|entailment|intents?|topics?|polarity|toxic|toxicity|spam|gold|y|mood|tone|stance|irony|sarcasm|hate|"
    "offensive|humou?r|urgency|priority|severity|aspect|genre|quality|helpful|helpfulness|acceptability|relevance"
)
ID_WORD = re.compile("id|idx|index|uid|guid|uuid|key")
DATE_WORD = re.compile("date|time|timestamp|datetime|created|updated|year|month|day|hour")
TEXT_WORD = re.compile("text|sentence|review|comment|question|content|tweet|message|document|utterance|body")
"""Words in the name of a column that indicate its role."""

PAIRS = (("premise", "hypothesis"), ("query", "passage"), ("query", "document"), ("question", "answer"))
ENDS = (("1", "2"), ("0", "1"), ("a", "b"), ("left", "right"), ("first", "second"))
"""Endings of the names of two text columns that form a pair."""

MOST_LABELS = 200
"""A text column with more distinct values is not a label column."""

NEARLY_ALL = 0.9
"""A column of ids has at least this share of different values."""

MOST_ENUMERATED = 10
"""In a file with more rows than this, a column of whole numbers that are all different is not a label column."""

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DATE = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
    r"(?:\d{4}[-/.]\d{1,2}(?:[-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|(?:19|20)\d\d[01]\d[0-3]\d"
    rf"|\d{{1,2}}\.? {_MONTH},? \d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{2,4}}|{_MONTH} \d{{1,2}})"
    r"(?:[ T,]+\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2}.*)?",
    re.IGNORECASE,
)
"""A date, a time, or both."""

CODE = re.compile(r"(?=.*\d)[\w.:#/-]+|https?://\S+|\S+@\S+\.\w+")
"""One word with a digit, a link or an address: it names something and says nothing."""


@dataclass
class Column:
    """Statistics of one column: cells that are not missing, what they are, all words and all letters.

    `commas`: numbers with a decimal comma. `dates`: dates and times. `codes`: words that look like ids, and links.
    """

    name: str
    cells: int = 0
    numbers: int = 0
    commas: int = 0
    dates: int = 0
    codes: int = 0
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
        self.commas += isinstance(cell, str) and DECIMAL_COMMA.fullmatch(cell) is not None
        self.dates += isinstance(cell, date | time) or DATE.fullmatch(text) is not None
        self.codes += CODE.fullmatch(text) is not None
        self.words += len(text.split())
        self.letters += len(text)
        self.values[text] += 1

    @property
    def numeric(self) -> bool:
        """Whether the cells are numbers, with a decimal point or comma, except for a few mistakes."""
        numbers = self.numbers + self.commas
        return numbers > 0 and numbers >= MOSTLY * self.cells

    @property
    def decimal(self) -> Literal[".", ","]:
        """The decimal mark of the numbers."""
        return "," if self.numeric and self.numbers < MOSTLY * self.cells else "."

    @property
    def dated(self) -> bool:
        """Whether the cells are dates or times, by their form; or numbers in a column that is named so."""
        if self.cells == 0 or self.named(LABEL_WORD):
            return False
        return self.dates >= MOSTLY * self.cells or (self.numeric and self.named(DATE_WORD))

    @property
    def coded(self) -> bool:
        """Whether nearly all cells are different and look like ids or links."""
        return 0 < MOSTLY * self.cells <= self.codes and len(self.values) >= NEARLY_ALL * self.cells

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
    """The columns of a task: its texts, the label and the id if there are any, and all others.

    `decimal`: the decimal mark of the labels.
    """

    text: tuple[str, ...]
    label: str | None
    id: str | None
    other: tuple[str, ...]
    decimal: Literal[".", ","] = "."


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
        bad = next((row for row in train.rows() if isinstance(row, BadRow)), None)
        found = "only a header" if bad is None else f"only bad rows; line {bad.line}: {bad.reason}"
        hint = None if bad is None else bad.hint
        raise DataError("the file has no usable rows", where=train.name, found=found, hint=hint)
    chosen = label or next(iter(_labels(train, columns, labelled, unlabelled, text)), None)
    if chosen is None:
        raise _not_found("label", train)
    everywhere = {name for name in train.columns if all(name in each.columns for each in (*labelled, *unlabelled))}
    rest = [columns[name] for name in train.columns if name in everywhere and name != chosen]
    id_ = next((column.name for column in rest if _is_id(column) and column.name not in text), None)
    texts = tuple(text) or _best_texts([column for column in rest if column.name != id_])
    if not texts:
        raise _not_found("text", train)
    other = tuple(name for name in train.columns if name not in (*texts, chosen, id_))
    return Layout(texts, chosen, id_, other, columns[chosen].decimal)


def unlabelled_layout(train: Source, texts: tuple[str, ...]) -> Layout:
    """Return the layout of rows without labels, with the id column if there is one."""
    columns = read_columns(train)
    id_ = next((name for name in train.columns if name not in texts and _is_id(columns[name])), None)
    return Layout(texts, None, id_, tuple(name for name in train.columns if name not in (*texts, id_)))


def guess_labels(
    train: Source, labelled: Sequence[Source], unlabelled: Sequence[Source], *, text: Sequence[str] = ()
) -> list[str]:
    """Return the label columns of a training file: all whose names indicate a label, or else the most likely one.

    A column whose values only rename those of another one is left out.
    """
    columns = read_columns(train)
    names = _labels(train, columns, labelled, unlabelled, text)
    named = [name for name in names if columns[name].named(LABEL_WORD) and len(columns[name].values) > 1]
    if len(named) < 2:
        return names[:1]
    rows = [row for row, _ in zip(train.rows(), range(FIRST_ROWS), strict=False) if isinstance(row, Row)]
    kept: list[str] = []
    for name in named:
        if not any(_rename(rows, name, other) for other in kept):
            kept.append(name)
    return [name for name in train.columns if name in kept]


def _rename(rows: Sequence[Row], left: str, right: str) -> bool:
    """Whether each value of a column goes with one value of the other, and the other way round."""
    pairs = {(str(row.values.get(left)), str(row.values.get(right))) for row in rows}
    return len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def _labels(
    train: Source,
    columns: Mapping[str, Column],
    labelled: Sequence[Source],
    unlabelled: Sequence[Source],
    text: Sequence[str],
) -> list[str]:
    """Return the columns that may be the label, the most likely first.

    In this order: the test file does not have it, its name indicates a label, its name does not indicate a text, its
    values repeat, it is further right.
    """
    missing_in_test = {name for name in columns if any(name not in each.columns for each in unlabelled)}
    names = [
        name
        for name, column in columns.items()
        if name not in text and all(name in each.columns for each in labelled) and _could_be_label(column)
    ]

    def likelihood(name: str) -> tuple[bool, bool, bool, bool, int]:
        column = columns[name]
        like_label, like_text = column.named(LABEL_WORD), column.named(TEXT_WORD)
        return (name in missing_in_test, like_label, not like_text, not column.distinct, train.columns.index(name))

    return sorted(names, key=likelihood, reverse=True)


def _could_be_label(column: Column) -> bool:
    if column.named(LABEL_WORD) and len(column.values) == 1:
        return True  # The error message is then about the labels, not about the column.
    if len(column.values) < 2 or _is_id(column):
        return False
    unnamed = not column.named(LABEL_WORD)
    if unnamed and (_counts_rows(column) or column.named(ID_WORD) or column.dated or column.coded):
        return False
    if column.numeric:
        return True
    return len(column.values) <= min(MOST_LABELS, max(2, column.cells // 2))


def _counts_rows(column: Column) -> bool:
    """Whether the column has whole numbers that are all different: a row number, or an id with another name."""
    return column.distinct and column.cells > MOST_ENUMERATED and all(map(str.isdecimal, column.values))


def _is_id(column: Column) -> bool:
    """Whether the name indicates an id and all values are different."""
    return column.cells > 0 and column.distinct and column.named(ID_WORD)


def _best_texts(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the two text columns of a pair, or one text column."""
    texts = [column for column in columns if column.cells and not column.numeric and not column.dated]
    texts = [column for column in texts if not column.coded and not column.named(ID_WORD)] or texts
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
        hint="name the column: "
        + by_caller(f"manyheads init --{what} COLUMN FILE...", f'manyheads.init(data, {what}="COLUMN")'),
    )


def _listed(source: Source) -> str:
    return ", ".join(source.columns)
