"""What each factor is worth: main effects and interactions, those that the rows of a study identify.

Main effects are those of the additive model: a row's figure is a constant and a term for each factor's level. They are
its least squares solution, every row counting the same, and mean what a level adds where factors add up. An
interaction needs no model: it is the difference of differences, over every square of four rows that agree in all other
factors. Both are contrasts of rows, so that their intervals are those of `evaluation.estimate`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.estimate import Estimate, Sample, contrast

Levels = Mapping[str, Mapping[str, str]]
"""For each row the level of each factor."""

Term = tuple[str, str]
"""A factor and one of its levels, against the factor's level in the baseline."""

TOLERANCE = 1e-8


@dataclass(frozen=True)
class FactorEffect:
    """The worth of one term, or the interaction of two, with the rows' weights in it."""

    terms: tuple[Term, ...]
    estimate: Estimate
    weights: Mapping[str, float]

    @property
    def name(self) -> str:
        """ "AP" for a factor that is there or not, "LR = 0.2" for a level; joined by " x " in an interaction."""
        return " x ".join(factor if level == "yes" else f"{factor} = {level or 'no'}" for factor, level in self.terms)


@dataclass(frozen=True)
class Effects:
    """Main effects and interactions; `aliases`: what the rows cannot tell apart, in words."""

    main: tuple[FactorEffect, ...]
    interactions: tuple[FactorEffect, ...]
    aliases: tuple[str, ...]


def effects_of(levels: Levels, samples: Mapping[str, Sequence[Sample]], baseline: str) -> Effects:
    """The effects of the factors of these rows; rows without samples, or without a level of a factor, do not count.

    Raises:
        ValueError: the baseline is not among the rows that count.
    """
    rows = [row for row in levels if row in samples and all(levels[row].values())]
    if baseline not in rows:
        raise ValueError(f"the baseline {baseline} has no figures, or lacks a level of a factor")
    terms = list(_terms({row: levels[row] for row in rows}, baseline))
    if not terms:
        return Effects((), (), ())
    design = np.array([[1.0, *(float(levels[row][factor] == level) for factor, level in terms)] for row in rows])
    solution = np.linalg.pinv(design)
    identified = _identified(design, solution)
    main = tuple(
        _effect((term,), dict(zip(rows, solution[place], strict=True)), samples)
        for place, term in enumerate(terms, start=1)
        if identified[place]
    )
    interactions = tuple(_interactions(levels, rows, terms, samples))
    return Effects(main, interactions, tuple(_aliases(design, identified, terms)))


def _terms(levels: Levels, baseline: str) -> Iterator[Term]:
    for factor, reference in levels[baseline].items():
        for level in dict.fromkeys(row[factor] for row in levels.values()):
            if level != reference:
                yield factor, level


def _identified(design: NDArray[np.float64], solution: NDArray[np.float64]) -> list[bool]:
    """Which coefficients every least squares solution agrees on: those whose unit vector is in the row space."""
    projection = solution @ design
    return [
        bool(np.abs(projection[place] - np.eye(len(projection))[place]).max() < TOLERANCE)
        for place in range(len(projection))
    ]


def _aliases(design: NDArray[np.float64], identified: Sequence[bool], terms: Sequence[Term]) -> Iterator[str]:
    """The terms that are not identified, in groups that only differ together."""
    unknown = [place for place in range(1, len(identified)) if not identified[place]]
    _, values, vectors = np.linalg.svd(design)
    rank = int((values > TOLERANCE).sum())
    null = vectors[rank:]
    groups: list[set[int]] = []
    for vector in null:
        group = {place for place in unknown if abs(vector[place]) > TOLERANCE}
        for other in [each for each in groups if each & group]:
            group |= other
            groups.remove(other)
        if group:
            groups.append(group)
    for group in groups:
        yield " is aliased with ".join(_name(terms[place - 1]) for place in sorted(group))


def _interactions(
    levels: Levels, rows: Sequence[str], terms: Sequence[Term], samples: Mapping[str, Sequence[Sample]]
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
            yield _effect((one, other), weights, samples)


def _reference(levels: Levels, rows: Sequence[str], terms: Sequence[Term], factor: str) -> str:
    """The level of a factor that is no term: the baseline's."""
    others = {level for name, level in terms if name == factor}
    return next(levels[row][factor] for row in rows if levels[row][factor] not in others)


def _effect(
    terms: tuple[Term, ...], weights: Mapping[str, float], samples: Mapping[str, Sequence[Sample]]
) -> FactorEffect:
    kept = {row: float(weight) for row, weight in weights.items() if abs(weight) > TOLERANCE}
    return FactorEffect(terms, contrast([samples[row] for row in kept], list(kept.values())), kept)


def _name(term: Term) -> str:
    factor, level = term
    return factor if level == "yes" else f"{factor} = {level or 'no'}"
