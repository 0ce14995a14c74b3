"""Metrics: known values, agreement with scipy and scikit-learn, and None if a metric cannot be computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score, matthews_corrcoef

from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import Chosen, resolve, title_of
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.metric_choice import MetricChoice

CLASSES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.integers(0, 3), min_size=n, max_size=n) for _ in range(2)))
)
VALUES = st.integers(3, 30).flatmap(
    lambda n: st.tuples(*(st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=n, max_size=n) for _ in "pt"))
)


def _measure(metric: str, predictions: object, targets: object) -> float | None:
    return METRICS[metric].function(Predictions(_floats(predictions), None), _floats(targets))


def _floats(values: object) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


@pytest.mark.parametrize(
    ("metric", "predictions", "targets", "score"),
    [
        ("accuracy", [0, 1, 2, 2], [0, 1, 2, 0], 0.75),
        ("macro_f1", [0, 0, 1, 1], [0, 1, 1, 1], (2 / 3 + 0.8) / 2),
        ("mcc", [1, 1, 0, 0], [1, 0, 0, 0], 1 / np.sqrt(3)),
        ("pearson", [1.0, 2.0, 4.0], [1.0, 2.0, 3.0], 3 / np.sqrt(28 / 3)),
        ("spearman", [1.0, 20.0, 3000.0], [0.1, 0.2, 0.3], 1.0),
        ("spearman", [1.0, 1.0, 2.0], [1.0, 2.0, 3.0], np.sqrt(3) / 2),
        ("rmse", [1.0, 2.0], [4.0, 6.0], np.sqrt(12.5)),
    ],
)
def test_known_values(metric: str, predictions: list[float], targets: list[float], score: float) -> None:
    assert _measure(metric, predictions, targets) == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("metric", ["mcc", "pearson", "spearman"])
@pytest.mark.parametrize(
    ("predictions", "targets"), [([1, 1, 1], [0, 1, 2]), ([0, 1, 2], [1, 1, 1]), ([1], [1]), ([0.1 + 0.2, 0.3], [0, 1])]
)
def test_correlations_with_a_constant_are_none(metric: str, predictions: list[float], targets: list[float]) -> None:
    assert _measure(metric, predictions, targets) is None


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mcc", "pearson", "spearman", "quadratic_kappa"])
def test_primary_metrics_are_one_for_perfect_predictions_and_higher_is_better(metric: str) -> None:
    targets = [0, 1, 2, 0, 1, 2, 2]
    perfect, worse = _measure(metric, targets, targets), _measure(metric, [0, 1, 2, 0, 1, 1, 0], targets)
    assert perfect == pytest.approx(1.0)
    assert worse is not None
    assert worse < 1


def test_a_metric_for_which_lower_is_better_is_not_primary() -> None:
    reasons = {name: metric.reason_not_primary for name, metric in METRICS.items() if not metric.primary}
    assert reasons == dict.fromkeys(["log_loss", "brier", "rmse", "mae"], "lower is better")


def test_a_class_that_does_not_occur_does_not_change_macro_f1() -> None:
    assert _measure("macro_f1", [0, 3, 0, 3], [0, 3, 0, 3]) == 1.0


def test_a_class_that_is_never_predicted_counts_zero_in_macro_f1() -> None:
    assert _measure("macro_f1", [0, 0, 0, 0], [0, 0, 1, 1]) == pytest.approx((2 / 3) / 2)


def test_a_prediction_of_a_class_without_targets_hardly_moves_macro_f1() -> None:
    """Over the classes of targets or predictions, one such prediction of 100 would move it from .950 to .636."""
    targets = np.repeat([0, 1], 50)
    predictions = targets.copy()
    predictions[[0, 1, 2, 50, 51]] = 1 - predictions[[0, 1, 2, 50, 51]]
    before = _measure("macro_f1", predictions, targets)
    predictions[0] = 2
    after = _measure("macro_f1", predictions, targets)
    assert before == pytest.approx(0.95, abs=0.001)
    assert after == pytest.approx(before, abs=0.006)
    earlier = resolve("macro_f1").earlier(Predictions(_floats(predictions), None), _floats(targets))
    assert earlier == pytest.approx(f1_score(targets, predictions, average="macro"))
    assert earlier == pytest.approx(0.636, abs=0.002)


def test_many_classes_with_one_example_each_give_no_warning() -> None:
    assert _measure("macro_f1", np.arange(60), np.arange(60)) == 1.0
    assert _measure("mcc", np.arange(60), np.arange(60)) == pytest.approx(1.0)


@settings(deadline=None, max_examples=40)
@given(CLASSES)
def test_classes_agree_with_scikit_learn(drawn: tuple[list[int], list[int]]) -> None:
    predictions, targets = drawn
    f1 = f1_score(targets, predictions, average="macro", labels=sorted(set(targets)), zero_division=0.0)
    assert _measure("macro_f1", predictions, targets) == pytest.approx(f1)
    mcc = _measure("mcc", predictions, targets)
    if len(set(predictions)) > 1 and len(set(targets)) > 1:
        assert mcc == pytest.approx(matthews_corrcoef(targets, predictions))
    else:
        assert mcc is None


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_values_agree_with_scipy(drawn: tuple[list[float], list[float]]) -> None:
    predictions, targets = drawn
    pearson, spearman = _measure("pearson", predictions, targets), _measure("spearman", predictions, targets)
    if len(set(predictions)) > 1 and len(set(targets)) > 1:
        assert pearson == pytest.approx(stats.pearsonr(predictions, targets).statistic, abs=1e-9)
        assert spearman == pytest.approx(stats.spearmanr(predictions, targets).statistic, abs=1e-9)
    else:
        assert pearson is None
        assert spearman is None


@settings(deadline=None, max_examples=60)
@given(VALUES, st.floats(0.1, 100), st.floats(-100, 100))
def test_correlations_do_not_depend_on_unit_or_origin(
    drawn: tuple[list[float], list[float]], scale: float, shift: float
) -> None:
    predictions, targets = _floats(drawn[0]), _floats(drawn[1])
    before, after = _measure("pearson", predictions, targets), _measure("pearson", scale * predictions + shift, targets)
    if before is not None:
        assert after == pytest.approx(before, abs=1e-6)
        assert -1.0 <= before <= 1.0


@pytest.mark.parametrize(
    ("metric", "predictions", "targets", "score"),
    [
        ("balanced_accuracy", [0, 0, 0, 1], [0, 0, 1, 1], 0.75),
        ("quadratic_kappa", [0, 1, 2, 2], [0, 1, 2, 0], 1 - 4 * 4 / (4 * 14 - 2 * 5 * 3)),
        ("mae", [1.0, 2.0], [4.0, 6.0], 3.5),
    ],
)
def test_known_values_of_further_metrics(
    metric: str, predictions: list[float], targets: list[float], score: float
) -> None:
    assert _measure(metric, predictions, targets) == pytest.approx(score, abs=1e-12)


def _ranked(metric: str, second: list[float], targets: list[float]) -> float | None:
    shares = np.stack([1 - _floats(second), _floats(second)], axis=1)
    return METRICS[metric].function(Predictions((_floats(second) > 0.5) * 1.0, shares), _floats(targets))


def test_known_values_of_probabilities() -> None:
    scores, targets = [0.9, 0.8, 0.8, 0.1], [1.0, 1.0, 0.0, 0.0]
    assert _ranked("auc", scores, targets) == pytest.approx(3.5 / 4)
    assert _ranked("average_precision", scores, targets) == pytest.approx((1 + 2 / 3) / 2)
    assert _ranked("brier", scores, targets) == pytest.approx((0.01 + 0.04 + 0.64 + 0.01) / 4)
    assert _ranked("log_loss", [0.5, 0.0], [1.0, 1.0]) == pytest.approx((np.log(2) + np.log(2**23)) / 2)


@pytest.mark.parametrize("metric", ["auc", "average_precision"])
def test_a_ranking_of_one_class_is_undefined(metric: str) -> None:
    assert _ranked(metric, [0.2, 0.3], [1.0, 1.0]) is None
    assert _ranked(metric, [0.2, 0.3], [0.0, 0.0]) is None


def test_kappa_of_one_class_is_undefined_and_that_of_a_constant_prediction_is_zero() -> None:
    assert _measure("quadratic_kappa", [1, 1], [1, 1]) is None
    assert _measure("quadratic_kappa", [1, 1], [0, 2]) == 0.0


def test_f1_of_a_class_without_targets_is_undefined() -> None:
    f1 = METRICS["f1"].function
    predictions, targets = Predictions(_floats([0, 1, 2, 0]), None), _floats([0, 1, 1, 0])
    assert f1(predictions, targets, classes=(0, 2)) is None
    assert f1(predictions, targets, classes=(0,)) == 1.0
    assert f1(predictions, targets, classes=(0, 1)) == pytest.approx((1 + 2 / 3) / 2)


def test_a_metric_with_options_has_a_name_and_a_title() -> None:
    choice = MetricChoice.of({"kind": "f1", "classes": ["in favour", "against"]})
    assert choice.name == "f1_in_favour_against"
    assert MetricChoice.of(choice.table) == choice
    found = resolve(choice, Classification(["against", "in favour", "none"]))
    assert found.arguments == {"classes": (1, 0)}
    assert title_of(choice.name) == "F1 (in_favour_against)"
    assert title_of("balanced_accuracy") == "balanced accuracy"
    assert title_of("unknown") == "unknown"


def test_metrics_with_equal_arrays_as_arguments_are_equal() -> None:
    one, same, other = (
        Chosen(METRICS["accuracy"], "mine", {"parent": np.array(parents), "level": 1})
        for parents in ([0, 0, 1], [0, 0, 1], [0, 1, 1])
    )
    assert one == same
    assert one != other
    assert one != Chosen(METRICS["accuracy"], "mine", {"parent": np.array([0, 0, 1])})
