"""Effects of factors, the last part of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyheads.evaluation.lack_of_fit import LackOfFit
from manyheads.evaluation.moderation import NO_PRIOR, Prior
from manyheads.evaluation.sample import Sample
from manyheads.studies.compare import holm_corrected
from manyheads.studies.effects import FactorEffect, effects_of
from manyheads.studies.table import Effect, rounded


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
