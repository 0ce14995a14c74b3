"""Predictor: predictions for texts, for every task of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import tokenise
from manyheads.errors import DataError, did_you_mean
from manyheads.inference.engine import Engine, TokenWeight
from manyheads.tasks.kind import Predictions
from manyheads.tasks.records import record_of
from manyheads.tasks.task import Task

CHUNK = 4096
"""Number of texts that are tokenised and sorted by length together. It bounds the memory of a stream."""

Text = str | Sequence[str]


@dataclass(frozen=True)
class Prediction:
    """A prediction for one text or pair: the label or value, and for classes the probability of each label."""

    prediction: str | int | float
    probabilities: Mapping[str, float] | None = None


class Predictor:
    """A trained model that predicts its tasks for texts. `manyheads.load` returns one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

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
        if name not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise DataError(
                "the model has no such task", found=name, allowed=allowed, hint=did_you_mean(name, self.tasks)
            )
        return self.tasks[name]

    def predict(self, task: str, texts: Iterable[Text]) -> list[Prediction]:
        """Predict a task for texts: strings, or pairs of strings for a task that reads two texts.

        Raises:
            DataError: the task is unknown, or an item is not a text (or pair) that the task reads. Nothing is
                returned then.
        """
        return list(self.stream(task, texts))

    def stream(self, task: str, texts: Iterable[Text]) -> Iterator[Prediction]:
        """Yield the predictions of `predict` one at a time, with at most 4,096 texts in memory."""
        wanted = self.task(task)
        remaining, number = iter(texts), 0
        while chunk := list(islice(remaining, CHUNK)):
            rows = [_row(wanted, text, number + position) for position, text in enumerate(chunk)]
            number += len(chunk)
            decoded = self.decode(wanted, rows)
            for row in range(len(rows)):
                yield _prediction(wanted, decoded, row)

    def decode(self, task: Task, rows: Sequence[tuple[str, ...]]) -> Predictions:
        """Return decoded predictions for rows of one or two texts."""
        store, index = tokenise([text for row in rows for text in row], self._engine.tokenizer, None)
        return task.kind.decode(self._engine.outputs(store, _split(task, index)))

    def decode_several(self, requests: Mapping[str, Sequence[tuple[str, ...]]]) -> dict[str, Predictions]:
        """Return decoded predictions of several tasks, each for its own rows, from one pass of the encoder.

        A sequence that several rows or tasks read is encoded once.
        """
        texts = [text for rows in requests.values() for row in rows for text in row]
        store, index = tokenise(texts, self._engine.tokenizer, None)
        splits, start = [], 0
        for name, rows in requests.items():
            task = self.task(name)
            stop = start + len(rows) * len(task.text)
            splits.append(_split(task, index[start:stop]))
            start = stop
        outputs = self._engine.outputs_several(store, splits)
        return {each.task.name: each.task.kind.decode(values) for each, values in zip(splits, outputs, strict=True)}

    def explain(self, task: Task, row: tuple[str, ...]) -> list[list[TokenWeight]]:
        """Return the weight of each token of each text: gradient x input of the predicted output.

        Raises:
            BundleError: the runtime has no gradients.
        """
        store, index = tokenise(row, self._engine.tokenizer, None)
        return self._engine.explain(store, _split(task, index))


def _split(task: Task, index: NDArray[np.int64]) -> Split:
    """Return a split for rows of texts, given as flat indices into a store. It has no ids, targets or line numbers."""
    rows = index.astype(np.int32).reshape(-1, len(task.text))
    nothing = np.full(len(rows), np.nan, dtype=np.float32)
    return Split(task, [""] * len(rows), rows, nothing, np.zeros(len(rows), dtype=np.int64))


def _row(task: Task, text: Text, number: int) -> tuple[str, ...]:
    row = (text,) if isinstance(text, str) else tuple(text)
    if len(row) != len(task.text) or not all(isinstance(each, str) for each in row):
        wanted = "a string" if len(task.text) == 1 else f"a pair of strings ({', '.join(task.text)})"
        raise DataError(f"task {task.name} reads {wanted}", where=f"item {number}", found=repr(text))
    if not all(each.strip() for each in row):
        raise DataError("empty text", where=f"item {number}", found=repr(text), allowed="a text with a word in it")
    return row


def _prediction(task: Task, predictions: Predictions, row: int) -> Prediction:
    record = record_of(task.kind, predictions, row)
    return Prediction(record["prediction"], record.get("probabilities"))  # type: ignore[arg-type]
