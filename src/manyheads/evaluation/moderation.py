"""Moderated variances: the seed variances of all rows of a study together say how large one of them is.

With three seeds, a variance has two degrees of freedom. The rows of a study usually have similar seed variances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prior:
    """The distribution of the residual variances of rows, after the effects of row and seed.

    `variance`: its location. `df`: its degrees of freedom: 0 without information, infinite if all rows agree.
    """

    variance: float
    df: float

    def moderate(self, own: float, df: float) -> tuple[float, float]:
        """Return the larger of an estimated variance and its moderated value, with the degrees of freedom of that one.

        A row that is noisier than the others keeps its own variance and its few degrees of freedom. The prior counts at
        most df^3: with two seeds, a noisy row can look like the others.
        """
        value, freedom = moderated(np.array(own), df, np.array(self.variance), np.array(self.df))
        return float(value), float(freedom)


def moderated(own: Floats, df: float, variance: Floats, prior_df: Floats) -> tuple[Floats, Floats]:
    """Return moderated variances and their degrees of freedom; see `Prior.moderate`. Arrays broadcast."""
    known = np.minimum(prior_df, df**3)
    bounded = np.where(np.isinf(prior_df), 0.0, prior_df)
    weight = np.where(np.isinf(prior_df), 1.0, bounded / (bounded + df))
    value = weight * variance + (1 - weight) * own
    larger = (known > 0) & (value > own)
    return np.where(larger, value, own), np.where(larger, known + df, df)


LEAST_ROWS = 4

NO_PRIOR = Prior(0.0, 0.0)

NEWTON_STEPS = 50
"""More than Newton's method needs: it converges from below for every value."""


def prior_of(rows: Sequence[tuple[Sequence[int], Floats]]) -> Prior:
    """Fit the prior to the values of the rows of a study (Smyth 2004, section 6.2, with residuals of a two-way layout).

    `rows`: the seeds of each row and its value for each seed. Seeds are blocks: a seed has the same effect in all rows.
    Fewer than four rows with two seeds each say too little.
    """
    usable = [(seeds, values) for seeds, values in rows if len(seeds) > 1]
    if len(usable) < LEAST_ROWS:
        return NO_PRIOR
    squares, df = residuals(usable)
    kept = df > 0.5
    if kept.sum() < LEAST_ROWS:
        return NO_PRIOR
    squares, df = squares[kept], df[kept]
    variance, prior_df = fitted(squares, df)
    return Prior(float(variance), float(prior_df))


def fitted(squares: Floats, df: Floats) -> tuple[Floats, Floats]:
    """Fit the prior of many studies: its variance and its degrees of freedom, both float64[...].

    `squares`: float64[..., rows], sums of squared residuals. `df`: float64[rows], their degrees of freedom.
    """
    pooled = squares.sum(axis=-1) / df.sum()
    known = pooled > 0
    # A variance of 0 has no logarithm. It can only be an accident of few seeds.
    floor = np.where(known, 1e-5 * pooled, 1.0)
    logs = np.log(np.maximum(squares / df, floor[..., None]))
    centred = logs - special.digamma(df / 2) + np.log(df / 2)
    middle = centred.mean(axis=-1)
    excess = centred.var(axis=-1, ddof=1) - special.polygamma(1, df / 2).mean()
    spread = known & (excess > 0)
    half = _inverse_trigamma(np.where(spread, excess, 1.0))
    variance = np.where(spread, np.exp(middle + special.digamma(half) - np.log(half)), pooled)
    prior_df = np.where(spread, 2 * half, math.inf)
    return np.where(known, variance, 0.0), np.where(known, prior_df, 0.0)


def residuals(rows: Sequence[tuple[Sequence[int], Floats]]) -> tuple[Floats, Floats]:
    """Return the sum of squared residuals and their expected degrees of freedom for each row."""
    seeds = sorted({seed for own, _ in rows for seed in own})
    cells = [(row, seeds.index(seed)) for row, (own, _) in enumerate(rows) for seed in own]
    values = np.concatenate([values for _, values in rows])
    place = np.array([row for row, _ in cells])
    if len(cells) == len(rows) * len(seeds):
        table = values.reshape(len(rows), len(seeds))
        left = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()
        df = np.full(len(rows), (len(rows) - 1) * (len(seeds) - 1) / len(rows))
        return np.square(left).sum(axis=1), df
    design = np.zeros((len(cells), len(rows) + len(seeds)))
    design[np.arange(len(cells)), place] = 1
    design[np.arange(len(cells)), [len(rows) + seed for _, seed in cells]] = 1
    hat = design @ np.linalg.pinv(design)
    left = values - hat @ values
    squares: Floats = np.bincount(place, weights=np.square(left), minlength=len(rows)).astype(np.float64)
    freedom: Floats = np.bincount(place, weights=1 - np.diag(hat), minlength=len(rows)).astype(np.float64)
    return squares, freedom


def _inverse_trigamma(value: Floats) -> Floats:
    """Return the x with trigamma(x) = value, by Newton's method on 1 / trigamma (Smyth 2004, appendix)."""
    x: Floats = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        slope = special.polygamma(1, x)
        step = slope * (1 - slope / value) / special.polygamma(2, x)
        x = x + step
        if float(np.max(-step / x)) < 1e-12:
            break
    return x
