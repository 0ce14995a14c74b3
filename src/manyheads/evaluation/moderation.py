"""Moderated variances: the seed variances of all rows of a study together say how large one of them is.

With three seeds, a variance has two degrees of freedom. The rows of a study usually have similar seed variances.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

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
        known = min(self.df, df**3)
        if known == 0:
            return own, df
        weight = 1.0 if math.isinf(self.df) else self.df / (self.df + df)
        moderated = weight * self.variance + (1 - weight) * own
        return (moderated, known + df) if moderated > own else (own, df)


LEAST_ROWS = 4

NO_PRIOR = Prior(0.0, 0.0)


def prior_of(rows: Sequence[tuple[Sequence[int], Floats]]) -> Prior:
    """Fit the prior to the values of the rows of a study (Smyth 2004, section 6.2, with residuals of a two-way layout).

    `rows`: the seeds of each row and its value for each seed. Seeds are blocks: a seed has the same effect in all rows.
    Fewer than four rows with two seeds each say too little.
    """
    usable = [(seeds, values) for seeds, values in rows if len(seeds) > 1]
    if len(usable) < LEAST_ROWS:
        return NO_PRIOR
    squares, df = _residuals(usable)
    kept = df > 0.5
    if kept.sum() < LEAST_ROWS:
        return NO_PRIOR
    squares, df = squares[kept], df[kept]
    variances = squares / df
    pooled = float(squares.sum() / df.sum())
    if pooled <= 0:
        return NO_PRIOR
    # A variance of 0 has no logarithm. It can only be an accident of few seeds.
    logs = np.log(np.maximum(variances, 1e-5 * pooled))
    centred = logs - special.digamma(df / 2) + np.log(df / 2)
    middle = float(centred.mean())
    excess = float(centred.var(ddof=1) - special.polygamma(1, df / 2).mean())
    if excess <= 0:
        return Prior(pooled, math.inf)
    prior_df = 2 * _inverse_trigamma(excess)
    return Prior(math.exp(middle + float(special.digamma(prior_df / 2)) - math.log(prior_df / 2)), prior_df)


def _residuals(rows: Sequence[tuple[Sequence[int], Floats]]) -> tuple[Floats, Floats]:
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


def _inverse_trigamma(value: float) -> float:
    """Return the x with trigamma(x) = value."""

    def above(log_x: float) -> float:
        return float(special.polygamma(1, math.exp(log_x))) - value

    low, high = -20.0, 20.0
    if above(high) > 0:
        return math.exp(high)
    return math.exp(float(optimize.brentq(above, low, high)))
