"""Turn examples into splits. Each distinct text of all examples is tokenised once into one store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import Joined, converted
from manyheads.data.cache import ArrayFile, entry
from manyheads.data.dataset import Split
from manyheads.data.examples import Examples
from manyheads.data.texts import VERSION, TextStore, tokenise, tokenise_named
from manyheads.data.tokenizer import Tokenizer
from manyheads.ragged import Ragged
from manyheads.tasks.task import Task


def tokenise_examples(
    parts: Sequence[Examples], tasks: Mapping[str, Task], tokenizer: Tokenizer, cache: Path | None
) -> tuple[TextStore, list[Split]]:
    """Tokenise the distinct texts of several sets of examples. Return the store, and the split of each set."""
    # Tasks that read the same rows share their texts.
    first: dict[int, Examples] = {}
    for examples in parts:
        first.setdefault(id(examples.texts), examples)
    distinct = list(first.values())
    texts = Joined(column for examples in distinct for column in examples.all_texts)
    names = [f"{examples.key}:{len(examples)}" for examples in distinct if examples.key]
    if cache is not None and len(names) == len(distinct):
        store, index = tokenise_named(texts, names, tokenizer, cache)
    else:
        store, wide = tokenise(texts, tokenizer, cache)
        index = converted(wide, np.int32)
    places: dict[int, NDArray[np.int32]] = {}
    candidates: dict[int, Ragged] = {}
    position = 0
    for examples in distinct:
        count, columns = len(examples), len(examples.texts)
        places[id(examples.texts)] = index[position : position + count * columns].reshape(columns, count).T
        position += count * columns
        if examples.candidates is not None:
            total = len(examples.candidates.lists.values)
            own = examples.candidates.lists.offsets
            candidates[id(examples.texts)] = Ragged(index[position : position + total], own)
            position += total
    splits = [
        Split(
            task=tasks[examples.task],
            ids=examples.ids,
            text_index=places[id(examples.texts)],
            targets=converted(examples.targets, np.float32),
            lines=examples.lines,
            groups=examples.groups,
            unknown=examples.unknown,
            soft=None if examples.soft is None else converted(examples.soft, np.float32),
            weights=None if examples.weights is None else converted(examples.weights, np.float32),
            words=_with_tokens(examples, tokenizer, cache),
            candidates=candidates.get(id(examples.texts)),
        )
        for examples in parts
    ]
    return store, splits


def with_tokens(texts: Iterable[str], words: Ragged, tokenizer: Tokenizer) -> Ragged:
    """Return words, int64[N, 2], with the first token of each: int64[N, 3]; see `Split.words`."""
    tokens = Ragged(np.concatenate([np.zeros(0, np.int32), *tokenizer.first_tokens(texts, words)]), words.offsets)
    return Ragged(np.column_stack([words.values, tokens.values]).astype(np.int64), words.offsets)


def _with_tokens(examples: Examples, tokenizer: Tokenizer, cache: Path | None) -> Ragged | None:
    """Return the words of examples with their first tokens, from the cache if they were found before."""
    words = examples.words
    if words is None:
        return None
    if cache is None or not examples.key:
        return with_tokens(examples.texts[0], words, tokenizer)

    def fill(folder: Path) -> None:
        with ArrayFile(folder, "places", np.int64) as file:
            file.append(with_tokens(examples.texts[0], words, tokenizer).values)

    name = hashlib.sha256(f"{VERSION}/{tokenizer.fingerprint}/{examples.key}".encode()).hexdigest()
    return Ragged(entry(cache / "first_tokens" / name, fill)["places"].reshape(-1, 3), words.offsets)
