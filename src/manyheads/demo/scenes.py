"""Pairs of scenes with a similarity from 0 to 5. The most similar pairs share few words, those in the middle many."""

from __future__ import annotations

import random

from manyheads.demo.lexicon import Lexicon, Scenes


def similarity(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
    """Return two sentences and their similarity from 0 to 5."""
    level = rng.randrange(6)
    make = {0: _unrelated, 1: _same_frame, 2: _one_shared, 3: _detail_changed, 4: _detail_lost, 5: _reworded}[level]
    first, second = make(rng, lexicon.scenes)
    score = min(5.0, max(0.0, level + rng.choice((-0.4, -0.2, 0.0, 0.0, 0.2, 0.4))))
    if rng.random() < 0.5:
        first, second = second, first
    return (first, second), f"{score:.1f}"


Scene = tuple[tuple[str, str], tuple[str, str], tuple[str, str]]


def _scene(rng: random.Random, words: Scenes) -> Scene:
    return rng.choice(words.who), rng.choice(words.what), rng.choice(words.where)


def _say(who: str, what: str, where: str = "") -> str:
    """Join the parts to a sentence, with a plural verb for several people."""
    if who.split(maxsplit=1)[0] in ("two", "four", "some", "several") or who.startswith(("a pair", "a quartet")):
        what = what.replace("is ", "are ", 1).replace("sits ", "sit ", 1)
    sentence = " ".join(part for part in (who, what, where) if part)
    return sentence[0].upper() + sentence[1:] + "."


def _other(rng: random.Random, choices: tuple[tuple[str, str], ...], than: tuple[str, str]) -> tuple[str, str]:
    return rng.choice([choice for choice in choices if choice != than])


def _reworded(rng: random.Random, words: Scenes) -> tuple[str, str]:
    if rng.random() < 0.4:
        first, second = rng.choice(words.facts)
        return f"{first}.", f"{second}."
    who, what, where = _scene(rng, words)
    return _say(who[0], what[0], where[0]), _say(who[1], what[1], where[0] if rng.random() < 0.3 else where[1])


def _detail_lost(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    return _say(who[0], what[0], where[0]), _say(who[rng.randrange(2)], what[1])


def _detail_changed(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    wording = rng.randrange(2)
    if rng.random() < 0.5:
        return _say(who[0], what[0], where[0]), _say(who[wording], what[wording], _other(rng, words.where, where)[0])
    return _say(who[0], what[0], where[0]), _say(_other(rng, words.who, who)[0], what[wording], where[wording])


def _one_shared(rng: random.Random, words: Scenes) -> tuple[str, str]:
    """The same action by someone else in another place."""
    who, what, where = _scene(rng, words)
    return _say(who[0], what[0], where[0]), _say(
        _other(rng, words.who, who)[0], what[rng.randrange(2)], _other(rng, words.where, where)[0]
    )


def _same_frame(rng: random.Random, words: Scenes) -> tuple[str, str]:
    """The same person or place in the same words, and another action."""
    who, what, where = _scene(rng, words)
    deed = _other(rng, words.what, what)[0]
    if rng.random() < 0.5:
        return _say(who[0], what[0], where[0]), _say(_other(rng, words.who, who)[0], deed, where[0])
    return _say(who[0], what[0], where[0]), _say(who[0], deed, _other(rng, words.where, where)[0])


def _unrelated(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    fact = rng.choice(words.facts)
    if rng.random() < 0.5:
        return _say(who[0], what[0], where[0]), f"{fact[rng.randrange(2)]}."
    other = _other(rng, words.facts, fact)
    return f"{fact[0]}.", f"{other[rng.randrange(2)]}."
