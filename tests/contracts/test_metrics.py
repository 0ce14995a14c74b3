"""The contract of a metric. Every record on the menu is tested, with every form of targets that it fits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from manyheads.evaluation.interval import measured
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.metric import MEANING, MetricOptions
from manyheads.evaluation.metrics.resolve import Chosen, misfit, misfit_of_options, resolve
from manyheads.evaluation.sample import sample
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.embedding import TextEmbedding
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.metric_choice import MetricChoice
from sklearn import metrics as sk

Floats = NDArray[np.float64]

KINDS: list[Kind] = [Classification([0, 1]), Classification(["bad", "fair", "good"]), Classification(range(4))]
KINDS += [
    Ordinal([1, 2, 3]),
    Multilabel(["a", "b", "c"]),
    Regression(0, 5),
    TextEmbedding("pairs"),
    TextEmbedding("scored"),
]

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "f1": [{}, {"classes": ["bad", "good"]}, {"classes": [2]}],
    "recall_at": [{"k": 3}],
}
"""Options with which a metric is tested, where they fit. By default, no options."""


def choices() -> Iterator[tuple[Chosen, Kind]]:
    for name, metric in METRICS.items():
        for kind in KINDS:
            for options in OPTIONS.get(name, [{}]):
                choice = MetricChoice.of({"kind": name, **options})
                fits = misfit(metric, kind) or misfit_of_options(metric, metric.options(**choice.table), kind)
                if fits is None:
                    yield resolve(choice, kind), kind


CASES = [pytest.param(chosen, kind, id=f"{chosen.name}-{kind!r}") for chosen, kind in choices()]
LIST = list(choices())


def make(kind: Kind, seed: int, n: int) -> tuple[Predictions, Floats]:
    """Return predictions of a mediocre model, in which some probabilities are equal."""
    rng = np.random.default_rng(seed)
    if kind.shape:
        targets = (rng.random((n, 3)) < [0.2, 0.5, 0.7]).astype(np.float64)
        logits = 2 * targets - 1 + rng.standard_normal((n, 3))
        shares = np.round(1 / (1 + np.exp(-logits)), 2)
        return Predictions((shares > 0.5).astype(np.float64), shares), targets
    if kind.target == "rank":
        return Predictions(rng.geometric(0.3, n).astype(np.float64), None), np.ones(n)
    if kind.unit or kind.vectors:
        targets = rng.uniform(0, 5, n)
        return Predictions(targets + rng.standard_normal(n), None), targets
    classes = len(kind.probability_names)
    targets = rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2)).astype(np.float64)
    logits = rng.standard_normal((n, classes)) + 1.2 * np.eye(classes)[targets.astype(int)]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    probabilities = np.round(shares, 2)
    probabilities[:, 0] += 1 - probabilities.sum(axis=1)
    return Predictions(probabilities.argmax(axis=1).astype(np.float64), np.abs(probabilities)), targets


def _certain(kind: Kind, targets: Floats) -> Floats | None:
    """The probabilities of perfect predictions."""
    if kind.shape or not kind.probability_names:
        return targets if kind.shape else None
    return np.eye(len(kind.probability_names))[targets.astype(np.int64)]


def without(predictions: Predictions, place: int) -> Predictions:
    probabilities = predictions.probabilities
    values = np.delete(predictions.values, place, axis=0)
    return Predictions(values, None if probabilities is None else np.delete(probabilities, place, axis=0))


def naive(chosen: Chosen, kind: Kind, predictions: Predictions, targets: Floats) -> float:
    """The metric as scikit-learn computes it."""
    values, p = predictions.values, predictions.probabilities
    labels = range(len(kind.probability_names))
    if kind.shape:
        some = targets.any(axis=0)
        return {
            "micro_f1": lambda: sk.f1_score(targets, values, average="micro"),
            "macro_f1": lambda: sk.f1_score(targets[:, some], values[:, some], average="macro"),
            "average_precision": lambda: sk.average_precision_score(targets[:, some], p[:, some]),
            "auc": lambda: sk.roc_auc_score(targets, p),
            "subset_accuracy": lambda: sk.accuracy_score(targets, values),
        }[chosen.name]()
    present = sorted({int(target) for target in targets})
    if p is None:
        k = chosen.arguments.get("k", int(chosen.name.rpartition("_")[2]) if "recall_at" in chosen.name else 0)
        return {
            "mrr": lambda: float(np.mean([1 / rank for rank in values])),
            **dict.fromkeys(
                ("recall_at_1", "recall_at_5", "recall_at_10", "recall_at"),
                lambda: sk.accuracy_score(targets == 1, values <= k),
            ),
            "pearson": lambda: float(np.corrcoef(values, targets)[0, 1]),
            "spearman": lambda: float(np.corrcoef(values.argsort().argsort(), targets.argsort().argsort())[0, 1]),
            "rmse": lambda: float(sk.root_mean_squared_error(targets, values)),
            "mae": lambda: float(sk.mean_absolute_error(targets, values)),
        }[chosen.metric.name]()
    rest = [(targets == each, p[:, each]) for each in (present if len(labels) > 2 else [1])]
    return {
        "accuracy": lambda: sk.accuracy_score(targets, values),
        "macro_f1": lambda: sk.f1_score(targets, values, labels=present, average="macro", zero_division=0.0),
        "f1": lambda: sk.f1_score(
            targets, values, labels=chosen.arguments["classes"], average="macro", zero_division=0.0
        ),
        "mcc": lambda: sk.matthews_corrcoef(targets, values),
        "balanced_accuracy": lambda: sk.recall_score(targets, values, labels=present, average="macro"),
        "mae": lambda: sk.mean_absolute_error(targets, values),
        "quadratic_kappa": lambda: sk.cohen_kappa_score(targets, values, labels=list(labels), weights="quadratic"),
        "auc": lambda: float(np.mean([sk.roc_auc_score(*each) for each in rest])),
        "average_precision": lambda: float(np.mean([sk.average_precision_score(*each) for each in rest])),
        "log_loss": lambda: sk.log_loss(targets, np.clip(p, 2**-23, 1), labels=list(labels)),
        "brier": lambda: sk.brier_score_loss(targets, p, labels=list(labels), scale_by_half=True),
    }[chosen.metric.name]()


RAGGED = {"span_f1", "word_accuracy", "word_macro_f1", "sentence_accuracy", "ndcg"}
"""The metrics of ragged targets. `tests/tasks/test_tags.py` and `tests/tasks/test_choice.py` test them."""


def test_every_metric_fits_some_kind() -> None:
    assert {chosen.metric.name for chosen, _ in LIST} | RAGGED == set(METRICS)


@pytest.mark.filterwarnings("ignore:The y_prob values do not sum to one")
@pytest.mark.parametrize(("chosen", "kind"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_value_is_that_of_scikit_learn(chosen: Chosen, kind: Kind, seed: int) -> None:
    predictions, targets = make(kind, seed, 200)
    assert chosen.value(predictions, targets) == pytest.approx(naive(chosen, kind, predictions, targets), abs=1e-9)


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_an_influence_is_the_effect_of_deleting_the_example(chosen: Chosen, kind: Kind) -> None:
    """It agrees with the jackknife, (n - 1)(whole - without), up to a constant and terms of order 1/n."""
    predictions, targets = make(kind, 1, 400)
    whole = chosen.value(predictions, targets)
    assert whole is not None
    left = [chosen.value(without(predictions, place), np.delete(targets, place, axis=0)) for place in range(400)]
    jackknife = 399 * (whole - np.array(left, dtype=np.float64))
    found = chosen.influence(predictions, targets)
    assert found.shape == (400,)
    gap = (jackknife - jackknife.mean()) - (found - found.mean())
    assert np.abs(gap).max() < 0.2 * found.std()


EXACT = [case for case in LIST if case[0].metric.name not in ("pearson", "spearman", "rmse")]


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(EXACT), st.integers(0, 10_000), st.integers(3, 14), st.booleans())
def test_influences_of_other_metrics_than_correlations_are_the_jackknife_exactly(
    case: tuple[Chosen, Kind], seed: int, n: int, few: bool
) -> None:
    """Without an example a class may disappear, or the metric may be undefined (0)."""
    chosen, kind = case
    predictions, targets = make(kind, seed, n)
    if few:
        targets = np.where(targets > 1, targets.min(), targets)
    whole = chosen.value(predictions, targets)
    if whole is None:
        return
    left = [chosen.value(without(predictions, place), np.delete(targets, place, axis=0)) or 0.0 for place in range(n)]
    jackknife, found = (n - 1) * (whole - np.array(left)), chosen.influence(predictions, targets)
    # The mean of the effects is a bias. It is removed from influences before they are used.
    np.testing.assert_allclose(found - found.mean(), jackknife - jackknife.mean(), atol=1e-7)


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_the_spread_of_influences_is_the_spread_over_samples(chosen: Chosen, kind: Kind) -> None:
    """The variance of a metric over samples of n examples is the variance of the influences divided by n."""
    values, spreads = [], []
    for seed in range(150):
        predictions, targets = make(kind, 1000 + seed, 200)
        values.append(chosen.value(predictions, targets))
        spreads.append(chosen.influence(predictions, targets).var(ddof=1) / 200)
    # The relative standard deviation of a variance from 150 samples is 12%. The tolerance is three times that.
    assert np.mean(spreads) / np.var(np.array(values, dtype=float), ddof=1) == pytest.approx(1.0, abs=0.35)


@pytest.mark.parametrize(("chosen", "kind"), CASES)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 30, 300])
def test_values_and_intervals_are_within_the_range(chosen: Chosen, kind: Kind, n: int) -> None:
    low, high = chosen.metric.range
    for seed in range(5):
        predictions, targets = make(kind, seed, n)
        for clusters in (None, np.arange(n) // 2):
            found = measured(chosen, predictions.values, targets, clusters, predictions.probabilities)
            assert found.name == chosen.name
            assert found.value == chosen.value(predictions, targets)
            if found.value is not None:
                assert low <= found.value <= high
            if found.low is not None and found.high is not None and found.value is not None:
                assert low <= found.low <= found.value <= found.high <= high
                assert found.low < found.high
            if n == 300:
                assert found.low is not None


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_without_examples_the_metric_and_its_sample_are_undefined(chosen: Chosen, kind: Kind) -> None:
    predictions, targets = make(kind, 0, 0)
    assert chosen.value(predictions, targets) is None
    probabilities = None if predictions.probabilities is None else predictions.probabilities[None]
    assert sample(chosen, predictions.values[None], targets, probabilities=probabilities) is None


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_perfect_predictions_are_better_than_others(chosen: Chosen, kind: Kind) -> None:
    worse, targets = make(kind, 0, 100)
    perfect = Predictions(targets, _certain(kind, targets))
    best, other = chosen.value(perfect, targets), chosen.value(worse, targets)
    assert best is not None
    assert other is not None
    assert best == pytest.approx(chosen.metric.range[1 if chosen.metric.higher_is_better else 0], abs=1e-9)
    assert (best > other) == chosen.metric.higher_is_better
    estimate = measured(chosen, perfect.values, targets, None, perfect.probabilities)
    if chosen.metric.bounded:
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low < estimate.high


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_two_halves_and_clusters_give_a_sample(chosen: Chosen, kind: Kind) -> None:
    predictions, targets = make(kind, 0, 200)
    probabilities = None if predictions.probabilities is None else predictions.probabilities[None]
    first, clusters = np.arange(200) % 2 == 0, np.arange(200) // 4
    found = sample(
        chosen, predictions.values[None], targets, probabilities=probabilities, clusters=clusters, first=first
    )
    assert found is not None
    assert found.influence.shape == (1, 50)
    np.testing.assert_allclose(found.influence.mean(), 0, atol=1e-9)
    assert 1 <= found.rarest <= 50


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_documented_and_so_are_its_options(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.title
    assert (metric.function.__doc__ or "").startswith("Return ")
    assert metric.targets
    assert set(metric.targets) <= set(MEANING)
    assert issubclass(metric.options, MetricOptions)
    assert all(field.description for field in metric.options.model_fields.values())
    assert metric.range[0] < metric.range[1]
    assert metric.primary == (metric.higher_is_better and all(map(math.isfinite, metric.range)))


@pytest.mark.parametrize(("chosen", "kind"), CASES)
def test_what_a_metric_needs_is_all_that_it_reads(chosen: Chosen, kind: Kind) -> None:
    predictions, targets = make(kind, 0, 50)
    if chosen.needs_probabilities:
        other = Predictions(np.zeros(50), predictions.probabilities)
        with pytest.raises(ValueError, match="needs probabilities"):
            chosen.value(Predictions(predictions.values, None), targets)
    else:
        other = Predictions(predictions.values, None)
    assert chosen.value(other, targets) == chosen.value(predictions, targets)
    np.testing.assert_array_equal(chosen.influence(other, targets), chosen.influence(predictions, targets))
