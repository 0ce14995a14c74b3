"""Generate the demo corpus: `python -m manyheads.demo.generate [--out FOLDER]`. The bytes are always the same.

The texts are opinions with labels 0..4, pairs of questions, and pairs of scenes. Training and dev share the frames (the
words between content words) but no content words. Labels depend on properties that a bag of words cannot represent:
negation, contrast, who does what to whom, and synonyms. Every phrase of the undecided opinions also occurs in decided
ones, and every negation also in double negations. Only the adjectives indicate a label, and only together with the
phrases around them.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from manyheads.demo.lexicon import DEV, TRAIN, Lexicon, Questions, Scenes, Sentiment
from manyheads.errors import DataError
from manyheads.run.atomic import write_text

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


def _sentiment(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
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


def _paraphrase(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
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


def _similarity(rng: random.Random, lexicon: Lexicon) -> tuple[tuple[str, ...], str]:
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


def _sentence(who: str, what: str, where: str = "") -> str:
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
    return _sentence(who[0], what[0], where[0]), _sentence(
        who[1], what[1], where[0] if rng.random() < 0.3 else where[1]
    )


def _detail_lost(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    return _sentence(who[0], what[0], where[0]), _sentence(who[rng.randrange(2)], what[1])


def _detail_changed(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    wording = rng.randrange(2)
    if rng.random() < 0.5:
        return _sentence(who[0], what[0], where[0]), _sentence(
            who[wording], what[wording], _other(rng, words.where, where)[0]
        )
    return _sentence(who[0], what[0], where[0]), _sentence(
        _other(rng, words.who, who)[0], what[wording], where[wording]
    )


def _one_shared(rng: random.Random, words: Scenes) -> tuple[str, str]:
    """The same action by someone else in another place."""
    who, what, where = _scene(rng, words)
    return _sentence(who[0], what[0], where[0]), _sentence(
        _other(rng, words.who, who)[0], what[rng.randrange(2)], _other(rng, words.where, where)[0]
    )


def _same_frame(rng: random.Random, words: Scenes) -> tuple[str, str]:
    """The same person or place in the same words, and another action."""
    who, what, where = _scene(rng, words)
    deed = _other(rng, words.what, what)[0]
    if rng.random() < 0.5:
        return _sentence(who[0], what[0], where[0]), _sentence(_other(rng, words.who, who)[0], deed, where[0])
    return _sentence(who[0], what[0], where[0]), _sentence(who[0], deed, _other(rng, words.where, where)[0])


def _unrelated(rng: random.Random, words: Scenes) -> tuple[str, str]:
    who, what, where = _scene(rng, words)
    fact = rng.choice(words.facts)
    if rng.random() < 0.5:
        return _sentence(who[0], what[0], where[0]), f"{fact[rng.randrange(2)]}."
    other = _other(rng, words.facts, fact)
    return f"{fact[0]}.", f"{other[rng.randrange(2)]}."


SEED = 20

SIZES = {"train": 800, "dev": 250}

CORPUS = Path(__file__).parent / "corpus"

Row = tuple[str, ...]

Maker = Callable[[random.Random, Lexicon], tuple[Row, str]]

TASKS: dict[str, tuple[tuple[str, ...], str, Maker]] = {
    "sentiment": (("sentence",), "sentiment", _sentiment),
    "paraphrase": (("sentence1", "sentence2"), "is_paraphrase", _paraphrase),
    "similarity": (("sentence1", "sentence2"), "similarity", _similarity),
}


def rows(task: str, split: str) -> Iterator[str]:
    """Yield the lines of one file, header first. No text occurs twice, and no pair in either order."""
    texts, label, make = TASKS[task]
    yield "\t".join(("id", *texts, label)) + "\n"
    rng = random.Random(f"{SEED}/{task}/{split}")
    lexicon = TRAIN if split == "train" else DEV
    seen: set[frozenset[str]] = set()
    while len(seen) < SIZES[split]:
        row, target = make(rng, lexicon)
        if frozenset(row) not in seen:
            seen.add(frozenset(row))
            yield "\t".join((f"{task[:4]}-{split}-{len(seen):04d}", *row, target)) + "\n"


def write(folder: Path) -> None:
    """Write all six files."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        for split in SIZES:
            (folder / f"{task}-{split}.tsv").write_text("".join(rows(task, split)), encoding="utf-8", newline="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the demo corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS, help="folder for the six files")
    write(parser.parse_args().out)

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sentiment": ("reviews", ("id", "text", "stars")),
    "paraphrase": ("questions", ("id", "question1", "question2", "same")),
    "similarity": ("sentences", ("id", "sentence1", "sentence2", "similarity")),
}
"""For each task of the corpus: the name of its CSV files, and their header."""


def write_csv_files(folder: Path) -> dict[Path, int]:
    """Write the training and the dev rows of every task into `folder`, and return the path and row count of each file.

    The folder is created if it is absent. Files that already have the right content are left as they are.

    Raises:
        DataError: a file of that name exists and has other content. Nothing is written in this case.
        RunError: the folder cannot be written.
    """
    contents = {
        folder / f"{name}{ending}.csv": _csv(task, split, header)
        for split, ending in (("train", ""), ("dev", "-dev"))
        for task, (name, header) in TABLES.items()
    }
    present = [path for path in contents if path.exists() or path.is_symlink()]
    for path in present:
        if not path.is_file() or path.read_bytes() != contents[path][0].encode("utf-8"):
            raise DataError(
                "the file already exists and has other content",
                where=str(path),
                hint="choose another folder, or move the file away",
            )
    for path, (content, _) in contents.items():
        if path not in present:
            write_text(path, content)
    return {path: rows for path, (_, rows) in contents.items()}


def _csv(task: str, split: str, header: tuple[str, ...]) -> tuple[str, int]:
    """Return one file of the corpus as CSV text, and its number of rows."""
    lines = (CORPUS / f"{task}-{split}.tsv").read_text(encoding="utf-8").splitlines()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(line.split("\t") for line in lines[1:])
    return text.getvalue(), len(lines) - 1
