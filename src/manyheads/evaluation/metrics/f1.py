"""F1 of named classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from manyheads.evaluation.class_counts import ClassCounts
from manyheads.evaluation.metrics.metric import Floats, Metric, MetricOptions, jackknife
from manyheads.tasks.kind import Kind, LabelError, Predictions


class F1Options(MetricOptions):
    """The classes whose F1 counts."""

    classes: list[str | int | float | bool] | None = Field(
        default=None,
        min_length=1,
        description="The labels whose F1 counts. With one label it is the positive class. Default: the second of two "
        "labels. A task with more labels must name some.",
    )


def f1(predictions: Predictions, targets: Floats, *, classes: Sequence[int]) -> float | None:
    """Return the mean of F1 over named classes. None if one of them has no labelled example.

    With one class it is the F1 of the positive class. A class that is never predicted, or never correctly, counts 0.

    Source: Barbieri et al. (2020), section 3, who evaluate stance by the F1 of two of three classes.
    """
    if not np.isin(classes, targets).all():
        return None
    return ClassCounts.of(predictions.values, targets).mean_f1(classes)


def _influence(predictions: Predictions, targets: Floats, *, classes: Sequence[int]) -> Floats:
    counts = ClassCounts.of(predictions.values, targets)
    return jackknife(counts.mean_f1(classes), counts.mean_f1_without(classes))


def _rarest(targets: Floats, *, classes: Sequence[int]) -> int:
    return min(int((targets == each).sum()) for each in classes)


def _bind(options: F1Options, kind: Kind) -> Mapping[str, Any]:
    """Return the indices of the classes."""
    labels = kind.probability_names
    if options.classes is None:
        if len(labels) != 2:
            raise ValueError(
                f'a task with {len(labels)} labels must name the classes: {{ kind = "f1", classes = [..] }}'
            )
        return {"classes": (1,)}
    try:
        found = tuple(int(np.asarray(kind.parse(each)).item()) for each in options.classes)
    except LabelError as error:
        raise ValueError(str(error)) from None
    if len(set(found)) < len(found):
        raise ValueError(f"a class is named twice in {options.classes}")
    return {"classes": found}


F1 = Metric("f1", "F1", f1, _influence, ("classes",), rarest=_rarest, options=F1Options, bind=_bind)
