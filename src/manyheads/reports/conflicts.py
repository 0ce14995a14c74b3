"""Label conflicts: near-duplicate texts with conflicting labels. Either a label is wrong, or one word decides."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from manyheads.data.examples import Examples
from manyheads.data.split import draw
from manyheads.reports.keys import stored_as
from manyheads.tasks.task import Task

NEAR_DUPLICATE = 0.8
"""Smallest similarity of near-duplicates: the Jaccard similarity of their words, with repetitions counted."""

SHOWN = 8
MOST_DEV, MOST_TRAIN = 5_000, 50_000
"""Maximum number of examples that are compared. Larger sets are sampled with a fixed seed."""

MOST_FOUND = 2_000

Words = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Side:
    """One example of a conflict: its split, id, texts and label."""

    split: str
    id: str
    texts: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Conflict:
    """Two near-duplicates with conflicting labels. The first one is a dev example."""

    similarity: float = field(metadata=stored_as("alike"))
    dev: Side
    other: Side


@dataclass(frozen=True)
class Conflicts:
    """The conflicts with the highest similarity, the number of all, and the numbers of examples that were compared."""

    shown: tuple[Conflict, ...]
    count: int = field(metadata=stored_as("found"))
    dev_examples: int
    train_examples: int


def find_conflicts(task: Task, dev: Examples, train: Examples, shown: int = SHOWN) -> Conflicts:
    """Compare dev examples with each other and with training examples.

    Classes conflict if they differ, values if they differ by at least half the range. Only pairs that share one of
    their rarest words are compared, which misses no near-duplicates (prefix filtering; Chaudhuri et al. 2006, Bayardo
    et al. 2007).
    """
    dev, train = draw(dev, MOST_DEV), draw(train, MOST_TRAIN)
    pairs = sorted(_pairs(task, dev, train), key=lambda each: -each[0])
    most_similar = [
        Conflict(
            similarity,
            _side(task, dev, "dev", one),
            _side(task, *((dev, "dev") if inside else (train, "train")), other),
        )
        for similarity, one, other, inside in pairs[:shown]
    ]
    return Conflicts(tuple(most_similar), len(pairs), len(dev), len(train))


def _pairs(task: Task, dev: Examples, train: Examples) -> Iterator[tuple[float, int, int, bool]]:
    """Yield (similarity, dev example, other example, whether the other one is a dev example) of every conflict."""
    dev_words, train_words = _words(dev), _words(train)
    counts = Counter(word for words in (*dev_words, *train_words) for word in words)
    index: dict[tuple[str, int], list[int]] = defaultdict(list)
    count = 0
    for inside, examples, all_words in ((True, dev, dev_words), (False, train, train_words)):
        for number, words in enumerate(all_words):
            prefix = len(words) - math.ceil(NEAR_DUPLICATE * len(words)) + 1
            rare = sorted(words, key=lambda word: (counts[word], word))[:prefix]
            for candidate in sorted({each for word in rare for each in index.get(word, ())}):
                if not task.kind.conflict(dev.targets[candidate], examples.targets[number]):
                    continue
                similarity = _similarity(words, dev_words[candidate])
                if similarity >= NEAR_DUPLICATE:
                    yield similarity, candidate, number, inside
                    count += 1
                    if count >= MOST_FOUND:
                        return
            if inside:
                for word in rare:
                    index[word].append(number)


def _words(examples: Examples) -> list[Words]:
    """Return the words of each example, with both texts of a pair joined. Repetitions of a word are distinct words."""
    return [_numbered(re.findall(r"\w+", " ".join(row).casefold())) for row in zip(*examples.texts, strict=True)]


def _numbered(words: Sequence[str]) -> Words:
    seen: Counter[str] = Counter()
    numbered = []
    for word in words:
        numbered.append((word, seen[word]))
        seen[word] += 1
    return frozenset(numbered)


def _similarity(one: Words, other: Words) -> float:
    shorter, longer = sorted((len(one), len(other)))
    if shorter < NEAR_DUPLICATE * longer:
        return 0.0
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def _side(task: Task, examples: Examples, split: str, row: int) -> Side:
    label = task.kind.show(examples.targets[row])
    return Side(split, examples.ids[row], tuple(column[row] for column in examples.texts), label)
