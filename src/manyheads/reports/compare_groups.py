"""Compare two groups of runs, each one recipe with several seeds: differences that cover seed and sampling variance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.errors import RunError, argument
from manyheads.evaluation.estimate import Estimate, contrast
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.evaluation.sample import Sample, sample
from manyheads.evaluation.significance import holm
from manyheads.ragged import stack
from manyheads.recipe.begin import differences
from manyheads.recipe.load import load_recipe
from manyheads.reports.compare import Member, check_distinct, check_member, comparable_with, members_of, names_of
from manyheads.reports.content import primary_first
from manyheads.reports.predictions import stacked

AVERAGE = "average"


@dataclass(frozen=True)
class RunGroup:
    """A group of runs. `name`: the folder that all its runs are in, if they are in one."""

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Mean:
    """The mean of a metric over the runs of a group, with its 95% confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GroupDifference:
    """A metric in both groups, and the second group minus the first.

    `low`, `high`: the 95% confidence interval, which covers seed variance and sampling variance. `p`: two-sided.
    `p_holm`: corrected over all differences of the comparison. `examples`: the number of dev examples, None for the
    average.
    """

    task: str
    metric: str
    examples: int | None
    first: Mean
    second: Mean
    value: float
    low: float
    high: float
    p: float | None
    p_holm: float | None


@dataclass(frozen=True)
class GroupComparison:
    """The comparison of two groups. `paired`: whether the runs are paired by seed. `excluded`: what is not compared."""

    first: RunGroup
    second: RunGroup
    paired: bool
    differences: tuple[GroupDifference, ...]
    excluded: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Compared:
    """One difference before the correction."""

    task: str
    metric: str
    examples: int | None
    first: Estimate
    second: Estimate
    difference: Estimate


def compare_groups(first: Sequence[Path], second: Sequence[Path]) -> GroupComparison:
    """Compare two groups of finished runs by the dev predictions of the models that they ship.

    If both groups have the same seeds, the runs are paired by seed, because a seed number has an effect that both share
    (through the order of the batches). If not, the seeds are taken as independent (Welch 1947).

    Raises:
        RunError: a group has fewer than two runs, a seed twice, or different training data; a run is named twice, is
            not finished or is damaged; or the groups share no task with the same dev examples.
    """
    check_distinct([*first, *second])
    for runs in (first, second):
        if len(runs) < 2:
            raise RunError(
                "a group needs at least two runs, because one run does not show the seed variance",
                where=", ".join(map(str, runs)) or argument("others", option="with"),
                found=len(runs),
                hint="name more runs with other seeds, or compare single runs without "
                + argument("others", option="with"),
            )
    names = names_of([*first, *second])
    sides = [
        [members_of(name, run, texts=False) for name, run in pairs]
        for pairs in (
            list(zip(names, first, strict=False)),
            list(zip(names[len(first) :], second, strict=True)),
        )
    ]
    labels = _labels(first, second)
    groups = [_group(labels[place], runs, sides[place]) for place, runs in enumerate((first, second))]
    paired = set(groups[0].seeds) == set(groups[1].seeds)
    tasks, excluded = _shared(sides)
    if not tasks:
        hint = "compare runs whose recipes have the same tasks and dev files"
        raise RunError("these runs share no task with the same dev examples", found="; ".join(excluded), hint=hint)
    found = list(_compared(tasks, paired=paired, average=not excluded and len(tasks) > 1))
    corrected = holm([each.difference.p for each in found])
    return GroupComparison(
        first=groups[0],
        second=groups[1],
        paired=paired,
        differences=tuple(_difference(each, p_holm) for each, p_holm in zip(found, corrected, strict=True)),
        excluded=tuple(excluded),
        notes=tuple(note for group, side in zip(groups, sides, strict=True) for note in _notes(group, side)),
    )


def _group(label: str, runs: Sequence[Path], side: Sequence[Sequence[Member]]) -> RunGroup:
    seeds = [members[0].seed for members in side]
    repeated = sorted({seed for seed in seeds if seeds.count(seed) > 1})
    if repeated:
        raise RunError(
            "two runs of a group have the same seed, so they are not independent",
            where=", ".join(str(run) for run, seed in zip(runs, seeds, strict=True) if seed in repeated),
            found=f"seed {', '.join(map(str, repeated))}",
            hint="name each seed once",
        )
    data = [members[0].folder.fingerprints() for members in side]
    for run, each in zip(runs[1:], data[1:], strict=True):
        changed = sorted(name for name in each.keys() & data[0].keys() if each[name] != data[0][name])
        if changed:
            raise RunError(
                f"two runs of a group used different versions of {changed[0]}, so they are not one group",
                where=f"{runs[0]} and {run}",
                found=f"fingerprint {data[0][changed[0]]} in the first run, {each[changed[0]]} in the second",
                hint="compare runs that differ only in the seed",
            )
    return RunGroup(label, tuple(members[0].name for members in side), tuple(seeds))


def _labels(first: Sequence[Path], second: Sequence[Path]) -> tuple[str, str]:
    """Return the names of the groups: the folders of their runs, as in a study, if each group has its own."""
    folders = [{run.resolve().parent for run in runs} for runs in (first, second)]
    names = [next(iter(each)).name for each in folders]
    if all(len(each) == 1 for each in folders) and names[0] != names[1]:
        return names[0], names[1]
    return "first group", "second group"


def _shared(sides: Sequence[Sequence[Sequence[Member]]]) -> tuple[dict[str, list[list[Member]]], list[str]]:
    """Return the members of each task that all runs can be compared in, by group, and why other tasks cannot."""
    runs = [members for side in sides for members in side]
    tasks: dict[str, list[list[Member]]] = {}
    excluded: list[str] = []
    for task in dict.fromkeys(member.task.name for members in runs for member in members):
        found = [[member for members in side for member in members if member.task.name == task] for side in sides]
        flat = [member for group in found for member in group]
        lacking = [members[0].name for members in runs if all(member.task.name != task for member in members)]
        other = [member.name for member in flat if not _alike(flat[0], member)]
        if lacking:
            excluded.append(f"{task}: {', '.join(lacking)} {'has' if len(lacking) == 1 else 'have'} no such task")
        elif other:
            excluded.append(f"{task}: other dev examples, labels or metric than {flat[0].name} in {', '.join(other)}")
        else:
            for member in flat:
                check_member(member)
            tasks[task] = found
    return tasks, excluded


def _alike(one: Member, other: Member) -> bool:
    return comparable_with(one, other) and one.task.metric == other.task.metric


def _compared(tasks: Mapping[str, Sequence[Sequence[Member]]], *, paired: bool, average: bool) -> Iterator[_Compared]:
    primary: list[tuple[Sample, Sample]] = []
    for name, groups in tasks.items():
        task = groups[0][0].task
        for metric in primary_first(task):
            sides = [_sample(metric, group, paired=paired) for group in groups]
            if sides[0] is None or sides[1] is None:
                average = average and metric.name != task.metric
                continue
            if metric.name == task.metric:
                primary.append((sides[0], sides[1]))
            count = len(groups[0][0].predictions)
            yield _compare(name, metric.name, count, [sides[0]], [sides[1]])
    if average:
        yield _compare(AVERAGE, AVERAGE, None, [one for one, _ in primary], [other for _, other in primary])


def _sample(metric: Chosen, group: Sequence[Member], *, paired: bool) -> Sample | None:
    one = group[0].predictions
    found = sample(
        metric,
        stack([member.predictions.predictions for member in group]),
        one.targets,
        probabilities=stacked([member.predictions for member in group]),
        seeds=[member.seed for member in group] if paired else None,
        clusters=one.clusters,
    )
    return None if found is None else replace(found, task=group[0].task.name)


def _compare(
    task: str, metric: str, examples: int | None, first: Sequence[Sample], second: Sequence[Sample]
) -> _Compared:
    return _Compared(
        task,
        metric,
        examples,
        contrast([first], [1.0]),
        contrast([second], [1.0]),
        contrast([second, first], [1.0, -1.0]),
    )


def _difference(each: _Compared, p_holm: float | None) -> GroupDifference:
    first, second = (Mean(one.mean, one.low, one.high) for one in (each.first, each.second))
    gap = each.difference
    return GroupDifference(
        each.task, each.metric, each.examples, first, second, gap.mean, gap.low, gap.high, gap.p, p_holm
    )


def _notes(group: RunGroup, side: Sequence[Sequence[Member]]) -> Iterator[str]:
    """Yield a note if the runs of a group differ in more than their seeds."""
    recipes = [load_recipe(members[0].folder.recipe) for members in side]
    plain = [each.model_copy(update={"seed": 0, "data_dir": ".", "threads": None}).model_dump() for each in recipes]
    for run, each in zip(group.runs[1:], plain[1:], strict=True):
        changed = list(differences(plain[0], each))
        if changed:
            text = "; ".join(changed[:3]).replace(" in the run", f" in {run}").replace("in the study", group.runs[0])
            yield f"{group.name}: the recipes of its runs differ in more than the seed ({text}). They are pooled."
            return
