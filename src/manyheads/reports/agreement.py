"""Check that the predictions of a run give the metrics in its results.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyheads.errors import RunError
from manyheads.evaluation.metrics.resolve import Chosen, metrics_of
from manyheads.reports.predictions import HINT, TaskPredictions
from manyheads.run.folder import RunFolder
from manyheads.tasks.kind import Predictions
from manyheads.tasks.task import Task

AGREEMENT = 1e-4
"""Tolerance between a metric of the prediction files and results.json. Predictions of 0.4.0 have seven decimals."""


def check_agreement(
    folder: RunFolder, entry: Mapping[str, Any], task: Task, predictions: TaskPredictions, which: str
) -> None:
    """Check the dev predictions of a task against an evaluation in results.json.

    Every metric that the evaluation has must agree, each predicted class must have the highest probability, and the
    probabilities of an example must sum to one.

    Raises:
        RunError: A file was changed after the run.
    """
    file = folder.prediction_file(task.name, "dev", which)
    if "reliability" in predictions.kind.views and predictions.probabilities is not None and len(predictions):
        sums = np.abs(predictions.probabilities.sum(axis=1) - 1)
        wrong = np.flatnonzero(~predictions.kind.follows(predictions.decoded) | (sums > AGREEMENT))
        if len(wrong):
            found = f"example {predictions.ids[wrong[0]]}: a prediction that its probabilities do not give"
            raise RunError("a prediction file is damaged", where=str(file), found=found, hint=HINT)
    folder.reported(entry, task.name, task.metric)
    kept = Predictions(predictions.predictions, predictions.probabilities)
    for metric in metrics_of(task):
        if metric.name not in entry["tasks"][task.name]:
            continue
        reported = folder.reported(entry, task.name, metric.name)
        computed = metric.value(kept, predictions.targets) if len(predictions) else None
        if not same_value(computed, reported) and not _earlier(metric, predictions, reported):
            raise RunError(
                f"the predictions of {task.name} do not give the metric in results.json",
                where=str(file),
                found=f"{metric.name}: {computed} from the predictions, {reported} in results.json",
                hint=HINT,
            )


def _earlier(metric: Chosen, predictions: TaskPredictions, reported: float | None) -> bool:
    """Return whether a metric in results.json is that of versions up to 0.4.0, which defined it differently."""
    if metric.metric.earlier is None:
        return False
    return same_value(metric.earlier(Predictions(predictions.predictions, None), predictions.targets), reported)


def same_value(one: float | None, other: float | None) -> bool:
    """Return whether two values of a metric agree. An undefined one agrees only with an undefined one."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= AGREEMENT * max(1.0, abs(other))
