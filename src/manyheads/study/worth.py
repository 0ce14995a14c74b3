"""What each factor is worth, and what the study could have found: the last part of a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from manyheads.evaluation.estimate import Estimate, Sample
from manyheads.evaluation.power import detectable
from manyheads.study.compare import corrected
from manyheads.study.effects import FactorEffect, effects_of
from manyheads.study.table import Effect, tidy


@dataclass(frozen=True)
class Worth:
    """Effects of factors, aliases as sentences, and the smallest difference that could have been found."""

    effects: tuple[Effect, ...]
    aliases: tuple[str, ...]
    smallest_difference: float | None


def worth_of(
    baseline: str,
    rows: Mapping[str, Sequence[Sample] | None],
    levels: Mapping[str, Mapping[str, str]],
    comparisons: Sequence[Estimate | None],
) -> Worth:
    """What the rows with figures tell of the study's factors. `comparisons`: the differences from the baseline."""
    samples = {row: found for row, found in rows.items() if found is not None and _comparable(found, rows[baseline])}
    effects: tuple[Effect, ...] = ()
    aliases: tuple[str, ...] = ()
    if baseline in samples and all(levels[baseline].values()):
        found = effects_of(levels, samples, baseline)
        effects = (*_family("main effect", found.main), *_family("interaction", found.interactions))
        aliases = found.aliases
    return Worth(effects, aliases, _smallest(comparisons))


def _comparable(one: Sequence[Sample], other: Sequence[Sample] | None) -> bool:
    """Whether two rows have the same tasks: figures of other tasks do not add up in one model."""
    return other is not None and len(one) == len(other)


def _family(kind: str, found: Sequence[FactorEffect]) -> list[Effect]:
    """Effects with p values corrected over all effects of their kind."""
    tested = corrected({effect.name: effect.estimate for effect in found})
    return [
        Effect(kind, effect.name, tuple(factor for factor, _ in effect.terms), value)
        for effect in found
        if (value := tested[effect.name]) is not None
    ]


def _smallest(comparisons: Sequence[Estimate | None]) -> float | None:
    """The median over comparisons of the difference that each would have found; None where seeds are too few to say."""
    known = [found for found in comparisons if found is not None and found.p is not None]
    if not known:
        return None
    return tidy(statistics.median(detectable(found.se, found.df, comparisons=len(known)) for found in known))
