"""Table: the results of a study as typed numbers. Renderers and figures only show the content of a Table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from manyheads.errors import RunError, did_you_mean
from manyheads.evaluation.looks import Spending
from manyheads.evaluation.significance import LackOfFit
from manyheads.shown import data_frame
from manyheads.studies.collect import Failure

ERROR_LINES = 6
"""Last lines of the error of a failed run that a prompt shows."""

DIGITS = 6
"""Decimal places of every number: far below the width of any interval, far above the noise of summation order."""


def rounded(value: float) -> float:
    """Return a number with the decimal places of a table. Zero has no sign."""
    return round(float(value), DIGITS) + 0.0


def rounded_p(p: float | None) -> float | None:
    """Return a p value with the decimal places of a table. It is never 0: the smallest one is 0.000001."""
    return None if p is None else max(rounded(p), 10.0**-DIGITS)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95% confidence interval, which covers seed variance and sampling variance.

    `low`, `high`: None for a row with one finished seed of several, whose seed variance is unknown.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """A paired difference with its 95% confidence interval, which is None if a row has one finished seed of several.

    `p`: two-sided p value. `p_holm`: Holm-corrected over the family of comparisons. `p_looks`: corrected for all
    planned looks as well, None if none are planned. `p_page`: Holm-corrected over all tests of the page. They are None
    if there are too few seeds for a test. `exploratory`: whether the difference is not in the primary family of the
    study.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    p_looks: float | None = None
    p_page: float | None = None
    exploratory: bool = False

    @property
    def corrected(self) -> float | None:
        """The p value that decides. It is corrected over the family, and over the looks if they are planned."""
        return self.p_holm if self.p_looks is None else self.p_looks

    @property
    def significant(self) -> bool:
        """Whether the difference is significant at 5% after the corrections."""
        return self.corrected is not None and self.corrected < 0.05


@dataclass(frozen=True)
class MarginTest:
    """A difference from the baseline against the margin of its metric.

    `low`, `high`: the 90% interval, which belongs to one-sided tests at 5%. `p_not_worse`: the one-sided p value of the
    hypothesis that the true difference is -margin or less. `p_equivalent`: the p value of the hypothesis that its size
    is the margin or more. `_holm`: corrected over the family. `_page`: corrected over all tests of the page.
    """

    margin: float
    mean: float
    low: float | None
    high: float | None
    p_not_worse: float | None
    p_not_worse_holm: float | None
    p_equivalent: float | None
    p_equivalent_holm: float | None
    p_not_worse_page: float | None = None
    p_equivalent_page: float | None = None
    exploratory: bool = False

    @property
    def not_worse(self) -> bool:
        """Whether the row is not worse by more than the margin, at 5% after Holm's correction."""
        return self.p_not_worse_holm is not None and self.p_not_worse_holm < 0.05

    @property
    def equivalent(self) -> bool:
        """Whether the difference is smaller than the margin, at 5% after Holm's correction."""
        return self.p_equivalent_holm is not None and self.p_equivalent_holm < 0.05


def verdict_of(difference: Difference | None, test: MarginTest | None) -> str | None:
    """Return the result of a comparison: "better", "worse", "equivalent" or "undecided". None without a test.

    An equivalent difference may be significant as well: it is then not zero, and smaller than the margin.
    """
    if difference is None or difference.p is None:
        return None
    if test is not None and test.equivalent:
        return "equivalent"
    if not difference.significant:
        return "undecided"
    return "better" if difference.mean > 0 else "worse"


@dataclass(frozen=True)
class Figures:
    """The metrics of a row at one epoch of each run. None if a metric is undefined or no run is finished.

    `course_score`: None unless the recipe of the row has `score = "course"`. `epochs`: the epoch of each finished run,
    None if there is none. `half_epochs`: for cross-fitting, the epochs that were chosen on each half of the dev
    examples; `epochs` is then None where they differ.
    """

    tasks: Mapping[str, Interval | None]
    average: Interval | None
    course_score: Interval | None
    epochs: tuple[float | None, ...]
    half_epochs: tuple[tuple[float, float] | None, ...] | None = None

    def of(self, metric: str) -> Interval | None:
        """Return the value of "average", "course_score" or a task."""
        if metric == "average":
            return self.average
        return self.course_score if metric == "course_score" else self.tasks.get(metric)


@dataclass(frozen=True)
class Collapses:
    """The collapsed seeds of a row, which its means do not include.

    `share`: their share of the finished seeds, with the interval of Wilson (1927). `p`: of Fisher's exact test against
    the share of the baseline; `p_holm`: corrected over the rows. Both are None for the baseline, for twins and if no
    seed of the study is collapsed. `plain`: the means over all seeds, by metric, which no interval covers.
    """

    seeds: tuple[int, ...]
    share: Interval
    p: float | None
    p_holm: float | None
    plain: Mapping[str, float]


@dataclass(frozen=True)
class TableRow:
    """One row of the table.

    `figures`: of the selected evaluation of each run, see `Table.chosen`. `best`: at the best epoch of each run by dev
    average. `last`: at the last epoch. Means are over the seeds that are not collapsed. `difference`: from the baseline
    in the metric of the study. `differences`: from the baseline in the metric of each task, a separate family of
    comparisons. `may_be_best`: whether the row is in the set that contains the best row with 95% confidence. It is None
    if unknown, and for twins. `points`: the value of each finished seed, by metric: "average", "course_score" or a
    task. `collapses`: None if no run is finished. `optimism`: `best` minus `figures` in the metric of the study.
    if unknown, and for twins. `margins`: the tests against the margin, by metric.
    """

    name: str
    same_as: str | None
    twin_of: tuple[str, str] | None
    levels: Mapping[str, str]
    provenance: str | None
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    missing: tuple[int, ...]
    best: Figures
    last: Figures
    difference: Difference | None
    differences: Mapping[str, Difference | None]
    may_be_best: bool | None
    figures: Figures
    points: Mapping[str, tuple[float, ...]]
    collapses: Collapses | None
    optimism: float | None
    margins: Mapping[str, MarginTest] = field(default_factory=dict)

    @property
    def collapsed(self) -> tuple[int, ...]:
        """The collapsed seeds."""
        return () if self.collapses is None else self.collapses.seeds

    @property
    def sound(self) -> tuple[int, ...]:
        """The finished seeds that are not collapsed."""
        return tuple(seed for seed in self.seeds if seed not in self.collapsed)

    def point(self, metric: str, seed: int) -> float | None:
        """Return the value of a finished seed. None if it is undefined."""
        values = self.points.get(metric)
        return None if values is None or seed not in self.seeds else values[self.seeds.index(seed)]


@dataclass(frozen=True)
class TwinGain:
    """The gain of multitask training for one task of a row, compared with the same task trained alone (its twin).

    `task` may be "average": the average of the row minus the average of its twins. `twin` is then None.
    """

    row: str
    task: str
    twin: str | None
    together: Interval | None
    alone: Interval | None
    gain: Difference | None


@dataclass(frozen=True)
class Effect:
    """The effect of a factor's level compared with the baseline's level, or the interaction of two levels.

    `kind`: "main effect" or "interaction". Each kind is a separate family of comparisons. `contains`: the interactions
    that the estimate of a main effect contains, with their coefficients. The rows cannot separate them.
    """

    kind: str
    name: str
    factors: tuple[str, ...]
    value: Difference
    contains: Mapping[str, float]


@dataclass(frozen=True)
class RowCurve:
    """A metric of a row by epoch: mean, lowest and highest over seeds. None where the metric of a run is undefined.

    `points`: the value of each run that has the epoch, for each epoch.
    """

    row: str
    column: str
    epochs: tuple[float, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    points: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True)
class Timing:
    """Training seconds of the runs of a row (mean, lowest, highest, and of each run), and their hardware."""

    row: str
    mean: float
    low: float
    high: float
    hardware: tuple[str, ...]
    points: tuple[float, ...] = ()


@dataclass(frozen=True)
class RowAcross:
    """A row over the tasks of the baseline.

    `better_on`, `worse_on`: a lower bound of the number of tasks on which the row is better or worse than the baseline,
    with 95% confidence over all rows. None for the baseline, and without tests. `p_better[u - 1]`, `p_worse[u - 1]`:
    the p value of at least u tasks, corrected over the rows. `iqm`: the interquartile mean of the scores.
    `improvement`: the probability that a run is better than a run of the baseline. `mean_rank`: 1 is best.
    `p_wilcoxon`: of the signed-rank test against the baseline, Holm-corrected. None for the baseline, and with fewer
    than six tasks.
    """

    row: str
    better_on: int | None
    worse_on: int | None
    p_better: tuple[float, ...]
    p_worse: tuple[float, ...]
    iqm: Interval | None
    improvement: Interval | None
    mean_rank: float
    p_wilcoxon: float | None


@dataclass(frozen=True)
class Profile:
    """The performance profile of a row: the share of its scores, over tasks and seeds, above each threshold."""

    row: str
    above: tuple[float, ...]


@dataclass(frozen=True)
class AcrossTasks:
    """The rows over the tasks of the baseline.

    `p_friedman`: of Friedman's test that all rows are equal. `critical_difference`: of mean ranks (Nemenyi). Both are
    None with fewer than five tasks or three rows. `thresholds`: of the performance profiles.
    """

    tasks: tuple[str, ...]
    rows: tuple[RowAcross, ...]
    p_friedman: float | None
    critical_difference: float | None
    thresholds: tuple[float, ...]
    profiles: tuple[Profile, ...]


@dataclass(frozen=True)
class TaskFacts:
    """A task, its metric and the number of its labelled dev examples.

    `test_examples`: that of its test examples, None if no figures of the table are from them.
    """

    name: str
    metric: str
    dev_examples: int
    test_examples: int | None = None


@dataclass(frozen=True)
class Looks:
    """What the p values of a study with planned looks, or with seeds that were added without a plan, are.

    `planned`: numbers of seeds, empty if the p values are unadjusted. `spending`: how the error is spent over them.
    `seeds`: those of this table. `look`: the number of this look from 1 on, 0 before the first one. `level`: that of a
    single test at this look. `next`: the seeds of the next look. `later`: seeds with finished runs that wait for it.
    `unadjusted`: why the p values are unadjusted, empty if they are not.
    """

    planned: tuple[int, ...]
    spending: Spending | None
    seeds: int
    look: int | None
    level: float | None
    next: int | None
    later: tuple[int, ...]
    unadjusted: tuple[str, ...]


@dataclass(frozen=True)
class PowerAt:
    """The power with one number of seeds.

    `smallest`: the smallest true difference that is found with 80% power, with its 95% interval `low` to `high`.
    `power`: the power for each difference of the study, with its 95% interval. The intervals are for the unknown
    variances, and have no width if the variances are assumed.
    """

    seeds: int
    smallest: float
    low: float
    high: float
    power: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class PrecisionAt:
    """The precision of the mean of a row with one number of seeds, for other seeds and other examples.

    `standard_error`: that of the mean. `half_width`: about half the width of its 95% interval in the table.
    """

    seeds: int
    standard_error: float
    half_width: float


@dataclass(frozen=True, repr=False)
class Power:
    """The power of a study to find one row significantly different from the baseline, after Holm's correction.

    The other rows are equal to the baseline. `comparisons`: the number of tests. It is 0 for a study of one row without
    twins, which has no power: `differences` and `by_seeds` are then empty. `differences`: the true differences whose
    power is given. `by_seeds`: one entry per number of seeds. `looks`: whether the numbers of seeds are the planned
    looks; the power is then that of a look and all looks before it. `seed_sd`: the standard deviation of runs after the
    effects of rows and seeds. `example_sd`: that of a difference, or of the mean of the only row, by the choice of dev
    examples. `df`: the degrees of freedom of the seed variance, None if it is assumed. `assumptions`: what was assumed,
    as sentences. `precision`: that of the mean of a row, by number of seeds; empty in the table of a study, which has
    the intervals.
    """

    metric: str
    comparisons: int
    differences: tuple[float, ...]
    by_seeds: tuple[PowerAt, ...]
    looks: bool
    seed_sd: float
    example_sd: float
    df: float | None
    assumptions: tuple[str, ...]
    precision: tuple[PrecisionAt, ...] = ()

    def at(self, seeds: int) -> PowerAt | None:
        """Return the entry of a number of seeds."""
        return next((entry for entry in self.by_seeds if entry.seeds == seeds), None)

    @property
    def frame(self) -> Any:
        """The power by number of seeds, as a DataFrame of pandas where it is installed, otherwise of polars.

        Without comparisons it is the precision of the mean of a row.
        """
        if not self.comparisons:
            names = [field.name for field in fields(PrecisionAt)]
            return data_frame({name: [getattr(each, name) for each in self.precision] for name in names})
        columns: dict[str, list[Any]] = {
            "seeds": [each.seeds for each in self.by_seeds],
            "smallest": [each.smallest for each in self.by_seeds],
        }
        for place, difference in enumerate(self.differences):
            columns[f"power at {difference:g}"] = [each.power[place][0] for each in self.by_seeds]
        return data_frame(columns)

    def figure(self) -> Any:
        """Return the power by number of seeds as a `matplotlib.figure.Figure`, which can be changed and saved.

        Without comparisons it is the precision of the mean of a row.
        """
        import matplotlib as mpl

        from manyheads.pages.figures import SETTINGS
        from manyheads.studies.figures import draw_power

        with mpl.rc_context(SETTINGS):
            return draw_power(self)

    def __repr__(self) -> str:
        from manyheads.studies.render.sections import power_section, section_text

        return "\n".join([section_text(power_section(self)), *(f"- {each}" for each in self.assumptions)])

    def _repr_html_(self) -> str:
        from manyheads.shown import paragraph
        from manyheads.studies.render.sections import power_section, section_html

        return section_html(power_section(self)) + "".join(map(paragraph, self.assumptions))


@dataclass(frozen=True, repr=False)
class Table:
    """The table of a study. `rows` depend only on the predictions of the runs. `timings` depend on the machine.

    `lack_of_fit`: the test of the additive model of the main effects, None if the rows do not allow one. `chosen`:
    which evaluation of each run the figures of the rows are from, see `study.selection`. `select`: the key of the study
    file, None if it does not have it. `primary`: the primary family of tests, "baseline", "twins" or "effects".
    `margins`: the margin of each metric that has one. `across_tasks`: the rows over the tasks, None with fewer than
    three tasks. `power`: None if there are too few rows or seeds for a test. `looks`: None for a study whose p values
    are those of one test. `folder`: the folder of the study, with the files of the table and the figures.
    """

    title: str
    caption: str
    setting: str
    baseline: str
    metric: str
    seeds: tuple[int, ...]
    factors: tuple[str, ...]
    tasks: tuple[TaskFacts, ...]
    rows: tuple[TableRow, ...]
    twins: tuple[TwinGain, ...]
    effects: tuple[Effect, ...]
    aliases: tuple[str, ...]
    smallest_difference: float | None
    lack_of_fit: LackOfFit | None
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    curves: tuple[RowCurve, ...]
    timings: tuple[Timing, ...]
    chosen: str = "best"
    select: str | None = None
    power: Power | None = None
    looks: Looks | None = None
    primary: str = "baseline"
    margins: Mapping[str, float] = field(default_factory=dict)
    across_tasks: AcrossTasks | None = None
    folder: Path | None = field(default=None, compare=False)

    @property
    def listed(self) -> tuple[TableRow, ...]:
        """The rows that are not twins."""
        return tuple(row for row in self.rows if row.twin_of is None)

    @property
    def compares(self) -> bool:
        """Whether the table has rows to compare. A study of one row has only its twins."""
        return len(self.listed) > 1

    @property
    def frame(self) -> Any:
        """One line per row, as a DataFrame of pandas where it is installed, otherwise of polars.

        Its columns are the factors, the number of finished seeds, the mean of each metric with the ends of its 95%
        interval, and the difference from the baseline.
        """
        columns: dict[str, list[Any]] = {"row": [row.name for row in self.rows]}
        for factor in self.factors:
            columns[factor] = [row.levels.get(factor, "") for row in self.rows]
        columns["seeds"] = [len(row.seeds) for row in self.rows]
        for name in ("average", *(task.name for task in self.tasks)):
            found = [row.figures.of(name) for row in self.rows]
            for key, ending in (("mean", ""), ("low", ".low"), ("high", ".high")):
                columns[f"{name}{ending}"] = [None if each is None else getattr(each, key) for each in found]
        for key in ("mean", "low", "high", "p_holm"):
            columns[f"difference.{key}"] = [
                None if row.difference is None else getattr(row.difference, key) for row in self.rows
            ]
        return data_frame(columns)

    @property
    def differences(self) -> Any:
        """The differences of the rows from the baseline, in the metric of the study and of each task, as a DataFrame.

        It is one of pandas where it is installed, otherwise of polars.
        """
        found = [
            (row.name, metric, difference)
            for row in self.rows
            for metric, difference in ((self.metric, row.difference), *row.differences.items())
            if difference is not None
        ]
        columns: dict[str, list[Any]] = {
            "row": [name for name, _, _ in found],
            "metric": [metric for _, metric, _ in found],
        }
        for key in ("mean", "low", "high", "p", "p_holm", "exploratory"):
            columns[key] = [getattr(difference, key) for _, _, difference in found]
        return data_frame(columns)

    def figure(self, name: str) -> Any:
        """Return a figure of the page as a `matplotlib.figure.Figure`, which can be changed and saved.

        Args:
            name: "differences", "curves", "twins", "time", "profiles" or "ranks".

        Raises:
            RunError: There is no such figure, or the table has nothing to show in it.
        """
        import matplotlib as mpl

        from manyheads.pages.figures import SETTINGS
        from manyheads.studies.figures import FIGURES

        shown = [each for each, drawing in FIGURES.items() if drawing.describe(self) is not None]
        if name not in shown:
            what = "the table has nothing to show in this figure" if name in FIGURES else "there is no such figure"
            raise RunError(what, where=self.title, found=name, allowed=", ".join(shown), hint=did_you_mean(name, shown))
        with mpl.rc_context(SETTINGS):
            return FIGURES[name].draw(self)

    def __repr__(self) -> str:
        from manyheads.studies.render.sections import section_text, sections

        parts = [self.title, *map(section_text, sections(self))]
        parts += ["\n".join(f"- {note}" for note in self.notes)] if self.notes else []
        return "\n\n".join([*parts, *self._errors])

    def _repr_html_(self) -> str:
        from manyheads.shown import paragraph
        from manyheads.studies.render.sections import section_html, sections

        return "".join([*map(section_html, sections(self)), *map(paragraph, [*self.notes, *self._errors])])

    @property
    def _errors(self) -> list[str]:
        """The failed runs with the last lines of their errors, which have the reason."""
        return [
            "\n".join([f"failed: {each.row}, seed {each.seed}", *each.message.strip().splitlines()[-ERROR_LINES:]])
            for each in self.failures
        ]

    def verdict(self, row: TableRow) -> str | None:
        """Return the result of a row against the baseline: "better", "worse", "equivalent" or "undecided"."""
        return verdict_of(row.difference, row.margins.get(self.metric))

    @property
    def has_course_score(self) -> bool:
        """Whether a listed row has a course score."""
        return any(row.figures.course_score is not None for row in self.listed)

    @property
    def has_collapses(self) -> bool:
        """Whether a row has collapsed seeds."""
        return any(row.collapsed for row in self.rows)

    @property
    def measured_on(self) -> str:
        """The split that the figures of the rows are measured on, "dev" or "test"."""
        return "test" if self.chosen == "test" else "dev"

    def row(self, name: str) -> TableRow:
        """Return the row with this name."""
        return next(row for row in self.rows if row.name == name)
