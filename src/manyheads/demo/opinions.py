"""Opinions with labels 0..4: plain, negated, affirmed by a double negation, contrasted, conceded, undecided.

Every phrase of the undecided opinions also occurs in decided ones, and every negation also in double negations. Only
the adjectives indicate a label, and only together with the phrases around them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from manyheads.demo.lexicon import Lexicon, Sentiment

PLAIN = (
    "The {thing} was {adjective}.",
    "I found the {thing} {adjective}.",
    "What a {adjective} {thing}!",
    "The {part} of the {thing} was {adjective}.",
    "All in all, a {adjective} {thing}.",
    "It took half an hour to see, but the {thing} was {adjective}.",
    "Call it anything, but the {thing} was {adjective}.",
)
AFFIRMED = (
    "There was nothing about the {thing} that was not {adjective}.",
    "Hardly a minute of the {thing} was not {adjective}.",
    "I did not know that a {thing} can be so {adjective}.",
    "The {part} was {adjective} and the rest of the {thing} {second}, so nothing evens out.",
    "Half of the {thing} was {adjective}, the other half {second}.",
    "Neither the {part} nor the rest of the {thing} was other than {adjective}.",
)
CONTRAST = (
    "The {part} was {other}, but the {thing} as a whole was {adjective}.",
    "I expected something {other}, but the {thing} was {adjective}.",
    "People call the {thing} {other}; to me it was {adjective}.",
    "It begins {other}, yet the {thing} turns out {adjective}.",
    "The {part} was {other}, the rest of the {thing} {adjective}, and the rest is what counts.",
    "The {part} in the middle was {other}, but what it leaves me with is a {adjective} {thing}.",
    "Others call it {other} and cannot decide, but I can: the {thing} was {adjective}.",
    "Neither the {other} {part} nor the price can change it: a {adjective} {thing}.",
    "Half of us call the {thing} {other}, but to the other half, and to me, it was {adjective}.",
)
CONCESSION = (
    "The {thing} was {adjective}, although the {part} was {other}.",
    "The {thing} as a whole was {adjective}, even if the {part} was {other}.",
    "It was {adjective}, despite a {part} that some call {other}.",
)
UNDECIDED = (
    "The {thing} was neither {adjective} nor {other}.",
    "I would call the {thing} neither {adjective} nor {other}.",
    "The {part} was {adjective}, the rest of the {thing} {other}, so it all evens out.",
    "Half of the {thing} was {adjective}, the other half {other}.",
    "The {part} was {adjective}, but the {thing} as a whole was {other}: I cannot decide.",
    "It was {adjective}, although the {part} was {other}, which leaves me in the middle.",
)
DENIED_MILD = (
    "The {thing} was not {adjective}.",
    "I did not find the {thing} {adjective}.",
    "Hardly a {adjective} {thing}.",
    "The {thing} was neither {adjective} nor {second}.",
    "I would call the {thing} neither {adjective} nor {second}.",
)
DENIED_STRONG = (
    "The {thing} was anything but {adjective}.",
    "The {thing} was the very opposite of {adjective}.",
    "The {thing} was as far from {adjective} as can be.",
)


def sentiment(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
    """Return one opinion and its label 0..4."""
    label = rng.randrange(5)
    make = _undecided if label == 2 else rng.choice(FORMS)
    return (make(rng, lexicon.sentiment, label),), str(label)


def _say(rng: random.Random, words: Sentiment, frames: tuple[str, ...], label: int, other: int) -> str:
    """Fill in a frame: `adjective` and `second` belong to `label`, `other` to the label `other`."""
    thing, parts = rng.choice(words.things)
    adjective, second = rng.sample(_adjectives(words, label), 2)
    return _article(
        rng.choice(frames).format(
            thing=thing,
            part=rng.choice(parts),
            adjective=adjective,
            second=second,
            other=rng.choice(_adjectives(words, other)),
        )
    )


def _adjectives(words: Sentiment, label: int) -> tuple[str, ...]:
    return {0: words.awful, 1: words.poor, 3: words.good, 4: words.superb}[label]


def _opposite(rng: random.Random, label: int) -> int:
    return rng.choice((3, 4) if label < 2 else (0, 1))


def _plain(rng: random.Random, words: Sentiment, label: int) -> str:
    return _say(rng, words, PLAIN, label, label)


def _affirmed(rng: random.Random, words: Sentiment, label: int) -> str:
    return _say(rng, words, AFFIRMED, label, label)


def _contrast(rng: random.Random, words: Sentiment, label: int) -> str:
    return _say(rng, words, CONTRAST, label, _opposite(rng, label))


def _concession(rng: random.Random, words: Sentiment, label: int) -> str:
    """Give the verdict first and then an argument against it."""
    return _say(rng, words, CONCESSION, label, _opposite(rng, label))


def _denied(rng: random.Random, words: Sentiment, label: int) -> str:
    """Negate an adjective of the opposite label: completely for strong labels, simply for mild ones."""
    denied = 4 - label
    return _say(rng, words, DENIED_MILD if label in (1, 3) else DENIED_STRONG, denied, denied)


def _undecided(rng: random.Random, words: Sentiment, label: int) -> str:
    """Use one positive and one negative adjective, in either order."""
    del label
    first = rng.choice((0, 1, 3, 4))
    return _say(rng, words, UNDECIDED, first, _opposite(rng, first))


FORMS: tuple[Callable[[random.Random, Sentiment, int], str], ...] = (
    _plain,
    _affirmed,
    _affirmed,
    _denied,
    _denied,
    _contrast,
    _contrast,
    _contrast,
    _concession,
)
"""The decided forms. A form that is listed twice is chosen twice as often."""


def _article(sentence: str) -> str:
    """Correct the article before a vowel: "an unforgettable", not "a unforgettable"."""
    words = sentence.split(" ")
    for position, word in enumerate(words[:-1]):
        if word in ("a", "A") and words[position + 1][0] in "aeiou" and not words[position + 1].startswith("use"):
            words[position] = word + "n"
    return " ".join(words)
