"""Estimates over seeds and dev examples: means, differences and other contrasts of rows, with intervals and p values.

The statistical model has two crossed random factors. The result of run s of row r on dev example i differs from the
true value of the row by

    seed_s + seed_rs + example_ri + residual_rsi

Seeds are blocks: a seed number has an effect that all rows share (seed_s), for example through the order of the
batches, and an effect of its own in each row. A contrast is therefore computed per seed, and the shared effect cancels.
The dev examples of a task are one sample that all rows and seeds share, so the difficulty of an example cancels in a
difference, too. Examples that belong together are one unit. The tasks of a row share its runs (one model); the units of
different tasks are independent unless the tasks share them.

With three seeds, a variance has two degrees of freedom. The rows of a study usually have similar seed variances. The
seed variances of all rows together therefore say how large one of them is: it is moderated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special

from manyheads.evaluation.sample import Floats, Sample


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


SMALLEST_LOG_P = math.log(1e-12)
"""Smaller p values are reported as this value."""

FURTHER_ERRORS = 3.0
"""Errors common to all seeds that are added to the interval of a share, chosen by simulation."""


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval.

    `p`: the two-sided p value of the hypothesis that the true value is 0, None if it cannot be computed. `se`: the
    standard error. `df`: the degrees of freedom of the t distribution that gives this interval. `seeds_known`: False
    if a row has only one seed; the interval then covers sampling variance only. `parts`: the variance components, from
    which the interval of any level follows.
    """

    mean: float
    low: float
    high: float
    p: float | None
    se: float
    df: float
    seeds_known: bool
    parts: Components | None = None


@dataclass(frozen=True)
class Components:
    """The variance components of a contrast.

    `seeds`: the seed variance of the mean over seeds, which includes the residual, with `seeds_df` degrees of freedom.
    `examples`: the sampling variance of the examples, without the residual. `examples_df`: the smallest number of units
    of a task, minus 1.
    """

    seeds: float
    seeds_df: float
    examples: float
    examples_df: float

    def half_width(self, error: float) -> float:
        """Return half the width of the interval of level 1 - `error`.

        Each component uses the t quantile of its own degrees of freedom: the method of variance estimates recovery
        (Zou and Donner 2008; Howe 1974). Without sampling variance this is the t interval over seeds; without seed
        variance it is the paired t interval over examples. A single t quantile with Satterthwaite's degrees of freedom
        covers only 90 to 93% instead of 95% with 3 seeds: when the seed variance is small by chance, it also assumes
        too many degrees of freedom.
        """
        return math.sqrt(self.of_seeds(error) + self.of_examples(error))

    def of_seeds(self, error: float) -> float:
        """Return the contribution of the seeds to the squared half width."""
        return _share(self.seeds, self.seeds_df, error)

    def of_examples(self, error: float) -> float:
        """Return the contribution of the examples to the squared half width."""
        return _share(self.examples, self.examples_df, error)

    @property
    def standard_error(self) -> float:
        """The square root of the sum of both components."""
        return math.sqrt(self.seeds + self.examples)


def contrast(
    rows: Sequence[Sequence[Sample]], weights: Sequence[float], level: float = 0.95, prior: Prior = NO_PRIOR
) -> Estimate:
    """Estimate a weighted sum of rows. The weights [1] give a mean, [1, -1] a difference, others any contrast.

    If all rows have numbers of seeds, and share at least two, the contrast is estimated over the shared seeds. If not,
    the seeds of different rows are taken as independent.

    `rows[r]`: the samples of a row, one per task, with the same order of tasks in every row. The value of a row is the
    mean over its tasks. The examples of a task must be the same, in the same order, in every row. `prior`: what the
    other rows of the study say about the seed variance.

    Raises:
        ValueError: There are no rows, or rows have different tasks or examples.
    """
    _check(rows, weights)
    rows = shared_seeds(rows)
    mean = float(sum(w * _by_seed(row).mean() for w, row in zip(weights, rows, strict=True)))
    parts = components(rows, weights, prior)
    known = all(len(row[0].values) > 1 for row in rows)
    half, se = parts.half_width(1 - level), parts.standard_error
    p = p_value(mean, parts) if known and se > 0 else None
    low, high = mean - half, mean + half
    if len(rows) == 1 and weights[0] == 1:
        low, high = _mean_bounds(mean, rows[0], parts, 1 - level)
    else:
        least, most = _possible(rows, weights)
        low, high = max(low, least), min(high, most)
    return Estimate(mean, low, high, p, se, _matching_df(half, se, 1 - level), known, parts)


def _possible(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value that a contrast can have, because its metrics have a range."""
    ends = []
    for w, row in zip(weights, rows, strict=True):
        bounds = [math.fsum(getattr(part, end) for part in row) / len(row) for end in ("low", "high")]
        ends.append(sorted(w * bound for bound in bounds))
    return math.fsum(low for low, _ in ends), math.fsum(high for _, high in ends)


def shared_seeds(rows: Sequence[Sequence[Sample]]) -> Sequence[Sequence[Sample]]:
    """Return the rows over the seeds that they share. Unchanged if seeds are unknown or fewer than two are shared."""
    first = rows[0][0].seeds
    if len(rows) == 1 or first is None or any(part.seeds is None for row in rows for part in row):
        return rows
    shared = [seed for seed in first if all(seed in (row[0].seeds or ()) for row in rows)]
    return [[part.take(shared) for part in row] for row in rows] if len(shared) > 1 else rows


def components(rows: Sequence[Sequence[Sample]], weights: Sequence[float], prior: Prior = NO_PRIOR) -> Components:
    """Estimate the variance components of a contrast with the method of moments."""
    rows = shared_seeds(rows)
    paired = len(rows) > 1 and rows[0][0].seeds is not None and len({row[0].seeds for row in rows}) == 1
    added = pseudo_examples(rows, weights) if len(rows) > 1 else 0.0
    if paired and len(rows[0][0].values) > 1:
        # A contrast per seed has one value and one influence per unit, as one row has.
        scale = math.fsum(w * w for w in weights)
        rows, weights = [_combined(rows, weights)], [1.0]
        values = _by_seed(rows[0])
        own, df = prior.moderate(float(np.var(values, ddof=1)) / scale, len(values) - 1)
        seeds, seeds_df = own * scale / len(values), df
    else:
        seeds, seeds_df = _independent_seeds(rows, weights)
    examples, smallest = _examples(rows, weights)
    return Components(seeds, seeds_df, max(0.0, examples) + added, smallest - 1)


def _independent_seeds(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> tuple[float, float]:
    """Return the seed variance of rows with independent seeds, and its degrees of freedom (Welch 1947)."""
    pieces = [
        (w * w * float(np.var(_by_seed(row), ddof=1)) / len(row[0].values), len(row[0].values) - 1)
        for w, row in zip(weights, rows, strict=True)
        if len(row[0].values) > 1
    ]
    seeds = math.fsum(piece for piece, _ in pieces)
    return seeds, seeds**2 / math.fsum(piece**2 / df for piece, df in pieces) if seeds > 0 else 1.0


def _examples(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> tuple[float, int]:
    """Return the sampling variance of a contrast without the residual, and the number of units of the smallest task.

    Units that tasks share are added over the tasks before they are squared (Liang and Zeger 1986).
    """
    counts = [part.influence.shape[1] for part in rows[0]]
    if len(rows[0]) == 1 or any(part.units is None for part in rows[0]):
        tasks = [[[row[task]] for row in rows] for task in range(len(counts))]
        return math.fsum(_of_units(each, weights) for each in tasks) / len(counts) ** 2, min(counts)
    return _of_units(rows, weights), min(counts)


def _of_units(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> float:
    """Return the variance over units of the mean over tasks of a contrast, without the residual."""
    residual = 0.0
    per_row = [per_unit(row) for row in rows]
    combined = sum(w * each.mean(axis=0) for w, each in zip(weights, per_row, strict=True))
    totals = float(np.square(combined).sum())
    for w, each in zip(weights, per_row, strict=True):
        if len(each) > 1:
            residual += w * w * float(np.square(each - each.mean(axis=0)).sum()) / ((len(each) - 1) * len(each))
    units = per_row[0].shape[1]
    return (totals - residual) * units / (units - 1) if units > 1 else 0.0


def per_unit(row: Sequence[Sample]) -> Floats:
    """Return what each unit adds to the value of a row: float64[S, units]."""
    parts: list[Floats] = [part.influence / (part.influence.shape[1] * len(row)) for part in row]
    if len(row) == 1:
        return parts[0]
    columns: Floats = np.concatenate(parts, axis=1)
    units = [part.units for part in row if part.units is not None]
    if len(units) < len(row):
        return columns
    names, places = np.unique(np.concatenate(units), return_inverse=True)
    totals: Floats = np.stack([np.bincount(places, weights=each, minlength=len(names)) for each in columns])
    return totals


def _combined(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> list[Sample]:
    """Return the contrast of each seed as one row."""
    return [
        replace(
            rows[0][task],
            values=_weighted([row[task].values for row in rows], weights),
            influence=_weighted([row[task].influence for row in rows], weights),
        )
        for task in range(len(rows[0]))
    ]


def _weighted(arrays: Sequence[Floats], weights: Sequence[float]) -> Floats:
    total: Floats = weights[0] * arrays[0]
    for w, array in zip(weights[1:], arrays[1:], strict=True):
        total += w * array
    return total


def pseudo_examples(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> float:
    """Return the variance of two further examples on which the rows of a contrast disagree, one in each direction.

    Bonett and Price (2012) add them to paired shares, so that rows without any disagreement have an interval, too. Here
    each run has its own two.
    """
    scale = math.fsum(w * w / len(row[0].values) for w, row in zip(weights, rows, strict=True)) / 2
    parts = rows[0]
    return (
        math.fsum(2 * scale * part.step**2 / (part.count * part.influence.shape[1]) for part in parts) / len(parts) ** 2
    )


def _mean_bounds(mean: float, row: Sequence[Sample], parts: Components, error: float) -> tuple[float, float]:
    """Return the interval of the mean of a row, within the range of its metric."""
    part = row[0]
    if len(row) > 1 or not part.step:
        return within_range(mean, parts.half_width(error) ** 2, row, error)
    units = part.influence.shape[1]
    # The part of a share's variance that all seeds have in common cannot be estimated from few errors. It is moved
    # towards all of the variance, as if there were further errors that all seeds have in common.
    spread = max(0.0, mean * (1 - mean)) / units
    errors = min(mean, 1 - mean) * part.count
    weight = FURTHER_ERRORS / (FURTHER_ERRORS + errors) if len(part.values) > 1 else 0.0
    examples = max(parts.examples, (1 - weight) * parts.examples + weight * spread)
    if part.clustered:
        squared = _share(examples, parts.examples_df, error)
    else:
        # A share of n independent examples: the interval of one run is exactly that of Wilson.
        squared = float(special.ndtri(error / 2)) ** 2 * examples * (units - 1) / units
    return within_range(mean, parts.of_seeds(error) + squared, row, error)


def _share(variance: float, df: float, error: float) -> float:
    """Return the contribution of a variance component to the squared half width."""
    return float(special.stdtrit(df, error / 2)) ** 2 * variance if variance > 0 else 0.0


def p_value(mean: float, parts: Components) -> float:
    """Return the p for which the interval of level 1 - p around `mean` ends at 0.

    Test and interval agree at every level. `parts` must have a variance above 0.
    """
    if mean == 0:
        return 1.0

    def reaches(log_p: float) -> float:
        return parts.half_width(math.exp(log_p)) - abs(mean)

    if reaches(SMALLEST_LOG_P) <= 0:
        return math.exp(SMALLEST_LOG_P)
    return math.exp(float(optimize.brentq(reaches, SMALLEST_LOG_P, 0.0, xtol=1e-12)))


def _matching_df(half: float, se: float, error: float) -> float:
    """Return the degrees of freedom of the t distribution with this half width and standard error."""
    if se == 0:
        return math.inf
    ratio = half / se

    def wider(log_df: float) -> float:
        return -float(special.stdtrit(math.exp(log_df), error / 2)) - ratio

    most = math.log(1e7)
    if wider(most) >= 0:
        return math.inf
    return math.exp(float(optimize.brentq(wider, 0.0, most))) if wider(0.0) > 0 else 1.0


def _by_seed(row: Sequence[Sample]) -> Floats:
    """Return the value of the row for each seed, the mean over its tasks: float64[S]."""
    means: Floats = np.mean([sample.values for sample in row], axis=0)
    return means


def _check(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> None:
    if not rows or len(rows) != len(weights) or not rows[0]:
        raise ValueError("a contrast needs rows, each with at least one task and a weight")
    shapes = {tuple((sample.task, sample.influence.shape[1]) for sample in row) for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"rows have different tasks or numbers of examples: {sorted(shapes)}")
    for row in rows:
        if len({len(sample.values) for sample in row} | {sample.influence.shape[0] for sample in row}) > 1:
            raise ValueError("the tasks of a row have different seeds")


END = 1e-12


def within_range(mean: float, squared: float, row: Sequence[Sample], error: float) -> tuple[float, float]:
    """Return the interval of a metric, or of the mean of several, from the half width of a normal interval.

    Correlations have an interval on the scale of Fisher's z (Fisher 1921). Metrics with another bounded range have the
    score interval of Wilson (1927) with the effective sample size that the variance implies (Franco, Little, Louis and
    Slud 2019, section 3): the number of examples of a binomial share with this half width. At the ends of the range,
    where the estimated variance is 0, it is the number of examples that decide the metric. Other metrics have the
    normal interval.

    `squared`: the square of the half width, which includes the quantiles of the variance components. `row`: the samples
    whose mean is the metric. `error`: 1 - level.
    """
    half = math.sqrt(squared)
    low, high = (math.fsum(getattr(part, end) for part in row) / len(row) for end in ("low", "high"))
    if not math.isfinite(low) or not math.isfinite(high):
        return mean - half, mean + half
    slope = 1 - mean * mean
    if len(row) == 1 and row[0].correlation and slope > END and half > 0:
        middle = math.atanh(mean)
        return math.tanh(middle - half / slope), math.tanh(middle + half / slope)
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    scaled = half / (high - low)
    return tuple(low + (high - low) * end for end in _wilson(share, scaled, row, error))  # type: ignore[return-value]


def wilson(share: float, size: float, error: float) -> tuple[float, float]:
    """Return the score interval of a share of `size` examples (Wilson 1927). `size` need not be an integer."""
    quantile = float(special.ndtri(error / 2))
    extra = quantile * quantile / size
    middle = (share + extra / 2) / (1 + extra)
    half = -quantile / (1 + extra) * math.sqrt(share * (1 - share) / size + extra / (4 * size))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _wilson(share: float, half: float, row: Sequence[Sample], error: float) -> tuple[float, float]:
    spread = share * (1 - share)
    smallest = min(part.rarest for part in row)
    if spread < END or half * half < END * spread:
        return wilson(share, smallest, error)
    quantile = float(special.ndtri(error / 2))
    return wilson(share, (quantile / half) ** 2 * spread, error)
