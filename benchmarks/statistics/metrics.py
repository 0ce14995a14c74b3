"""Coverage of the intervals of single runs, for every metric: `python -m benchmarks.statistics.metrics`.

The predictions are those of a mediocre model. The true value is that of many examples.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.interval import measured
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import Chosen, fitting, resolve
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.metric_choice import MetricChoice

KINDS: dict[str, Kind] = {
    "2 classes": Classification([0, 1]),
    "4 classes": Classification(range(4)),
    "values": Regression(0, 5),
}

MANY = 400_000
"""Examples of the true value."""


def predicted(kind: Kind, count: int, seed: int) -> tuple[Predictions, NDArray[np.float64]]:
    """Return the predictions of a model and the targets. The classes are 1, 2, ... times as frequent as the first."""
    rng = np.random.default_rng(seed)
    classes = len(kind.probability_names)
    if not classes:
        values = rng.uniform(0, 5, count)
        return Predictions(values + rng.standard_normal(count), None), values
    shares = np.arange(1, classes + 1) / (classes * (classes + 1) / 2)
    targets = rng.choice(classes, count, p=shares)
    logits = np.exp(rng.standard_normal((count, classes)) + 1.2 * np.eye(classes)[targets])
    probabilities = logits / logits.sum(axis=1, keepdims=True)
    return Predictions(probabilities.argmax(axis=1).astype(np.float64), probabilities), targets.astype(np.float64)


def metrics_for(kind: Kind) -> Iterator[Chosen]:
    """Yield the metrics that fit a kind. F1 is that of the first class."""
    for name in METRICS:
        if name == "f1" and kind.probability_names:
            yield resolve(MetricChoice.of({"kind": "f1", "classes": [0]}), kind)
        elif name in fitting(kind):
            yield resolve(name, kind)


def coverage(metric: Chosen, kind: Kind, count: int, truth: float, samples: int) -> float:
    """Return the share of samples of `count` examples whose interval contains the true value."""
    hits = []
    for seed in range(samples):
        predictions, targets = predicted(kind, count, 10_000 + seed)
        found = measured(metric, predictions.values, targets, None, predictions.probabilities)
        if found.low is not None and found.high is not None:
            hits.append(found.low <= truth <= found.high)
    return float(np.mean(hits))


def main() -> None:
    """Print a table with a row for each metric and kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--examples", type=int, nargs="+", default=[50, 200, 1000])
    options = parser.parse_args()
    print(f"| metric | targets | {' | '.join(f'n = {count:,}' for count in options.examples)} |")
    print("|---|---|" + "---|" * len(options.examples))
    for name, kind in KINDS.items():
        predictions, targets = predicted(kind, MANY, 1)
        for metric in metrics_for(kind):
            truth = metric.value(predictions, targets)
            if truth is not None:
                found = [coverage(metric, kind, count, truth, options.samples) for count in options.examples]
                print(f"| {metric.name} | {name} | {' | '.join(f'{each:.3f}' for each in found)} |", flush=True)


if __name__ == "__main__":
    main()
