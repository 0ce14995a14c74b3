"""Turn examples into splits. Each distinct text of all examples is tokenised once into one store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

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
    texts = Joined(column for examples in parts for column in examples.texts)
    names = [f"{examples.key}:{len(examples)}" for examples in parts if examples.key]
    if cache is not None and len(names) == len(parts):
        store, index = tokenise_named(texts, names, tokenizer, cache)
    else:
        store, wide = tokenise(texts, tokenizer, cache)
        index = converted(wide, np.int32)
    splits, position = [], 0
    for examples in parts:
        count, columns = len(examples), len(examples.texts)
        split = Split(
            task=tasks[examples.task],
            ids=examples.ids,
            text_index=index[position : position + count * columns].reshape(columns, count).T,
            targets=converted(examples.targets, np.float32),
            lines=examples.lines,
            groups=examples.groups,
            soft=None if examples.soft is None else converted(examples.soft, np.float32),
            weights=None if examples.weights is None else converted(examples.weights, np.float32),
        )
        position += count * columns
        splits.append(split)
    return store, splits
