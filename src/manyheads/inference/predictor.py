"""Predictor: predictions for texts, for every task of a model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import tokenise
from manyheads.data.tokenised import with_tokens
from manyheads.errors import BundleError, DataError, did_you_mean
from manyheads.inference.engine import Engine, TokenWeight
from manyheads.inference.items import read_items
from manyheads.inference.predictions import Prediction, Predictions, joined, prediction_of
from manyheads.process_state import left_as_found, predicting
from manyheads.ragged import Ragged, offsets_of
from manyheads.tasks.kind import Predictions as Decoded
from manyheads.tasks.task import Task

CHUNK = 4096
"""Number of texts that are tokenised and sorted by length together. It bounds the memory of a stream."""


@dataclass(frozen=True)
class Origin:
    """How a predictor was loaded. `reload` loads the same model again and refuses another one."""

    reload: Callable[[Origin], Predictor]
    folder: Path
    checksum: str
    runtime: str
    int8: bool
    threads: int


class Predictor:
    """A trained model that predicts its tasks for texts. `manyheads.load` returns one.

    Several threads may use it at the same time. A pickled predictor has the path of its folder and no weights: the
    process that unpickles it loads the model again.

    Args:
        engine: the model.
        threads: number of torch threads of each call. 0: those of the process.
        origin: how it was loaded. Without it, the predictor cannot be pickled.
    """

    def __init__(self, engine: Engine, *, threads: int = 0, origin: Origin | None = None) -> None:
        self._engine, self._threads, self._origin = engine, threads, origin
        self._process = os.getpid()

    def __reduce__(self) -> tuple[Callable[[Origin], Predictor], tuple[Origin]]:
        if self._origin is None:
            raise TypeError("this predictor has no folder to load it from again: get it from manyheads.load")
        return self._origin.reload, (self._origin,)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name} ({task.kind.name})" for name, task in self.tasks.items())
        where = "" if self._origin is None else f", folder={str(self._origin.folder)!r}"
        return f"Predictor(tasks: {kinds}{where})"

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the model, by name."""
        return self._engine.tasks

    @property
    def explains(self) -> bool:
        """Whether the runtime supports `explain`."""
        return self._engine.explains

    def task(self, name: str) -> Task:
        """Return a task by name.

        Raises:
            DataError: the model has no such task.
        """
        allowed = ", ".join(self.tasks)
        if not isinstance(name, str):
            found, hint = f"a value of the type {type(name).__name__}", "the name comes before the texts"
            raise DataError("the name of the task is not a text", found=found, allowed=allowed, hint=hint)
        if name not in self.tasks:
            raise DataError(
                "the model has no such task", found=name, allowed=allowed, hint=did_you_mean(name, self.tasks)
            )
        return self.tasks[name]

    @overload
    def predict(self, task: str, texts: str | tuple[str, str] | tuple[str, list[str]]) -> Prediction: ...
    @overload
    def predict(self, task: str, texts: Any) -> Predictions: ...
    def predict(self, task: str, texts: Any) -> Prediction | Predictions:
        """Predict a task for one text, or for each item of a list or table.

        Args:
            task: the task.
            texts: one string, or one tuple of two strings if the task reads pairs. Or a list, a Series or an array of
                such items, or of dicts with the task's text columns. Or a table with the task's text columns: a
                DataFrame of pandas or polars, a pyarrow table, or a `datasets.Dataset`. For a task with candidates, an
                item is a tuple of the text and the list of its candidates, a list with both one after another, or a
                dict or row with the task's columns.

        Returns:
            One `Prediction` for one string or tuple, otherwise `Predictions` with one `Prediction` per item.

        Raises:
            DataError: the task is unknown, or an item is not a text (or pair) that the task reads. The error names the
                position of the item, from 0. Nothing is returned then.
        """
        wanted = self.task(task)
        items = read_items(wanted, texts)
        rows: list[tuple[str, ...]] = []
        parts = []
        while chunk := list(islice(items.rows, CHUNK)):
            rows += chunk
            parts.append(self.decode(wanted, chunk))
        decoded = joined(wanted, parts)
        if items.single:
            return prediction_of(wanted, decoded, 0)
        return Predictions(wanted, decoded, rows, items.table)

    def stream(self, task: str, texts: Any) -> Iterator[Prediction]:
        """Yield the predictions of `predict` one at a time, with at most 4,096 texts in memory."""
        wanted = self.task(task)
        rows = read_items(wanted, texts).rows
        while chunk := list(islice(rows, CHUNK)):
            decoded = self.decode(wanted, chunk)
            for row in range(len(chunk)):
                yield prediction_of(wanted, decoded, row)

    def decode(self, task: Task, rows: Sequence[tuple[str, ...]]) -> Decoded:
        """Return decoded predictions for rows of one or two texts, or of a text and its candidates."""
        with self._ready():
            store, index = tokenise([text for row in rows for text in row], self._engine.tokenizer, None)
            split = self._split(task, index, rows)
            return split.decode(self._engine.outputs(store, split))

    def decode_several(self, requests: Mapping[str, Sequence[tuple[str, ...]]]) -> dict[str, Decoded]:
        """Return decoded predictions of several tasks, each for its own rows, from one pass of the encoder.

        A sequence that several rows or tasks read is encoded once.
        """
        texts = [text for rows in requests.values() for row in rows for text in row]
        with self._ready():
            store, index = tokenise(texts, self._engine.tokenizer, None)
            splits, start = [], 0
            for name, rows in requests.items():
                task = self.task(name)
                stop = start + sum(map(len, rows))
                splits.append(self._split(task, index[start:stop], rows))
                start = stop
            outputs = self._engine.outputs_several(store, splits)
        return {each.task.name: each.decode(values) for each, values in zip(splits, outputs, strict=True)}

    def embed(self, task: str, texts: Iterable[str], *, size: int | None = None) -> NDArray[np.float32]:
        """Return the vector of each text, float32[n, width], as a task of vectors compares them.

        Args:
            task: a task whose prediction is the cosine of two vectors of its head.
            texts: the texts. One string is one text.
            size: keep only the first numbers of each vector, which then has length 1 again. For a model that was
                trained with the sizes of `matryoshka`. Default: whole vectors.

        Raises:
            DataError: the task is unknown or has no vectors, an item is not a text, or `size` is larger than a vector.
        """
        wanted = self.task(task)
        if not wanted.kind.vectors:
            allowed = ", ".join(name for name, each in self.tasks.items() if each.kind.vectors) or None
            raise DataError("the task gives no vectors", where="embed", found=task, allowed=allowed)
        single = replace(wanted, text=wanted.text[:1])
        listed = [texts] if isinstance(texts, str) else list(texts) if isinstance(texts, tuple) else texts
        rows = read_items(single, listed).rows
        parts = []
        while chunk := list(islice(rows, CHUNK)):
            with self._ready():
                store, index = tokenise([text for (text,) in chunk], self._engine.tokenizer, None)
                # Both texts of each pair are the same one. It is encoded once.
                pairs = self._split(wanted, np.repeat(index, len(wanted.text)), chunk)
                outputs = self._engine.outputs(store, pairs)
            parts.append(outputs[:, : outputs.shape[1] // len(wanted.text)])
        vectors = np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)
        if size is None:
            return vectors
        if parts and not 1 <= size <= vectors.shape[1]:
            allowed = f"1 to {vectors.shape[1]}"
            raise DataError("the vectors do not have this size", where="size", found=size, allowed=allowed)
        kept = vectors[:, :size]
        lengths = np.linalg.norm(kept, axis=1, keepdims=True)
        shortened: NDArray[np.float32] = kept / np.maximum(lengths, np.finfo(np.float32).tiny)
        return shortened

    def explain(self, task: Task | str, row: tuple[str, ...] | str) -> list[list[TokenWeight]]:
        """Return the weight of each token of each text: gradient x input of the predicted output.

        For a task with candidates the output is the log probability of the chosen one, and each candidate is a text.

        Args:
            task: the task, or its name.
            row: one text, or a tuple of the texts of one item: a pair, or a text and its candidates.

        Raises:
            DataError: the task is unknown, or the item does not have the texts that it reads.
            BundleError: the runtime has no gradients, or the task predicts every word.
        """
        task = self.task(task) if isinstance(task, str) else task
        row = (row,) if isinstance(row, str) else tuple(row)
        if task.kind.reads != "candidates" and len(row) != len(task.text):
            found, allowed = f"{len(row)} texts", f"a tuple with {' and '.join(task.text)}"
            raise DataError(
                "the item has other texts than the task reads", where=task.name, found=found, allowed=allowed
            )
        if task.kind.reads == "tokens":
            what = f"task {task.name} has outputs per word, so no token has one weight"
            raise BundleError(what, hint="choose a task with one prediction per text")
        with left_as_found(), self._ready():
            store, index = tokenise(row, self._engine.tokenizer, None)
            return self._engine.explain(store, self._split(task, index, [row]))

    def _split(self, task: Task, index: NDArray[np.int64], rows: Sequence[tuple[str, ...]]) -> Split:
        """Return a split for rows of texts, given also as indices into a store. It has no ids, targets or lines."""
        if task.kind.reads == "candidates":
            return _with_candidates(task, index, rows)
        text_index = index.astype(np.int32).reshape(-1, len(task.text))
        nothing = np.full(len(rows), np.nan, dtype=np.float32)
        split = Split(task, [""] * len(rows), text_index, nothing, np.zeros(len(rows), dtype=np.int64))
        if task.kind.reads != "tokens":
            return split
        texts = [row[0] for row in rows]
        found = [task.kind.words(text) for text in texts]
        places = np.concatenate([np.zeros((0, 2), dtype=np.int64), *found])
        words = Ragged(places, offsets_of(np.array([len(each) for each in found], dtype=np.int64)))
        return replace(split, words=with_tokens(texts, words, self._engine.tokenizer), texts=texts)

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Predict in the block.

        Raises:
            BundleError: this process was forked after the model was loaded, and the runtime would hang in it.
        """
        if os.getpid() != self._process and not self._engine.survives_fork:
            raise BundleError(
                "a forked process cannot use the model of its parent",
                where=None if self._origin is None else str(self._origin.folder),
                found="this process was forked after the model was loaded",
                hint="load the model in this process, or start it with spawn, as "
                'multiprocessing.get_context("spawn") does',
            )
        with predicting(self._threads):
            yield


def _with_candidates(task: Task, index: NDArray[np.int64], rows: Sequence[tuple[str, ...]]) -> Split:
    """Return a split for rows of a text and its candidates, given also as indices into a store."""
    widths = np.array([len(row) for row in rows], dtype=np.int64)
    whole = Ragged(index.astype(np.int32), offsets_of(widths))
    first = np.zeros(len(index), dtype=bool)
    first[whole.offsets[:-1]] = True
    return Split(
        task,
        [""] * len(rows),
        whole.values[first][:, None],
        np.full(len(rows), np.nan, dtype=np.float32),
        np.zeros(len(rows), dtype=np.int64),
        candidates=Ragged(whole.values[~first], offsets_of(widths - 1)),
        candidate_texts=[row[1:] for row in rows],
    )
