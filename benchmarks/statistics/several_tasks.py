"""Coverage of the summaries over several tasks: `python -m benchmarks.statistics.several_tasks`.

Every run of a row serves all tasks, so a seed is good or bad in all of them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from manyheads.evaluation.sample import Sample
from manyheads.evaluation.several_tasks import summaries

ACCURACIES = np.linspace(0.6, 0.9, 5)
"""True accuracies of the baseline in five tasks."""

CORRELATION = 0.5
"""The share of the seed variance that both rows have in common."""

NOISE = 0.3
"""The share of an example's latent variance that each run has on its own."""


@dataclass(frozen=True)
class Setting:
    """What is simulated. `sd`: of a run's accuracy. `gain`: of the second row."""

    seeds: int
    n: int
    sd: float
    gain: float = 0.0

    @property
    def name(self) -> str:
        """The setting in words."""
        return f"{self.seeds} seeds, n {self.n}, seed sd {self.sd}, gain {self.gain}"


SETTINGS = tuple(
    Setting(seeds, n, sd, gain)
    for seeds in (5, 10, 20)
    for n, sd in ((300, 0.01), (1500, 0.03))
    for gain in (0.0, 0.02)
)


@dataclass(frozen=True)
class Coverage:
    """Shares of studies whose intervals contain the true value, and the mean width of that of the IQM."""

    iqm: float
    width: float
    improvement: float


def coverage(setting: Setting, studies: int) -> Coverage:
    """Simulate studies of two rows."""
    rng = np.random.default_rng(11)
    iqm, improvement = _truth(setting)
    covered, widths, better = [], [], []
    for _ in range(studies):
        found = summaries(_rows(setting, rng), "baseline")["row"]
        low, high = found.iqm.low or 0.0, found.iqm.high or 0.0
        covered.append(low <= iqm <= high)
        widths.append(high - low)
        one = found.improvement
        better.append(one is not None and (one.low or 0.0) <= improvement <= (one.high or 0.0))
    return Coverage(float(np.mean(covered)), float(np.mean(widths)), float(np.mean(better)))


def _rows(setting: Setting, rng: np.random.Generator) -> dict[str, list[Sample]]:
    ease = [rng.standard_normal(setting.n) for _ in ACCURACIES]
    shared = np.sqrt(CORRELATION) * rng.standard_normal(setting.seeds)
    rows = {}
    for name, gain in (("baseline", 0.0), ("row", setting.gain)):
        own = np.sqrt(1 - CORRELATION) * rng.standard_normal(setting.seeds)
        shift = gain + setting.sd * (shared + own)
        rows[name] = [_sample(each, accuracy + shift, rng) for each, accuracy in zip(ease, ACCURACIES, strict=True)]
    return rows


def _sample(ease: np.ndarray, accuracy: np.ndarray, rng: np.random.Generator) -> Sample:
    noise = rng.standard_normal((len(accuracy), len(ease)))
    latent = np.sqrt(1 - NOISE) * ease + np.sqrt(NOISE) * noise
    right = (latent < special.ndtri(np.clip(accuracy, 0.01, 0.99))[:, None]).astype(np.float64)
    values = right.mean(axis=1)
    return Sample(values, right - values[:, None], tuple(range(len(accuracy))))


def _truth(setting: Setting) -> tuple[float, float]:
    """Return the true IQM of the second row, and its probability of improvement over dev sets of this size.

    A run of the baseline and one of the row are drawn from other seeds and the same examples.
    """
    draws = setting.sd * stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    iqm = float(stats.trim_mean((ACCURACIES[:, None] + setting.gain + draws).ravel(), 0.25))
    rng = np.random.default_rng(0)
    gaps = []
    for accuracy in ACCURACIES:
        spread = np.sqrt(accuracy * (1 - accuracy) / setting.n * NOISE)
        sd = np.sqrt(2 * (setting.sd**2 + spread**2))
        gaps.append(setting.gain + sd * rng.standard_normal(20000))
    return iqm, float(np.mean(np.array(gaps) > 0))


def main() -> None:
    """Print a line per setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    for setting in SETTINGS:
        found = coverage(setting, studies)
        print(
            f"{setting.name}: IQM {found.iqm:.3f} (width {found.width:.3f}), P(improvement) {found.improvement:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
