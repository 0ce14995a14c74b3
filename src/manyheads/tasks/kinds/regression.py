"""Regression: each text has a value within a range."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.tasks.cells import MISSING, MOSTLY, as_number, is_missing, quoted
from manyheads.tasks.kind import Floats, HubForm, KeyFault, LabelError, Predictions, Target, finite
from manyheads.tasks.kinds.one_number import BINS, OneNumber
from manyheads.tasks.written import resolved

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")

DECIMAL_HINT = 'if the comma is the decimal mark of the file, set decimal = ","'

PLAIN_HINT = "write labels as plain numbers, such as 12.5, or name another label column"

LARGEST = 3.4028234663852886e38
"""The largest number of float32, in which values are computed."""


class RegressionOptions(Options):
    """The keys of a regression in the table of a task."""

    range: list[float] | None = Field(
        default=None,
        min_length=2,
        max_length=2,
        description="Lowest and highest label. Only for regression. Default: the range of the training labels.",
    )


class Regression(OneNumber):
    """A regression with values from `low` to `high`. A head's score u, from 0 to 1, is the value low + (high - low) u.

    Raises:
        ValueError: `low` is not below `high`, or one of them is not finite.
    """

    name = "regression"
    noun = "a regression task"
    summary = "a number in `range`"
    options = RegressionOptions
    target = "value"
    metrics = ("pearson", "spearman", "rmse")
    views = ("scatter", "bands")
    hub_task = "sentence-similarity"
    unit = True

    def __init__(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"a range needs two finite numbers, the lower first, found [{low}, {high}]")
        self.low, self.high = float(low), float(high)

    def __repr__(self) -> str:
        return f"Regression({self.low:g}, {self.high:g})"

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the regression with the range of the recipe."""
        return None if options.range is None else cls(*options.range)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the regression with the range from the lowest to the highest number of the cells."""
        del options, typed
        low, high = range_among(name, cells)
        return cls(low, high), f"range {low:g} to {high:g}, found in {name}"

    @classmethod
    def sample(cls) -> Self:
        """Return a regression from 0 to 1."""
        return cls(0, 1)

    @classmethod
    def guess(cls, cells: Sequence[object], *, name: str, typed: bool) -> Self | None:
        """Return a regression for numbers, with the range rounded outwards to whole numbers."""
        del typed
        values = [number for cell in cells if (number := as_number(cell)) is not None]
        if not values or len(values) < MOSTLY * len(cells):
            return None
        low, high = range_among(name, values)
        return cls(math.floor(low), math.ceil(high))

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the range."""
        yield from super().faults(options)
        low, high = options.range or (0.0, 1.0)
        if low < high and high - low > LARGEST:
            what = "the range is too wide for float32"
            yield KeyFault("range", what, options.range, f"at most {LARGEST:.1e} wide")

    def space(self) -> dict[str, Any]:
        """Return the range."""
        return {"range": [self.low, self.high]}

    @property
    def alternative(self) -> str | None:
        """Numbers may also be classes."""
        return 'a number in `range`; or "classification": one of `labels`'

    @property
    def space_comments(self) -> Mapping[str, str]:
        """What the range means."""
        return {"range": "labels and predictions are in this range"}

    @property
    def forms(self) -> Mapping[str, int]:
        """One score per example."""
        return {"score": 1}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode scores outputs[n, 1] to values.

        A negative score (a cosine below 0) gives a value below the range, as in the reference study.
        """
        return Predictions(self.low + (self.high - self.low) * finite(outputs)[:, 0], None)

    def parse(self, raw: object) -> float:
        """Return the value in a cell.

        Raises:
            LabelError: The cell is empty, not a number, or outside the range.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        value = as_number(raw)
        if value is None:
            hint = DECIMAL_HINT if isinstance(raw, str) and DECIMAL_COMMA.fullmatch(raw) else None
            raise LabelError(f"label {quoted(raw)} is not a number from {self.low:g} to {self.high:g}", hint)
        if not self.low <= value <= self.high:
            raise LabelError(f"label {quoted(raw)} is outside the range {self.low:g} to {self.high:g}")
        return value

    def shares(self, targets: Floats) -> dict[str, float]:
        """Return the share of each fifth of the range."""
        if not len(targets):
            return {}
        amounts, edges = np.histogram(targets, bins=BINS, range=(self.low, self.high))
        return {f"{edges[i]:g}-{edges[i + 1]:g}": float(amounts[i] / len(targets)) for i in range(BINS)}

    def digest(self, targets: Floats) -> str:
        """Return the mean."""
        return f"mean {float(targets.mean()):.3g}"

    def constant(self, targets: Floats) -> str | None:
        """Return a warning if all examples have one value."""
        if not len(targets) or np.ptp(targets):
            return None
        return f"every example has the same value {float(targets[0])!r}"

    def conflict(self, one: Target, other: Target) -> bool:
        """Return whether two values differ by half of the range or more."""
        return abs(float(one) - float(other)) >= (self.high - self.low) / 2

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return the absolute errors."""
        errors: Floats = np.abs(predictions.values - targets)
        return errors

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return predictions with this correlation with the targets."""
        noise = math.sqrt(1 - correlation**2) * np.random.default_rng(0).standard_normal(len(targets))
        predictions: Floats = correlation * (targets - targets.mean()) / (float(targets.std()) or 1.0) + noise
        return predictions

    def described(self) -> str:
        """Return the range."""
        return f"a value from {self.low:g} to {self.high:g}"

    @property
    def hub(self) -> HubForm:
        """One number. With the type "regression", a pipeline would give the logit and not the share of the range."""
        return HubForm((), None)

    @property
    def scale(self) -> tuple[float, float]:
        """The range."""
        return self.low, self.high

    @property
    def resolved(self) -> bool:
        """Whether float32 has a million steps or more within the range."""
        return resolved(self.low, self.high)


def range_among(name: str, cells: Iterable[object]) -> tuple[float, float]:
    """Return the lowest and the highest number. `name` is the name of the file in messages.

    Raises:
        DataError: the cells do not have two different numbers.
    """
    low, high = math.inf, -math.inf
    other: object = None
    commas = False
    for cell in cells:
        number = as_number(cell)
        if number is not None:
            low, high = min(low, number), max(high, number)
        elif not is_missing(cell):
            other = cell if other is None else other
            commas = commas or (isinstance(cell, str) and DECIMAL_COMMA.fullmatch(cell) is not None)
    if low >= high:
        found: object = [low] if low == high else "no number"
        hint = "set range = [low, high]"
        if low > high and other is not None:
            found, hint = f"no number; the first cell is {quoted(other)}", PLAIN_HINT
        hint = DECIMAL_HINT if commas else hint
        what = "the label column does not have two different numbers"
        raise DataError(what, where=name, found=found, hint=hint)
    return low, high
