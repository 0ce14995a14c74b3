"""Effects of factors: estimates, aliases, and the interactions that main effects contain."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.evaluation.sample import Sample, sample
from manyheads.evaluation.significance import lack_of_fit
from manyheads.studies.effects import Effects, effects_of
from manyheads.studies.factors import aliases, row_echelon


def study(rows: dict[str, str], values: dict[str, float] | None = None) -> Effects:
    """Return the effects of rows that are given as one digit (a level) per factor: {"base": "00", "a": "10"}."""
    levels = {
        row: {chr(65 + place): {"0": "no", "1": "yes"}.get(level, level) for place, level in enumerate(digits)}
        for row, digits in rows.items()
    }
    found = {}
    for row in rows:
        mean = (values or {}).get(row, 0.0)
        found[row] = [Sample(mean + np.array([-0.01, 0.0, 0.01]), np.zeros((3, 20)))]
    return effects_of(levels, found, next(iter(rows)))


def test_pairs_that_vary_together_are_listed_one_by_one() -> None:
    """Three pairs of factors that always change together are three sentences, not one group of six."""
    rows = {"".join(digits): "".join(digit * 2 for digit in digits) for digits in itertools.product("01", repeat=3)}
    found = study(rows)
    assert found.aliases == ("A is aliased with B", "C is aliased with D", "E is aliased with F")
    assert found.main == ()


def test_three_factors_that_vary_together_are_one_group() -> None:
    assert study({"base": "0000", "one": "1110", "other": "0001"}).aliases == ("A is aliased with B is aliased with C",)


def test_a_term_that_is_the_sum_of_others_is_described() -> None:
    found = study({"base": "000", "one": "101", "other": "011"})
    assert found.aliases == ("C is aliased with A + B",)


def test_a_complete_factorial_has_no_aliases_and_no_bias() -> None:
    rows = {"".join(digits): "".join(digits) for digits in itertools.product("012", "01", "01")}
    found = study(rows)
    assert found.aliases == ()
    assert [effect.contains for effect in found.main] == [{}] * 4


def test_a_factor_that_is_an_interaction_in_disguise_is_named() -> None:
    """C = A xor B. The value has no effect of C, but an interaction of A and B, half of which C shows."""
    rows = {"base": "000", "a": "101", "b": "011", "ab": "110"}
    found = study(rows, {"ab": 0.2})
    effects = {effect.name: effect for effect in found.main}
    assert effects["C"].contains == pytest.approx({"A x B": -0.5})
    assert effects["C"].estimate.mean == pytest.approx(-0.5 * 0.2)
    assert effects["A"].contains == pytest.approx({"B x C": -0.5})


def test_the_interactions_that_a_main_effect_contains_give_its_expectation() -> None:
    """An incomplete design: the estimate is the average effect over the levels of the others, plus the bias."""
    rows = {"base": "00", "a": "10", "b": "01", "ab": "11", "a2": "20", "b2": "02", "a2b2": "22"}
    gamma = {"ab": 0.3, "a2b2": -0.1}
    found = study(rows, gamma)
    # The interactions A x B = 1 x 1 and 2 x 2, averaged over the three levels of the other factor.
    average = {"A": 0.3 / 3, "A = 2": -0.1 / 3, "B": 0.3 / 3, "B = 2": -0.1 / 3}
    sizes = {"A x B": 0.3, "A = 2 x B = 2": -0.1}
    for effect in found.main:
        bias = sum(value * sizes[name] for name, value in effect.contains.items())
        assert effect.estimate.mean == pytest.approx(average[effect.name] + bias)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 10_000))
def test_the_echelon_form_has_the_row_space_and_unit_pivots(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).integers(0, 2, (rows, columns)).astype(float)
    reduced, pivots = row_echelon(matrix)
    assert len(pivots) == np.linalg.matrix_rank(matrix)
    np.testing.assert_allclose(reduced[:, pivots], np.eye(len(pivots)), atol=1e-9)
    np.testing.assert_allclose(matrix[:, pivots] @ reduced, matrix, atol=1e-8)


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 4), st.integers(0, 10_000))
def test_any_number_of_aliased_pairs_is_told_apart(pairs: int, seed: int) -> None:
    """Random designs with k pairs of equal columns and no other dependency have k sentences of two terms."""
    own = np.random.default_rng(seed).integers(0, 2, (12, pairs)).astype(float)
    if np.linalg.matrix_rank(np.column_stack([np.ones(12), own])) < 1 + pairs:
        return
    design = np.column_stack([np.ones(12), np.repeat(own, 2, axis=1)])
    names = [f"{place}{side}" for place in range(pairs) for side in "ab"]
    assert list(aliases(design, names)) == [f"{place}a is aliased with {place}b" for place in range(pairs)]


def noisy(values: list[float], rng: np.random.Generator, seeds: int = 4) -> list[list[Sample]]:
    """Rows with these true accuracies, seed variance, and independent errors on the same 400 examples."""
    rows = []
    shared = 0.02 * rng.standard_normal((seeds, 1))
    ease = rng.random(400)
    for value in values:
        right = (ease < value + shared + 0.02 * rng.standard_normal((seeds, 1))).astype(float)
        one = sample("accuracy", right, np.ones(400), seeds=range(seeds))
        assert one is not None
        rows.append([one])
    return rows


def test_the_lack_of_fit_of_one_effect_is_like_the_test_of_the_interaction() -> None:
    rng = np.random.default_rng(0)
    design = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=float)
    levels = {name: {"A": name[0], "B": name[1]} for name in ("00", "10", "01", "11")}
    for values, significant in (([0.7, 0.75, 0.72, 0.77], False), ([0.7, 0.7, 0.7, 0.9], True)):
        rows = noisy(values, rng)
        found = lack_of_fit(rows, design)
        assert found is not None
        assert found.df == 1
        assert (found.p < 0.05) == significant
        (interaction,) = effects_of(levels, dict(zip(levels, rows, strict=True)), "00").interactions
        assert interaction.estimate.p is not None
        assert (interaction.estimate.p < 0.05) == significant


def test_an_average_over_tasks_has_a_lack_of_fit_test() -> None:
    rng = np.random.default_rng(3)
    rows = [[*one, *other] for one, other in zip(noisy([0.7] * 4, rng), noisy([0.8] * 4, rng), strict=True)]
    found = lack_of_fit(rows, np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1]], dtype=float))
    assert found is not None
    assert 0 < found.p <= 1


def test_the_lack_of_fit_test_keeps_its_level() -> None:
    rng = np.random.default_rng(1)
    design = np.array([[1, a, b] for a in (0, 1) for b in (0, 1)] + [[1, 1, 1], [1, 0, 0]], dtype=float)
    found = [lack_of_fit(noisy([0.7] * 6, rng), design) for _ in range(300)]
    rejected = np.mean([each is not None and each.p < 0.05 for each in found])
    assert rejected < 0.055 + 2.6 * (0.055 * 0.945 / 300) ** 0.5


def test_a_model_with_as_many_parameters_as_rows_has_no_test() -> None:
    rows = noisy([0.7, 0.7], np.random.default_rng(2))
    assert lack_of_fit(rows, np.array([[1.0, 0.0], [1.0, 1.0]])) is None
    assert lack_of_fit([[replace(row[0], seeds=None)] for row in rows], np.ones((2, 1))) is None
