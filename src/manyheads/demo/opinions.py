"""Opinions and their labels 0..4: plain, denied, contrasted, conceded, undecided."""

from __future__ import annotations

import random

from manyheads.demo.lexicon import Lexicon, Sentiment


def sentiment(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
    """One opinion and its label 0..4."""
    words = lexicon.sentiment
    label = rng.randrange(5)
    make = rng.choice((_plain, _negated, _contrast, _contrast, _concession)) if label != 2 else _undecided
    return (make(rng, words, label),), str(label)


def _adjective(rng: random.Random, words: Sentiment, label: int) -> str:
    return rng.choice({0: words.awful, 1: words.poor, 3: words.good, 4: words.superb}[label])


def _opposite(rng: random.Random, words: Sentiment, label: int) -> str:
    return _adjective(rng, words, rng.choice((3, 4) if label < 2 else (0, 1)))


def _plain(rng: random.Random, words: Sentiment, label: int) -> str:
    frame = rng.choice(
        (
            "The {thing} was {adjective}.",
            "I found the {thing} {adjective}.",
            "What a {adjective} {thing}!",
            "The {part} of the {thing} was {adjective}.",
            "All in all, a {adjective} {thing}.",
        )
    )
    return _article(
        frame.format(
            thing=rng.choice(words.things), part=rng.choice(words.parts), adjective=_adjective(rng, words, label)
        )
    )


def _negated(rng: random.Random, words: Sentiment, label: int) -> str:
    """Strong labels by denying the other end altogether, mild ones by denying a mild word."""
    frames, adjective = {
        0: (
            ("The {thing} was anything but {adjective}.", "There was nothing {adjective} about the {thing}."),
            words.superb,
        ),
        1: (
            (
                "The {thing} was not {adjective}.",
                "I did not find the {thing} {adjective}.",
                "Hardly a {adjective} {thing}.",
            ),
            words.good,
        ),
        3: (
            (
                "The {thing} was not {adjective}.",
                "I did not find the {thing} {adjective}.",
                "Hardly a {adjective} {thing}.",
            ),
            words.poor,
        ),
        4: (
            ("The {thing} was anything but {adjective}.", "There was nothing {adjective} about the {thing}."),
            words.awful,
        ),
    }[label]
    return _article(rng.choice(frames).format(thing=rng.choice(words.things), adjective=rng.choice(adjective)))


def _contrast(rng: random.Random, words: Sentiment, label: int) -> str:
    frame = rng.choice(
        (
            "The {part} was {other}, but the {thing} as a whole was {adjective}.",
            "I expected something {other}, but the {thing} was {adjective}.",
            "People call the {thing} {other}; to me it was {adjective}.",
            "It begins {other}, yet the {thing} turns out {adjective}.",
            "I had feared it would be neither this nor that, half {other} and half not; the {thing} was {adjective}.",
        )
    )
    return frame.format(
        part=rng.choice(words.parts),
        thing=rng.choice(words.things),
        other=_opposite(rng, words, label),
        adjective=_adjective(rng, words, label),
    )


def _concession(rng: random.Random, words: Sentiment, label: int) -> str:
    """The verdict first, what speaks against it after."""
    frame = rng.choice(
        (
            "The {thing} was {adjective}, although the {part} was {other}.",
            "The {thing} as a whole was {adjective}, even if the {part} was {other}.",
            "It was {adjective}, despite a {part} that some call {other}.",
        )
    )
    return frame.format(
        part=rng.choice(words.parts),
        thing=rng.choice(words.things),
        other=_opposite(rng, words, label),
        adjective=_adjective(rng, words, label),
    )


def _undecided(rng: random.Random, words: Sentiment, label: int) -> str:
    del label
    first, second = _adjective(rng, words, rng.choice((3, 4))), _adjective(rng, words, rng.choice((0, 1)))
    if rng.random() < 0.5:
        first, second = second, first
    frame = rng.choice(
        (
            "The {thing} was neither {first} nor {second}.",
            "I would call the {thing} neither {first} nor {second}.",
            "The {part} was {first}, the rest of the {thing} {second}, so it evens out.",
            "Half of the {thing} was {first}, the other half {second}.",
            "The {thing} begins at nine, and the {part} is part of it.",
        )
    )
    return frame.format(thing=rng.choice(words.things), part=rng.choice(words.parts), first=first, second=second)


def _article(sentence: str) -> str:
    """ "A unforgettable" reads "an unforgettable"."""
    words = sentence.split(" ")
    for position, word in enumerate(words[:-1]):
        if word in ("a", "A") and words[position + 1][0] in "aeiou" and not words[position + 1].startswith("use"):
            words[position] = word + "n"
    return " ".join(words)
