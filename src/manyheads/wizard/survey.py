"""Survey the files of one task: columns, kind, labels or range, usable rows and bad rows.

The text, label and id columns of a file are found by the names and the contents of its columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from itertools import islice
from pathlib import Path
from typing import Literal

from manyheads.data.arrays import Joined
from manyheads.data.cache import cache_folder
from manyheads.data.examples import known_targets, labelled_rows, read_examples
from manyheads.data.reading import BadRow, Row, Source, TextFormat, from_here, listed_columns, open_source
from manyheads.data.reading.dotted import with_paths
from manyheads.data.reading.formats import endings
from manyheads.data.reading.lines import uncompressed_name
from manyheads.data.reading.text_format import USUAL
from manyheads.data.table import are_texts
from manyheads.errors import DataError, by_caller, did_you_mean
from manyheads.model.losses import fitting_losses
from manyheads.ragged import Rows
from manyheads.recipe.tasks import gathered, label_cells
from manyheads.tasks.cells import MOSTLY, as_number, is_missing, listed_items, quoted, separated_labels
from manyheads.tasks.kind import Kind, LabelError, Target
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.kinds.regression import DECIMAL_COMMA
from manyheads.tasks.tags import SPAN_TAG, are_tag_lines
from manyheads.tasks.task import Pairing, Task
from manyheads.wizard.file_groups import FileGroup, task_name

FIRST_ROWS = 5_000
"""Number of rows that are read to find the columns."""

_LABEL_WORD = re.compile(
    "labels?|targets?|class|category|sentiment|emotion|similarity|relatedness|scores?|rating|stars|grade|duplicate|"
    "paraphrase|entailment|intents?|topics?|polarity|toxic|toxicity|spam|gold|y|mood|tone|stance|irony|sarcasm|hate|"
    "offensive|humou?r|urgency|priority|severity|aspect|genres?|quality|helpful|helpfulness|acceptability|relevance|"
    "tags?|ner|entity|entities|spans?|slots?"
)

ID_WORD = re.compile("id|idx|index|uid|guid|uuid|key")

DATE_WORD = re.compile("date|time|timestamp|datetime|created|updated|year|month|day|hour")

TEXT_WORD = re.compile(
    "text|sentence|review|comment|question|content|tweet|message|document|utterance|body|tokens|words"
)
"""Words in the name of a column that indicate its role."""

PAIRS = (
    *(("premise", "hypothesis"), ("query", "passage"), ("query", "document"), ("query", "doc")),
    *(("question", "answer"), ("question", "sentence"), ("question", "passage")),
)

ENDS = (("1", "2"), ("0", "1"), ("a", "b"), ("left", "right"), ("first", "second"))
"""Endings of the names of two text columns that form a pair."""

LEAST_WORDS = 3
"""Sentences have at least this number of words on average, and a tag is that of at least this number of words."""

HEADER = re.compile(
    r"(?:sent(?:ence)?[-_ ]?)?(?:id|idx|index|#)|words?|tokens?|forms?|lemmas?|[ux]?pos|chunks?|ner|entity|bio|iob|"
    r"slots?|(?:[a-z]+[-_ ]?)?(?:tags?|labels?)",
    re.IGNORECASE,
)
"""The names of columns of words and their tags."""

MOST_LABELS = 200
"""A text column with more distinct values is not a label column."""

NEARLY_ALL = 0.9
"""A column of ids has at least this share of different values."""

THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
"""A whole number with a comma between thousands and hundreds, or a number with three decimals."""

THE_LABEL = re.compile("(?:gold_?)?(?:label|target|class|y)", re.IGNORECASE)
"""The name of the only label column of a file."""

LEAST_FLAGS = 3
"""At least this number of columns of 0 and 1 are the labels of one task."""

UNIVERSAL_TAGS = "4"
"""The column of a CoNLL-U file with the tags of parts of speech that all languages share."""

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
class _Column:
    """Statistics of one column: cells that are not missing, what they are, all words and all letters.

    `commas`: numbers with a decimal comma. `dates`: dates and times. `codes`: words that look like ids, and links.
    `lists`: the length of each list, by the number of its cell. `items`: the texts and numbers in lists. `first`: the
    first lists.
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
    seen: int = 0
    lists: dict[int, int] = field(default_factory=dict)
    items: Counter[str] = field(default_factory=Counter)
    first: list[list[object]] = field(default_factory=list)

    def add(self, cell: object) -> None:
        """Add one cell to the statistics."""
        self.seen += 1
        if is_missing(cell):
            return
        items = listed_items(cell)
        if items is not None:
            self.lists[self.seen] = len(items)
            self.items.update(str(each) for each in items if isinstance(each, str | int))
            self.first += [items] if len(self.first) < FIRST else []
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
        if self.cells == 0 or self.named(_LABEL_WORD):
            return False
        return self.dates >= MOSTLY * self.cells or (self.numeric and self.named(DATE_WORD))

    @property
    def coded(self) -> bool:
        """Whether nearly all cells are different and look like ids or links."""
        return 0 < MOSTLY * self.cells <= self.codes and len(self.values) >= NEARLY_ALL * self.cells

    @property
    def listed(self) -> bool:
        """Whether the cells are lists."""
        return 0 < MOSTLY * self.cells <= len(self.lists)

    @property
    def tagged(self) -> bool:
        """Whether the cells are lists of labels, of tags of words or of spans."""
        if self.items:
            enough = 1 < len(self.items) <= min(MOST_LABELS, max(2, self.items.total() // 2))
            return enough and (self.named(_LABEL_WORD) or not all(map(str.isdecimal, self.items)))
        try:
            found = guessed(self.first, self.name)
        except DataError:
            return False
        return found is not None and found.ragged_targets

    @property
    def tag_lines(self) -> bool:
        """Whether the cells are texts of tags with blanks between them."""
        return are_tag_lines([*self.values])

    @property
    def flags(self) -> bool:
        """Whether the cells are 0 and 1, or false and true, and no other column says what they are."""
        values = {each.lower() for each in self.values}
        known = values <= {"0", "1", "0.0", "1.0"} or values <= {"false", "true"}
        return bool(values) and known and not self.named(ID_WORD)

    @property
    def distinct(self) -> bool:
        """Whether all values are different. Those of lists of labels are not compared."""
        return len(self.values) == self.cells and not (self.listed and self.tagged)

    def named(self, word: re.Pattern[str]) -> bool:
        """Whether a word of the name matches. `isDuplicate` and `is_duplicate` both have the words is, duplicate."""
        words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", self.name)
        return any(word.fullmatch(each.lower()) for each in words)


@dataclass(frozen=True)
class Layout:
    """The columns of a task: its texts, the label or the labels and the id if there are any, and all others.

    `decimal`: the decimal mark of the labels.
    """

    text: tuple[str, ...]
    label: str | tuple[str, ...] | None
    id: str | None
    other: tuple[str, ...]
    decimal: Literal[".", ","] = "."


def read_columns(source: Source) -> dict[str, _Column]:
    """Return the statistics of every column, from the first rows of the file."""
    columns = {name: _Column(name) for name in source.columns}
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
        pair = _best_texts([column for column in columns.values() if not _is_id(column)])
        raise _not_found("label", train, pair if len(pair) > 1 else ())
    everywhere = {name for name in train.columns if all(name in each.columns for each in (*labelled, *unlabelled))}
    rest = [columns[name] for name in train.columns if name in everywhere and name != chosen]
    id_ = next((column.name for column in rest if _is_id(column) and column.name not in text), None)
    texts = tuple(text) or _words_of(columns[chosen], rest)
    texts = texts or _best_texts([column for column in rest if column.name != id_])
    if not texts:
        raise _not_found("text", train)
    other = tuple(name for name in train.columns if name not in (*texts, chosen, id_))
    return Layout(texts, chosen, id_, other, columns[chosen].decimal)


def _unlabelled_layout(train: Source, texts: tuple[str, ...], lists: Sequence[str]) -> Layout:
    """Return the layout of rows without labels, with the id column if there is one. `lists`: columns of which a text
    column is a part."""
    columns = read_columns(train)
    id_ = next((name for name in train.columns if name not in texts and _is_id(columns[name])), None)
    return Layout(texts, None, id_, tuple(name for name in train.columns if name not in (*texts, *lists, id_)))


def _guess_labels(
    train: Source,
    labelled: Sequence[Source],
    unlabelled: Sequence[Source],
    *,
    text: Sequence[str] = (),
    without: Sequence[str] = (),
) -> list[str]:
    """Return the label columns of a training file: all whose names indicate a label, or else the most likely one.

    A column whose values only rename those of another one is left out. `without`: columns that are labels of one task
    together. With some, only columns whose names indicate a label are others.
    """
    columns = read_columns(train)
    names = [name for name in _labels(train, columns, labelled, unlabelled, text) if name not in without]
    named = [name for name in names if columns[name].named(_LABEL_WORD) and len(columns[name].values) > 1]
    if without:
        return [name for name in train.columns if name in named]
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
    columns: Mapping[str, _Column],
    labelled: Sequence[Source],
    unlabelled: Sequence[Source],
    text: Sequence[str],
) -> list[str]:
    """Return the columns that may be the label, the most likely first.

    In this order: the test file does not have it, its name indicates a label, its name does not indicate a text, its
    values repeat, it has lists of tags of spans, it is further right.
    """
    missing_in_test = {name for name in columns if any(name not in each.columns for each in unlabelled)}
    names = [
        name
        for name, column in columns.items()
        if name not in text and all(name in each.columns for each in labelled) and _could_be_label(column)
    ]

    universal = bool(train.form.get("universal"))

    def likelihood(name: str) -> tuple[bool, bool, bool, bool, bool, bool, int]:
        column = columns[name]
        like_label, like_text = column.named(_LABEL_WORD), column.named(TEXT_WORD)
        usual = universal and name == UNIVERSAL_TAGS
        place = train.columns.index(name)
        spans = bool(column.items) and all(map(SPAN_TAG.fullmatch, column.items))
        return (usual, name in missing_in_test, like_label, not like_text, not column.distinct, spans, place)

    return sorted(names, key=likelihood, reverse=True)


def _could_be_label(column: _Column) -> bool:
    if column.named(_LABEL_WORD) and len(column.values) == 1:
        return True  # The error message is then about the labels, not about the column.
    if column.listed or column.tag_lines:
        return column.tag_lines or column.tagged
    if len(column.values) < 2 or _is_id(column):
        return False
    unnamed = not column.named(_LABEL_WORD)
    if unnamed and (_counts_rows(column) or column.named(ID_WORD) or column.dated or column.coded):
        return False
    if column.numeric:
        return True
    separated = separated_labels(column.values)
    different = len(column.values) if separated is None else len(separated[1])
    return different <= min(MOST_LABELS, max(2, column.cells // 2))


def _counts_rows(column: _Column) -> bool:
    """Whether the column has whole numbers that are all different: a row number, or an id with another name."""
    return column.distinct and column.cells > MOST_ENUMERATED and all(map(str.isdecimal, column.values))


def _is_id(column: _Column) -> bool:
    """Whether the name indicates an id and all values are different."""
    return column.cells > 0 and column.distinct and column.named(ID_WORD)


def _words_of(tags: _Column, columns: Sequence[_Column]) -> tuple[str, ...]:
    """Return the column with a word for each tag. Of several columns, it has the most different words."""
    own = [each for each in columns if tags.lists and tags.lists.items() <= each.lists.items()]
    own = [each for each in own if not all(map(str.isdecimal, each.items))]
    return (max(own, key=lambda column: len(column.items)).name,) if own else ()


def _best_texts(columns: Sequence[_Column]) -> tuple[str, ...]:
    """Return the two text columns of a pair, or one text column."""
    texts = [column for column in columns if column.cells and not column.numeric and not column.dated]
    texts = [column for column in texts if not column.tag_lines] or texts
    texts = [column for column in texts if not (column.named(_LABEL_WORD) and column.listed)] or texts
    plain = [column for column in texts if not column.listed]
    texts = plain if any(column.words >= 3 * column.cells for column in plain) else texts
    texts = [column for column in texts if not column.coded and not column.named(ID_WORD)] or texts
    prose = [column for column in texts if column.words >= 3 * column.cells]
    for names in ([column.name for column in prose], [column.name for column in texts]):
        for first in names:
            for second in names:
                if _are_pair(first.lower(), second.lower()):
                    return (first, second)
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


def _not_found(what: str, source: Source, pair: Sequence[str] = ()) -> DataError:
    """Return the error for a column that cannot be found. `pair`: two text columns of a file without labels."""
    unlabelled = f"; or rename {' and '.join(map(repr, pair))} to 'anchor' and 'positive' if they belong together"
    return DataError(
        f"the {what} column cannot be found",
        where=source.name,
        found=f"columns {_listed(source)}",
        allowed="a header that names the columns, then rows",
        hint="name the column: "
        + by_caller(f"manyheads init --{what} COLUMN FILE...", f'manyheads.init(data, {what}="COLUMN")')
        + (unlabelled if pair else ""),
    )


def _listed(source: Source) -> str:
    return ", ".join(source.columns)


LISTED = 10

FIRST = 500
"""Rows in which columns of a kind's own are looked for."""


@dataclass(frozen=True)
class Survey:
    """One task as found in its files.

    `shares`: a summary of the training labels. `counts`: usable rows per split ("train", "dev", "test"). `bad`: the
    rows of all files that cannot be used. `written`: how the files are written. `warnings`: what is suspicious in them.
    """

    group: FileGroup
    layout: Layout
    kind: Kind
    shares: str
    counts: Mapping[str, int]
    bad: Sequence[BadRow]
    written: TextFormat = USUAL
    warnings: tuple[str, ...] = ()

    def rows(self, split: str) -> str:
        """Return the number of usable rows of a split, as text."""
        return f"{self.counts[split]:,} rows"


def surveys(
    group: FileGroup, *, text: Sequence[str] = (), label: str | None = None, written: TextFormat = USUAL
) -> list[Survey]:
    """Survey every label column of the files of a task. Each of several becomes a task with a name of its own.

    Raises:
        DataError: as `survey`.
    """
    written = _as_found(group, written)
    if label is not None:
        return [survey(group, text=text, label=label, written=written)]
    sources = _sources(group, written, text, None)
    found_rows = None if text else _of_rows(sources["train"])
    if found_rows is not None:
        return [_with_own_columns(group, *found_rows, written)]
    if not text and _without_labels(sources) is not None:
        return [survey(group, written=written)]
    labelled = [source for split, source in sources.items() if split != "test"]
    unlabelled = [source for split, source in sources.items() if split == "test"]
    flags = _flags(sources["train"], labelled, text)
    labels = _guess_labels(sources["train"], labelled, unlabelled, text=text, without=flags)
    if flags and not labels:
        return [_of_flags(group, flags, sources, text, written)]
    if len(labels) + bool(flags) < 2:
        return [survey(group, text=text, written=written)]
    found = [survey(group, text=text, label=each, written=written, holes=True) for each in labels]
    if flags:
        found.append(_of_flags(group, flags, sources, text, written))
        labels.append("labels")
    names: list[str] = []
    for each in labels:
        name = f"{group.name}-{task_name(each)}"
        names.append(f"{name}-{len(names) + 1}" if name in names else name)
    return [
        replace(
            each,
            group=replace(group, name=name),
            layout=replace(
                each.layout, other=tuple(other for other in each.layout.other if other not in (*labels, *flags))
            ),
        )
        for name, each in zip(names, found, strict=True)
    ]


def survey(
    group: FileGroup,
    *,
    text: Sequence[str] = (),
    label: str | None = None,
    written: TextFormat = USUAL,
    holes: bool = False,
) -> Survey:
    """Read the files of a task twice: to find the labels or the range, and to find the rows that cannot be used.

    Args:
        group: the files of the task.
        text: the text columns. Default: found by names and contents.
        label: the label column. Default: found by names and contents.
        written: how the files are written.
        holes: whether other tasks read other labels of the same rows, so that cells may be empty.

    Raises:
        DataError: a file cannot be read, its columns cannot be found, or the label column has no labels or range.
    """
    sources = _sources(group, written, text, label)
    labelled = [source for split, source in sources.items() if split != "test"]
    unlabelled = [source for split, source in sources.items() if split == "test"]
    if not text and label is None and (found := _without_labels(sources)) is not None:
        kind, texts = found
        return _unlabelled(group, kind, texts, sources, written)
    layout = guess_layout(sources["train"], labelled, unlabelled, text=text, label=label)
    if not isinstance(layout.label, str):
        raise AssertionError("a layout was guessed without a label")
    doubtful: tuple[str, ...] = ()
    if written.decimal == "." and layout.decimal == ",":
        written = replace(written, decimal=",")
        doubtful = _thousands(read_columns(sources["train"])[layout.label])
    sources = _sources(group, written, layout.text, layout.label)
    with_label = [source for source in sources.values() if layout.label in source.columns]
    cells = [cell for source in with_label for cell in label_cells(source, [layout.label])]
    typed = all(source.typed for source in with_label)
    kind = guess_kind(sources["train"].name, cells, typed=typed)
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=holes)
    train_cells = list(label_cells(sources["train"], [layout.label]))
    targets = _of_examples(group, layout, kind, sources) if kind.ragged_targets else _targets(kind, train_cells)
    return Survey(group, layout, kind, kind.digest(targets), counts, bad, written, (*warnings, *doubtful))


def _thousands(label: _Column) -> tuple[str, ...]:
    """Return a warning if all commas of numbers may separate thousands, such as those of 1,250 and 12,000."""
    if not all(THOUSANDS.fullmatch(each) for each in label.values if DECIMAL_COMMA.fullmatch(each)):
        return ()
    what = f"the commas of {label.name!r} are read as decimal marks, but three digits follow each of them"
    hint = 'if they separate thousands, remove them from the file, and decimal = "," from the recipe'
    return (f"{what}: {hint}",)


def _as_found(group: FileGroup, written: TextFormat) -> TextFormat:
    """Return how the files are written, if their ending is that of delimited text.

    They are files of fastText if the first line has its labels, and CoNLL files if they have sentences of words with
    tags.

    Raises:
        DataError: A file with a word per line has a header.
    """
    if written != USUAL or uncompressed_name(group.train).suffix.lower() not in endings("tsv"):
        return written
    sentences = replace(written, format="conll")
    try:
        first = next(open_source(from_here(str(group.train)), Path(), replace(written, format="fasttext")).rows(), None)
        if isinstance(first, Row) and not is_missing(first.values["label"]):
            return replace(written, format="fasttext")
        source = open_source(from_here(str(group.train)), Path(), sentences)
        rows = list(islice(source.rows(), FIRST))
    except DataError:
        return written
    good = [row for row in rows if isinstance(row, Row)]
    if len(good) < 2 or len(good) < MOSTLY * len(rows) or len(source.columns) < 2:
        return written
    columns = [[str(cell) for row in good for cell in listed_items(row.values[name]) or []] for name in source.columns]
    head = [cells[0] for cells in columns]
    header = all(map(HEADER.fullmatch, head))
    columns = [cells[header:] for cells in columns]
    if not (any(map(_are_tags, columns)) or _are_words(columns, len(good))):
        return written
    if header:
        raise DataError(
            "the file has a word per line and a header, which files of sentences do not have",
            where=source.name,
            found=" ".join(head),
            hint="remove the first line of each file",
        )
    return sentences


def _are_tags(cells: Sequence[str]) -> bool:
    """Return whether the cells of a column are different tags of spans."""
    return len(set(cells)) > 1 and all(map(SPAN_TAG.fullmatch, cells))


def _are_words(columns: Sequence[Sequence[str]], sentences: int) -> bool:
    """Return whether columns have single words of sentences, and one of them a few tags of them."""
    words = len(columns[0])
    single = all(len(cell.split()) == 1 for cells in columns for cell in cells)
    kinds = min(len(set(cells)) for cells in columns[1:])
    return single and words >= LEAST_WORDS * sentences and 1 < kinds <= min(MOST_LABELS, words // LEAST_WORDS)


def _of_rows(train: Source) -> tuple[Kind, tuple[str, ...], str] | None:
    """Return the kind, the text columns and the label column of rows that have columns of a kind's own."""
    columns = listed_columns(train)
    source = with_paths(train, columns)
    rows = [row.values for row, _ in zip(source.rows(), range(FIRST), strict=False) if isinstance(row, Row)]
    try:
        return next((found for kind in KINDS.values() if (found := kind.guess_rows(columns, rows)) is not None), None)
    except DataError as error:
        error.where = error.where or train.name
        raise


def _with_own_columns(group: FileGroup, kind: Kind, texts: tuple[str, ...], label: str, written: TextFormat) -> Survey:
    """Survey files whose rows have columns of the kind's own."""
    own = tuple(each for each in (*kind.input_columns, kind.names, kind.gathered_by) if each is not None)
    opened = _sources(group, written, (*texts, *own), label)
    listed = (*kind.input_columns, label)
    words = kind.reads == "tokens"
    sources = {
        split: gathered(source, kind.gathered_by, listed, texts, words=words) for split, source in opened.items()
    }
    train = sources["train"]
    kind = kind.completed(label_cells(train, [label]), name=train.name, typed=train.typed)
    others = [name for name in listed_columns(opened["train"]) if name not in (*texts, *own, label)]
    id_ = next((name for name in others if name == "id"), None)
    layout = Layout(texts, label, id_, tuple(name for name in others if name != id_))
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=False)
    shares = kind.digest(_of_examples(group, layout, kind, sources))
    return Survey(group, layout, kind, shares, counts, bad, written, warnings)


def _flags(train: Source, labelled: Sequence[Source], text: Sequence[str]) -> list[str]:
    """Return the columns of 0 and 1 that all labelled files have, if they are enough to be the labels of one task.

    If one of them is called label or the like, the others say something else about the rows.
    """
    found = [
        name
        for name, column in read_columns(train).items()
        if column.flags and name not in text and all(name in each.columns for each in labelled)
    ]
    return found if len(found) >= LEAST_FLAGS and not any(map(THE_LABEL.fullmatch, found)) else []


def _of_flags(
    group: FileGroup, flags: Sequence[str], sources: Mapping[str, Source], text: Sequence[str], written: TextFormat
) -> Survey:
    """Survey files with one column of 0 and 1 per label."""
    train = sources["train"]
    rest = [column for name, column in read_columns(train).items() if name not in flags]
    id_ = next((column.name for column in rest if _is_id(column) and column.name not in text), None)
    texts = tuple(text) or _best_texts([column for column in rest if column.name != id_])
    if not texts:
        raise _not_found("text", train)
    other = tuple(column.name for column in rest if column.name not in (*texts, id_))
    layout = Layout(texts, tuple(flags), id_, other)
    cells = list(label_cells(train, flags))
    kind = guess_kind(train.name, cells, typed=train.typed)
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=False)
    return Survey(group, layout, kind, kind.digest(_targets(kind, cells)), counts, bad, written, warnings)


def _without_labels(sources: Mapping[str, Source]) -> tuple[Kind, tuple[str, ...]] | None:
    """Return the kind and the text columns of rows that need no label, if the columns are named so."""
    columns = sources["train"].columns
    if any(_Column(name).named(_LABEL_WORD) for name in columns):
        return None
    found = next((found for kind in KINDS.values() if (found := kind.guess_unlabelled(columns)) is not None), None)
    if found is None:
        return None
    kind, texts = found
    read = read_columns(sources["train"])
    return kind, tuple(f"{each}[0]" if any(map(are_texts, read[each].first)) else each for each in texts)


def _unlabelled(
    group: FileGroup, kind: Kind, texts: tuple[str, ...], sources: Mapping[str, Source], written: TextFormat
) -> Survey:
    """Survey files whose rows have no labels. The dev and test files need not have what only training reads."""
    lists = [each.removesuffix("[0]") for each in texts if each not in sources["train"].columns]
    layout = _unlabelled_layout(sources["train"], texts, lists)
    counts, bad, warnings = _audit(group.name, layout, kind, _sources(group, written, texts, None), holes=False)
    first = tuple(f"{each!r} has lists of several texts, of which only the first is read" for each in lists)
    return Survey(group, layout, kind, "", counts, bad, written, (*warnings, *first))


def _sources(group: FileGroup, written: TextFormat, text: Sequence[str], label: str | None) -> dict[str, Source]:
    named = {"train": group.train, "dev": group.dev, "test": group.test}
    wanted = {split: [*text, *([] if label is None or split == "test" else [label])] for split in named}
    return {
        split: open_source(from_here(str(file)), Path(), written, wanted=wanted[split], label=label)
        for split, file in named.items()
        if file is not None
    }


def guess_kind(name: str, cells: Sequence[object], *, typed: bool = False) -> Kind:
    """Return the first kind of the menu that the cells of a label column look like.

    Args:
        name: the name of the file in messages.
        cells: the cells that are not missing.
        typed: whether text is text. Otherwise it may spell a number.

    Raises:
        DataError: there are fewer than two labels, or too many for a classification.
    """
    found = guessed(cells, name, typed=typed)
    if found is None:
        cell = f"a cell {quoted(cells[0])}" if cells else "no cell"
        raise DataError("the label column fits no kind of task", where=name, found=cell, allowed=", ".join(KINDS))
    return found


def guessed(cells: Sequence[object], name: str, *, typed: bool = False) -> Kind | None:
    """Return the first kind of the menu that the cells of a label column look like. None if there is none."""
    return next((each for kind in KINDS.values() if (each := kind.guess(cells, name=name, typed=typed))), None)


def _targets(kind: Kind, cells: Sequence[object]) -> Rows:
    """Return the targets of the cells that are labels."""
    return kind.targets([target for cell in cells if (target := _target(kind, cell)) is not None])


def _of_examples(group: FileGroup, layout: Layout, kind: Kind, sources: Mapping[str, Source]) -> Rows:
    """Return the known targets of the training rows, of a kind whose labels need their rows."""
    task = _task(group.name, layout, kind)
    return known_targets(
        read_examples(task, sources["train"], on_bad_rows="skip", labelled=True, cache=cache_folder())[0]
    )


def _target(kind: Kind, cell: object) -> Target | None:
    try:
        return kind.parse(cell)
    except LabelError:
        return None


def _pairing(kind: Kind) -> Pairing:
    """Return how a kind encodes several texts by default."""
    return "bi" if kind.pairings[0] == "bi" else "cross"


def _task(name: str, layout: Layout, kind: Kind) -> Task:
    return Task(
        name=name,
        kind=kind,
        text=layout.text,
        label=() if layout.label is None else layout.label,
        id=layout.id,
        pair=None if len(layout.text) == 1 and kind.reads != "candidates" else _pairing(kind),
        head="",
        dropout=0.0,
        loss=fitting_losses(kind)[0],
        metric=kind.metrics[0],
    )


def _audit(
    name: str, layout: Layout, kind: Kind, sources: Mapping[str, Source], *, holes: bool
) -> tuple[dict[str, int], Sequence[BadRow], tuple[str, ...]]:
    """Return the number of usable rows per split, all other rows, and warnings.

    Training reads the files in the same way.
    """
    task = _task(name, layout, kind)
    counts: dict[str, int] = {}
    rejected: list[Sequence[BadRow]] = []
    warnings = kind.warnings()
    for split, source in sources.items():
        labelled = split != "test"
        own = task if split == "train" else task.predicting
        examples, bad = read_examples(
            own, source, on_bad_rows="skip", labelled=labelled, cache=cache_folder(), holes=holes and labelled
        )
        counts[split] = len(labelled_rows(examples)) if holes and labelled else len(examples)
        rejected.append(bad)
        warnings += examples.warnings
        if split == "train":
            absent = [label for label, count in kind.counts(known_targets(examples)).items() if not count]
            # The tags of spans are those of the scheme, of which a file need not have all. A soft label counts as the
            # most probable one only.
            if absent and kind.span_table is None and not kind.soft_shape:
                names = ", ".join(map(repr, absent[:LISTED])) + (", ..." if len(absent) > LISTED else "")
                warnings.append(f"no training row has the label {names}: only other files have it")
    return counts, Joined(rejected), tuple(warnings)
