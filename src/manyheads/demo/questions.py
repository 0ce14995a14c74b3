"""Pairs of questions that ask the same thing or not. The frames around content words do not indicate which."""

from __future__ import annotations

import random

from manyheads.demo.lexicon import Lexicon, Questions


def paraphrase(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
    """Return two questions and whether they ask the same thing."""
    same = rng.random() < 0.5
    make = rng.choice((_how_to, _how_to, _how_to, _change, _help))
    first, second = make(rng, lexicon.questions, same)
    if rng.random() < 0.5:
        first, second = second, first
    return (first, second), str(int(same))


def _frames(rng: random.Random, frames: tuple[str, ...]) -> tuple[str, str]:
    """Return the frames of two questions. They are equal in half of the cases, independently of the label."""
    first = rng.choice(frames)
    return first, first if rng.random() < 0.5 else rng.choice([frame for frame in frames if frame != first])


def _how_to(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """Same: a synonym of the action on the same object. Not the same: another object or another action."""
    actions, objects = rng.choice(words.deeds)
    wanted, unwanted = rng.sample(objects, 2)
    action = rng.choice(actions)
    first, second = _frames(
        rng,
        (
            "How do I {action} {object}?",
            "What is the best way to {action} {object}?",
            "Can anyone tell me how to {action} {object}?",
            "I want to {action} {object}. Where do I start?",
            "Is there an easy method to {action} {object}?",
        ),
    )
    if same:
        return first.format(action=action[0], object=wanted), second.format(action=action[1], object=wanted)
    others = [other for other in actions if other != action]
    if others and rng.random() < 0.5:
        return first.format(action=action[0], object=wanted), second.format(action=rng.choice(others)[0], object=wanted)
    return first.format(action=action[0], object=wanted), second.format(
        action=action[rng.randrange(2)], object=unwanted
    )


def _change(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """Same: the same direction of a change. Not the same: the opposite direction."""
    source, target = rng.sample(rng.choice(words.swaps), 2)
    forward = (
        "How can I change from {source} to {target}?",
        "What is the way from {source} to {target}?",
        "I have {source} and need {target}. What do I do?",
        "Is it hard to go over to {target} from {source}?",
        "To get {target} in place of {source}, what should I do?",
    )
    first, second = _frames(rng, forward)
    if same:
        other = second if second != first else rng.choice([frame for frame in forward if frame != first])
        return first.format(source=source, target=target), other.format(source=source, target=target)
    return first.format(source=source, target=target), second.format(source=target, target=source)


def _help(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """Same: a wish, and avoiding its opposite. Not the same: a wish and its opposite, or a wish and avoiding it."""
    wish, contrary = rng.sample(rng.choice(words.settings), 2)
    towards = ("What helps people to {x}?", "How does one {x}?", "What should I do if I want to {x}?")
    away = ("What helps people not to {x}?", "How does one avoid having to {x}?", "What should I do so as not to {x}?")
    first, second = rng.sample(range(3), 2)
    pair = rng.randrange(3)
    if pair == 0:
        return towards[first].format(x=wish), towards[second].format(x=wish if same else contrary)
    if pair == 1:
        return away[first].format(x=wish), away[second].format(x=wish if same else contrary)
    return towards[first].format(x=wish), away[second].format(x=contrary if same else wish)
