"""The coverage of intervals and the error rates of tests in 500 simulated studies per case.

`python -m benchmarks.statistics` simulates 2,000 studies of more conditions.

The simulated mechanisms differ from the model of the estimates. Accuracy: an example is correct if the sum of its ease,
an effect of the seed and noise exceeds a threshold. Pearson r: predictions are the target plus errors that runs partly
share, and the size of the errors depends on the seed. `share` is the share of an estimate's variance that is seed
variance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from manyheads.evaluation.estimate import components
from manyheads.evaluation.sample import Sample, sample

STUDIES = 500
SLACK = 1.96 * np.sqrt(0.95 * 0.05 / STUDIES)
"""Monte-Carlo error of a share of about 95% (or 5%) of the simulated studies."""

SEEDS = (3, 10)
SHARES = (0.1, 0.9)
ROWS = 6
"""Rows of the studies with a familywise error. The first row is the baseline."""

Study = tuple[list[Sample], float]
"""The samples of the rows, and the true value, which is the same for all rows."""


def accuracy_study(rng: np.random.Generator, rows: int, seeds: int, share: float, n: int = 1000) -> Study:
    """Simulate equal rows. Ease and noise have the variances 1 and 0.36; about 70% are correct."""
    total, cut = 1.36, -0.52 * np.sqrt(1.36)
    right = norm.sf(-0.52)
    both = multivariate_normal.cdf([0.52, 0.52], cov=[[1, 1 / total], [1 / total, 1]])
    shared = both - right**2
    sampling = (shared / n if rows == 1 else 0) + min(rows, 2) * (right * (1 - right) - shared) / (seeds * n)
    per_unit = norm.pdf(0.52) / np.sqrt(total)
    spread = np.sqrt(share / (1 - share) * sampling * seeds / min(rows, 2)) / per_unit
    ease = rng.standard_normal(n)
    found = []
    for _ in range(rows):
        shifts = spread * rng.standard_normal((seeds, 1))
        correct = (ease + shifts + 0.6 * rng.standard_normal((seeds, n)) > cut).astype(np.float64)
        values = correct.mean(axis=1)
        found.append(Sample(values, correct - values[:, None]))
    return found, float(norm.sf(cut / np.sqrt(total + spread**2)))


def pearson_study(rng: np.random.Generator, rows: int, seeds: int, share: float, n: int = 860) -> Study:
    """Simulate equal rows with r near 0.85. Runs share 70% of the variance of their errors."""
    target, common = rng.standard_normal(n), rng.standard_normal(n)
    sampling = (1 - 0.85**2) ** 2 / n * ((0.7 + 0.3 / seeds) if rows == 1 else 0.6 / seeds)
    spread = np.sqrt(share / (1 - share) * sampling * seeds / min(rows, 2))
    found = []
    for _ in range(rows):
        r = np.clip(0.85 + spread * rng.standard_normal((seeds, 1)), 0.2, 0.99)
        errors = np.sqrt(0.7) * common + np.sqrt(0.3) * rng.standard_normal((seeds, n))
        one = sample("pearson", target + np.sqrt(1 / r**2 - 1) * errors, target)
        assert one is not None
        found.append(one)
    return found, 0.85


MECHANISMS: dict[str, Callable[..., Study]] = {"accuracy": accuracy_study, "pearson": pearson_study}


def covered(rows: list[list[Sample]], weights: list[float], truth: float) -> bool:
    """Return whether the 95% interval of a contrast contains the true value."""
    mean = sum(w * np.mean([part.values.mean() for part in row]) for w, row in zip(weights, rows, strict=True))
    return bool(abs(mean - truth) <= components(rows, weights).half_width(0.05))


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", sorted(MECHANISMS))
def test_the_interval_of_a_row_covers(kind: str, seeds: int, share: float) -> None:
    rng = np.random.default_rng([seeds, int(100 * share), 1])
    hits = []
    for _ in range(STUDIES):
        (row,), truth = MECHANISMS[kind](rng, 1, seeds, share)
        hits.append(covered([[row]], [1.0], truth))
    assert 0.93 - SLACK <= np.mean(hits) <= 0.98 + SLACK


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", sorted(MECHANISMS))
def test_the_interval_of_a_difference_covers(kind: str, seeds: int, share: float) -> None:
    rng = np.random.default_rng([seeds, int(100 * share), 2])
    hits = []
    for _ in range(STUDIES):
        (one, other), _ = MECHANISMS[kind](rng, 2, seeds, share)
        hits.append(covered([[one], [other]], [1.0, -1.0], 0.0))
    assert 0.93 - SLACK <= np.mean(hits) <= 0.98 + SLACK


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seeds", SEEDS)
def test_the_interval_of_an_average_over_tasks_covers(seeds: int, share: float) -> None:
    rng = np.random.default_rng([seeds, int(100 * share), 3])
    hits = []
    for _ in range(STUDIES):
        (one,), right = accuracy_study(rng, 1, seeds, share)
        (other,), r = pearson_study(rng, 1, seeds, share)
        hits.append(covered([[one, other]], [1.0], (right + r) / 2))
    assert 0.93 - SLACK <= np.mean(hits) <= 0.98 + SLACK


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("kind", sorted(MECHANISMS))
def test_a_study_of_equal_rows_rarely_detects_a_difference(kind: str, seeds: int, share: float) -> None:
    """If all rows are equal, Holm's test rejects if the smallest p is below 5% divided by the comparisons."""
    rng = np.random.default_rng([seeds, int(100 * share), 4])
    errors = []
    for _ in range(STUDIES):
        rows, _ = MECHANISMS[kind](rng, ROWS, seeds, share)
        baseline = rows[0]
        found = False
        for row in rows[1:]:
            gap = abs(row.values.mean() - baseline.values.mean())
            found = found or gap > components([[row], [baseline]], [1.0, -1.0]).half_width(0.05 / (ROWS - 1))
        errors.append(found)
    assert np.mean(errors) <= 0.05 + SLACK
