"""Statistical power of the comparisons of a study, by simulating their test.

The test is that of `estimate.contrast` with moderated variances, and Holm's correction over the comparisons with the
baseline. Only its sufficient statistics are drawn: the value of each run, and the sampling variance of each difference.
`benchmarks/statistics` compares the result with studies whose predictions are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from manyheads.evaluation.estimate import (
    LEAST_ROWS,
    fitted,
    moderated,
    per_unit,
    pseudo_examples,
    residuals,
    shared_seeds,
)
from manyheads.evaluation.sample import Floats, Sample

STUDIES = 4000
"""Simulated studies per number of seeds. The standard error of a power of .8 is .006."""

DRAWS = 4000
"""Draws of the unknown variances, for the interval of the power."""

KNOWN = 1e6
"""Degrees of freedom of a sampling variance that is as good as known."""

ERROR = 0.05
"""The familywise error of the test."""

LIKELY = 0.8
"""The power for which the smallest difference is computed."""


@dataclass(frozen=True)
class Variances:
    """The variances of a study whose rows are equally noisy, in the unit of its metric.

    `seeds`: of the value of one run, after the effects of its row and its seed. `examples`: the sampling variance of a
    difference between two rows, as if both were means over infinitely many seeds. `residual`: the part of the variance
    of a difference between two runs that is noise of single examples, which also is in `seeds`. `added`: that of the
    examples of `estimate.pseudo_examples`, for one seed. `units`: the units of the smallest task.

    `seeds_df`, `examples_df`: the degrees of freedom with which `seeds`, and `examples` with its share of the residual,
    are estimated. Infinite if they are assumed. `spread_df`: the degrees of freedom of such an estimate in a study.
    `known_seeds`: the number of seeds of the estimate.
    """

    seeds: float
    examples: float
    residual: float = 0.0
    added: float = 0.0
    units: int = 2
    seeds_df: float = math.inf
    examples_df: float = math.inf
    spread_df: float = math.inf
    known_seeds: int = 1

    @property
    def likely_seeds(self) -> float:
        """The seed variance that is too large as often as too small: an estimate of few degrees of freedom is smaller.

        The median of its chi-square distribution makes it median-unbiased. So the power is right on average, too.
        """
        if math.isinf(self.seeds_df):
            return self.seeds
        return self.seeds * self.seeds_df / float(special.chdtri(self.seeds_df, 0.5))


@dataclass(frozen=True)
class SimulatedPower:
    """The power of a study with a number of seeds to find a row significant that truly differs from the baseline.

    The other rows are equal to the baseline. `margins`: float64[studies], the true difference above which each
    simulated study finds the row better. `opposite`: below which it finds the row worse. `factors`: the lower and upper
    bound of the standard error, divided by its estimate, with 95% confidence; both are 1 for assumed variances.
    """

    seeds: int
    margins: Floats
    opposite: Floats
    factors: tuple[float, float] = (1.0, 1.0)

    def at(self, difference: float, factor: float = 1.0) -> float:
        """Return the power for a true difference. `factor`: multiplies the standard error."""
        scaled = abs(difference) / factor
        # Without any variance, all margins are equal. The power at this margin is 100%.
        return float(np.mean(self.margins <= scaled) + np.mean(self.opposite > scaled))

    def bounds_at(self, difference: float) -> tuple[float, float]:
        """Return the 95% interval of the power, because the variances are estimates."""
        low, high = self.factors
        return self.at(difference, high), self.at(difference, low)

    def smallest(self, likely: float = LIKELY) -> float:
        """Return the smallest true difference that is found with this power."""
        return max(0.0, float(np.quantile(self.margins, likely)))

    def bounds_of_smallest(self, likely: float = LIKELY) -> tuple[float, float]:
        """Return the 95% interval of the smallest difference."""
        low, high = self.factors
        return low * self.smallest(likely), high * self.smallest(likely)


def power(
    variances: Variances,
    *,
    rows: int,
    comparisons: int,
    seeds: Sequence[int],
    level: Callable[[int, float], float] | None = None,
    studies: int = STUDIES,
) -> list[SimulatedPower]:
    """Simulate the test of a study for several numbers of seeds, each at least 2.

    `rows`: the rows whose variances are moderated together, with the baseline. `comparisons`: with the baseline, which
    are corrected together. `level`: the level of one test at a planned look, from the place of its number of seeds in
    `seeds` and the level over all looks. The power at a look is then that of this look and the looks before it. The
    numbers are random, and the same in every call.
    """
    rng = np.random.default_rng(0)
    most = max(seeds)
    runs = math.sqrt(variances.likely_seeds) * rng.standard_normal((studies, rows, most))
    of_examples = math.sqrt(variances.examples / 2) * rng.standard_normal((studies, rows, 1))
    df = min(max(1.0, variances.spread_df), KNOWN)
    spread = rng.chisquare(df, (studies, comparisons)) / df
    order = np.argsort(seeds, kind="stable")
    found: dict[int, SimulatedPower] = {}
    earlier: tuple[Floats, Floats] | None = None
    for place in order:
        count = seeds[place]
        levels = [
            ERROR / tests if level is None else level(int(place), ERROR / tests) for tests in range(1, comparisons + 1)
        ]
        gaps, thresholds, of_seeds = _tests(variances, runs[:, :, :count], of_examples, spread, levels)
        margins, opposite = thresholds - gaps, -thresholds - gaps
        if level is not None and earlier is not None:
            margins, opposite = np.minimum(margins, earlier[0]), np.maximum(opposite, earlier[1])
        earlier = (margins, opposite)
        found[int(place)] = SimulatedPower(count, margins, opposite, _factors(variances, count, of_seeds))
    return [found[place] for place in range(len(seeds))]


def estimated(rows: Sequence[Sequence[Sample]]) -> Variances | None:
    """Estimate the variances from the rows of a study, pooled over rows. The first row is the baseline.

    None if there is one row, or no seed variance can be estimated: rows share fewer than two seeds, or do not differ.
    """
    usable = [row for row in rows if len(row[0].values) > 1]
    if len(rows) < 2 or len(usable) < 2:
        return None
    squares, df = residuals(
        [(row[0].seeds or range(len(row[0].values)), np.mean([part.values for part in row], axis=0)) for row in usable]
    )
    if df.sum() < 0.5:
        return None
    parts = [example_parts(rows[0], row) for row in rows[1:]]
    total, residual, spread_df, seeds, added = np.mean(parts, axis=0)
    return Variances(
        seeds=float(squares.sum() / df.sum()),
        examples=max(0.0, float(total - residual / seeds)),
        residual=float(residual),
        added=float(added),
        units=min(part.influence.shape[1] for part in rows[0]),
        seeds_df=float(df.sum()),
        examples_df=float(spread_df),
        spread_df=float(spread_df),
        known_seeds=round(float(seeds)),
    )


def example_parts(one: Sequence[Sample], other: Sequence[Sample]) -> tuple[float, float, float, float, float]:
    """Return what the examples say about a difference.

    The variance over units of the mean over seeds, the part of it for one seed that is noise of single runs, the
    degrees of freedom of the first without its share of the second, the number of shared seeds, and the variance that
    is added for one seed.
    """
    one, other = shared_seeds([one, other])
    first, second = per_unit(one), per_unit(other)
    squares = np.square(first.mean(axis=0) - second.mean(axis=0))
    noise = np.zeros(len(squares))
    for each in (first, second):
        if len(each) > 1:
            noise += each.var(axis=0, ddof=1)
    seeds, units = min(len(first), len(second)), len(squares)
    total, residual = float(squares.sum()), float(noise.sum())
    parts = squares - noise / seeds
    varies = float(np.square(parts).sum()) - float(parts.sum()) ** 2 / units
    df = 2 * total**2 / varies if varies > 0 else units - 1.0
    added = pseudo_examples([one, other], [1.0, -1.0]) * seeds
    return total, residual, max(1.0, df), float(seeds), added


def _tests(
    variances: Variances, runs: Floats, of_examples: Floats, spread: Floats, levels: Sequence[float]
) -> tuple[Floats, Floats, float]:
    """Simulate the comparisons of many studies.

    `levels[j]`: the level of one of j + 1 tests. Returns the difference of the first compared row, how large it must be
    to be significant after Holm's correction, both float64[studies], and the seeds' share of the square of the latter.
    """
    studies, rows, seeds = runs.shape
    comparisons = spread.shape[1]
    per_seed = runs[:, 1 : comparisons + 1] - runs[:, :1]
    gaps = per_seed.mean(axis=2) + (of_examples[:, 1 : comparisons + 1] - of_examples[:, :1])[:, :, 0]
    own, df = per_seed.var(axis=2, ddof=1) / 2, np.full((studies, comparisons), float(seeds - 1))
    if rows >= LEAST_ROWS:
        left = runs - runs.mean(axis=1, keepdims=True) - runs.mean(axis=2, keepdims=True)
        left += runs.mean(axis=(1, 2), keepdims=True)
        freedom = np.full(rows, (rows - 1) * (seeds - 1) / rows)
        if freedom[0] > 0.5:
            variance, prior_df = fitted(np.square(left).sum(axis=2), freedom)
            own, df = moderated(own, seeds - 1.0, variance[:, None], prior_df[:, None])
    noise = variances.residual / seeds
    examples = np.maximum(0.0, (variances.examples + noise) * spread - noise) + variances.added / seeds
    squared = np.square(gaps)
    # Most studies have a few different degrees of freedom, and a quantile is slow.
    freedoms, places = np.unique(np.round(df, 3), return_inverse=True)
    places = places.reshape(df.shape)
    of_seeds = np.stack(
        [np.square(special.stdtrit(freedoms, each / 2))[places] * own * 2 / seeds for each in levels], axis=2
    )
    quantiles = special.stdtrit(max(1, variances.units - 1), np.array(levels) / 2)
    limits = of_seeds + np.square(quantiles) * examples[:, :, None]
    # The number of tests among which each of the other rows is significant: Holm's method rejects the k-th smallest of
    # m p values if it is below the level of m - k + 1 tests, and all smaller ones are.
    strongest = np.sort((squared[:, 1:, None] > limits[:, 1:]).sum(axis=2), axis=1)[:, ::-1]
    needed = np.arange(comparisons, 1, -1)
    rejected = np.cumprod(strongest >= needed, axis=1).sum(axis=1) if comparisons > 1 else np.zeros(studies, np.int64)
    last = (np.arange(studies), 0, comparisons - 1 - rejected)
    whole = float(np.median(limits[last]))
    return gaps[:, 0], np.sqrt(limits[last]), float(np.median(of_seeds[last])) / whole if whole > 0 else 0.0


def _factors(variances: Variances, seeds: int, share: float) -> tuple[float, float]:
    """Return the bounds of what is significant, divided by its estimate, with 95% confidence.

    The fiducial distribution of the variances: every mean square is divided by a chi-square variable (Weerahandi 1993).
    `share`: of the seeds in the square of the smallest significant difference, which scales with both variances.
    """
    if math.isinf(variances.seeds_df) and math.isinf(variances.examples_df):
        return 1.0, 1.0
    rng = np.random.default_rng(1)
    of_seeds, of_examples = (
        np.ones(DRAWS) if math.isinf(df) else df / rng.chisquare(df, DRAWS)
        for df in (variances.seeds_df, variances.examples_df)
    )
    if variances.seeds > 0:
        of_seeds = of_seeds * variances.seeds / variances.likely_seeds
    noise, added = variances.residual / variances.known_seeds, variances.added / seeds
    examples = np.maximum(0.0, (variances.examples + noise) * of_examples - noise) + added
    whole = variances.examples + added
    drawn = share * of_seeds + (1 - share) * (examples / whole if whole > 0 else 1.0)
    low, high = np.sqrt(np.quantile(drawn, [0.025, 0.975]))
    return float(low), float(high)
