"""The generator of the demo corpus: `python -m manyheads.demo.generate [--out FOLDER]`. The same bytes every time.

Frames (the words between content words) are shared by training and dev, content words are not. Labels hang on what a
bag of words cannot see: negation, contrast, who does what to whom, and different words for the same thing.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from manyheads.demo.lexicon import DEV, TRAIN, Lexicon, Questions, Scenes, Sentiment

SEED = 20
SIZES = {"train": 800, "dev": 250}
CORPUS = Path(__file__).parent / "corpus"

Row = tuple[str, ...]
Maker = Callable[[random.Random, Lexicon], tuple[Row, str]]


def sentiment(rng: random.Random, lexicon: Lexicon) -> tuple[Row, str]:
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
        ("The {thing} was {adjective}.", "I found the {thing} {adjective}.", "What a {adjective} {thing}!",
         "The {part} of the {thing} was {adjective}.", "All in all, a {adjective} {thing}.")
    )
    return _article(frame.format(thing=rng.choice(words.things), part=rng.choice(words.parts), adjective=_adjective(rng, words, label)))


def _negated(rng: random.Random, words: Sentiment, label: int) -> str:
    """Strong labels by denying the other end altogether, mild ones by denying a mild word."""
    frames, adjective = {
        0: (("The {thing} was anything but {adjective}.", "There was nothing {adjective} about the {thing}."), words.superb),
        1: (("The {thing} was not {adjective}.", "I did not find the {thing} {adjective}.", "Hardly a {adjective} {thing}."), words.good),
        3: (("The {thing} was not {adjective}.", "I did not find the {thing} {adjective}.", "Hardly a {adjective} {thing}."), words.poor),
        4: (("The {thing} was anything but {adjective}.", "There was nothing {adjective} about the {thing}."), words.awful),
    }[label]
    return _article(rng.choice(frames).format(thing=rng.choice(words.things), adjective=rng.choice(adjective)))


def _contrast(rng: random.Random, words: Sentiment, label: int) -> str:
    frame = rng.choice(
        ("The {part} was {other}, but the {thing} as a whole was {adjective}.",
         "I expected something {other}, but the {thing} was {adjective}.",
         "People call the {thing} {other}; to me it was {adjective}.",
         "It begins {other}, yet the {thing} turns out {adjective}.",
         "I had feared it would be neither this nor that, half {other} and half not; the {thing} was {adjective}.")
    )
    return frame.format(
        part=rng.choice(words.parts), thing=rng.choice(words.things), other=_opposite(rng, words, label),
        adjective=_adjective(rng, words, label),
    )


def _concession(rng: random.Random, words: Sentiment, label: int) -> str:
    """The verdict first, what speaks against it after."""
    frame = rng.choice(
        ("The {thing} was {adjective}, although the {part} was {other}.",
         "The {thing} as a whole was {adjective}, even if the {part} was {other}.",
         "It was {adjective}, despite a {part} that some call {other}.")
    )
    return frame.format(
        part=rng.choice(words.parts), thing=rng.choice(words.things), other=_opposite(rng, words, label),
        adjective=_adjective(rng, words, label),
    )


def _undecided(rng: random.Random, words: Sentiment, label: int) -> str:
    del label
    first, second = _adjective(rng, words, rng.choice((3, 4))), _adjective(rng, words, rng.choice((0, 1)))
    if rng.random() < 0.5:
        first, second = second, first
    frame = rng.choice(
        ("The {thing} was neither {first} nor {second}.", "I would call the {thing} neither {first} nor {second}.",
         "The {part} was {first}, the rest of the {thing} {second}, so it evens out.",
         "Half of the {thing} was {first}, the other half {second}.",
         "The {thing} begins at nine, and the {part} is part of it.")
    )
    return frame.format(thing=rng.choice(words.things), part=rng.choice(words.parts), first=first, second=second)


def paraphrase(rng: random.Random, lexicon: Lexicon) -> tuple[Row, str]:
    """Two questions and whether they ask the same."""
    same = rng.random() < 0.5
    make = rng.choice((_how_to, _how_to, _how_to, _change, _help))
    first, second = make(rng, lexicon.questions, same)
    if rng.random() < 0.5:
        first, second = second, first
    return (first, second), str(int(same))


def _frames(rng: random.Random, frames: tuple[str, ...]) -> tuple[str, str]:
    """The frames of two questions, the same one half of the time whatever the answer: frames must not tell it."""
    first = rng.choice(frames)
    return first, first if rng.random() < 0.5 else rng.choice([frame for frame in frames if frame != first])


def _how_to(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """The same: other words for the action on the same object. Not the same: another object, or another action."""
    actions, objects = rng.choice(words.deeds)
    wanted, unwanted = rng.sample(objects, 2)
    action = rng.choice(actions)
    first, second = _frames(
        rng,
        ("How do I {action} {object}?", "What is the best way to {action} {object}?",
         "Can anyone tell me how to {action} {object}?", "I want to {action} {object}. Where do I start?",
         "Is there an easy method to {action} {object}?"),
    )
    if same:
        return first.format(action=action[0], object=wanted), second.format(action=action[1], object=wanted)
    others = [other for other in actions if other != action]
    if others and rng.random() < 0.5:
        return first.format(action=action[0], object=wanted), second.format(action=rng.choice(others)[0], object=wanted)
    return first.format(action=action[0], object=wanted), second.format(action=action[rng.randrange(2)], object=unwanted)


def _change(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """Directions: from one thing to another, or back."""
    source, target = rng.sample(rng.choice(words.swaps), 2)
    forward = (
        "How can I change from {source} to {target}?", "What is the way from {source} to {target}?",
        "I have {source} and need {target}. What do I do?", "Is it hard to go over to {target} from {source}?",
        "To get {target} in place of {source}, what should I do?",
    )
    first, second = _frames(rng, forward)
    if same:
        other = second if second != first else rng.choice([frame for frame in forward if frame != first])
        return first.format(source=source, target=target), other.format(source=source, target=target)
    return first.format(source=source, target=target), second.format(source=target, target=source)


def _help(rng: random.Random, words: Questions, same: bool) -> tuple[str, str]:
    """Wishes and their contraries: to do a thing is not to avoid it, and to avoid its contrary is the same."""
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


def similarity(rng: random.Random, lexicon: Lexicon) -> tuple[Row, str]:
    """Two sentences and how alike they are, 0 to 5: few shared words at the top, many in the middle."""
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
    """A sentence of its parts; several people "are" where one "is"."""
    if who.split()[0] in ("two", "three", "some", "several") or who.startswith(("a pair", "a trio")):
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
    """The same deed by another in another place."""
    who, what, where = _scene(rng, words)
    return _say(who[0], what[0], where[0]), _say(_other(rng, words.who, who)[0], what[rng.randrange(2)], _other(rng, words.where, where)[0])


def _same_frame(rng: random.Random, words: Scenes) -> tuple[str, str]:
    """The same person or place, to the letter, and another deed."""
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


TASKS: dict[str, tuple[tuple[str, ...], str, Maker]] = {
    "sentiment": (("sentence",), "sentiment", sentiment),
    "paraphrase": (("sentence1", "sentence2"), "is_paraphrase", paraphrase),
    "similarity": (("sentence1", "sentence2"), "similarity", similarity),
}


def rows(task: str, split: str) -> Iterator[str]:
    """The lines of one file, header first; no text (or pair) stands twice."""
    texts, label, make = TASKS[task]
    yield "\t".join(("id", *texts, label)) + "\n"
    rng = random.Random(f"{SEED}/{task}/{split}")
    lexicon = TRAIN if split == "train" else DEV
    seen: set[Row] = set()
    while len(seen) < SIZES[split]:
        row, target = make(rng, lexicon)
        if row not in seen:
            seen.add(row)
            yield "\t".join((f"{task[:4]}-{split}-{len(seen):04d}", *row, target)) + "\n"


def write(folder: Path) -> None:
    """Write all six files."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        for split in SIZES:
            (folder / f"{task}-{split}.tsv").write_text("".join(rows(task, split)), encoding="utf-8", newline="")


def _article(sentence: str) -> str:
    """"A unforgettable" reads "an unforgettable"."""
    words = sentence.split(" ")
    for position, word in enumerate(words[:-1]):
        if word in ("a", "A") and words[position + 1][0] in "aeiou" and not words[position + 1].startswith("use"):
            words[position] = word + "n"
    return " ".join(words)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the demo corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS, help="the folder for its six files")
    write(parser.parse_args().out)
