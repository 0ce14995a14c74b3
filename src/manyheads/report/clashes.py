"""Near-duplicate texts with opposite labels: either a label is wrong, or one word decides."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyheads.data.examples import Examples
from manyheads.data.split import draw
from manyheads.tasks.task import Task

ALIKE = 0.8
"""Share of words in common (Jaccard, repeats counted) from which on two examples are near-duplicates."""

SHOWN = 8
MOST_DEV, MOST_TRAIN = 5_000, 50_000
"""Examples that are looked at; of more, that many are drawn, the same ones every time."""

MOST_FOUND = 2_000

Words = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Side:
    """One example of a clash: which split it stands in, its id, texts and label."""

    split: str
    id: str
    texts: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Clash:
    """Two examples, the first a dev one, whose words are alike and whose labels are not."""

    alike: float
    dev: Side
    other: Side


@dataclass(frozen=True)
class Clashes:
    """The most alike ones, and how many were found among how many examples."""

    shown: tuple[Clash, ...]
    found: int
    dev_examples: int
    train_examples: int


def clashes(task: Task, dev: Examples, train: Examples, shown: int = SHOWN) -> Clashes:
    """Look among dev examples, and between dev and training examples.

    Labels are opposite where classes differ, or values by half the range. Candidates are pairs that share one of
    their rarest words (prefix filtering; Chaudhuri et al. 2006, Bayardo et al. 2007), which misses none.
    """
    dev, train = draw(dev, MOST_DEV), draw(train, MOST_TRAIN)
    found = sorted(_pairs(task, dev, train), key=lambda each: -each[0])
    shown_now = [
        Clash(alike, _side(task, dev, "dev", one), _side(task, *((dev, "dev") if inside else (train, "train")), other))
        for alike, one, other, inside in found[:shown]
    ]
    return Clashes(tuple(shown_now), len(found), len(dev), len(train))


def _pairs(task: Task, dev: Examples, train: Examples) -> Iterator[tuple[float, int, int, bool]]:
    """(similarity, dev example, other example, whether that is a dev example too), of opposite labels only."""
    dev_words, train_words = _words(dev), _words(train)
    counts = Counter(word for words in (*dev_words, *train_words) for word in words)
    index: dict[tuple[str, int], list[int]] = defaultdict(list)
    found = 0
    for inside, examples, all_words in ((True, dev, dev_words), (False, train, train_words)):
        for number, words in enumerate(all_words):
            rare = sorted(words, key=lambda word: (counts[word], word))[
                : len(words) - math.ceil(ALIKE * len(words)) + 1
            ]
            for candidate in sorted({each for word in rare for each in index.get(word, ())}):
                if not _opposite(task, float(dev.targets[candidate]), float(examples.targets[number])):
                    continue
                alike = _alike(words, dev_words[candidate])
                if alike >= ALIKE:
                    yield alike, candidate, number, inside
                    found += 1
                    if found >= MOST_FOUND:
                        return
            if inside:
                for word in rare:
                    index[word].append(number)


def _words(examples: Examples) -> list[Words]:
    """The words of each example, both texts of a pair together; the second "the" is another word than the first."""
    return [_numbered(re.findall(r"\w+", " ".join(row).casefold())) for row in zip(*examples.texts, strict=True)]


def _numbered(words: Sequence[str]) -> Words:
    seen: Counter[str] = Counter()
    found = []
    for word in words:
        found.append((word, seen[word]))
        seen[word] += 1
    return frozenset(found)


def _alike(one: Words, other: Words) -> float:
    shorter, longer = sorted((len(one), len(other)))
    if shorter < ALIKE * longer:
        return 0.0
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _opposite(task: Task, one: float, other: float) -> bool:
    if task.kind.value_range is None:
        return one != other
    low, high = task.kind.value_range
    return abs(one - other) >= (high - low) / 2


def _side(task: Task, examples: Examples, split: str, row: int) -> Side:
    value = task.kind.present(float(examples.targets[row]))
    label = f"{value:.3g}" if task.kind.labels is None else str(value)
    return Side(split, examples.ids[row], tuple(column[row] for column in examples.texts), label)
