"""Rows that several splits read: they are found, and each distinct row is encoded once for all splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import TOKEN_BUDGET, Batch, batches_by_length
from manyheads.data.dataset import Split, assemble_shared, lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.ragged import Ragged, Rows, offsets_of

Ints = NDArray[np.int64]


def same_rows(splits: Sequence[Split]) -> list[list[int]]:
    """Return groups of splits whose rows are encoded together: the places of the splits, in their order.

    Two splits are in one group if they encode their texts in the same way and at least half of the distinct texts of
    one of them are texts of the other. So are the tasks of a stream.
    """
    forms = [_form(each) for each in splits]
    groups: list[list[int]] = []
    texts: list[Ints] = []
    for place, (split, form) in enumerate(zip(splits, forms, strict=True)):
        rows = _distinct(split) if form is not None and forms.count(form) > 1 else np.zeros(0, dtype=np.int64)
        for group, theirs in zip(groups, texts, strict=True):
            if form is None or form != forms[group[0]]:
                continue
            common = len(np.intersect1d(rows, theirs, assume_unique=True))
            if common and 2 * common >= min(len(rows), len(theirs)):
                group.append(place)
                break
        else:
            groups.append([place])
            texts.append(rows)
    return groups


def _form(split: Split) -> object:
    """Return how the texts of a split are encoded. None for a split that is encoded on its own."""
    return None if split.task.kind.reads == "candidates" else (split.task.sequences, split.text_index.shape[1])


def _distinct(split: Split) -> Ints:
    """Return a number for each distinct row of texts. Two rows have the same one only by accident."""
    numbers = np.zeros(len(split), dtype=np.int64)
    for column in split.text_index.T:
        numbers = numbers * 1_000_003 + column
    return np.unique(numbers)


def rows_of(
    store: TextStore, template: Template, max_length: int, splits: Sequence[Split]
) -> tuple[Ints, list[Ints], NDArray[np.int32]]:
    """Return the distinct rows of texts of splits, the place of each example in them, and the tokens of each row.

    The rows are int64[s, columns]. The tokens are those of the sequences of an example, int32[s].
    """
    rows = np.concatenate([each.text_index for each in splits]).astype(np.int64)
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    ends = np.cumsum([len(each) for each in splits])
    places = np.split(inverse.reshape(-1), ends[:-1])
    sizes = np.zeros(len(distinct), dtype=np.int32)
    for split, own in zip(splits, places, strict=True):
        np.maximum.at(sizes, own, lengths(store, template, max_length, split))
    return distinct, places, sizes


def outputs_together(
    forward: Callable[[Batch], Sequence[NDArray[np.float32]]],
    store: TextStore,
    template: Template,
    splits: Sequence[Split],
    *,
    max_length: int,
    token_budget: int = TOKEN_BUDGET,
) -> list[Rows]:
    """Return the outputs for splits of one sequence per example with equal numbers of text columns.

    Every distinct row is in one batch, with a part for each split that reads it. `forward` returns the outputs of each
    part, in order: float32[n, width], or [N, width] for the N words of a part with words.
    """
    rows, places, sizes = rows_of(store, template, max_length, splits)
    examples = [
        Ragged(np.argsort(each, kind="stable"), offsets_of(np.bincount(each, minlength=len(rows)))) for each in places
    ]
    outputs = [np.empty((0, each.task.outputs), dtype=np.float32) for each in splits]
    for picks in batches_by_length(sizes, token_budget):
        chosen = [each[picks] for each in examples]
        readers = [
            (split, own.values, own.owners) for split, own in zip(splits, chosen, strict=True) if len(own.values)
        ]
        results = iter(forward(assemble_shared(store, template, max_length, rows[picks], readers)))
        for number, (split, own) in enumerate(zip(splits, chosen, strict=True)):
            if not len(own.values):
                continue
            found = next(results)
            if not len(outputs[number]):
                count = len(split) if split.words is None else len(split.words.values)
                outputs[number] = np.empty((count, found.shape[1]), dtype=np.float32)
            at = own.values if split.words is None else split.words.places(own.values)[0]
            outputs[number][at] = found
    return [
        output if split.words is None else Ragged(output, split.words.offsets)
        for split, output in zip(splits, outputs, strict=True)
    ]
