"""The demo corpus is reproducible and balanced, and dev uses content words that are not in training."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest

from manyheads.demo.generate import CORPUS, SIZES, TASKS, write
from manyheads.demo.lexicon import DEV, TRAIN, Lexicon


def rows(task: str, split: str) -> list[list[str]]:
    lines = (CORPUS / f"{task}-{split}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def strings(value: object) -> list[str]:
    """Return all strings in nested tuples."""
    if isinstance(value, str):
        return [value]
    return [text for each in value for text in strings(each)] if isinstance(value, tuple) else []


GLUE = words(
    "a an the of to in on at by with from out up over his her him by its for is are head put before about no not "
    "get some was"
)
"""Articles, prepositions and auxiliaries in the phrases of the lexicons. They are not content words."""


def content(lexicon: Lexicon) -> set[str]:
    """Return the content words of a lexicon."""
    found: set[str] = set()
    for part in fields(lexicon):
        table = getattr(lexicon, part.name)
        for column in fields(table):
            found |= words(" ".join(strings(getattr(table, column.name))))
    return found - GLUE


def test_the_generator_writes_the_shipped_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    shipped = {file.name: file.read_bytes() for file in CORPUS.iterdir()}
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == shipped


def stem(word: str) -> str:
    """Return a word without its common endings."""
    return re.sub(r"(?<=\w{3})(ing|ed|es|er|s|e|y)$", "", word)


def test_no_content_word_of_dev_occurs_in_training_even_inflected() -> None:
    assert {stem(word) for word in content(TRAIN)} & {stem(word) for word in content(DEV)} == set()
    for task in TASKS:
        train = words(" ".join(" ".join(row[1:-1]) for row in rows(task, "train")))
        assert train & content(DEV) == set(), task


@pytest.mark.parametrize("task", list(TASKS))
def test_sizes_ids_and_balance(task: str) -> None:
    train, dev = rows(task, "train"), rows(task, "dev")
    assert len(train) >= 600
    assert len(dev) >= 200
    ids = [row[0] for row in train + dev]
    assert len(set(ids)) == len(ids)
    shares = [count / len(dev) for count in Counter(round(float(row[-1])) for row in dev).values()]
    assert min(shares) > 0.4 / len(shares)


@pytest.mark.parametrize("task", list(TASKS))
def test_no_pair_occurs_twice_in_either_order(task: str) -> None:
    texts = [frozenset(row[1:-1]) for split in ("train", "dev") for row in rows(task, split)]
    assert len(set(texts)) == len(texts)


def test_no_dev_text_occurs_in_the_training_files_of_any_task() -> None:
    train, dev = ({text for task in TASKS for row in rows(task, split) for text in row[1:-1]} for split in SIZES)
    assert train & dev == set()


@pytest.mark.parametrize("task", list(TASKS))
def test_indefinite_articles_agree(task: str) -> None:
    texts = " ".join(text for split in SIZES for row in rows(task, split) for text in row[1:-1])
    assert re.findall(r"\b[Aa] (?!use|one)[aeiou]\w+|\b[Aa]n (?!hour)[^aeiou\W]\w+", texts) == []
