"""Planned looks: a group-sequential test that keeps its error over all looks at a study.

A study with looks is tested again after more seeds. The error is spent over the looks by the function of Lan and DeMets
(1983). The statistics of the looks have the joint distribution of a Brownian motion at their information fractions. The
fraction of a look is its share of the seeds. The dev examples are the same at every look, so the statistics of a study
are more closely related than this, and the error is smaller than planned.

The tests of a study have t-like statistics. They are compared with the levels of the looks by their p values (Jennison
and Turnbull 2000, section 11.4: a t statistic is significant if its p value is below that of the normal boundary).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np
from scipy import optimize, special

from manyheads.evaluation.sample import Floats

Spending = Literal["obrien-fleming", "pocock"]

NODES = 64
"""Nodes of the Gauss-Legendre rule between two boundaries. The levels have an error below 1e-6."""

SMALLEST, LARGEST, STEPS = 1e-8, 1 - 1e-6, 60
"""The errors for which levels are computed. Between them, levels are interpolated on a logarithmic scale."""


def spent(spending: Spending, fraction: float, error: float) -> float:
    """Return the part of a two-sided error that is spent at an information fraction (Lan and DeMets 1983, section 2).

    The error of each side is half of it. `obrien-fleming` spends little at first, `pocock` about as much at each look.
    """
    if fraction >= 1:
        return error
    if spending == "pocock":
        return error * math.log1p((math.e - 1) * fraction)
    return 4 * float(special.ndtr(special.ndtri(error / 4) / math.sqrt(fraction)))


@cache
def levels(spending: Spending, looks: tuple[int, ...], error: float = 0.05) -> tuple[float, ...]:
    """Return the two-sided level of the test at each look, so that all looks together have the error.

    `looks`: the numbers of seeds, increasing. The boundaries are found one after the other, from the density of the
    statistics that have crossed no boundary yet (Armitage, McPherson and Rowe 1969).
    """
    fractions = [look / looks[-1] for look in looks]
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    found: list[float] = []
    points, density = np.zeros(1), np.ones(1)
    earlier = used = 0.0
    for fraction in fractions:
        step = math.sqrt(fraction - earlier)
        wanted = spent(spending, fraction, error) - used
        bound = _bound(points, density, step, wanted, math.sqrt(fraction))
        found.append(2 * float(special.ndtr(-bound / math.sqrt(fraction))))
        places = bound * nodes
        moved = np.exp(-0.5 * np.square((places[:, None] - points) / step)) / (step * math.sqrt(2 * math.pi))
        points, density = places, bound * weights * (moved @ density)
        earlier, used = fraction, used + wanted
    return tuple(found)


def over_looks(spending: Spending, looks: tuple[int, ...], look: int, p: float) -> float:
    """Return the p value over all looks: the smallest error for which the test at this look is significant.

    It is the repeated p value of Jennison and Turnbull (1989). If there is no effect, the probability that it is below
    5% at any of the looks is at most 5%. `look`: the place in `looks`. `p`: the p value of this look.
    """
    errors, of_look = _curve(spending, looks, look)
    if p >= math.exp(of_look[-1]):
        return 1.0
    return math.exp(float(np.interp(math.log(max(p, math.exp(of_look[0]))), of_look, errors)))


def level_at(spending: Spending, looks: tuple[int, ...], look: int, error: float) -> float:
    """Return the level of the test at a look for any error over all looks, which may be a share of 5%."""
    errors, of_look = _curve(spending, looks, look)
    return math.exp(float(np.interp(math.log(error), errors, of_look)))


def _curve(spending: Spending, looks: tuple[int, ...], look: int) -> tuple[Floats, Floats]:
    """Return the logarithms of errors and of the levels of a look, both increasing."""
    errors, of_looks = _curves(spending, looks)
    return errors, of_looks[:, look]


@cache
def _curves(spending: Spending, looks: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the logarithms of errors, and of the levels of every look: float64[errors, looks]."""
    errors = np.geomspace(SMALLEST, LARGEST, STEPS)
    # Levels below the smallest p value of a table are never reached. They only must be increasing.
    of_looks = np.maximum([levels(spending, looks, float(error)) for error in errors], 1e-300)
    return np.log(errors), np.maximum.accumulate(np.log(of_looks), axis=0)


def _bound(points: Floats, density: Floats, step: float, wanted: float, spread: float) -> float:
    """Return the boundary that a path, which has crossed none before, crosses with the wanted probability."""

    def missing(bound: float) -> float:
        crossed = special.ndtr((-bound - points) / step) + special.ndtr((points - bound) / step)
        return float(np.sum(density * crossed)) - wanted

    high = 40 * spread
    if missing(high) >= 0:
        return high
    return float(optimize.brentq(missing, 0.0, high, xtol=1e-10))
