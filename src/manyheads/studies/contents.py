"""The files of a study's folder and the fields of table.json, as the reference documentation lists them.

`tests/study/test_contents.py` compares them with the folder of a finished study.
"""

from __future__ import annotations

from manyheads.run.contents import FileFacts

INTERVAL = {
    "mean": "Mean over seeds.",
    "low": "Lower end of the 95% interval. Null for a row with one finished seed of several.",
    "high": "Upper end of the 95% interval. Null for a row with one finished seed of several.",
}
DIFFERENCE = {
    "mean": "Mean difference over seeds.",
    "low": "Lower end of the 95% interval. Null for a row with one finished seed of several.",
    "high": "Upper end of the 95% interval. Null for a row with one finished seed of several.",
    "p": "P value of the hypothesis that there is no difference. At least 0.000001. Null with too few seeds.",
    "p_holm": "The p value after the correction of Holm over its family of comparisons.",
    "p_looks": "The p value after the correction for all planned looks and that of Holm. Null without planned looks.",
    "p_page": "The p value after the correction of Holm over all tests of the page.",
    "exploratory": "Whether the difference is not in the primary family of tests.",
}
MARGIN = {
    "margin": "The margin.",
    "mean": "Mean difference over seeds.",
    "low": "Lower end of the 90% interval. Null for a row with one finished seed of several.",
    "high": "Upper end of the 90% interval. Null for a row with one finished seed of several.",
    "p_not_worse": "One-sided p value of the hypothesis that the difference is -margin or less.",
    "p_not_worse_holm": "The same after the correction of Holm over its family.",
    "p_not_worse_page": "The same after the correction of Holm over all tests of the page.",
    "p_equivalent": "P value of the hypothesis that the size of the difference is the margin or more.",
    "p_equivalent_holm": "The same after the correction of Holm over its family.",
    "p_equivalent_page": "The same after the correction of Holm over all tests of the page.",
    "exploratory": "Whether the metric is not that of the primary family of tests.",
}
SUMMARY = {
    "mean": "The value.",
    "low": "Lower end of the 95% bootstrap interval. Null with fewer than five seeds.",
    "high": "Upper end of the 95% bootstrap interval. Null with fewer than five seeds.",
}
SHARE = {
    "mean": "Collapsed seeds divided by finished seeds.",
    "low": "Lower end of the 95% interval.",
    "high": "Upper end of the 95% interval.",
}
FIGURES = {
    "tasks.TASK": ("Primary metric of a task. Null if it is undefined or no run is finished.", INTERVAL),
    "average": ("Mean of the primary metrics.", INTERVAL),
    "course_score": ("Average of the reference course. Null unless the recipe asks for it.", INTERVAL),
    "epochs": (
        "Epoch of the evaluation, for each finished run. Null if there is none, or one for each half.",
        {},
    ),
    "half_epochs": (
        "For cross-fitting: the epochs chosen on the two halves, for each finished run. Otherwise null.",
        {},
    ),
}


def _nested(prefix: str, meaning: str, fields: dict[str, str]) -> dict[str, str]:
    """An object: its own name with its meaning, and its fields."""
    return {prefix: meaning, **{f"{prefix}.{name}": text for name, text in fields.items()}}


def _figures(prefix: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, (meaning, fields) in FIGURES.items():
        found |= _nested(prefix + name, meaning, dict(fields))
    return found


TABLE: dict[str, str] = {
    "title": "Title of the study.",
    "caption": "Caption of the study.",
    "setting": "What the runs share, as a sentence: encoder, seeds, dev examples.",
    "metric": "Metric in which rows are compared.",
    "select": "The key `select` of the study file. Null if it does not have it.",
    "chosen": "Which evaluation of each run the figures of the rows are from: `test`, `crossfit`, `last` or `best`.",
    "baseline": "Row that the others are compared with.",
    "primary": "Primary family of tests: `baseline`, `twins` or `effects`.",
    "margins.METRIC": "Margin of a metric: that of the study, or a task. Empty without margins.",
    "seeds": "Seeds of the study.",
    "factors": "Names of the factors.",
    "tasks[].name": "Name of a task.",
    "tasks[].metric": "Primary metric of the task.",
    "tasks[].dev_examples": "Number of labelled dev examples.",
    "tasks[].test_examples": "Number of test examples if `chosen` is `test`, otherwise null.",
    "rows[].name": "Name of the row.",
    "rows[].same_as": "Row with the same recipe, whose runs this row shows. Else null.",
    **_nested(
        "rows[].twin_of",
        "What a single-task twin is the twin of. Null for other rows.",
        {"row": "Row of the twin.", "task": "The task that is trained alone."},
    ),
    "rows[].levels.FACTOR": "Level of a factor in the row.",
    "rows[].provenance": "Remark of the row, from its key `provenance` in the study. Else null.",
    "rows[].seeds": "Seeds of finished runs.",
    "rows[].failed": "Seeds of failed runs.",
    "rows[].missing": "Seeds of runs that are not finished.",
    "rows[].chosen": "Which evaluation the figures of the row are from, as `chosen` of the table.",
    **_figures("rows[]."),
    **_nested("rows[].difference", "Difference from the baseline in `metric`. Null for the baseline.", DIFFERENCE),
    **_nested("rows[].differences.TASK", "Difference from the baseline in the metric of a task.", DIFFERENCE),
    "rows[].may_be_best": "Whether the row cannot be distinguished from the best row. Null if unknown, and for twins.",
    **_nested("rows[].margins.METRIC", "Test of the row against the margin of a metric.", MARGIN),
    "rows[].verdict": "`better`, `worse`, `equivalent` or `undecided`. Null without a test.",
    "rows[].optimism": "`best` minus the figures of the row, in `metric`. Null if unknown.",
    **_figures("rows[].best."),
    **_figures("rows[].last."),
    "rows[].points.METRIC": "Value of each finished seed, collapsed or not: of `average`, `course_score` or a task.",
    **_nested(
        "rows[].collapses",
        "Collapsed seeds, over which the means of the row do not go. Null without finished runs.",
        {
            "seeds": "The collapsed seeds.",
            **_nested("share", "Their share of the finished seeds, with the interval of Wilson.", SHARE),
            "p": "P value of Fisher's exact test against the share of the baseline. Null without collapsed seeds, for "
            "the baseline and for twins.",
            "p_holm": "The p value after the correction of Holm over the rows.",
            "plain.METRIC": "Mean over all finished seeds, which no interval covers.",
        },
    ),
    "twins[].row": "Row of the comparison.",
    "twins[].task": "Task that is trained alone, or `average`.",
    "twins[].twin": "Row with the runs of the task alone. Null for `average`.",
    **_nested("twins[].together", "Metric of the task in the row.", INTERVAL),
    **_nested("twins[].alone", "Metric of the task trained alone.", INTERVAL),
    **_nested("twins[].gain", "Gain from training together.", DIFFERENCE),
    "effects[].kind": "`main effect` or `interaction`.",
    "effects[].name": "Name of the effect.",
    "effects[].factors": "Factors of the effect.",
    **_nested("effects[].value", "Size of the effect.", DIFFERENCE),
    "effects[].contains.INTERACTION": "Share of an interaction that the estimate of a main effect contains.",
    "across_tasks": "The rows over the tasks of the baseline. Null with fewer than three tasks.",
    "across_tasks.tasks": "Names of the tasks.",
    "across_tasks.rows[].row": "Row with the tasks of the baseline.",
    "across_tasks.rows[].better_on": "The row is better than the baseline on at least this number of tasks, with 95% "
    "confidence over all rows. Null for the baseline, and without tests.",
    "across_tasks.rows[].worse_on": "The same for worse.",
    "across_tasks.rows[].p_better": "P values of better on at least 1, 2, ... tasks, corrected over the rows.",
    "across_tasks.rows[].p_worse": "P values of worse on at least 1, 2, ... tasks, corrected over the rows.",
    **_nested("across_tasks.rows[].iqm", "Interquartile mean of the scores over tasks and seeds.", SUMMARY),
    **_nested(
        "across_tasks.rows[].improvement",
        "Probability that a run is better than a run of the baseline, averaged over tasks. Null for the baseline.",
        SUMMARY,
    ),
    "across_tasks.rows[].mean_rank": "Mean rank over the tasks. 1 is best.",
    "across_tasks.rows[].p_wilcoxon": "P value of the signed-rank test over tasks against the baseline, after the "
    "correction of Holm. Null for the baseline, and with fewer than six tasks.",
    "across_tasks.p_friedman": "P value of Friedman's test that all rows are equal. Null with fewer than five tasks.",
    "across_tasks.critical_difference": "Mean ranks that differ by less cannot be distinguished. Null with fewer than "
    "five tasks.",
    "across_tasks.profiles[].row": "Row of a performance profile.",
    "across_tasks.profiles[].above": "Share of the scores of the row, over tasks and seeds, above each threshold.",
    "across_tasks.thresholds": "Values of a metric, for the performance profiles.",
    "aliases": "Notes on factors whose effects cannot be separated.",
    "smallest_difference": "Smallest true difference that the study finds with 80% power. Null if unknown.",
    **_nested(
        "power",
        "Power of the comparisons with the baseline, simulated with the variances of the study. Null without a test.",
        {
            "metric": "Metric of the differences.",
            "comparisons": "Number of tests that are corrected together.",
            "differences": "True differences whose power is given: the smallest one of the study.",
            "by_seeds[].seeds": "A number of seeds.",
            "by_seeds[].smallest": "Smallest true difference that is found with 80% power.",
            "by_seeds[].low": "Lower end of its 95% interval, for the unknown variances.",
            "by_seeds[].high": "Upper end of its 95% interval.",
            "by_seeds[].power": "For each difference: the power, and the ends of its 95% interval.",
            "looks": "Whether the numbers of seeds are the planned looks.",
            "seed_sd": "Standard deviation of a run after the effects of row and seed, pooled over rows.",
            "example_sd": "Standard deviation of a difference because of the choice of dev examples.",
            "df": "Degrees of freedom of the seed variance.",
            "assumptions": "What was assumed. Empty in a table.",
            "precision": "Precision of the mean of a row by number of seeds. Empty in a table.",
        },
    ),
    **_nested(
        "looks",
        "What the p values are, if looks are planned or the plan was changed after the first table. Else null.",
        {
            "planned": "Numbers of seeds of the planned looks. Empty if the p values are unadjusted.",
            "spending": "How the error is spent over the looks. Null if the p values are unadjusted.",
            "seeds": "Seeds of this table.",
            "look": "Number of this look, from 1. 0 before the first look. Null if the p values are unadjusted.",
            "level": "Level of a single test at this look. Null if there is none.",
            "next": "Seeds of the next look. Null if there is none.",
            "later": "Seeds with finished runs that are kept for the next look.",
            "unadjusted": "Why the p values are unadjusted. Empty if they are not.",
        },
    ),
    **_nested(
        "lack_of_fit",
        "Test of the additive model of the main effects. Null if the rows do not allow one.",
        {"df": "Effects that the model leaves out.", "p": "P value of the hypothesis that they are all zero."},
    ),
    "notes": "Notes below the table.",
    "failures[].row": "Row of a failed run.",
    "failures[].seed": "Seed of a failed run.",
    "failures[].kind": "Class of the error.",
    "failures[].message": "The error in full.",
    "curves[].row": "Row of a curve.",
    "curves[].column": "Metric of the curve: `average` or a task.",
    "curves[].epochs": "Epochs of the evaluations.",
    "curves[].mean": "Mean over seeds at each evaluation.",
    "curves[].low": "Lowest value over seeds.",
    "curves[].high": "Highest value over seeds.",
    "curves[].points": "Value of each run that has the evaluation, for each evaluation.",
    "timings[].row": "Row of a timing.",
    "timings[].mean": "Mean of the training seconds per run.",
    "timings[].low": "Fewest training seconds of a run.",
    "timings[].high": "Most training seconds of a run.",
    "timings[].points": "Training seconds of each finished run.",
    "timings[].hardware": "Processors or devices that the runs used.",
}

STUDY_FILES: tuple[FileFacts, ...] = (
    FileFacts("ROW/SEED/", "by its run", "An ordinary run folder. A twin has a folder as well: `ROW@TASK/SEED/`."),
    FileFacts(
        "ROW/SEED.error.json",
        "when a run fails",
        "The error of a failed run. `manyheads study --retry-failed` runs it again.",
        {"error": "The error message or traceback.", "kind": "Class of the error."},
    ),
    FileFacts("study.json", "when it begins", "The study itself, for `manyheads.open_study`."),
    FileFacts(
        "data/TASK.SPLIT.parquet",
        "when it begins",
        "The rows of a table that was given in memory. Tasks that share the table share the file.",
    ),
    FileFacts("data/TASK.SPLIT.index.parquet", "when it begins", "The index of that table, if it had one of its own."),
    FileFacts(
        "data/given.json",
        "when it begins",
        "The tables: their keys in the recipe, the SHA-256 of their rows, and the checksums of their files.",
    ),
    FileFacts("table.json", "with the table", "All numbers of the table.", TABLE),
    FileFacts(
        "looks.json",
        "with the first table",
        "The plan of the study when its first table was made. It never changes. Seeds that are added later, and looks "
        "that are changed later, are marked in every table.",
        {
            "seeds": "Seeds of the study file.",
            "looks": "Planned looks.",
            "spending": "How the error is spent over the looks.",
            "checksum": "xxh3_128 of the other keys.",
        },
    ),
    FileFacts("table.csv", "with the table", "The same numbers, one row per row of the study."),
    FileFacts("table.md", "with the table", "The table in Markdown."),
    FileFacts("table.tex", "with the table", "The table for LaTeX. It needs the package booktabs."),
    FileFacts("table.html", "with the table", "The table and its figures as one page that needs no network."),
    FileFacts("figures/FIGURE.svg", "with the table", "A figure of the table."),
    FileFacts("figures/FIGURE.png", "with the table", "The same figure as pixels."),
    FileFacts(".lock", "while the study runs", "Lock file: only one process may run the study."),
)
