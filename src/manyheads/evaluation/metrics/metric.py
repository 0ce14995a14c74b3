"""The record of a metric: everything that the rest of the package knows about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.evaluation.metrics.targets import Target
from manyheads.options import Options
from manyheads.tasks.kind import Kind

Floats = NDArray[np.float64]


class MetricOptions(Options):
    """The options of a metric. A metric without options of its own has only `kind`."""

    kind: str = Field(description="Name of the metric.")


Function = Callable[..., float | None]
"""Computes a metric from predictions, float64[n] targets and the arguments of the metric. None if it is undefined."""

Influence = Callable[..., Floats]
"""Computes the influence of each example on a metric, up to a constant: float64[n]. The metric must be defined.

A metric of n examples is approximately its true value plus the mean of the influences (Hampel 1974).
"""

Rarest = Callable[..., int]
"""Counts the examples that decide a metric at the end of its range, from float64[n] targets and the arguments."""


def _nothing(options: Any, kind: Kind) -> Mapping[str, Any]:
    del options, kind
    return {}


@dataclass(frozen=True)
class Metric:
    """A metric.

    `name`: on the menu, in recipes and results. `title`: in reports. `function`, `influence`: receive `arguments`, see
    `bind`. `targets`: the forms of targets that it fits; one of them suffices. `needs`: what of the predictions it
    reads. `range`: its lowest and highest value. A metric without a highest value has an interval on the logarithmic
    scale.

    Intervals also use: `correlation`, whether the metric has the scale of Fisher's z; `step`, the influence of one
    example that is predicted differently, 0 if unknown; `rarest`, by default all examples.

    `options`: the type of its options. `bind`: returns the arguments of the functions from the options and the kind of
    the task, and raises a ValueError with the reason if the options do not fit. `rescaled_by_course`: whether the
    course score maps the metric to 0..1 by (r + 1) / 2. `earlier`: the definition of versions up to 0.4.0, if it was
    another.
    """

    name: str
    title: str
    function: Function
    influence: Influence
    targets: tuple[Target, ...]
    needs: Literal["values", "probabilities"] = "values"
    range: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    correlation: bool = False
    step: float = 0.0
    rarest: Rarest | None = None
    options: type[MetricOptions] = MetricOptions
    bind: Callable[[Any, Kind], Mapping[str, Any]] = _nothing
    rescaled_by_course: bool = False
    earlier: Function | None = None

    @property
    def bounded(self) -> bool:
        """Whether the metric has a lowest and a highest value."""
        return all(map(math.isfinite, self.range))

    @property
    def measures_errors(self) -> bool:
        """Whether the metric measures the errors of values, in their unit."""
        return "values" in self.targets and not self.higher_is_better

    @property
    def reason_not_primary(self) -> str | None:
        """Why the metric cannot be the primary metric of a task, whose average over tasks has a meaning. Or None."""
        if not self.higher_is_better:
            return "lower is better"
        return None if self.bounded else "it has no fixed range"

    @property
    def primary(self) -> bool:
        """Whether the metric may be the primary metric of a task."""
        return self.reason_not_primary is None
