"""Main effects of factors and their interactions, as far as the rows of a study identify them.

Main effects come from an additive model: the value of a row is a constant plus one term per level of each factor. The
model is fitted by least squares with equal weights for all rows. An interaction needs no model. It is a difference of
differences, averaged over all sets of four rows that agree in all other factors. Both are contrasts of rows, so
`evaluation.estimate` computes their intervals.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.estimate import NO_PRIOR, Estimate, Prior, contrast
from manyheads.evaluation.sample import Sample
from manyheads.evaluation.significance import LackOfFit, lack_of_fit
from manyheads.studies.compare import holm_corrected
from manyheads.studies.factors import TOLERANCE, aliases, interaction_biases
from manyheads.studies.table import Effect, rounded

Levels = Mapping[str, Mapping[str, str]]
"""The level of each factor, by row."""

Term = tuple[str, str]
"""A factor and one of its levels, compared with the level of the factor in the baseline."""


@dataclass(frozen=True)
class FactorEffect:
    """The main effect of one term, or the interaction of two, with the weight of each row in the contrast.

    `contains`: the interactions that a main effect contains because of the choice of the rows, with their coefficients.
    """

    terms: tuple[Term, ...]
    estimate: Estimate
    weights: Mapping[str, float]
    contains: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return "AP" for a factor that is present or absent, "LR = 0.2" for a level, "AP x CE" for an interaction."""
        return " x ".join(map(_name, self.terms))


@dataclass(frozen=True)
class Effects:
    """Main effects and interactions. `aliases`: the effects that the rows cannot separate, one sentence per group.

    `lack_of_fit`: the test of the additive model of the main effects, None if the rows do not allow one.
    """

    main: tuple[FactorEffect, ...]
    interactions: tuple[FactorEffect, ...]
    aliases: tuple[str, ...]
    lack_of_fit: LackOfFit | None = None


def effects_of(
    levels: Levels, samples: Mapping[str, Sequence[Sample]], baseline: str, prior: Prior = NO_PRIOR
) -> Effects:
    """Estimate the effects of the factors from the rows that have samples and a level of every factor.

    Raises:
        ValueError: the baseline is not one of these rows.
    """
    rows = [row for row in levels if row in samples and all(levels[row].values())]
    if baseline not in rows:
        raise ValueError(f"the baseline {baseline} has no samples, or no level of a factor")
    terms = list(_terms({row: levels[row] for row in rows}, baseline))
    if not terms:
        return Effects((), (), ())
    design = np.array([[1.0, *(float(levels[row][factor] == level) for factor, level in terms)] for row in rows])
    solution = np.linalg.pinv(design)
    identified = _identified(design, solution)
    biases = interaction_biases(solution, design, terms)
    contained = {
        place: {" x ".join(_name(terms[each]) for each in pair): value for pair, value in found.items()}
        for place, found in biases.items()
    }
    main = tuple(
        replace(
            _effect((term,), dict(zip(rows, solution[place], strict=True)), samples, prior),
            contains=contained.get(place - 1, {}),
        )
        for place, term in enumerate(terms, start=1)
        if identified[place]
    )
    interactions = tuple(_interactions(levels, rows, terms, samples, prior))
    fit = lack_of_fit([samples[row] for row in rows], design)
    return Effects(main, interactions, tuple(aliases(design, [_name(term) for term in terms])), fit)


def _terms(levels: Levels, baseline: str) -> Iterator[Term]:
    for factor, reference in levels[baseline].items():
        for level in dict.fromkeys(row[factor] for row in levels.values()):
            if level != reference:
                yield factor, level


def _identified(design: NDArray[np.float64], solution: NDArray[np.float64]) -> list[bool]:
    """Return which coefficients have a unique least squares solution: their unit vectors are in the row space."""
    projection = solution @ design
    return [
        bool(np.abs(projection[place] - np.eye(len(projection))[place]).max() < TOLERANCE)
        for place in range(len(projection))
    ]


def _interactions(
    levels: Levels,
    rows: Sequence[str],
    terms: Sequence[Term],
    samples: Mapping[str, Sequence[Sample]],
    prior: Prior,
) -> Iterator[FactorEffect]:
    reference = {factor: _reference(levels, rows, terms, factor) for factor, _ in terms}
    by_levels = {tuple(levels[row].items()): row for row in rows}
    for one, other in itertools.combinations(terms, 2):
        if one[0] == other[0]:
            continue
        squares = []
        for row in rows:
            if levels[row][one[0]] == one[1] and levels[row][other[0]] == other[1]:
                corners = [
                    by_levels.get(tuple({**levels[row], **change}.items()))
                    for change in (
                        {one[0]: reference[one[0]]},
                        {other[0]: reference[other[0]]},
                        {one[0]: reference[one[0]], other[0]: reference[other[0]]},
                    )
                ]
                if None not in corners:
                    squares.append([row, *(corner for corner in corners if corner is not None)])
        if squares:
            weights: dict[str, float] = {}
            for square in squares:
                for corner, sign in zip(square, (1.0, -1.0, -1.0, 1.0), strict=True):
                    weights[corner] = weights.get(corner, 0.0) + sign / len(squares)
            yield _effect((one, other), weights, samples, prior)


def _reference(levels: Levels, rows: Sequence[str], terms: Sequence[Term], factor: str) -> str:
    """Return the level of a factor in the baseline: the only level that is not a term."""
    others = {level for name, level in terms if name == factor}
    return next(levels[row][factor] for row in rows if levels[row][factor] not in others)


def _effect(
    terms: tuple[Term, ...], weights: Mapping[str, float], samples: Mapping[str, Sequence[Sample]], prior: Prior
) -> FactorEffect:
    kept = {row: float(weight) for row, weight in weights.items() if abs(weight) > TOLERANCE}
    return FactorEffect(terms, contrast([samples[row] for row in kept], list(kept.values()), prior=prior), kept)


def _name(term: Term) -> str:
    factor, level = term
    return factor if level == "yes" else f"{factor} = {level or 'no'}"


@dataclass(frozen=True)
class FactorialAnalysis:
    """Effects of factors, aliases as sentences, and the test of the additive model."""

    effects: tuple[Effect, ...]
    aliases: tuple[str, ...]
    lack_of_fit: LackOfFit | None = None


def analyse_factors(
    baseline: str,
    rows: Mapping[str, Sequence[Sample] | None],
    levels: Mapping[str, Mapping[str, str]],
    prior: Prior = NO_PRIOR,
    planned: int = 1,
) -> FactorialAnalysis:
    """Analyse the rows that have samples and the tasks of the baseline.

    `prior`: what all rows say about the seed variance. `planned`: the number of seeds of the study.
    """
    samples = {row: each for row, each in rows.items() if each is not None and _comparable(each, rows[baseline])}
    effects: tuple[Effect, ...] = ()
    aliases: tuple[str, ...] = ()
    fit: LackOfFit | None = None
    if baseline in samples and all(levels[baseline].values()):
        estimated = effects_of(levels, samples, baseline, prior)
        effects = (
            *_family("main effect", estimated.main, planned),
            *_family("interaction", estimated.interactions, planned),
        )
        aliases, fit = estimated.aliases, estimated.lack_of_fit
    return FactorialAnalysis(effects, aliases, fit)


def _comparable(one: Sequence[Sample], other: Sequence[Sample] | None) -> bool:
    """Return whether two rows have the same tasks. One model cannot describe averages over different tasks."""
    return other is not None and [part.task for part in one] == [part.task for part in other]


def _family(kind: str, estimated: Sequence[FactorEffect], planned: int) -> list[Effect]:
    """Return effects with p values that are corrected over all effects of their kind."""
    tested = holm_corrected({effect.name: effect.estimate for effect in estimated}, planned)
    return [
        Effect(
            kind=kind,
            name=effect.name,
            factors=tuple(factor for factor, _ in effect.terms),
            value=value,
            contains={name: rounded(coefficient) for name, coefficient in effect.contains.items()},
        )
        for effect in estimated
        if (value := tested[effect.name]) is not None
    ]
