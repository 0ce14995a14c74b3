"""Words: each word of a text has a tag, or spans of words have a label (token classification)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.cells import MISSING, alike_warnings, are_flag_lists, is_missing, listed_items, quoted
from manyheads.tasks.kind import (
    Floats,
    HubForm,
    Ints,
    KeyFault,
    Kind,
    LabelError,
    Predictions,
    Target,
    UnknownLabelError,
    finite,
    softmax,
)
from manyheads.tasks.kinds.one_label import (
    CLASS_WEIGHTS,
    LABELS,
    balanced,
    class_weight_faults,
    labels_field,
    weights_field,
)
from manyheads.tasks.labels import UNKNOWN, Label, Labels, counts_digest, found_note, labels_among, listed
from manyheads.tasks.tags import (
    OUTSIDE,
    PREFIXES,
    SPAN_TAG,
    Scheme,
    TagTable,
    are_tag_lines,
    as_bioes,
    best_tags,
    complete,
    parts_of,
    scheme_of,
    spans_of,
    tag_spans,
)
from manyheads.tasks.written import shortest

MOSTLY = 0.99
"""`init` takes a column for tags if at least this share of its cells are lists."""

_KEY = re.compile(
    r"(?:sent|sentence|doc|document|text|example|tweet|seq|sequence|utterance)s?[-_ .]?"
    r"(?:id|idx|index|no|nr|num|number|#)",
    re.IGNORECASE,
)
_WORD = re.compile("words?|tokens?|form", re.IGNORECASE)
_TAG = re.compile("tags?|labels?|ner(?:[-_ ]?tags?)?|[ux]?pos(?:[-_ ]?tags?)?", re.IGNORECASE)
"""The names of columns that say to which sentence a word belongs, of words, and of tags, for `init`."""

SPAN_KEYS = (
    ("start", "start_offset"),
    ("end", "end_offset"),
    ("label", "labels", "type", "entity", "entity_group"),
)
"""The keys of a span: where it starts and ends, and its label or the list with it."""


class WordTagsOptions(Options):
    """The keys of a task per word in the table of a task."""

    labels: LABELS | None = labels_field(
        "Tags of the words, in the order of the model's outputs. Default: the distinct tags of the training file. With "
        "a scheme they are completed, so that every type of span can begin and end.",
        least=2,
    )
    scheme: Literal["tags", "bio", "bioes"] | None = Field(
        default=None,
        description='What the tags mean. "bio" and "bioes": spans of words, with the tag O for words outside (BIO is '
        'also named IOB2; BIOES has tags for the last word and for spans of one word). "tags": each tag stands for '
        "itself. Tags of IOB1 are read as BIO, those of BILOU as BIOES. Default: found from the tags.",
    )
    split: Literal["blanks", "punctuation"] | None = Field(
        default=None,
        description='How a plain text is split into words: "blanks", at white space, or "punctuation", also around '
        'every punctuation mark. A list of words is not split. Default: "punctuation" if the labels are spans of '
        'characters, else "blanks".',
    )
    group_by: str | None = Field(
        default=None,
        description="Column that is equal in the lines of one text, for a delimited file with one word and its tag per "
        "line. The lines of a text must follow one another. A line without a cell in this column belongs to the text "
        "above it. Default: a line is a text.",
    )
    class_weights: CLASS_WEIGHTS | None = weights_field("tag", "n / (k * count), over n words with k different tags")


class WordTags(Kind):
    """A kind whose targets have a tag per word: float64[w], the index of each word's tag.

    A cell is a list of tags, a text with tags between blanks, or a JSON list, with as many tags as the text has words.
    Or it is a list of spans, `{"start": 0, "end": 6, "label": "city"}` or `[0, 6, "city"]`, in characters of the text,
    which must begin and end with a word. `[]` is a text without spans.

    Raises:
        ValueError: There are too few labels, a label is blank, two labels are equal, or a tag has not the form of the
            scheme or lacks a tag that its spans need.
    """

    name = "words"
    noun = "a task per word"
    summary = "a tag per word, one of `labels`, or spans of words"
    options = WordTagsOptions
    texts = (1, 1)
    training_keys = ("class_weights",)
    reads = "tokens"
    target = "tags"
    ragged_targets = True
    ragged_outputs = True
    counts_unknown = True
    hub_task = "token-classification"

    def __init__(
        self, labels: Iterable[Label], *, scheme: Scheme = "tags", split: str = "blanks", group_by: str | None = None
    ) -> None:
        self.labels = Labels(labels, noun=self.noun, least=2)
        self.scheme: Scheme = scheme
        self.split, self.gathered_by = split, group_by
        fault = _scheme_fault(self.labels, scheme)
        if fault is not None:
            raise ValueError(fault)
        self._codes: dict[Any, float] = {label: float(code) for code, label in enumerate(self.labels)}
        self._table = TagTable.of(self.labels) if scheme in PREFIXES else None
        of_tags = ("word_accuracy", "word_macro_f1") if self._table is None else ("span_f1", "word_accuracy")
        self.metrics = (*of_tags, "sentence_accuracy")
        self.views = ("tags",) if self._table is None else ("spans",)

    def __repr__(self) -> str:
        return f"WordTags({self.labels!r}, scheme={self.scheme!r})"

    # The label space

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind with the tags of the recipe."""
        if options.labels is None:
            return None
        labels = as_bioes(options.labels) if options.scheme in (None, "bioes") else options.labels
        scheme = options.scheme or scheme_of(labels)
        return cls(labels, scheme=scheme, split=options.split or "blanks", group_by=options.group_by)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind with the distinct tags of the cells, completed for the scheme.

        Raises:
            DataError: There are fewer than two tags, or too many.
        """
        tags: list[object] = []
        types: set[str] = set()
        unnamed: object = None
        seen: set[object] = set()
        for cell in cells:
            found = _items(cell)
            if _are_spans(found):
                types |= {str(name) for _, _, name in map(_span, found) if isinstance(name, str | int)}
                unnamed = unnamed or next((span for span in found if _span(span)[2] is None), None)
            plain = [tag for tag in found if not isinstance(tag, list | tuple | Mapping) and not is_missing(tag)]
            fresh = [] if _are_spans(found) else plain
            new = [tag for tag in dict.fromkeys(fresh) if tag not in seen]
            seen.update(new)
            tags += new
        tags = list(as_bioes(tags)) if options.scheme in (None, "bioes") else tags
        if unnamed is not None and not types and not tags:
            raise DataError(
                "the spans of the label column have no labels", where=name, found=quoted(unnamed), allowed=_SPANS
            )
        split = options.split or ("punctuation" if types else "blanks")
        if types and not tags:
            scheme: Scheme = options.scheme if options.scheme in PREFIXES else "bio"
            labels: tuple[Label, ...] = complete([f"B-{name}" for name in types], scheme)
        else:
            labels = labels_among(name, tags, typed=typed, hint="check the label column")
            scheme = options.scheme or scheme_of(labels)
            if scheme in PREFIXES:
                _check_scheme(labels, scheme, name)
                labels = complete([str(label) for label in labels], scheme)
        try:
            kind = cls(labels, scheme=scheme, split=split, group_by=options.group_by)
        except ValueError as error:
            raise DataError(str(error), where=name, hint='set scheme = "tags"') from None
        note = found_note(name, labels)
        return kind, note if scheme == "tags" else f"{note}; scheme {scheme}"

    @classmethod
    def sample(cls) -> Self:
        """Return a kind with one type of span."""
        return cls(["O", "B-a", "I-a"], scheme="bio")

    @classmethod
    def guess(cls, cells: Sequence[object], *, name: str, typed: bool) -> Self | None:
        """Return the kind if the cells are lists with repeated items, as tags are, lists of spans, or lines of tags.

        Lists of 0 and 1 with one length are not: each has a number for each of several labels.
        """
        if are_tag_lines(cells):
            return cls.infer(cls.options(), cells, name=name, typed=typed)[0]
        lists = [found for cell in cells if (found := listed_items(cell)) is not None]
        if not lists or len(lists) < MOSTLY * len(cells) or are_flag_lists(lists):
            return None
        spans = [found for found in lists if found and _are_spans(found) and all(map(_is_whole, map(_span, found)))]
        repeated = [found for found in lists if len(set(map(str, found))) < len(found)]
        tagged = all(isinstance(tag, str | int) for tag in chain.from_iterable(lists))
        if spans or (repeated and tagged):
            return cls.infer(cls.options(), cells, name=name, typed=typed)[0]
        return None

    @classmethod
    def guess_rows(
        cls, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> tuple[Self, tuple[str, ...], str] | None:
        """Return the kind if each line has one word and its tag, and a column says to which sentence it belongs."""
        for key in filter(_KEY.fullmatch, columns):
            starts = [cell for row in rows if not is_missing(cell := row.get(key))]
            keys = [str(cell) for cell, _ in groupby(starts)]
            if len(set(keys)) < len(keys) or not 1 < len(keys) < len(rows) / 2 or is_missing(rows[0].get(key)):
                continue
            cells = {name: [str(row.get(name) or "").strip() for row in rows] for name in columns if name != key}
            single = {name: set(each) for name, each in cells.items() if all(len(cell.split()) == 1 for cell in each)}
            words = [name for name in single if _WORD.fullmatch(name)]
            tags = [name for name, each in single.items() if len(each) > 1 and all(map(SPAN_TAG.fullmatch, each))]
            if words:
                tags += [name for name in single if _TAG.fullmatch(name) and 1 < len(single[name]) < len(rows) / 2]
            words = words or [name for name in single if name not in tags]
            if tags and words:
                text = max(words, key=lambda name: len(single[name]))
                options = WordTagsOptions(group_by=key)
                return cls.infer(options, [cells[tags[0]]], name=text, typed=False)[0], (text,), tags[0]
        return None

    def completed(self, cells: Iterable[object], *, name: str, typed: bool) -> Self:
        """Return the kind with the tags of all cells."""
        return self.infer(WordTagsOptions(group_by=self.gathered_by), cells, name=name, typed=typed)[0]

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the labels, the scheme, the column of the texts and the weights."""
        key = options.group_by
        if key is not None and key in (getattr(options, "text", None) or []):
            yield KeyFault("group_by", "the column of the text cannot also say to which text a word belongs", key)
        yield from class_weight_faults(options.class_weights, options.labels)
        yield from super().faults(options)

    def space(self) -> dict[str, Any]:
        """Return the labels, the scheme, how texts are split, and by which column words are gathered, if by one."""
        found = {"labels": list(self.labels), "scheme": self.scheme, "split": self.split}
        return found if self.gathered_by is None else {**found, "group_by": self.gathered_by}

    def meaning(self) -> dict[str, Any]:
        """Return the labels, the scheme, and how texts are split."""
        return {"labels": list(self.labels), "scheme": self.scheme, "split": self.split}

    def warnings(self) -> list[str]:
        """Return a warning for each group of labels that look alike, and one for a few tags that are not of spans."""
        if self._table is not None:
            return alike_warnings(sorted({name for _, name in map(parts_of, self.labels) if name}))
        others = [name for name in self.labels.names if not SPAN_TAG.fullmatch(name)]
        warnings = alike_warnings(self.labels)
        if OUTSIDE in self.labels.names and 0 < len(others) < len(self.labels) - len(others):
            shown = ", ".join(map(repr, others))
            what = f"the tags {shown} are not" if len(others) > 1 else f"the tag {shown} is not"
            warnings.append(
                f"{what} of spans, as the other tags are, so each tag stands for itself, and no span is measured: "
                "correct the files, or list the labels in the recipe, with which a row with another tag is a bad row"
            )
        return warnings

    # Outputs

    @property
    def forms(self) -> Mapping[str, int]:
        """A logit per tag, for each word."""
        return {"logits": len(self.labels)}

    def decode(self, outputs: Rows) -> Predictions:
        """Decode logits[N, labels] of words to tags, and the probability of each predicted tag.

        With a scheme of spans, the sequence of tags is the most probable valid one; see `tags.best_tags`. Otherwise it
        is the most probable tag of each word.
        """
        probabilities = softmax(finite(outputs.values)) if len(outputs.values) else np.zeros((0, len(self.labels)))
        if self._table is None:
            values = Ragged(probabilities.argmax(axis=1).astype(np.float64), outputs.offsets)
        else:
            logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
            values = best_tags(Ragged(logs, outputs.offsets), self._table)
        chosen = probabilities[np.arange(len(probabilities)), values.values.astype(np.int64)]
        return Predictions(values, Ragged(chosen, outputs.offsets))

    # Targets

    def parse(self, raw: object) -> Floats:
        """Return the tags in a cell.

        Raises:
            LabelError: The cell is empty, has something that is not one of the tags, or has spans.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        items = _items(raw)
        if _are_spans(items) and items:
            raise LabelError(f"label {quoted(raw)} is a list of spans, which need the text of their row")
        return self._known(items)

    def parse_of(self, raw: object, texts: Sequence[str]) -> Floats:
        """Return the tags in a cell for the words of a text.

        Raises:
            LabelError: As `parse`; the number of tags differs from the number of words; or a span has no such
                characters, does not begin and end with a word, or overlaps another one.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        words = self.words(texts[0])
        items = _items(raw)
        if self._table is not None and _are_spans(items):
            return self._known(self._of_spans(items, texts[0], words))
        if not (_are_spans(items) and items) and len(items) != len(words):
            hint = None
            if not isinstance(raw, str) and self.split != "blanks":
                hint = 'if the words are separated by blanks, set split = "blanks"'
            raise LabelError(f"{len(items)} tags for {len(words)} words", hint)
        return self.parse(raw)

    def counted(self, presented: Any) -> Floats:
        """Return the indices of tags, and for others a number above them: with spans, that of `TagTable.outside`."""
        codes = np.array([self.labels.code(tag) for tag in presented], dtype=np.float64)
        outside = np.flatnonzero(codes == len(self.labels))
        if self._table is not None and len(outside):
            codes[outside] = self._table.outside([str(presented[place]) for place in outside])
        return codes

    def words(self, text: str) -> Ints:
        """Return the words of a text: those that it was given as, or its parts."""
        return spans_of(text, self.split)

    @property
    def span_table(self) -> TagTable | None:
        """The tags as parts of spans. None if each tag stands for itself."""
        return self._table

    def present(self, target: Target) -> list[Label]:
        """Return the tags of a target."""
        codes = np.atleast_1d(target).astype(np.int64).tolist()
        return [self.labels[code] if code < len(self.labels) else UNKNOWN for code in codes]

    def code(self, presented: Any) -> Floats:
        """Return the indices of a list of tags."""
        if not isinstance(presented, list):
            raise TypeError(f"{presented!r} is not a list of tags")
        return np.array([self._codes[tag] for tag in presented], dtype=np.float64)

    def show(self, target: Target) -> str:
        """Return the tags."""
        return " ".join(map(str, self.present(target)))

    # Records and columns

    @property
    def columns(self) -> Mapping[str, type]:
        """The columns `prediction`, the tags, and with a scheme `spans`, a list of dicts."""
        return {"prediction": list} if self._table is None else {"prediction": list, "spans": dict}

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the tag of each word and its probability, the spans, and the words if the text is available."""
        tags = predictions.values[row]
        record: dict[str, Any] = {"prediction": self.present(tags)}
        places = None if predictions.places is None else predictions.places[row]
        text = None if predictions.texts is None else predictions.texts[row]
        if self._table is not None:
            record["spans"] = self._spans(tags, places, text)
        if text is not None and places is not None:
            record = {"words": [text[start:end] for start, end in places.tolist()], **record}
        if predictions.probabilities is not None:
            record["probabilities"] = [shortest(each) for each in predictions.probabilities[row]]
        return record

    # Groups of examples

    def strata(self, targets: Rows) -> Ints:
        """Return the rarest tag of each target, and the number of tags for a text without any but O."""
        count = len(self.labels)
        pairs = np.stack([targets.owners, targets.values.astype(np.int64)])
        pairs = np.unique(pairs[:, pairs[1] < count], axis=1)
        texts = np.bincount(pairs[1], minlength=count).astype(np.float64)
        if self._table is not None:
            texts[self._table.types < 0] = np.inf
        order = np.lexsort((texts[pairs[1]], pairs[0]))
        owners, first = np.unique(pairs[0][order], return_index=True)
        found = np.full(len(targets), count, dtype=np.int64)
        rarest = pairs[1][order][first]
        found[owners] = np.where(np.isinf(texts[rarest]), count, rarest)
        return found

    def counts(self, targets: Rows) -> dict[Any, int]:
        """Return the number of words with each tag. Unknown tags are not counted."""
        codes = targets.values[~np.isnan(targets.values)].astype(np.int64)
        return dict(zip(self.labels, np.bincount(codes, minlength=len(self.labels)).tolist(), strict=False))

    def shares(self, targets: Rows) -> dict[str, float]:
        """Return the share of the words with each tag, or of the spans with each type."""
        if self._table is None:
            counts = {str(label): count for label, count in self.counts(targets).items()}
        else:
            spans = Counter(tag_spans(targets, self._table).types.tolist())
            counts = {name: spans[place] for place, name in enumerate(self._table.names)}
        return {name: count / max(1, sum(counts.values())) for name, count in counts.items()}

    def digest(self, targets: Rows) -> str:
        """Return the numbers of words and of spans."""
        words = f"{len(targets.values):,} words"
        if self._table is None:
            return f"{words}; {counts_digest(self.counts(targets), len(targets.values))}"
        spans = len(tag_spans(targets, self._table))
        return f"{words}; {spans:,} spans of {len(self._table.names)} types"

    def constant(self, targets: Rows) -> str | None:
        """Return a warning if all words have the same tag."""
        if not len(targets.values) or np.ptp(targets.values):
            return None
        return f"every word has the same tag {self.present(targets.values[:1])[0]!r}"

    def conflict(self, one: Target, other: Target) -> bool:
        """Return whether the tags of texts with the same number of words differ."""
        return np.shape(one) == np.shape(other) and not np.array_equal(one, other)

    def follows(self, predictions: Predictions) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Return True for each prediction: the probabilities are those of the predicted tags."""
        return np.ones(len(predictions), dtype=bool)

    def errors(self, predictions: Predictions, targets: Rows) -> Floats:
        """Return the number of wrong tags of each text."""
        wrong: Floats = targets.sums(predictions.values.values != targets.values)
        return wrong

    def right(self, predictions: Predictions, targets: Rows) -> NDArray[np.bool_]:
        """Return whether all tags of each text are right."""
        return np.asarray(self.errors(predictions, targets) == 0)

    def imagined(self, targets: Rows, correlation: float) -> Rows:
        """Return targets in which the tags of a tenth of the words are those of other words."""
        del correlation
        rng = np.random.default_rng(0)
        values = np.where(targets.values < len(self.labels), targets.values, 0.0)
        moved = np.flatnonzero(rng.random(len(values)) < 0.1)
        values[moved] = rng.choice(values, size=len(moved)) if len(moved) else values[moved]
        return replace(targets, values=values)

    def balanced_weights(self, targets: Floats, weights: Floats) -> Floats:
        """Return a weight per tag, so that all tags have the same total weight over all words."""
        return balanced(np.bincount(targets.astype(np.int64), weights, len(self.labels)).astype(np.float64))

    # Words for people

    def described(self) -> str:
        """Return the types of spans, or the first tags and their number."""
        if self._table is None:
            return f"a tag per word, one of {listed(self.labels)}"
        return f"spans of words, each of one type of {listed(self._table.names)}"

    @property
    def hub(self) -> HubForm:
        """The tags."""
        return HubForm(self.labels.names, None)

    def _known(self, tags: Sequence[object]) -> Floats:
        """Return the indices of tags.

        Raises:
            LabelError: A tag is missing, is a list or an object, or is not one of the tags.
        """
        for place, tag in enumerate(tags, start=1):
            if isinstance(tag, list | dict):
                raise LabelError(self.labels.unknown(tag))
            if is_missing(tag):
                raise LabelError(f"the tag of word {place} is missing")
        tags = self._in_scheme(tags)
        unknown = [tag for tag in tags if self.labels.find(tag) is None]
        if unknown:
            shown = [str(tag).strip() for tag in tags]
            raise UnknownLabelError(self.labels.unknown(unknown[0]), [str(tag).strip() for tag in unknown], shown)
        return np.array([self.labels.code(tag) for tag in tags], dtype=np.float64)

    def _in_scheme(self, tags: Sequence[object]) -> Sequence[object]:
        """Return tags as the scheme writes them: those of BILOU as BIOES, and those of IOB1 as BIO.

        In IOB1, a span begins with I- unless it follows a span of its type.
        """
        if self._table is None:
            return tags
        found: list[object] = []
        before = ""
        for tag in as_bioes(tags) if self.scheme == "bioes" else tags:
            prefix, name = parts_of(tag)
            begins = self.scheme == "bio" and prefix == "I" and name != before and f"B-{name}" in self._codes
            found.append(f"B-{name}" if begins else tag)
            before = name
        return found

    def _of_spans(self, items: Sequence[object], text: str, words: Ints) -> list[str]:
        """Return the tags of the words of a text with spans of characters."""
        tags = [OUTSIDE] * len(words)
        starts, ends = ({int(each): place for place, each in enumerate(words[:, side])} for side in (0, 1))
        taken = np.zeros(len(words), dtype=bool)
        for item in items:
            start, end, name = _span(item)
            shown = quoted(dict(item) if isinstance(item, Mapping) else item)
            if not isinstance(name, str | int):
                raise LabelError(f"label {shown} has {'no label' if name is None else 'several labels'}", _SPAN_HINT)
            if not all(isinstance(each, int) and not isinstance(each, bool) for each in (start, end)):
                raise LabelError(f"label {shown} does not start and end with whole numbers", _SPAN_HINT)
            if not 0 <= start < end <= len(text):
                raise LabelError(f"label {shown} has no characters of the text, which has {len(text)}")
            if start not in starts or end not in ends:
                cut = text[max(0, start - 10) : end + 10]
                raise LabelError(
                    f"label {shown} does not begin and end with a word, in {quoted(cut)}", _CUT_HINTS[self.split]
                )
            first, last = starts[start], ends[end]
            if taken[first : last + 1].any():
                raise LabelError(f"label {shown} overlaps another span")
            taken[first : last + 1] = True
            one = self.scheme == "bioes" and first == last
            for place in range(first, last + 1):
                prefix = "S" if one else "B" if place == first else "I"
                prefix = "E" if self.scheme == "bioes" and not one and place == last else prefix
                tags[place] = f"{prefix}-{name}"
        return tags

    def _spans(self, tags: Floats, places: Ints | None, text: str | None) -> list[dict[str, Any]]:
        """Return the spans of a text in characters. Without the places of the words, in words."""
        if self._table is None:
            raise AssertionError("the tags have spans")
        found = tag_spans(Ragged(tags, np.array([0, len(tags)])), self._table)
        spans = []
        for first, after, kind in zip(found.starts.tolist(), found.ends.tolist(), found.types.tolist(), strict=True):
            start, end = (first, after) if places is None else (int(places[first, 0]), int(places[after - 1, 1]))
            span: dict[str, Any] = {"start": start, "end": end, "label": self._table.names[kind]}
            spans.append(span if text is None else {**span, "text": text[start:end]})
        return spans


_CUT_HINTS = {
    "blanks": 'words are separated by blanks; set split = "punctuation" to split around punctuation marks',
    "punctuation": "words are runs of letters, digits and underscores, and single other characters; correct the span",
}
"""What to do about a span that does not begin and end with a word, by how texts are split into words."""

_SPANS = '{"start": 0, "end": 6, "label": "city"} or [0, 6, "city"]'

_SPAN_HINT = f"write a span as {_SPANS}"


def _check_scheme(tags: Sequence[Label], scheme: Scheme, name: str) -> None:
    """Check that the tags of a file are those of a scheme.

    Raises:
        DataError: They are those of the other scheme, or one of them is no tag of a span.
    """
    found = scheme_of(as_bioes(tags))
    if found in PREFIXES and found != scheme:
        what = "the tags of the label column are those of another scheme"
        raise DataError(what, where=name, found=found, allowed=scheme, hint=f'set scheme = "{found}"')
    wrong = next((tag for tag in tags if not SPAN_TAG.fullmatch(str(tag))), None)
    if wrong is not None:
        forms = "-, ".join(PREFIXES[scheme])
        what = f"the tag {str(wrong)!r} has not the form of the scheme {scheme}, {forms}-"
        raise DataError(what, where=name, hint='set scheme = "tags"')


def _scheme_fault(labels: Labels, scheme: Scheme) -> str | None:
    """Return why labels are not the tags of a scheme. None if they are."""
    if scheme not in PREFIXES:
        return None
    if OUTSIDE not in labels.names:
        return f'the scheme {scheme} needs the label "{OUTSIDE}" for words outside of spans'
    wrong = [
        name
        for name in labels.names
        if name != OUTSIDE and (parts_of(name)[0] not in PREFIXES[scheme] or not parts_of(name)[1])
    ]
    if wrong:
        return f"the label {wrong[0]!r} has not the form of the scheme {scheme}, {'-, '.join(PREFIXES[scheme])}-"
    needed = complete([name for name in labels.names if name != OUTSIDE], scheme)
    lacking = [name for name in needed if name not in labels.names]
    if lacking:
        return f"the scheme {scheme} needs the label {lacking[0]!r} in addition to the others of its type"
    return None


def _items(raw: object) -> list[Any]:
    """Return the tags or the spans in a cell: those of a list, also one written as text, or of a text with blanks."""
    found = listed_items(raw)
    if found is not None:
        return found
    return raw.split() if isinstance(raw, str) else [raw]


def _are_spans(items: Sequence[object]) -> bool:
    return all(isinstance(item, Mapping) or (isinstance(item, list | tuple) and len(item) == 3) for item in items)


def _span(item: Any) -> tuple[Any, Any, Any]:
    """Return where a span starts and ends, and its label. None for what an object lacks."""
    if not isinstance(item, Mapping):
        return item[0], item[1], item[2]
    start, end, name = (next((item[key] for key in keys if item.get(key) is not None), None) for keys in SPAN_KEYS)
    return start, end, name[0] if isinstance(name, list | tuple) and len(name) == 1 else name


def _is_whole(span: tuple[Any, Any, Any]) -> bool:
    return isinstance(span[0], int) and isinstance(span[1], int) and isinstance(span[2], str)
