"""Counts: each text has a whole number from 0, with the loss of Poisson regression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

import manyheads
from manyheads.errors import DataError
from manyheads.model.losses import LossEntry, LossFunction
from manyheads.model.losses.options import LossOptions
from manyheads.options import Options
from manyheads.tasks.kind import Floats, Kind, LabelError, Predictions, Target, finite


class CountOptions(Options):
    largest: int | None = Field(
        default=None, ge=1, description="Largest count. Default: the largest one of the training file."
    )


@manyheads.register
class Count(Kind):
    name = "count"
    noun = "a count task"
    summary = "a whole number from 0"
    options = CountOptions
    target = "value"
    metrics = ("spearman", "mae")
    views = ("scatter",)

    def __init__(self, largest: int) -> None:
        self.largest = largest

    @classmethod
    def of(cls, options: Any) -> Self | None:
        return None if options.largest is None else cls(options.largest)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        del options, typed
        counts = [count for cell in cells if (count := _whole(cell)) is not None]
        if not counts or max(counts) < 1:
            raise DataError("the label column has no count above 0", where=name)
        return cls(max(counts)), f"counts up to {max(counts)}, found in {name}"

    @classmethod
    def sample(cls) -> Self:
        return cls(10)

    def space(self) -> dict[str, Any]:
        return {"largest": self.largest}

    @property
    def forms(self) -> Mapping[str, int]:
        return {"log_rate": 1}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        return Predictions(np.clip(np.exp(finite(outputs)[:, 0]), 0, self.largest), None)

    def parse(self, raw: object) -> float:
        count = _whole(raw)
        if count is None or count > self.largest:
            raise LabelError(f"the label {raw!r} is not a whole number from 0 to {self.largest}")
        return float(count)

    def present(self, target: Target) -> float:
        return float(f"{target:.7g}")

    def code(self, presented: Any) -> float:
        return float(presented)

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        value = self.present(predictions.values[row])
        return {"prediction": value, "value": value}

    def shares(self, targets: Floats) -> dict[str, float]:
        counts, sizes = np.unique(targets, return_counts=True)
        return {f"{count:g}": size / len(targets) for count, size in zip(counts, sizes, strict=True)}

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        return np.abs(predictions.values - targets)

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        noise = np.random.default_rng(0).standard_normal(len(targets))
        return correlation * targets + (1 - correlation**2) ** 0.5 * targets.std() * noise

    def described(self) -> str:
        return f"a count from 0 to {self.largest}"


def _whole(cell: object) -> int | None:
    try:
        number = float(str(cell))
    except ValueError:
        return None
    return int(number) if number >= 0 and number == number // 1 and number < 1e9 else None


def poisson(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> LossFunction:
    """The negative log-likelihood of a Poisson distribution, without its constant term."""
    del kind, options, class_weights
    return lambda outputs, targets: torch.exp(outputs[:, 0]) - targets * outputs[:, 0]


manyheads.register(LossEntry("poisson", poisson, {"value": "log_rate"}))
