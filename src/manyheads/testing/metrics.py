"""The contract of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyheads.evaluation.interval import measured
from manyheads.evaluation.metrics.metric import Metric
from manyheads.evaluation.metrics.resolve import Chosen, misfit
from manyheads.tasks.kind import Floats, Kind, Predictions
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.testing.ensure import drawn_outputs, ensure

EXAMPLES = 300


def check_metric(metric: Metric, kind: Kind, options: Mapping[str, Any] | None = None) -> None:
    """Check a metric on drawn predictions of a kind whose targets have a fixed number per text.

    The value and its interval are within the range. Without examples it is None. The influences are the effects of
    deleting each example. It reads no probabilities unless it says so. Perfect predictions are better than others.

    Args:
        metric: the metric.
        kind: a kind of task that it fits.
        options: its own options. Default: the defaults.

    Raises:
        AssertionError: The metric does not keep the contract.
    """
    table = {"kind": metric.name, **(options or {})}
    ensure(misfit(metric, kind) is None, f"{metric.name} does not fit {kind!r}: {misfit(metric, kind)}")
    undescribed = [key for key, field in metric.options.model_fields.items() if not field.description]
    ensure(not undescribed, f"{metric.name}: options without a description: {', '.join(undescribed)}")
    bound = metric.bind(metric.options.model_validate(table), kind)
    chosen = Chosen(metric, MetricChoice.of(table).name, bound)
    predictions, targets = _drawn(kind, EXAMPLES)
    whole = chosen.value(predictions, targets)
    ensure(whole is not None, f"{chosen.name} is None for {EXAMPLES} ordinary examples")
    assert whole is not None
    ensure(isinstance(whole, float), f"{chosen.name} is {type(whole).__name__}, not a float")
    low, high = metric.range
    ensure(low <= whole <= high, f"{chosen.name} is {whole}, outside its range from {low} to {high}")
    ensure(chosen.value(*_drawn(kind, 0)) is None, f"{chosen.name} of no examples is not None")
    _check_reads(chosen, predictions, targets)
    _check_influence(chosen, predictions, targets, whole)
    found = measured(chosen, predictions.values, targets, None, predictions.probabilities)
    ensure(found.low is not None and found.high is not None, f"{chosen.name} has no interval")
    assert found.low is not None
    assert found.high is not None
    ensure(low <= found.low <= whole <= found.high <= high, f"{chosen.name}: the interval is outside the range")
    if metric.needs == "values":
        best = chosen.value(Predictions(targets, None), targets)
        ensure(best is not None and (best > whole) == metric.higher_is_better, f"{chosen.name}: perfect is not better")


def _drawn(kind: Kind, examples: int) -> tuple[Predictions, Floats]:
    """Return predictions and targets that agree somewhat."""
    size = next(iter(kind.forms.values()))
    outputs = drawn_outputs(kind, size, examples, seed=1)
    other = drawn_outputs(kind, size, examples, seed=2)
    targets = kind.decode(0.6 * outputs + 0.4 * other).values
    return kind.decode(outputs), np.asarray(targets, dtype=np.float64)


def _check_reads(chosen: Chosen, predictions: Predictions, targets: Floats) -> None:
    if not chosen.needs_probabilities:
        plain = Predictions(predictions.values, None)
        same = chosen.value(plain, targets) == chosen.value(predictions, targets)
        ensure(same, f"{chosen.name} reads probabilities: set needs to 'probabilities'")


def _check_influence(chosen: Chosen, predictions: Predictions, targets: Floats, whole: float) -> None:
    """Compare influences with the jackknife, up to a constant and terms of order 1/n (Hampel 1974)."""
    found = chosen.influence(predictions, targets)
    shape = (len(targets),)
    ensure(found.shape == shape, f"{chosen.name}: influences have the shape {[*found.shape]}, not {[*shape]}")
    rows = np.arange(len(targets))
    left = [chosen.value(predictions.take(rows != row), targets[rows != row]) for row in rows]
    effects = (len(targets) - 1) * (whole - np.array(left, dtype=np.float64))
    gap = (effects - effects.mean()) - (found - found.mean())
    close = float(np.abs(gap).max()) <= 0.2 * float(found.std()) + 1e-9
    ensure(close, f"{chosen.name}: the influences are not the effects of deleting each example")
