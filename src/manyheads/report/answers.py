"""Answers: a run's predictions of one task's examples, with the chances it gave them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError

Label = str | int | float | bool
Floats = NDArray[np.float64]

HINT = "the folder was changed after the run; train again from its recipe.toml into another folder"


@dataclass(frozen=True)
class Answers:
    """n examples that a run answered.

    `labels`: the classes, None for values. `predictions`, `targets`: float64[n], class indices or values.
    `chances`: float64[n, classes], None for values.
    """

    ids: tuple[str, ...]
    labels: tuple[Label, ...] | None
    predictions: Floats
    targets: Floats
    chances: Floats | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each class is the true one."""
        found: NDArray[np.bool_] = self.predictions == self.targets
        return found

    @property
    def confidence(self) -> Floats:
        """The chance that the run gave each of its own answers.

        Raises:
            ValueError: the answers are values, which have none.
        """
        if self.chances is None:
            raise ValueError("values have no chances")
        found: Floats = self.chances[np.arange(len(self)), self.predictions.astype(np.int64)]
        return found

    def take(self, rows: NDArray[np.int64]) -> Answers:
        """Some of the examples, in the order given."""
        chances = None if self.chances is None else self.chances[rows]
        ids = tuple(self.ids[row] for row in rows)
        return Answers(ids, self.labels, self.predictions[rows], self.targets[rows], chances)

    def shown(self, value: float) -> str:
        """A prediction or target as a reader knows it: the label, or the number."""
        return f"{value:.3g}" if self.labels is None else str(self.labels[int(value)])


def read_answers(file: Path, labels: Sequence[Label] | None) -> Answers:
    """The labelled records of a prediction file; those without a target are left out.

    Raises:
        RunError: the file is missing or damaged, or holds a label that the task has not.
    """
    if not file.exists():
        raise RunError("a run's predictions are missing", where=str(file), hint=HINT)
    try:
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return _answers([record for record in records if record.get("target") is not None], labels)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError("a file of predictions is damaged", where=str(file), found=str(error), hint=HINT) from None


def _answers(records: Sequence[Mapping[str, Any]], labels: Sequence[Label] | None) -> Answers:
    ids = tuple(str(record["id"]) for record in records)
    if labels is None:
        return Answers(ids, None, _column(records, "prediction"), _column(records, "target"), None)
    codes = {label: float(code) for code, label in enumerate(labels)}
    chances = [[float(record["probabilities"][str(label)]) for label in labels] for record in records]
    return Answers(
        ids,
        tuple(labels),
        np.array([codes[record["prediction"]] for record in records], dtype=np.float64),
        np.array([codes[record["target"]] for record in records], dtype=np.float64),
        np.array(chances, dtype=np.float64).reshape(len(records), len(labels)),
    )


def _column(records: Sequence[Mapping[str, Any]], name: str) -> Floats:
    found = np.array([float(record[name]) for record in records], dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"a {name} is not a finite number")
    return found
