"""Effects of factors and the minimum detectable difference, the last part of a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyheads.evaluation.estimate import Estimate, Sample
from manyheads.evaluation.power import detectable
from manyheads.study.compare import holm_corrected
from manyheads.study.effects import FactorEffect, effects_of
from manyheads.study.table import Effect, rounded


@dataclass(frozen=True)
class FactorialAnalysis:
    """Effects of factors, aliases as sentences, and the minimum detectable difference."""

    effects: tuple[Effect, ...]
    aliases: tuple[str, ...]
    smallest_difference: float | None


def analyse_factors(
    baseline: str,
    rows: Mapping[str, Sequence[Sample] | None],
    levels: Mapping[str, Mapping[str, str]],
    comparisons: Sequence[Estimate | None],
) -> FactorialAnalysis:
    """Analyse the rows that have samples. `comparisons`: the differences from the baseline."""
    samples = {row: each for row, each in rows.items() if each is not None and _comparable(each, rows[baseline])}
    effects: tuple[Effect, ...] = ()
    aliases: tuple[str, ...] = ()
    if baseline in samples and all(levels[baseline].values()):
        estimated = effects_of(levels, samples, baseline)
        effects = (*_family("main effect", estimated.main), *_family("interaction", estimated.interactions))
        aliases = estimated.aliases
    return FactorialAnalysis(effects, aliases, _smallest(comparisons))


def _comparable(one: Sequence[Sample], other: Sequence[Sample] | None) -> bool:
    """Return whether two rows have the same tasks. One model cannot describe averages over different tasks."""
    return other is not None and len(one) == len(other)


def _family(kind: str, estimated: Sequence[FactorEffect]) -> list[Effect]:
    """Return effects with p values that are corrected over all effects of their kind."""
    tested = holm_corrected({effect.name: effect.estimate for effect in estimated})
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


def _smallest(comparisons: Sequence[Estimate | None]) -> float | None:
    """Return the median detectable difference over the comparisons. None if there are too few seeds for a test."""
    known = [estimate for estimate in comparisons if estimate is not None and estimate.p is not None]
    if not known:
        return None
    return rounded(statistics.median(detectable(each.se, each.df, comparisons=len(known)) for each in known))
