"""Predictor: texts in, answers out, for every task of a bundle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from manyheads.data.dataset import Split
from manyheads.data.texts import tokenise
from manyheads.errors import DataError, did_you_mean
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.model.forward import forward_split
from manyheads.model.int8 import to_int8
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

    def __init__(self, bundle: Bundle, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._bundle = bundle
        self._model = bundle.model.to(self._device)

    @classmethod
    def load(cls, folder: Path, *, int8: bool = False) -> Predictor:
        """Load the bundle in `folder`; `int8`: quantised.

        Raises:
            BundleError: it is no bundle, or a file in it was changed.
        """
        bundle = load_bundle(folder)
        return cls(replace(bundle, model=to_int8(bundle.model)) if int8 else bundle)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that this model answers, by name."""
        return self._model.tasks

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
        columns = len(task.text)
        store, index = tokenise([text for row in rows for text in row], self._bundle.tokenizer, None)
        split = Split(
            task=task,
            ids=[str(position) for position in range(len(rows))],
            text_index=np.asarray(index, dtype=np.int32).reshape(len(rows), columns),
            targets=np.full(len(rows), np.nan, dtype=np.float32),
            lines=np.arange(len(rows), dtype=np.int64),
        )
        outputs = forward_split(
            self._model,
            store,
            self._bundle.tokenizer.template,
            split,
            max_length=self._bundle.max_length,
            device=self._device,
        )
        return task.kind.decode(outputs)


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
