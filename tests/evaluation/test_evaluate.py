"""Every metric of a task over the examples with a target, and the summary of several tasks."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.evaluation.evaluate import measure, summarise
from manyheads.evaluation.interval import RightRows, whole_rows
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.task import Task


def _task(name: str, kind: Kind, metric: str) -> Task:
    return Task(name, kind, ("a", "b"), "label", None, "cross", "cross", 0.1, fitting_losses(kind)[0], metric)


SST = _task("sst", Classification(range(3)), "accuracy")
STS = _task("sts", Regression(0, 5), "pearson")


def test_every_metric_of_the_kind_is_computed() -> None:
    predictions = SST.kind.decode(np.eye(3)[[0, 1, 1, 2]])
    assert measure(SST, predictions, np.array([0.0, 1.0, 2.0, 2.0])) == pytest.approx(
        {"accuracy": 0.75, "macro_f1": (1 + 2 / 3 + 2 / 3) / 3, "mcc": 7 / 10}
    )


def test_examples_without_a_target_do_not_count() -> None:
    predictions = Predictions(np.array([1.0, 2.0, 3.0, -100.0]), None)
    targets = np.array([2.0, 3.0, 4.0, np.nan])
    assert measure(STS, predictions, targets) == pytest.approx({"pearson": 1.0, "spearman": 1.0, "rmse": 1.0})


def test_without_any_target_every_metric_is_none() -> None:
    predictions = Predictions(np.array([1.0, 2.0]), None)
    assert set(measure(STS, predictions, np.full(2, np.nan)).values()) == {None}


def test_the_summary_averages_the_primary_metrics() -> None:
    metrics = {"sst": {"accuracy": 0.4, "mcc": 0.9}, "sts": {"pearson": 0.8, "rmse": 2.0}}
    summary = summarise({"sst": SST, "sts": STS}, metrics, course_score=True)
    assert summary["tasks"] == metrics
    assert summary["average"] == pytest.approx(0.6)
    assert summary["course_score"] == pytest.approx((0.4 + 0.9) / 2)


def test_the_course_score_is_none_unless_it_is_asked_for() -> None:
    metrics = {"sst": {"accuracy": 0.4}, "sts": {"pearson": 0.8}}
    summary = summarise({"sst": SST, "sts": STS}, metrics)
    assert list(summary) == ["tasks", "average", "course_score"]
    assert summary["average"] == pytest.approx(0.6)
    assert summary["course_score"] is None


def test_the_averages_are_none_if_one_primary_metric_is_none() -> None:
    metrics = {"sst": {"accuracy": 0.4}, "sts": {"pearson": None}}
    summary = summarise({"sst": SST, "sts": STS}, metrics, course_score=True)
    assert summary["average"] is None
    assert summary["course_score"] is None


def test_the_share_of_whole_rows_is_over_the_rows_with_every_label() -> None:
    """Rows are matched by their ids. A task without right predictions is left out."""
    one = RightRows(["1", "2", "3", "4"], np.array([True, True, False, True]), np.array([0, 1, 2, 3]))
    two = RightRows(["4", "2", "9"], np.array([True, False, True]))
    found = whole_rows({"intent": one, "slots": two, "score": None})
    assert found is not None
    assert (found.name, found.value, found.count) == ("intent+slots", 0.5, 2)
    assert whole_rows({"intent": one, "score": None}) is None
    assert whole_rows({"intent": one, "slots": RightRows(["8"], np.array([True]))}) is None
    assert whole_rows({"intent": one, "slots": RightRows(["1", "1"], np.array([True, False]))}) is None


def test_an_interval_of_whole_rows_takes_clusters_as_units() -> None:
    ids, right = [str(row) for row in range(40)], np.arange(40) % 4 > 0
    apart, joined = (
        whole_rows({"a": RightRows(ids, right, clusters), "b": RightRows(ids, np.ones(40, dtype=bool))})
        for clusters in (np.arange(40), np.arange(40) // 4 * 4 + np.where(right, 0, 1))
    )
    assert apart is not None
    assert joined is not None
    assert None not in (apart.low, apart.high, joined.low, joined.high)
    assert joined.high - joined.low > apart.high - apart.low  # type: ignore[operator]
