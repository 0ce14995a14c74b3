"""Compute the table of a study from its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.evaluation.estimate import Estimate
from manyheads.evaluation.moderation import Prior
from manyheads.evaluation.sample import Sample
from manyheads.study.collect import WHICH, Collected, collect
from manyheads.study.compare import holm_corrected, interval, may_be_best, paired_difference, prior_over
from manyheads.study.curves import curves_of, timings_of
from manyheads.study.factorial import FactorialAnalysis, analyse_factors
from manyheads.study.notes import notes_of, setting_of
from manyheads.study.plan import Row, StudyPlan
from manyheads.study.samples import TaskSamples, of_metric, samples_of
from manyheads.study.table import Difference, Figures, Interval, Table, TableRow, TaskFacts
from manyheads.study.twins import twin_gains


def tabulate(plan: StudyPlan, out: Path) -> Table:
    """Compute the table of a study from its run folders.

    Raises:
        RunError: no run is finished, or runs cannot be compared.
    """
    return _Tabulation.of(plan, collect(plan, out)).table()


@dataclass(frozen=True)
class _Tabulation:
    """The samples of a study: `samples[which][row][task]`, with the metric of each task.

    `priors`: what the rows say about the seed variance of each metric, as far as it was needed.
    """

    plan: StudyPlan
    collected: Collected
    samples: Mapping[str, Mapping[str, TaskSamples]]
    metrics: Mapping[str, str]
    priors: dict[str, Prior] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: StudyPlan, collected: Collected) -> _Tabulation:
        """Take the samples of the best and the last epochs from the collected runs."""
        samples = {}
        for which in WHICH:
            by_row: dict[str, TaskSamples] = {}
            for row in plan.rows:
                runs = collected.rows[row.name]
                by_row[row.name] = by_row[row.same_as] if row.same_as else samples_of(collected, runs, which)
            samples[which] = by_row
        return cls(plan, collected, samples, {task: dev.metric for task, dev in collected.dev.items()})

    def table(self) -> Table:
        """Compute the table."""
        plan, collected, planned = self.plan, self.collected, len(self.plan.seeds)
        differences = holm_corrected(
            {row.name: self._difference(row, plan.metric) for row in self._compared()}, planned
        )
        by_task = holm_corrected(
            {(row.name, task): self._difference(row, task) for row in self._compared() for task in self.metrics},
            planned,
        )
        best = may_be_best(
            {row.name: self._of(row.name, plan.metric) for row in self._distinct()}, self._prior(plan.metric)
        )
        rows = tuple(self._row(row, differences, by_task, best) for row in plan.rows)
        analysis = self._analyse_factors()
        return Table(
            title=plan.title,
            caption=plan.caption,
            setting=setting_of(plan, collected),
            baseline=plan.baseline,
            metric=plan.metric,
            seeds=plan.seeds,
            factors=plan.factors,
            tasks=tuple(TaskFacts(task, dev.metric, len(dev.ids)) for task, dev in collected.dev.items()),
            rows=rows,
            twins=twin_gains(plan, self._of, self._prior),
            effects=analysis.effects,
            aliases=analysis.aliases,
            smallest_difference=analysis.smallest_difference,
            lack_of_fit=analysis.lack_of_fit,
            notes=notes_of(plan, collected, rows, analysis),
            failures=tuple(
                failure for row in plan.rows if not row.same_as for failure in collected.rows[row.name].failures
            ),
            curves=curves_of(plan, collected),
            timings=timings_of(plan, collected),
        )

    def _distinct(self) -> list[Row]:
        """The rows that have their own runs and are not twins."""
        return [row for row in self.plan.rows if row.twin_of is None and row.same_as is None]

    def _compared(self) -> list[Row]:
        """The rows that are compared with the baseline, which are one family of comparisons."""
        baseline = self.plan.row(self.plan.baseline)
        return [row for row in self._distinct() if row.name not in (baseline.name, baseline.same_as)]

    def _of(self, row: str, metric: str, which: str = "best") -> list[Sample] | None:
        return of_metric(self.samples[which][row], metric, self.metrics)

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
        differences: Mapping[str, Difference | None],
        by_task: Mapping[tuple[str, str], Difference | None],
        best: Mapping[str, bool | None],
    ) -> TableRow:
        runs = self.collected.rows[row.name]
        own = row.same_as or row.name
        return TableRow(
            name=row.name,
            same_as=row.same_as,
            twin_of=row.twin_of,
            levels=row.levels,
            provenance=row.provenance,
            seeds=runs.seeds,
            failed=tuple(failure.seed for failure in runs.failures),
            missing=runs.missing,
            best=self._figures(row, "best"),
            last=self._figures(row, "last"),
            difference=differences.get(own),
            differences={task: by_task.get((own, task)) for task in row.recipe.tasks},
            may_be_best=best.get(own),
        )

    def _figures(self, row: Row, which: str) -> Figures:
        tasks = {task: self._interval(row.name, task, which) for task in self.samples[which][row.name]}
        course_score = self._interval(row.name, "course_score", which) if row.recipe.score == "course" else None
        average = self._interval(row.name, "average", which)
        return Figures(tasks, average, course_score, self.collected.rows[row.name].epochs[which])

    def _interval(self, row: str, metric: str, which: str) -> Interval | None:
        return interval(self._of(row, metric, which), len(self.plan.seeds))

    def _analyse_factors(self) -> FactorialAnalysis:
        rows = {row.name: self._of(row.name, self.plan.metric) for row in self._distinct()}
        levels = {row.name: row.levels for row in self._distinct()}
        comparisons = [self._difference(row, self.plan.metric) for row in self._compared()]
        return analyse_factors(
            self.plan.baseline, rows, levels, comparisons, self._prior(self.plan.metric), len(self.plan.seeds)
        )
