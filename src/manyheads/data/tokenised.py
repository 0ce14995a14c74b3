"""Turn examples into splits. Each distinct text of all examples is tokenised once into one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import converted
from manyheads.data.dataset import Split
from manyheads.data.examples import Examples
from manyheads.data.strings import Joined
from manyheads.data.texts import TextStore, tokenise, tokenise_named
from manyheads.data.tokenizer import Tokenizer
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
    texts = Joined(column for examples in distinct for column in examples.texts)
    names = [f"{examples.key}:{len(examples)}" for examples in distinct if examples.key]
    if cache is not None and len(names) == len(distinct):
        store, index = tokenise_named(texts, names, tokenizer, cache)
    else:
        store, wide = tokenise(texts, tokenizer, cache)
        index = converted(wide, np.int32)
    places: dict[int, NDArray[np.int32]] = {}
    position = 0
    for examples in distinct:
        count, columns = len(examples), len(examples.texts)
        places[id(examples.texts)] = index[position : position + count * columns].reshape(columns, count).T
        position += count * columns
    splits = [
        Split(
            task=tasks[examples.task],
            ids=examples.ids,
            text_index=places[id(examples.texts)],
            targets=converted(examples.targets, np.float32),
            lines=examples.lines,
            groups=examples.groups,
            soft=None if examples.soft is None else converted(examples.soft, np.float32),
            weights=None if examples.weights is None else converted(examples.weights, np.float32),
        )
        for examples in parts
    ]
    return store, splits
