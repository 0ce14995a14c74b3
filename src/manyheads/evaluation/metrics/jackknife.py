"""The jackknife: the effect of deleting each example."""

from __future__ import annotations

from manyheads.evaluation.metrics.metric import Floats


def jackknife(whole: float, without: Floats) -> Floats:
    """Return (n - 1)(whole - without the example), the jackknife influence of each example (Miller 1974).

    `without`: float64[n], the metric without each example. It is 0 where the metric is then undefined.
    """
    influences: Floats = (len(without) - 1) * (whole - without)
    return influences
