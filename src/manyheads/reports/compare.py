"""Compare runs: metrics, paired differences from the first run, the examples that differ, and all this as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.evaluation.estimate import contrast
from manyheads.evaluation.interval import Measured
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.evaluation.sample import sample
from manyheads.ragged import stack
from manyheads.recipe.load import load_recipe
from manyheads.recipe.tasks import finished_task
from manyheads.reports.content import primary_first
from manyheads.reports.keys import stored_as
from manyheads.reports.predictions import TaskPredictions, check_agreement, find_texts, read_predictions, stacked
from manyheads.run.folder import RunFolder
from manyheads.tasks.records import same_targets
from manyheads.tasks.task import Task

SHOWN = 10


@dataclass(frozen=True)
class Difference:
    """A paired difference: the metric of a run minus that of the first run, on the same examples.

    `low`, `high`: the 95% confidence interval, which covers only the sampling variance of the examples. `all_low`,
    `all_high`: the interval at the level at which all intervals of the comparison cover together with 95% confidence
    (Bonferroni's correction).
    """

    run: str
    metric: str
    value: float
    low: float
    high: float
    all_low: float
    all_high: float


@dataclass(frozen=True)
class Disagreement:
    """An example with different predictions. `probabilities`: of the true label, by run; None for regression."""

    id: str
    texts: tuple[str, ...]
    target: str
    predictions: tuple[str, str] = field(metadata=stored_as("answers"))
    probabilities: tuple[float, float] | None = field(metadata=stored_as("chances"))


@dataclass(frozen=True)
class Disagreements:
    """The examples on which a run and the first run disagree: counts, and the examples with the largest differences.

    `first_correct`, `other_correct`: number of examples that only one of the runs predicts correctly; None for
    regression.
    """

    run: str
    count: int = field(metadata=stored_as("answered_differently"))
    first_correct: int | None = field(metadata=stored_as("first_right"))
    other_correct: int | None = field(metadata=stored_as("other_right"))
    shown: tuple[Disagreement, ...]


@dataclass(frozen=True)
class TaskComparison:
    """One task in all runs that have it. `measures[r]`: all metrics of run r, the primary one first."""

    name: str
    examples: int
    runs: tuple[str, ...]
    measures: tuple[tuple[Measured, ...], ...]
    differences: tuple[Difference, ...]
    disagreements: tuple[Disagreements, ...] = field(metadata=stored_as("partings"))


@dataclass(frozen=True)
class Comparison:
    """The comparison of several runs. `excluded`: what could not be compared, and why."""

    runs: tuple[str, ...]
    tasks: tuple[TaskComparison, ...]
    excluded: tuple[str, ...] = field(metadata=stored_as("apart"))


@dataclass(frozen=True)
class Member:
    """The predictions of one run for one task. `seed`: of the run."""

    name: str
    folder: RunFolder
    results: Mapping[str, Any]
    task: Task
    predictions: TaskPredictions
    texts: tuple[Sequence[str], ...] | None
    seed: int


def compare(runs: Sequence[Path]) -> Comparison:
    """Compare two or more finished runs by the dev predictions of the models that they ship.

    Raises:
        RunError: there are fewer than two runs, a run is named twice, is not finished or is damaged, or no two runs
            share a task with the same dev examples.
    """
    if len(runs) < 2:
        raise RunError("a comparison needs at least two runs", found=len(runs))
    check_distinct(runs)
    names = names_of(runs)
    members: dict[str, list[Member]] = {}
    for name, run in zip(names, runs, strict=True):
        for member in members_of(name, run):
            members.setdefault(member.task.name, []).append(member)
    comparable, excluded = [], []
    for task, with_task in members.items():
        first = with_task[0]
        same = [each for each in with_task if comparable_with(first, each)]
        excluded += [f"{task}: {_difference_of_tasks(first, each)}" for each in with_task if each not in same]
        for each in same if len(same) > 1 else ():
            check_member(each)
        if len(same) > 1:
            comparable.append(same)
        elif len(with_task) == 1:
            excluded.append(f"{task}: only {first.name} has this task")
    if not comparable:
        hint = "compare runs whose recipes have the same tasks and dev files"
        raise RunError("these runs share no task with the same dev examples", found="; ".join(excluded), hint=hint)
    shown = sum((len(same) - 1) * len(primary_first(same[0].task)) for same in comparable)
    return Comparison(tuple(names), tuple(_compare(same, shown) for same in comparable), tuple(excluded))


def members_of(name: str, run: Path, *, texts: bool = True) -> list[Member]:
    """Return the predictions of a finished run for each of its tasks. `texts`: whether to look for the dev texts.

    Raises:
        RunError: the run is not finished, is damaged, or has no evaluation.
    """
    folder = RunFolder(run)
    results = folder.read_results(complete=True)
    recipe, data = load_recipe(folder.recipe), folder.fingerprints()
    if results["last"] is None:
        raise RunError("the run has no evaluation, so there is nothing to compare", where=str(run))
    which = "last" if results["best"] is None else "best"
    members = []
    for task_name in recipe.tasks:
        task = finished_task(recipe, task_name)
        evaluations = folder.read_evaluations(results, task_name, "dev")
        file = folder.require_whole(folder.prediction_file(task_name, "dev", which), results)
        predictions = read_predictions(file, task.kind, evaluations)
        found = find_texts(recipe, task_name, predictions.ids, data).dev if texts else None
        shown = None if found is None else found.columns
        members.append(Member(name, folder, results, task, predictions, shown, recipe.seed))
    return members


def check_member(member: Member) -> None:
    """Check that the predictions of a run give the metrics in its results.json.

    Raises:
        RunError: a file was changed after the run.
    """
    which = "last" if member.results["best"] is None else "best"
    check_agreement(member.folder, member.results[which], member.task, member.predictions, which)


def comparable_with(one: Member, other: Member) -> bool:
    """Return whether two runs have the same dev examples and labels of a task."""
    a, b = one.predictions, other.predictions
    same = type(a.kind) is type(b.kind) and a.kind.meaning() == b.kind.meaning()
    return same and a.ids == b.ids and same_targets(a.targets, b.targets)


def _difference_of_tasks(one: Member, other: Member) -> str:
    """Return why a task of two runs is not compared."""
    kinds = one.task.kind.name, other.task.kind.name
    if kinds[0] != kinds[1]:
        return f"{other.name} has the kind {kinds[1]}, and {one.name} the kind {kinds[0]}"
    return f"{other.name} has other dev examples or labels than {one.name}"


def _compare(members: Sequence[Member], shown: int) -> TaskComparison:
    """Compare the runs of one task. `shown`: the number of differences of the whole comparison."""
    first, task = members[0], members[0].task
    metrics = primary_first(task)
    return TaskComparison(
        name=task.name,
        examples=len(first.predictions),
        runs=tuple(each.name for each in members),
        measures=tuple(tuple(each.predictions.measured(metric) for metric in metrics) for each in members),
        differences=tuple(
            difference
            for each in members[1:]
            for metric in metrics
            if (difference := _difference(metric, first, each, shown)) is not None
        ),
        disagreements=tuple(_disagreements(first, each) for each in members[1:]),
    )


def _difference(metric: Chosen, first: Member, other: Member, shown: int) -> Difference | None:
    clusters = first.predictions.clusters
    samples = [
        sample(
            metric,
            stack([each.predictions.predictions]),
            each.predictions.targets,
            probabilities=stacked([each.predictions]),
            clusters=clusters,
        )
        for each in (other, first)
    ]
    known = [each for each in samples if each is not None]
    if len(known) < 2:
        return None
    rows, weights = [[each] for each in known], [1.0, -1.0]
    one, together = contrast(rows, weights), contrast(rows, weights, level=1 - 0.05 / shown)
    return Difference(other.name, metric.name, one.mean, one.low, one.high, together.low, together.high)


def _disagreements(first: Member, other: Member) -> Disagreements:
    one, two = first.predictions, other.predictions
    apart = one.kind.distances(one.predictions, two.predictions)
    differ = apart > 0
    true = [one.kind.true_probabilities(each.decoded, one.targets) for each in (one, two)]
    if true[0] is None or true[1] is None:
        return Disagreements(other.name, int(differ.sum()), None, None, _shown(first, other, apart, None))
    probabilities = np.stack([true[0], true[1]])
    distance = np.where(differ, np.abs(probabilities[0] - probabilities[1]), 0.0)
    first_correct, other_correct = one.correct & ~two.correct, two.correct & ~one.correct
    shown = _shown(first, other, distance, probabilities)
    return Disagreements(other.name, int(differ.sum()), int(first_correct.sum()), int(other_correct.sum()), shown)


def _shown(
    first: Member, other: Member, distance: NDArray[np.float64], probabilities: NDArray[np.float64] | None
) -> tuple[Disagreement, ...]:
    rows = np.argsort(-distance, kind="stable")[:SHOWN]
    texts = first.texts or other.texts
    one, two = first.predictions, other.predictions
    return tuple(
        Disagreement(
            id=one.ids[row],
            texts=() if texts is None else tuple(column[row] for column in texts),
            target=one.shown(one.targets[row]),
            predictions=(one.shown(one.predictions[row]), two.shown(two.predictions[row])),
            probabilities=None
            if probabilities is None
            else (float(probabilities[0, row]), float(probabilities[1, row])),
        )
        for row in map(int, rows[distance[rows] > 0])
    )


def check_distinct(runs: Sequence[Path]) -> None:
    """Check that no run is named twice.

    Raises:
        RunError: a run is named twice.
    """
    places = [run.resolve() for run in runs]
    repeated = [str(run) for number, run in enumerate(runs) if places[number] in places[:number]]
    if repeated:
        raise RunError("a run cannot be compared with itself", found=", ".join(repeated), hint="name each run once")


def names_of(runs: Sequence[Path]) -> list[str]:
    """Return the names of the folders, or their paths if two folders have the same name."""
    names = [run.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run) for run in runs]
