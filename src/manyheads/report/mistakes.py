"""The errors worth reading: where a run was sure and wrong, or far off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.report.answers import Answers

SHOWN = 10


@dataclass(frozen=True)
class Mistake:
    """One wrong answer. `chance`: what the run gave its answer, `true_chance` the true one; None for values."""

    id: str
    texts: tuple[str, ...]
    target: str
    prediction: str
    chance: float | None
    true_chance: float | None


def mistakes(answers: Answers, texts: Sequence[Sequence[str]] | None, shown: int = SHOWN) -> tuple[Mistake, ...]:
    """The wrong answers of the highest confidence, or the values farthest off; the first of equal ones first.

    `texts`: one list of n texts a column; without them, the ids tell which examples these are.
    """
    if answers.chances is None:
        off = np.abs(answers.predictions - answers.targets)
        rows = np.argsort(-off, kind="stable")[:shown]
        rows = rows[off[rows] > 0]
    else:
        wrong = np.flatnonzero(~answers.right)
        rows = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:shown]
    return tuple(_mistake(answers, texts, int(row)) for row in rows)


def _mistake(answers: Answers, texts: Sequence[Sequence[str]] | None, row: int) -> Mistake:
    chance = true_chance = None
    if answers.chances is not None:
        chance = float(answers.chances[row, int(answers.predictions[row])])
        true_chance = float(answers.chances[row, int(answers.targets[row])])
    return Mistake(
        id=answers.ids[row],
        texts=() if texts is None else tuple(column[row] for column in texts),
        target=answers.shown(answers.targets[row]),
        prediction=answers.shown(answers.predictions[row]),
        chance=chance,
        true_chance=true_chance,
    )
