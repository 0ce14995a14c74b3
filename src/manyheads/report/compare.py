"""Runs side by side: figures, paired differences from the first one, and the examples on which they part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.evaluation.estimate import contrast
from manyheads.evaluation.influence import sample
from manyheads.evaluation.interval import Measured, measured
from manyheads.recipe.load import load_recipe
from manyheads.report.answers import Answers, read_answers
from manyheads.report.build import metrics_of, task_of
from manyheads.report.texts import find_texts
from manyheads.run.folder import RunFolder
from manyheads.tasks.task import Task

SHOWN = 10


@dataclass(frozen=True)
class Difference:
    """A run's figure less the first run's, on the same examples. `low`, `high`: 95%, of the examples' chance alone."""

    run: str
    metric: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Parting:
    """An example that two runs answer differently. `chances`: that of the true label, by run; None for values."""

    id: str
    texts: tuple[str, ...]
    target: str
    answers: tuple[str, str]
    chances: tuple[float, float] | None


@dataclass(frozen=True)
class Partings:
    """Where a run and the first one part: counts, and the examples on which they are farthest from each other.

    `first_right`, `other_right`: how many only one of them has right; None for values.
    """

    run: str
    answered_differently: int
    first_right: int | None
    other_right: int | None
    shown: tuple[Parting, ...]


@dataclass(frozen=True)
class TaskComparison:
    """One task in all runs that have it. `measures[r]`: every metric of run r, the primary one first."""

    name: str
    examples: int
    runs: tuple[str, ...]
    measures: tuple[tuple[Measured, ...], ...]
    differences: tuple[Difference, ...]
    partings: tuple[Partings, ...]


@dataclass(frozen=True)
class Comparison:
    """Several runs. `apart`: what could not be compared, and why."""

    runs: tuple[str, ...]
    tasks: tuple[TaskComparison, ...]
    apart: tuple[str, ...]


@dataclass(frozen=True)
class _Member:
    """One run's answers of one task."""

    name: str
    task: Task
    answers: Answers
    texts: tuple[Sequence[str], ...] | None


def compare(runs: Sequence[Path]) -> Comparison:
    """Compare two or more finished runs by the dev answers of the models that they ship.

    Raises:
        RunError: fewer than two runs, one that is not finished, or no task that two of them share.
    """
    if len(runs) < 2:
        raise RunError("a comparison needs two runs or more", found=len(runs))
    names = _names(runs)
    members: dict[str, list[_Member]] = {}
    for name, run in zip(names, runs, strict=True):
        for member in _members(name, run):
            members.setdefault(member.task.name, []).append(member)
    tasks, apart = [], []
    for task, found in members.items():
        same = [each for each in found if _comparable(found[0], each)]
        apart += [
            f"{task}: {each.name} answered other dev examples, or other labels, than {found[0].name}"
            for each in found
            if each not in same
        ]
        if len(same) > 1:
            tasks.append(_compare(same))
        elif len(found) == 1:
            apart.append(f"{task}: only {found[0].name} has this task")
    if not tasks:
        hint = "compare runs of recipes with the same tasks and dev files"
        raise RunError("these runs share no task on the same dev examples", found="; ".join(apart), hint=hint)
    return Comparison(tuple(names), tuple(tasks), tuple(apart))


def _members(name: str, run: Path) -> list[_Member]:
    folder = RunFolder(run)
    results = folder.read_results()
    recipe, data = load_recipe(folder.recipe), folder.read_provenance().get("data", {})
    which = "last" if results["best"] is None else "best"
    found = []
    for task_name in recipe.tasks:
        task = task_of(recipe, task_name)
        answers = read_answers(folder.prediction_file(task_name, "dev", which), task.kind.labels)
        texts = find_texts(recipe, task_name, answers.ids, data)
        found.append(_Member(name, task, answers, None if texts.dev is None else texts.dev.texts))
    return found


def _comparable(one: _Member, other: _Member) -> bool:
    a, b = one.answers, other.answers
    return a.ids == b.ids and a.labels == b.labels and np.array_equal(a.targets, b.targets)


def _compare(members: Sequence[_Member]) -> TaskComparison:
    first, task = members[0], members[0].task
    metrics = metrics_of(task)
    return TaskComparison(
        name=task.name,
        examples=len(first.answers),
        runs=tuple(each.name for each in members),
        measures=tuple(
            tuple(measured(metric, each.answers.predictions, each.answers.targets) for metric in metrics)
            for each in members
        ),
        differences=tuple(
            found
            for each in members[1:]
            for metric in metrics
            if (found := _difference(metric, first, each)) is not None
        ),
        partings=tuple(_partings(first, each) for each in members[1:]),
    )


def _difference(metric: str, first: _Member, other: _Member) -> Difference | None:
    samples = [sample(metric, each.answers.predictions[None], each.answers.targets) for each in (other, first)]
    known = [each for each in samples if each is not None]
    if len(known) < 2:
        return None
    found = contrast([[each] for each in known], [1.0, -1.0])
    return Difference(other.name, metric, found.mean, found.low, found.high)


def _partings(first: _Member, other: _Member) -> Partings:
    one, two = first.answers, other.answers
    differ = one.predictions != two.predictions
    if one.chances is None or two.chances is None:
        far = np.abs(one.predictions - two.predictions)
        return Partings(other.name, int(differ.sum()), None, None, _shown(first, other, far, None))
    places = np.arange(len(one))
    true = one.targets.astype(np.int64)
    chances = np.stack([one.chances[places, true], two.chances[places, true]])
    far = np.where(differ, np.abs(chances[0] - chances[1]), 0.0)
    right = (one.right & ~two.right, two.right & ~one.right)
    shown = _shown(first, other, far, chances)
    return Partings(other.name, int(differ.sum()), int(right[0].sum()), int(right[1].sum()), shown)


def _shown(
    first: _Member, other: _Member, far: NDArray[np.float64], chances: NDArray[np.float64] | None
) -> tuple[Parting, ...]:
    rows = np.argsort(-far, kind="stable")[:SHOWN]
    texts = first.texts or other.texts
    found = []
    for row in map(int, rows[far[rows] > 0]):
        one, two = first.answers, other.answers
        found.append(
            Parting(
                id=one.ids[row],
                texts=() if texts is None else tuple(column[row] for column in texts),
                target=one.shown(one.targets[row]),
                answers=(one.shown(one.predictions[row]), two.shown(two.predictions[row])),
                chances=None if chances is None else (float(chances[0, row]), float(chances[1, row])),
            )
        )
    return tuple(found)


def _names(runs: Sequence[Path]) -> list[str]:
    """The folders' names; whole paths where two are alike."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]
