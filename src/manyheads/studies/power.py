"""The power of a study: before its runs, from assumptions or a pilot, and after them, from its own variances."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manyheads.errors import RunError, by_caller
from manyheads.evaluation.estimate import Components, components, pseudo_examples
from manyheads.evaluation.looks import level_at
from manyheads.evaluation.metrics.resolve import primary_of
from manyheads.evaluation.power import ERROR, SimulatedPower, Variances, estimated, power
from manyheads.evaluation.sample import Floats, Sample, sample
from manyheads.pages.words import counted
from manyheads.ragged import Rows, stack
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.run.folder import RunFolder
from manyheads.studies.collect import collect
from manyheads.studies.render.words import detectable, range_of
from manyheads.studies.samples import of_metric, samples_of
from manyheads.studies.schema import Row, StudyPlan
from manyheads.studies.table import Power, PowerAt, PrecisionAt, rounded
from manyheads.tasks.kind import known as labelled

SEEDS = (2, 3, 5, 10, 20)
"""Numbers of seeds that are shown next to that of the study."""

DIFFERENCES = (0.01, 0.02, 0.05)
"""True differences for which the power is shown by default."""

SEED_SD = 0.01
"""Assumed standard deviation of a metric between models of different seeds.

`results/minilm-study` has .013 for the average of three tasks.
"""

CORRELATION = 0.0
"""Assumed correlation of the results of two rows with the same seed, the cautious value."""

SAME_ROW, OTHER_ROW = 0.7, 0.6
"""Assumed correlations of the influences of a dev example on two runs: of one row, and of two rows."""

CORRELATED = 0.8
"""Assumed correlation of predictions with the values of a regression."""

SPREAD = 4
"""Assumed number of units per degree of freedom of an estimated sampling variance: most examples do not differ."""

FEW = 3
"""With fewer degrees of freedom of the seed variance, the estimated power is too large on average."""


def study_power(
    plan: StudyPlan,
    *,
    pilot: Path | None = None,
    seed_sd: float | None = None,
    correlation: float | None = None,
    difference: float | None = None,
) -> Power:
    """Compute the power of a study before its runs.

    Args:
        plan: the study.
        pilot: the folder of a finished study or pilot, whose variances are used. Default: they are assumed.
        seed_sd: standard deviation of the metric between seeds of one row.
        correlation: correlation of the results of two rows with the same seed.
        difference: the true difference of interest. Default: a few.

    Raises:
        ManyheadsError: a dev file cannot be read, or the pilot cannot be used.
    """
    recipe = plan.row(plan.baseline).recipe
    data = read_tasks(recipe, _ignore)
    baseline = (plan.baseline, plan.row(plan.baseline).same_as)
    others = [row for row in plan.rows if row.same_as is None and row.name not in baseline]
    compared = sum(_comparable(plan, row) for row in others if row.twin_of is None)
    comparisons = max(compared, int(bool(others)))
    if pilot is None:
        found = _assumed(plan, data, seed_sd, correlation, compares=comparisons > 0)
    else:
        found = _of_pilot(plan, data, pilot, seed_sd, correlation, compares=comparisons > 0)
    seeds = (*SEEDS, len(plan.seeds))
    if found.variances is not None:
        differences = DIFFERENCES if difference is None else (abs(difference),)
        power = _power(plan, found.variances, comparisons, differences, seeds, found.assumptions)
        return replace(power, precision=found.precision(each.seeds for each in power.by_seeds))
    return Power(
        metric=plan.metric,
        comparisons=0,
        differences=(),
        by_seeds=(),
        looks=False,
        seed_sd=rounded(math.sqrt(found.row.seeds)),
        example_sd=rounded(math.sqrt(found.row.examples)),
        df=None if math.isinf(found.row.seeds_df) else rounded(found.row.seeds_df),
        assumptions=found.assumptions,
        precision=found.precision(plan.looks or seeds),
    )


@dataclass(frozen=True)
class _Found:
    """What is assumed or known before a study.

    `row`: the variance of one run of a row by its seed, and of the mean over all seeds by the examples. `variances`:
    those of comparisons, None without any. `assumptions`: what was assumed, as sentences.
    """

    row: Components
    variances: Variances | None
    assumptions: tuple[str, ...]

    def precision(self, seeds: Iterable[int]) -> tuple[PrecisionAt, ...]:
        """Return the precision of the mean of a row by number of seeds, of which each is above 1."""
        found = []
        for count in sorted({count for count in seeds if count > 1}):
            parts = replace(self.row, seeds=self.row.seeds / count, seeds_df=count - 1.0)
            found.append(PrecisionAt(count, rounded(parts.standard_error), rounded(parts.half_width(ERROR))))
        return tuple(found)


def _comparable(plan: StudyPlan, row: Row) -> bool:
    """Return whether a row has a difference from the baseline in the metric of the study."""
    if plan.metric in ("average", "course_score"):
        return set(row.recipe.tasks) == set(plan.row(plan.baseline).recipe.tasks)
    return plan.metric in row.recipe.tasks


def power_of_rows(plan: StudyPlan, rows: Sequence[Sequence[Sample]], comparisons: int) -> Power | None:
    """Return the power of a finished study, from the variances of its rows.

    The one difference whose power is given is the smallest one that the study finds with 80% power. `rows`: with the
    tasks of the baseline, which is the first. `comparisons`: the number of tests. None without a test or a variance.
    """
    seeds = min(max(len(row[0].values) for row in rows), len(plan.seeds))
    variances = estimated(rows) if comparisons and seeds > 1 else None
    if variances is None:
        return None
    return _power(plan, variances, comparisons, None, (*SEEDS, seeds), (), rows=len(rows), own=seeds)


def _power(
    plan: StudyPlan,
    variances: Variances,
    comparisons: int,
    differences: tuple[float, ...] | None,
    seeds: Iterable[int],
    assumptions: tuple[str, ...],
    rows: int | None = None,
    own: int | None = None,
) -> Power:
    """Simulate the test. `differences`: None for the smallest one with the study's `own` number of seeds."""
    looks = plan.looks if plan.looks and plan.looks[0] > 1 else ()
    shown = looks or tuple(sorted({count for count in seeds if count > 1}))

    def level(place: int, error: float) -> float:
        return level_at(plan.spending, looks, place, error)

    found = power(
        variances,
        rows=comparisons + 1 if rows is None else rows,
        comparisons=comparisons,
        seeds=shown,
        level=level if looks else None,
    )
    if differences is None:
        reached = next((each for each in found if each.seeds == own), found[-1])
        differences = (reached.smallest(),)
    return Power(
        metric=plan.metric,
        comparisons=comparisons,
        differences=tuple(rounded(each) for each in differences),
        by_seeds=tuple(_entry(each, differences) for each in found),
        looks=bool(looks),
        seed_sd=rounded(math.sqrt(variances.seeds)),
        example_sd=rounded(math.sqrt(variances.examples)),
        df=None if math.isinf(variances.seeds_df) else rounded(variances.seeds_df),
        assumptions=assumptions,
    )


def _entry(found: SimulatedPower, differences: Sequence[float]) -> PowerAt:
    low, high = found.bounds_of_smallest()
    shown = tuple(
        (rounded(found.at(each)), *(rounded(bound) for bound in found.bounds_at(each))) for each in differences
    )
    return PowerAt(found.seeds, rounded(found.smallest()), rounded(low), rounded(high), shown)  # type: ignore[arg-type]


def _assumed(
    plan: StudyPlan, data: Sequence[TaskData], seed_sd: float | None, correlation: float | None, *, compares: bool
) -> _Found:
    """Return assumed variances, from the sizes, classes and metrics of the real dev examples."""
    parts = {each.task.name: _imagined(each, _targets(plan, each, data)) for each in data}
    row = of_metric(parts, plan.metric, {each.task.name: each.task.metric for each in data})
    if row is None:
        raise _undefined(plan, data)
    spread = (
        math.fsum(float(np.square(part.influence).mean()) / part.influence.shape[1] for part in row) / len(row) ** 2
    )
    residual = 2 * (1 - SAME_ROW) * spread
    of_runs = SEED_SD**2 + residual / 2 if seed_sd is None else seed_sd**2
    shared = CORRELATION if correlation is None else correlation
    seeds = (1 - shared) * of_runs
    units = min(part.influence.shape[1] for part in row)
    variances = Variances(
        seeds=seeds,
        examples=2 * (SAME_ROW - OTHER_ROW) * spread,
        residual=min(residual, 2 * seeds),
        added=pseudo_examples([row, row], [1.0, -1.0]),
        units=units,
        spread_df=max(1.0, units / SPREAD),
    )
    own = Components(of_runs, math.inf, SAME_ROW * spread, units - 1)
    assumptions = _assumptions(plan, data, parts, seed_sd, math.sqrt(of_runs), correlation, variances, compares)
    return _Found(own, variances if compares else None, tuple(assumptions))


def _assumptions(
    plan: StudyPlan,
    data: Sequence[TaskData],
    parts: Mapping[str, Sample | None],
    seed_sd: float | None,
    of_runs: float,
    correlation: float | None,
    variances: Variances,
    compares: bool,
) -> Iterator[str]:
    yield (
        f"{'Test' if _on_test(plan, data) else 'Dev'} examples: "
        + ", ".join(_described(each, _targets(plan, each, data), parts[each.task.name]) for each in data)
        + "."
    )
    given = "given" if seed_sd is not None else f"assumed: {SEED_SD:g} between models, and the noise on these examples"
    yield f"Standard deviation between seeds of one row: {of_runs:.4f} ({given})."
    if not compares:
        yield f"Correlation of two runs of the row on an example: {SAME_ROW:g} (assumed). No examples belong together."
        return
    shared = CORRELATION if correlation is None else correlation
    given = "given" if correlation is not None else "assumed, the cautious value"
    yield f"Correlation of two rows with the same seed: {shared:g} ({given})."
    yield (
        f"Correlation of two runs on a dev example: {SAME_ROW:g} in one row, {OTHER_ROW:g} in two rows (assumed). So "
        f"other dev examples change a difference with a standard deviation of {math.sqrt(variances.examples):.4f}."
    )
    yield "All rows are equally noisy, and no dev examples belong together (assumed). A pilot replaces assumptions."


def _described(data: TaskData, known: Floats, part: Sample | None) -> str:
    classes = "" if data.task.kind.classes_of(known) is None else f" in {len(np.unique(known))} classes"
    value = "" if part is None else f" {float(part.values[0]):.2f}"
    return f"{data.task.name} {len(known):,}{classes}, {data.task.metric}{value} (assumed)"


def _targets(plan: StudyPlan, task: TaskData, data: Sequence[TaskData]) -> Rows:
    """Return the labels of the examples that the study measures a task on: float64[n]."""
    test = task.test if _on_test(plan, data) else None
    targets = task.dev.targets if test is None else test.targets
    known: Rows = targets[labelled(targets)].astype(np.float64)
    return known


def _on_test(plan: StudyPlan, data: Sequence[TaskData]) -> bool:
    """Return whether the study is measured on its test files, see the key `select`."""
    tests = [each.test for each in data]
    complete = all(test is not None and labelled(test.targets).all() for test in tests)
    return plan.select == "test" or (plan.select is None and complete)


def _imagined(data: TaskData, targets: Rows) -> Sample | None:
    """Return the metric of imagined predictions for the real dev examples; see `Kind.imagined`.

    Probabilities are equally sure of every prediction.
    """
    if len(targets) < 2:
        return None
    kind = data.task.kind
    predictions = kind.imagined(targets, CORRELATED)
    sure = kind.classes_of(targets) is not None
    probabilities = _sure(predictions, targets, len(kind.probability_names)) if sure else None
    found = sample(primary_of(data.task), stack([predictions]), targets, probabilities=probabilities, seeds=(0,))
    return None if found is None else replace(found, task=data.task.name)


def _sure(predictions: Floats, targets: Floats, classes: int) -> Floats:
    """Return imagined probabilities: float64[1, n, classes]. They are right on average, and equal for every example.

    The predicted class has the accuracy as its probability. The others share the rest.
    """
    accuracy = float(np.mean(predictions == targets))
    probabilities = np.full((1, len(predictions), classes), (1 - accuracy) / (classes - 1))
    probabilities[0, np.arange(len(predictions)), predictions.astype(np.int64)] = accuracy
    return probabilities


@dataclass(frozen=True)
class _Pilot:
    """The rows of finished runs: as measured, and as if measured on the number of dev examples of the study."""

    rows: list[list[Sample]]
    scaled: list[list[Sample]]

    def seed_variance(self) -> float | None:
        """Return the variance between seeds of one row, pooled over rows. None if every row has one seed."""
        several = [row for row in self.rows if len(row[0].values) > 1]
        return float(np.mean([np.var(_means(row), ddof=1) for row in several])) if several else None

    def seeds_df(self) -> float:
        """Return the degrees of freedom of the variance between seeds of one row."""
        return float(sum(max(0, len(row[0].values) - 1) for row in self.rows))


def _of_pilot(
    plan: StudyPlan,
    data: Sequence[TaskData],
    out: Path,
    seed_sd: float | None,
    correlation: float | None,
    *,
    compares: bool,
) -> _Found:
    """Return the variances of finished runs, for the number of dev examples of the study."""
    sizes = {each.task.name: len(_targets(plan, each, data)) for each in data}
    pilot = _read_pilot(plan, {each.task.name: each.task.metric for each in data}, sizes, out)
    variances = estimated(pilot.scaled) if compares else None
    before = estimated(pilot.rows) if compares else None
    total = pilot.seed_variance()
    if total is None or (compares and (variances is None or before is None)):
        least = "two rows or more with two seeds or more in common" if compares else "a row with two seeds or more"
        raise RunError(
            "the pilot shows no seed variance",
            where=str(out),
            found=f"{counted(len(pilot.rows), 'row')} with finished runs",
            allowed=least,
            hint="run a small study first, for example: "
            + by_caller(f"manyheads study {plan.file} --seeds 2", "study.run(seeds=2)"),
        )
    units = min(min(part.influence.shape[1], sizes[part.task]) for part in pilot.rows[0])
    own_row = Components(
        total if seed_sd is None else seed_sd**2,
        pilot.seeds_df() if seed_sd is None else math.inf,
        float(np.mean([components([row], [1.0]).examples for row in pilot.scaled])),
        units - 1,
    )
    most = max(len(each[0].values) for each in pilot.rows)
    count = counted(len(pilot.rows), "row")
    source = f"Variances of {count} in {out} with up to {counted(most, 'seed')}, pooled over rows."
    between = f"Standard deviation between seeds of one row: {math.sqrt(total if compares else own_row.seeds):.4f}."
    counts = ", ".join(f"{task} {size:,}" for task, size in sizes.items())
    measured = f"{'Test' if _on_test(plan, data) else 'Dev'} examples of the study: {counts}."
    if variances is None or before is None:
        return _Found(own_row, None, (source, between, measured))
    shared = 1 - before.seeds / total if total > 0 else 0.0
    seeds, df = _seeds_of(variances, before, shared, total, seed_sd, correlation)
    variances = replace(variances, seeds=seeds, seeds_df=df, residual=min(variances.residual, 2 * seeds), units=units)
    assumptions = (
        source,
        between,
        f"Correlation of two rows with the same seed: {shared:.2f}.",
        f"Used here: standard deviation of a run after the effects of row and seed {math.sqrt(seeds):.4f}"
        + ("." if seed_sd is None and correlation is None else " (from the given options)."),
        measured,
        "All rows are equally noisy (assumed)." + _caution(df),
    )
    return _Found(own_row, variances, assumptions)


def _read_pilot(plan: StudyPlan, wanted: Mapping[str, str], sizes: Mapping[str, int], out: Path) -> _Pilot:
    """Return the rows of a pilot that have every task. `wanted`, `sizes`: metric and dev examples of each task.

    Raises:
        RunError: the pilot has other tasks or metrics.
    """
    own = pilot_plan(plan, out)
    collected = collect(own, out)
    metrics = {task: dev.metric for task, dev in collected.dev.items()}
    if any(metrics.get(task) != metric for task, metric in wanted.items()):
        raise RunError(
            "the pilot has other tasks or metrics than the study",
            where=str(out),
            found=_pairs(metrics),
            allowed=_pairs(wanted),
            hint="run the pilot with the tasks of the study",
        )
    rows = []
    for row in own.rows:
        parts = samples_of(collected, collected.rows[row.name], collected.selection.chosen)
        if set(parts) >= set(wanted):
            found = of_metric({task: parts[task] for task in wanted}, plan.metric, wanted)
            if found is not None:
                rows.append(found)
    return _Pilot(rows, [[_resized(part, sizes[part.task]) for part in row] for row in rows])


def _seeds_of(
    variances: Variances,
    before: Variances,
    shared: float,
    total: float,
    seed_sd: float | None,
    correlation: float | None,
) -> tuple[float, float]:
    """Return the seed variance of a comparison and its degrees of freedom, from a pilot and the given options.

    `variances`, `before`: for the dev examples of the study, and for those of the pilot. `shared`: the correlation of
    two rows with the same seed in the pilot. `total`: the variance between seeds of one row in the pilot.
    """
    if seed_sd is None and correlation is None:
        # The noise of single examples is part of the seed variance, and smaller with more examples.
        return max(0.0, variances.seeds + (variances.residual - before.residual) / 2), variances.seeds_df
    of_runs, df = (total, variances.seeds_df) if seed_sd is None else (seed_sd**2, math.inf)
    return (1 - (max(0.0, shared) if correlation is None else correlation)) * of_runs, df


def _caution(df: float | None) -> str:
    """Return a warning if too few runs show the seed variance."""
    if df is None or df >= FEW:
        return ""
    degrees = "1 degree" if df == 1 else f"{df:.3g} degrees"
    return f" With {degrees} of freedom of the seed variance, the power is too large on average: add seeds or rows."


def power_notes(found: Power | None) -> Iterator[str]:
    """Yield what a finished study could have found."""
    if found is None:
        return
    entry = max(found.by_seeds, key=lambda each: (each.smallest == found.differences[0], each.seeds))
    bounds = range_of(entry.low, entry.high)
    yield (
        f"Minimum detectable difference: {detectable(entry.smallest)} {bounds} with {counted(entry.seeds, 'seed')}. A "
        "row that truly differs by this much from the baseline is found significant with 80% power, if the other rows "
        "are equal to the baseline (this test, simulated with the variances pooled over rows; the interval is for the "
        "unknown variances). A smaller difference that is not significant is no evidence of equality."
        + _caution(found.df)
    )


def pilot_plan(plan: StudyPlan, out: Path) -> StudyPlan:
    """Return the study whose finished runs are in a folder: one row per folder, without single-task twins.

    Raises:
        RunError: the folder has no finished run.
    """
    rows: list[Row] = []
    seeds: set[int] = set()
    for folder in sorted(out.iterdir()) if out.is_dir() else []:
        if "@" in folder.name or not folder.is_dir():
            continue
        runs = {int(each.name): RunFolder(each) for each in folder.iterdir() if each.name.isdecimal()}
        done = sorted(seed for seed, run in runs.items() if run.finished)
        if done:
            recipe = load_recipe(runs[done[0]].recipe)
            rows.append(Row(folder.name, recipe, None, None, {}))
            seeds |= set(done)
    if not rows:
        raise RunError(
            "the folder has no finished run of a study",
            where=str(out),
            allowed="the folder of a study or a pilot, with runs in ROW/SEED",
            hint="run a pilot: " + by_caller(f"manyheads study {plan.file} --seeds 2", "study.run(seeds=2)"),
        )
    rows.sort(key=lambda row: row.name != plan.baseline)
    return replace(
        plan, seeds=tuple(sorted(seeds)), baseline=rows[0].name, rows=tuple(rows), factors=(), looks=(), listed=()
    )


def _resized(part: Sample, size: int) -> Sample:
    """Return the sample as if it had another number of dev examples."""
    return replace(part, influence=part.influence * math.sqrt(part.count / size), count=size) if size else part


def _means(row: Sequence[Sample]) -> Floats:
    values: Floats = np.mean([part.values for part in row], axis=0)
    return values


def _pairs(metrics: Mapping[str, str]) -> str:
    return ", ".join(f"{task} ({metric})" for task, metric in metrics.items())


def _undefined(plan: StudyPlan, data: Sequence[TaskData]) -> RunError:
    sizes = ", ".join(f"{each.task.name} {labelled(each.dev.targets).sum()}" for each in data)
    return RunError(
        "the metric is undefined for these dev examples",
        where=str(plan.file),
        found=f"labelled dev examples: {sizes}",
        allowed="dev examples with two labels or values or more for every task",
    )


def _ignore(event: str, **fields: object) -> None:
    """Ignore an event."""
