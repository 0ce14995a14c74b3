"""Moderated variances: what the rows of a study say about the seed variance of one of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from manyheads.evaluation.estimate import NO_PRIOR, Prior, prior_of


def rows_of(table: np.ndarray) -> list[tuple[range, np.ndarray]]:
    return [(range(table.shape[1]), row) for row in table]


def test_rows_with_equal_variances_are_pooled() -> None:
    rng = np.random.default_rng(0)
    found = prior_of(rows_of(0.02 * rng.standard_normal((40, 5)) + rng.standard_normal(5)))
    assert found.variance == pytest.approx(0.02**2, rel=0.3)
    assert found.df > 20


def test_the_location_and_degrees_of_freedom_are_estimated() -> None:
    """Variances of rows that vary like 4 / chi-square(4): the prior has about 4 degrees of freedom."""
    rng = np.random.default_rng(1)
    spread = np.sqrt(4 / rng.chisquare(4, (2000, 1)))
    found = prior_of(rows_of(spread * rng.standard_normal((2000, 6))))
    assert found.df == pytest.approx(4, rel=0.2)
    assert found.variance == pytest.approx(1.0, rel=0.1)


def test_a_missing_cell_changes_little() -> None:
    table = np.random.default_rng(2).standard_normal((6, 5)) + np.arange(5) * 3.0
    complete = prior_of(rows_of(table))
    missing = prior_of([(range(4), table[0, :4]), *rows_of(table)[1:]])
    assert missing.variance == pytest.approx(complete.variance, rel=0.4)
    again = prior_of([(range(5), table[0]), *rows_of(table)[1:]])
    assert again == complete


def test_few_rows_say_nothing() -> None:
    table = np.random.default_rng(3).standard_normal((3, 5))
    assert prior_of(rows_of(table)) == NO_PRIOR
    assert prior_of([((1,), np.ones(1))] * 9) == NO_PRIOR
    assert prior_of(rows_of(np.ones((6, 5)))) == NO_PRIOR


def test_variances_are_moderated_upwards_only() -> None:
    prior = Prior(1.0, 6.0)
    assert prior.moderate(4.0, 2.0) == (4.0, 2.0)
    assert prior.moderate(0.2, 2.0) == pytest.approx(((6 + 0.4) / 8, 8.0))
    assert Prior(1.0, math.inf).moderate(0.2, 2.0) == (1.0, 10.0)
    assert NO_PRIOR.moderate(0.2, 2.0) == (0.2, 2.0)
    # With two seeds, the prior counts one degree of freedom.
    assert Prior(1.0, math.inf).moderate(0.2, 1.0) == (1.0, 2.0)
