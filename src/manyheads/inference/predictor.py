"""Predictor: texts in, answers out, for every task of a bundle."""

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
"""Examples tokenised and sorted by length together: enough to waste nothing, few enough to keep memory flat."""

Text = str | Sequence[str]


@dataclass(frozen=True)
class Prediction:
    """One answer: the label or value, and for classes the probability of each label."""

    prediction: str | int | float
    probabilities: Mapping[str, float] | None = None


class Predictor:
    """A trained model that answers questions about texts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that this model answers, by name."""
        return self._engine.tasks

    @property
    def explains(self) -> bool:
        """Whether its runtime can say which tokens mattered."""
        return self._engine.explains

    def task(self, name: str) -> Task:
        """One task.

        Raises:
            DataError: the model has no such task.
        """
        if name not in self.tasks:
            allowed = ", ".join(self.tasks)
            raise DataError(
                "this model has no such task", found=name, allowed=allowed, hint=did_you_mean(name, self.tasks)
            )
        return self.tasks[name]

    def predict(self, task: str, texts: Iterable[Text]) -> list[Prediction]:
        """The answers to one task about texts: strings, or pairs of strings for a task of two texts.

        Raises:
            DataError: an unknown task, or an item of the wrong form; none is answered then.
        """
        return list(self.stream(task, texts))

    def stream(self, task: str, texts: Iterable[Text]) -> Iterator[Prediction]:
        """The same, one answer at a time, holding a few thousand texts in memory at once."""
        wanted = self.task(task)
        remaining, number = iter(texts), 0
        while chunk := list(islice(remaining, CHUNK)):
            rows = [_row(wanted, text, number + position) for position, text in enumerate(chunk)]
            number += len(chunk)
            decoded = self.decode(wanted, rows)
            for row in range(len(rows)):
                yield _prediction(wanted, decoded, row)

    def decode(self, task: Task, rows: Sequence[tuple[str, ...]]) -> Predictions:
        """Decoded predictions for rows of texts (one or two a row)."""
        store, index = tokenise([text for row in rows for text in row], self._engine.tokenizer, None)
        return task.kind.decode(self._engine.outputs(store, _split(task, index)))

    def decode_several(self, asked: Mapping[str, Sequence[tuple[str, ...]]]) -> dict[str, Predictions]:
        """Decoded predictions of several tasks, each for rows of its own, in one go.

        A sequence that several rows or tasks read is encoded once.
        """
        texts = [text for rows in asked.values() for row in rows for text in row]
        store, index = tokenise(texts, self._engine.tokenizer, None)
        splits, start = [], 0
        for name, rows in asked.items():
            task = self.task(name)
            stop = start + len(rows) * len(task.text)
            splits.append(_split(task, index[start:stop]))
            start = stop
        outputs = self._engine.outputs_several(store, splits)
        return {each.task.name: each.task.kind.decode(found) for each, found in zip(splits, outputs, strict=True)}

    def explain(self, task: Task, row: tuple[str, ...]) -> list[list[TokenWeight]]:
        """How much each token of each text mattered to the answer: gradient x input of the predicted output.

        Raises:
            BundleError: the runtime has no gradients.
        """
        store, index = tokenise(row, self._engine.tokenizer, None)
        return self._engine.explain(store, _split(task, index))


def _split(task: Task, index: NDArray[np.int64]) -> Split:
    """Rows of texts (indices into a store, flat) as a split without ids, targets or lines of a file."""
    rows = index.astype(np.int32).reshape(-1, len(task.text))
    nothing = np.full(len(rows), np.nan, dtype=np.float32)
    return Split(task, [""] * len(rows), rows, nothing, np.zeros(len(rows), dtype=np.int64))


def _row(task: Task, text: Text, number: int) -> tuple[str, ...]:
    row = (text,) if isinstance(text, str) else tuple(text)
    if len(row) != len(task.text) or not all(isinstance(each, str) for each in row):
        wanted = "a string" if len(task.text) == 1 else f"a pair of strings ({', '.join(task.text)})"
        raise DataError(f"task {task.name} reads {wanted}", where=f"item {number}", found=repr(text))
    if not all(each.strip() for each in row):
        raise DataError("an empty text", where=f"item {number}", found=repr(text), allowed="a text with a word in it")
    return row


def _prediction(task: Task, predictions: Predictions, row: int) -> Prediction:
    record = record_of(task.kind, predictions, row)
    return Prediction(record["prediction"], record.get("probabilities"))  # type: ignore[arg-type]
