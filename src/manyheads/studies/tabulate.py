"""Compute the table of a study from its runs, and write it in all formats with its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyheads.evaluation.estimate import Estimate, Prior
from manyheads.evaluation.sample import Sample
from manyheads.pages.render import Drawn
from manyheads.process_state import left_as_found
from manyheads.run.atomic import write_bytes, write_text
from manyheads.studies.across import across_notes, across_tasks
from manyheads.studies.collect import Collected, Curve, RowRuns, collect
from manyheads.studies.compare import (
    families_notes,
    holm_corrected,
    in_families,
    interval,
    margin_notes,
    margin_tests,
    may_be_best,
    paired_difference,
    prior_over,
    same_tasks,
    twin_gains,
)
from manyheads.studies.effects import FactorialAnalysis, analyse_factors
from manyheads.studies.figures import FIGURES, render
from manyheads.studies.finished import WHICH, Epoch
from manyheads.studies.looks import adjustment, at_look, interim_note, keep_plan, with_looks
from manyheads.studies.notes import notes_of, setting_of
from manyheads.studies.power import power_notes, power_of_rows
from manyheads.studies.render.formats import to_csv, to_html, to_json, to_latex, to_markdown
from manyheads.studies.samples import (
    TaskSamples,
    collapsed_seeds,
    collapses_of,
    of_metric,
    points_of,
    samples_of,
    sound,
)
from manyheads.studies.schema import Row, StudyPlan
from manyheads.studies.selection import Selection, undefined_halves
from manyheads.studies.table import (
    Collapses,
    Difference,
    Figures,
    Interval,
    Looks,
    MarginTest,
    Power,
    RowCurve,
    Table,
    TableRow,
    TaskFacts,
    Timing,
    rounded,
)


def tabulate(plan: StudyPlan, out: Path) -> Table:
    """Compute the table of a study from its run folders.

    Raises:
        RunError: no run is finished, or runs cannot be compared.
    """
    plan, looks = at_look(plan, out)
    return with_looks(_Tabulation.of(plan, collect(plan, out), looks).table(), looks)


@dataclass(frozen=True)
class _Tabulation:
    """The samples of a study without collapsed seeds: `samples[which][row][task]`, with the metric of each task.

    `selection`: how the evaluation of the primary figures is chosen. `points`, `flagged`: the values of all seeds, and
    the collapsed seeds, by row. `priors`: what the rows say about the seed variance of each metric, as far as it was
    needed.
    """

    plan: StudyPlan
    collected: Collected
    selection: Selection
    samples: Mapping[str, Mapping[str, TaskSamples]]
    metrics: Mapping[str, str]
    points: Mapping[str, Mapping[str, tuple[float, ...]]]
    flagged: Mapping[str, tuple[int, ...]]
    looks: Looks | None = None
    priors: dict[str, Prior] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: StudyPlan, collected: Collected, looks: Looks | None = None) -> _Tabulation:
        """Take the samples of the best, the last and the selected evaluations from the collected runs."""
        metrics = {task: dev.metric for task, dev in collected.dev.items()}
        selection = collected.selection
        samples = {which: _samples(plan, collected, which) for which in dict.fromkeys((*WHICH, selection.chosen))}
        undefined = [row for row, own in samples[selection.chosen].items() if _less_defined(own, samples["last"][row])]
        if selection.chosen == "crossfit" and undefined:
            selection = undefined_halves(undefined)
        chosen = samples[selection.chosen]
        flagged = collapsed_seeds(plan, chosen, metrics)
        points = {
            row.name: points_of(chosen[row.name], metrics, course_score=row.recipe.score == "course")
            for row in plan.rows
        }
        kept = {
            which: {row: sound(own, flagged[row]) for row, own in by_row.items()} for which, by_row in samples.items()
        }
        return cls(plan, collected, selection, kept, metrics, points, flagged, looks)

    def table(self) -> Table:
        """Compute the table."""
        plan, collected, planned = self.plan, self.collected, len(self.plan.seeds)
        adjust = adjustment(self.looks)
        estimates = {(row.name, plan.metric): self._difference(row, plan.metric) for row in self._compared()}
        of_tasks = {(row.name, task): self._difference(row, task) for row in self._compared() for task in self.metrics}
        differences = holm_corrected(estimates, planned)
        by_task = holm_corrected(of_tasks, planned)
        tests = {
            **margin_tests(of_tasks, plan.margins, planned, adjust),
            **margin_tests(estimates, plan.margins, planned, adjust),
        }
        best = may_be_best(
            {row.name: self._comparable(row) for row in self._distinct()}, self._prior(plan.metric), over_looks=adjust
        )
        seeds = {row.name: collected.rows[row.name].seeds for row in plan.rows}
        collapses = collapses_of(plan, seeds, self.flagged, self.points)
        rows = tuple(self._row(row, differences, by_task, best, collapses, tests) for row in plan.rows)
        analysis = self._analyse_factors()
        power = self._power()
        table = Table(
            title=plan.title,
            caption=plan.caption,
            setting=setting_of(plan, collected, self.selection.chosen),
            baseline=plan.baseline,
            metric=plan.metric,
            seeds=plan.seeds,
            factors=plan.factors,
            tasks=tuple(self._facts()),
            rows=rows,
            twins=twin_gains(plan, self._of, self._prior),
            effects=analysis.effects,
            aliases=analysis.aliases,
            smallest_difference=None if power is None else power.differences[0],
            lack_of_fit=analysis.lack_of_fit,
            notes=(
                *interim_note(plan),
                *notes_of(plan, collected, self.selection, rows, analysis),
                *power_notes(power),
            ),
            failures=tuple(
                failure for row in plan.rows if not row.same_as for failure in collected.rows[row.name].failures
            ),
            curves=curves_of(plan, collected),
            timings=timings_of(plan, collected),
            chosen=self.selection.chosen,
            select=plan.select,
            power=power,
            margins=plan.margins,
        )
        table = in_families(table, plan.primary, adjust)
        across = across_tasks(table, self._of, adjust)
        notes = (*margin_notes(plan.margins), *families_notes(table), *across_notes(across, planned))
        return replace(table, notes=(*table.notes, *notes), across_tasks=across)

    def _facts(self) -> Iterator[TaskFacts]:
        for task, dev in self.collected.dev.items():
            test = self.collected.test.get(task) if self.selection.chosen == "test" else None
            yield TaskFacts(task, dev.metric, len(dev.ids), None if test is None else len(test.ids))

    def _distinct(self) -> list[Row]:
        """The rows that have their own runs and are not twins."""
        return [row for row in self.plan.rows if row.twin_of is None and row.same_as is None]

    def _compared(self) -> list[Row]:
        """The rows that are compared with the baseline, which are one family of comparisons."""
        baseline = self.plan.row(self.plan.baseline)
        return [row for row in self._distinct() if row.name not in (baseline.name, baseline.same_as)]

    def _of(self, row: str, metric: str, which: str = "") -> list[Sample] | None:
        return of_metric(self.samples[which or self.selection.chosen][row], metric, self.metrics)

    def _comparable(self, row: Row) -> list[Sample] | None:
        """The samples of a row in the metric of the study. None if its tasks are not those of the baseline."""
        samples, baseline = self._of(row.name, self.plan.metric), self._of(self.plan.baseline, self.plan.metric)
        return samples if samples and (baseline is None or same_tasks(samples, baseline)) else None

    def _difference(self, row: Row, metric: str) -> Estimate | None:
        baseline = self._of(self.plan.baseline, metric)
        return paired_difference(self._of(row.name, metric), baseline, self._prior(metric))

    def _prior(self, metric: str) -> Prior:
        """What the rows that have the tasks of the baseline say about the seed variance of a metric."""
        if metric not in self.priors:
            baseline = self._of(self.plan.baseline, metric)
            others = [self._of(row.name, metric) for row in self._distinct() if row.name != self.plan.baseline]
            self.priors[metric] = prior_over([baseline, *others])
        return self.priors[metric]

    def _row(
        self,
        row: Row,
        differences: Mapping[tuple[str, str], Difference | None],
        by_task: Mapping[tuple[str, str], Difference | None],
        may_be_best: Mapping[str, bool | None],
        collapses: Mapping[str, Collapses | None],
        tests: Mapping[tuple[str, str], MarginTest],
    ) -> TableRow:
        runs = self.collected.rows[row.name]
        own = row.same_as or row.name
        figures, best = self._figures(row, self.selection.chosen), self._figures(row, "best")
        one, other = best.of(self.plan.metric), figures.of(self.plan.metric)
        return TableRow(
            name=row.name,
            same_as=row.same_as,
            twin_of=row.twin_of,
            levels=row.levels,
            provenance=row.provenance,
            seeds=runs.seeds,
            failed=tuple(failure.seed for failure in runs.failures),
            missing=runs.missing,
            best=best,
            last=self._figures(row, "last"),
            difference=differences.get((own, self.plan.metric)),
            differences={task: by_task.get((own, task)) for task in row.recipe.tasks},
            may_be_best=may_be_best.get(own),
            figures=figures,
            points=self.points[row.name],
            collapses=collapses[own],
            optimism=None if one is None or other is None else rounded(one.mean - other.mean),
            margins={metric: tests[own, metric] for metric in self.plan.margins if (own, metric) in tests},
        )

    def _figures(self, row: Row, which: str) -> Figures:
        tasks = {task: self._interval(row.name, task, which) for task in self.samples[which][row.name]}
        course_score = self._interval(row.name, "course_score", which) if row.recipe.score == "course" else None
        average = self._interval(row.name, "average", which)
        return Figures(tasks, average, course_score, *_epochs(self.collected.rows[row.name].epochs[which], which))

    def _interval(self, row: str, metric: str, which: str) -> Interval | None:
        return interval(self._of(row, metric, which), len(self.plan.seeds))

    def _analyse_factors(self) -> FactorialAnalysis:
        rows = {row.name: self._of(row.name, self.plan.metric) for row in self._distinct()}
        levels = {row.name: row.levels for row in self._distinct()}
        return analyse_factors(self.plan.baseline, rows, levels, self._prior(self.plan.metric), len(self.plan.seeds))

    def _power(self) -> Power | None:
        """The power of the comparisons with the baseline, from the rows with its tasks."""
        baseline = self._of(self.plan.baseline, self.plan.metric)
        if baseline is None:
            return None
        others = [self._of(row.name, self.plan.metric) for row in self._compared()]
        rows = [row for row in others if row is not None and same_tasks(row, baseline)]
        tests = [self._difference(row, self.plan.metric) for row in self._compared()]
        comparisons = sum(each is not None and each.p is not None for each in tests)
        return power_of_rows(self.plan, [baseline, *rows], comparisons)


def _samples(plan: StudyPlan, collected: Collected, which: str) -> dict[str, TaskSamples]:
    by_row: dict[str, TaskSamples] = {}
    for row in plan.rows:
        runs = collected.rows[row.name]
        by_row[row.name] = by_row[row.same_as] if row.same_as else samples_of(collected, runs, which)
    return by_row


def _less_defined(samples: TaskSamples, other: TaskSamples) -> bool:
    """Return whether a metric of a row is undefined that is defined in other samples of the row."""
    return any(part is None and other[task] is not None for task, part in samples.items())


def _epochs(
    of_runs: Sequence[Epoch], which: str
) -> tuple[tuple[float | None, ...], tuple[tuple[float, float] | None, ...] | None]:
    """Return the epoch of each run, None where the halves of the dev examples have different ones, and both epochs."""
    if which != "crossfit":
        return tuple(None if isinstance(epoch, tuple) else epoch for epoch in of_runs), None
    halves = tuple(epoch if isinstance(epoch, tuple) else None for epoch in of_runs)
    return tuple(each[0] if each is not None and each[0] == each[1] else None for each in halves), halves


def curves_of(plan: StudyPlan, collected: Collected) -> tuple[RowCurve, ...]:
    """Return the average and the metrics of each row by epoch: mean, lowest and highest over seeds, without twins."""
    all_curves: list[RowCurve] = []
    for row in plan.rows:
        runs = collected.rows[row.name]
        if row.twin_of is None and row.same_as is None and runs.curves:
            all_curves += [_curve(row.name, column, runs.curves) for column in ("average", *row.recipe.tasks)]
    return tuple(all_curves)


def timings_of(plan: StudyPlan, collected: Collected) -> tuple[Timing, ...]:
    """Return the training times of the finished runs, without start-up, evaluation and pretraining."""
    timings = []
    for row in plan.rows:
        runs: RowRuns = collected.rows[row.name]
        if row.same_as is None and runs.seconds:
            seconds = np.array(runs.seconds)
            hardware = tuple(sorted(set(runs.hardware)))
            mean, low, high = rounded(seconds.mean()), rounded(seconds.min()), rounded(seconds.max())
            points = tuple(map(rounded, runs.seconds))
            timings.append(Timing(row.name, mean, low, high, hardware, points))
    return tuple(timings)


def _curve(row: str, column: str, curves: Sequence[Curve]) -> RowCurve:
    """Summarise the runs of a row by epoch. A run that stopped early has no later epochs."""
    epochs = sorted({float(epoch) for curve in curves for epoch in curve.epochs})
    by_epoch = []
    for epoch in epochs:
        at = [curve.scores[column][curve.epochs == epoch] for curve in curves]
        by_epoch.append(np.concatenate(at))
    return RowCurve(
        row=row,
        column=column,
        epochs=tuple(rounded(epoch) for epoch in epochs),
        mean=tuple(_or_none(values.mean()) for values in by_epoch),
        low=tuple(_or_none(values.min()) for values in by_epoch),
        high=tuple(_or_none(values.max()) for values in by_epoch),
        points=tuple(tuple(_or_none(value) for value in values) for values in by_epoch),
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else rounded(value)


@left_as_found()
def write_table(plan: StudyPlan, out: Path) -> Table:
    """Write `OUT/table.{json,csv,md,tex,html}` and `OUT/figures/<name>.{svg,png}`, and return the table.

    The table is computed from the run folders. Figures that this table does not have are removed.

    Raises:
        RunError: no run is finished, runs cannot be compared, or the folder cannot be written.
    """
    table = tabulate(plan, out)
    pictures = _write_figures(table, out / "figures")
    keep_plan(plan, out)
    write_text(out / "table.json", to_json(table))
    write_text(out / "table.csv", to_csv(table))
    write_text(out / "table.md", to_markdown(table))
    write_text(out / "table.tex", to_latex(table))
    write_text(out / "table.html", to_html(table, pictures))
    return replace(table, folder=out)


def _write_figures(table: Table, folder: Path) -> list[Drawn]:
    pictures = []
    for name, drawing in FIGURES.items():
        alt = drawing.describe(table)
        if alt is None:
            for ending in ("svg", "png"):
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
            continue
        files = render(name, drawing, table)
        for ending, content in files.items():
            write_bytes(folder / f"{name}.{ending}", content)
        pictures.append(Drawn(name, drawing.title, alt, files["svg"].decode("utf-8")))
    return pictures
