"""Words of texts and their tags: the schemes BIO and BIOES, the spans that tags mark, and the valid order of tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Ragged

Tag = TypeVar("Tag")

Scheme = Literal["tags", "bio", "bioes"]

PREFIXES: dict[Scheme, str] = {"bio": "BI", "bioes": "BIES"}
"""The letters before the type of a span. Every other word has the tag O."""

OUTSIDE = "O"

BEGIN, INSIDE, END, SINGLE, NONE = range(5)

CODES = {"B": BEGIN, "I": INSIDE, "E": END, "S": SINGLE}

BILOU = {"L": "E", "U": "S"}
"""The letters of BILOU for the last word of a span and for a span of one word, and those of BIOES."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TagTable:
    """The meaning of k tags: `prefixes`, int64[k], and `types`, int64[k], the place of a type in `names`, -1 for O."""

    prefixes: Ints
    types: Ints
    names: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TagTable) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    @property
    def _content(self) -> tuple[object, ...]:
        return (self.names, tuple(self.prefixes.tolist()), tuple(self.types.tolist()))

    @classmethod
    def of(cls, labels: Sequence[object]) -> TagTable:
        """Return the table of the tags of a scheme with spans."""
        parts = [parts_of(label) for label in labels]
        names = tuple(dict.fromkeys(name for prefix, name in parts if prefix != OUTSIDE))
        prefixes = [CODES.get(prefix, NONE) for prefix, _ in parts]
        types = [names.index(name) if prefix != OUTSIDE else -1 for prefix, name in parts]
        return cls(np.array(prefixes, dtype=np.int64), np.array(types, dtype=np.int64), names)

    def outside(self, tags: Sequence[str]) -> list[int]:
        """Return numbers from k on for tags of a text that are not in the table, from which `parts` has their meaning.

        A type that is not in the table has a number after those that are, in the order of the text. A tag without the
        form of a prefix and a type is a type of its own, with the prefix I.
        """
        types = list(self.names)
        codes = []
        for tag in tags:
            prefix, name = parts_of(tag)
            if prefix not in CODES or not name:
                prefix, name = "I", tag
            if name not in types:
                types.append(name)
            codes.append(len(self.prefixes) + len(CODES) * types.index(name) + CODES[prefix])
        return codes

    def parts(self, codes: Ints) -> tuple[Ints, Ints]:
        """Return the prefix and the type of tags by their numbers, int64[n] each, also of those of `outside`."""
        beyond = codes - len(self.prefixes)
        inside = np.clip(codes, 0, len(self.prefixes) - 1)
        prefixes = np.where(beyond < 0, self.prefixes[inside], beyond % len(CODES))
        types = np.where(beyond < 0, self.types[inside], beyond // len(CODES))
        return prefixes, types


@dataclass(frozen=True)
class TagSpans:
    """m spans: the example of each, its first word, the first word after it (from the example's first), its type."""

    examples: Ints
    starts: Ints
    ends: Ints
    types: Ints

    def __len__(self) -> int:
        return len(self.examples)

    def counts(self, examples: int) -> Ints:
        """Return the number of spans of each example: int64[n]."""
        return np.bincount(self.examples, minlength=examples).astype(np.int64)

    def among(self, others: TagSpans) -> NDArray[np.bool_]:
        """Return which spans are also among others, with equal words and type: bool[m]."""
        keys, theirs = (np.stack([each.examples, each.starts, each.ends, each.types]) for each in (self, others))
        _, places = np.unique(np.concatenate([keys, theirs], axis=1), axis=1, return_inverse=True)
        places = places.reshape(-1)
        found: NDArray[np.bool_] = np.isin(places[: len(self)], places[len(self) :])
        return found


def parts_of(label: object) -> tuple[str, str]:
    """Return the prefix and the type of a tag: ("B", "city") for "B-city", and ("O", "") for "O"."""
    prefix, _, name = str(label).partition("-")
    return prefix, name


def scheme_of(labels: Iterable[object]) -> Scheme:
    """Return the scheme that tags look like: "bioes", "bio", or "tags" if some have another form."""
    marks = set()
    for label in labels:
        if label == OUTSIDE:
            continue
        prefix, name = parts_of(label)
        if not name or prefix not in CODES:
            return "tags"
        marks.add(prefix)
    if not marks:
        return "tags"
    return "bio" if marks <= {"B", "I"} else "bioes"


def as_bioes(tags: Sequence[Tag]) -> Sequence[Tag | str]:
    """Return the tags of BILOU as those of BIOES. Other tags are unchanged."""
    parts = [parts_of(tag) for tag in tags]
    prefixes = {prefix for prefix, _ in parts}
    if not prefixes & BILOU.keys() or not prefixes <= {"B", "I", OUTSIDE, *BILOU}:
        return tags
    return [
        f"{BILOU[prefix]}-{name}" if prefix in BILOU else tag for tag, (prefix, name) in zip(tags, parts, strict=True)
    ]


def complete(labels: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Return the tags of a scheme in which every type that occurs has every prefix: O, then the types by name."""
    names = sorted({name for prefix, name in map(parts_of, labels) if prefix != OUTSIDE})
    return (OUTSIDE, *(f"{prefix}-{name}" for name in names for prefix in PREFIXES[scheme]))


def tag_spans(tags: Ragged, table: TagTable) -> TagSpans:
    """Return the spans of tag sequences, also of sequences that are not valid.

    A span begins at B or S, after a word with O, E or S, at the first word, and where the type changes. It ends where
    another one begins, or before O. These are the rules of conlleval (Tjong Kim Sang and Buchholz 2000), which seqeval
    follows by default. A tag that is not in the table has the meaning of `TagTable.outside`.
    """
    prefixes, types = table.parts(tags.values.astype(np.int64))
    inside = types >= 0
    before, type_before = np.roll(prefixes, 1), np.roll(types, 1)
    first = np.zeros(len(types) + 1, dtype=bool)
    first[tags.offsets[:-1]] = True
    first = first[:-1]
    begins = inside & (
        first | np.isin(prefixes, (BEGIN, SINGLE)) | np.isin(before, (NONE, END, SINGLE)) | (types != type_before)
    )
    starts = np.flatnonzero(begins)
    stops = np.append(np.flatnonzero(begins | ~inside | first), len(types))
    ends = stops[np.searchsorted(stops, starts, side="right")] if len(starts) else starts
    owners = tags.owners[starts]
    bounds = np.asarray(tags.offsets)[owners]
    return TagSpans(owners, starts - bounds, ends - bounds, types[starts])


@dataclass(frozen=True)
class _Order:
    """The valid order of k tags. `continues`: bool[k], whether a tag continues a span, so that it needs one before it.

    `free`: bool[k], the tags after which any other tag may follow, and which may be the last. `before`: int64[k, 2],
    the tags that a continuing tag may follow; k for none.
    """

    continues: NDArray[np.bool_]
    free: NDArray[np.bool_]
    before: Ints

    @classmethod
    def of(cls, table: TagTable) -> _Order:
        """Return the order of a scheme.

        With BIO, I-x follows B-x or I-x. With BIOES, I-x and E-x follow B-x or I-x, and nothing else does.
        """
        continues = np.isin(table.prefixes, (INSIDE, END))
        opened = np.isin(table.prefixes, (BEGIN, INSIDE))
        closing = bool(np.isin(table.prefixes, (END, SINGLE)).any())
        count = len(table.prefixes)
        before = np.full((count, 2), count, dtype=np.int64)
        for tag in np.flatnonzero(continues):
            own = np.flatnonzero(opened & (table.types == table.types[tag]))
            before[tag, : len(own)] = own
        return cls(continues, ~opened if closing else np.ones(count, dtype=bool), before)


def best_tags(scores: Ragged, table: TagTable) -> Ragged:
    """Return for each row of scores[w, k] the valid sequence of tags with the highest sum of scores (Viterbi 1967).

    The scores are log-probabilities of each word, and tags that may not follow one another have no path: the decoding
    of BIO tags of He et al. (2017), "Deep Semantic Role Labeling", section 3.1, for both schemes.
    """
    order, count = _Order.of(table), len(table.prefixes)
    lengths, starts = scores.lengths, np.asarray(scores.offsets)[:-1]
    chosen = np.zeros(len(scores.values), dtype=np.float64)
    # Rows by falling length, so that those that have a word at a place are the first ones.
    rows = np.argsort(-lengths, kind="stable")
    rows = rows[lengths[rows] > 0]
    size = max(1, 4_000_000 // (count * max(1, int(lengths.max(initial=1)))))
    for first in range(0, len(rows), size):
        some = rows[first : first + size]
        at, counts = starts[some], lengths[some]
        live = [int(np.count_nonzero(counts > place)) for place in range(int(counts[0]))]
        best = np.where(order.continues, -np.inf, scores.values[at])
        back = np.zeros((len(live), len(some), count), dtype=np.int64)
        for place, number in enumerate(live[1:], start=1):
            paths = best[:number]
            free = np.where(order.free, paths, -np.inf).argmax(axis=1)
            padded = np.concatenate([paths, np.full((number, 1), -np.inf)], axis=1)[:, order.before]
            inner = np.take_along_axis(order.before[None], padded.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
            back[place, :number] = np.where(order.continues, np.minimum(inner, count - 1), free[:, None])
            reached = np.where(order.continues, padded.max(axis=2), paths[np.arange(number), free][:, None])
            best[:number] = reached + scores.values[at[:number] + place]
        tag = np.where(order.free, best, -np.inf).argmax(axis=1)
        for place in range(len(live) - 1, -1, -1):
            number = live[place]
            chosen[at[:number] + place] = tag[:number]
            tag[:number] = back[place, np.arange(number), tag[:number]]
    return Ragged(chosen, scores.offsets)


Spans = NDArray[np.int64]
"""int64[w, 2], the first character of each word and the first one after it."""

BLANKS = re.compile(r"\S+")

SPAN_TAG = re.compile(r"O|[BILUES]-\S+")
"""A tag of a word in a span, or outside of spans, in any scheme."""


def are_tag_lines(cells: Sequence[object]) -> bool:
    """Return whether the cells are texts of tags of spans with blanks between them, and one has several tags."""
    if not all(isinstance(cell, str) and all(map(SPAN_TAG.fullmatch, cell.split())) for cell in cells):
        return False
    return any(len(str(cell).split()) > 1 for cell in cells)


PUNCTUATION = re.compile(r"\w+|[^\w\s]")
"""Runs of letters, digits and underscores, and single other characters."""


class SplitText(str):
    """A text that is given as words: they are joined by blanks. It equals its text. `spans`: the places of the words.

    A word may itself contain white space.
    """

    __slots__ = ("spans",)

    spans: Spans

    def __new__(cls, words: Sequence[str]) -> SplitText:
        """Join words."""
        made = super().__new__(cls, " ".join(words))
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        ends = np.cumsum(lengths + 1) - 1
        made.spans = np.stack([ends - lengths, ends], axis=1)
        return made


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Spans]:
    def spans(text: str) -> Spans:
        return np.array([match.span() for match in pattern.finditer(text)], dtype=np.int64).reshape(-1, 2)

    return spans


SPLITS: Mapping[str, Callable[[str], Spans]] = {"blanks": _matches(BLANKS), "punctuation": _matches(PUNCTUATION)}
"""How a plain text is split into words: at white space, or also around every punctuation mark."""


def spans_of(text: str, split: str) -> Spans:
    """Return the words of a text: those that it was given as, or those that a member of `SPLITS` finds."""
    return text.spans if isinstance(text, SplitText) else SPLITS[split](text)
