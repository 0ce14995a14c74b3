"""What a table says in words: how its numbers were made, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.study.collect import Collected
from manyheads.study.plan import StudyPlan
from manyheads.study.table import TableRow
from manyheads.study.worth import Worth

METRIC_NAMES = {"average": "the average over tasks", "course_score": "the course score"}


def metric_name(metric: str) -> str:
    """A study's metric in words."""
    return METRIC_NAMES.get(metric, f"the metric of {metric}")


def setting_of(plan: StudyPlan, collected: Collected) -> str:
    """Seeds, data sizes and encoder in a sentence, for captions."""
    runs = collected.rows[plan.baseline]
    recipe = runs.recipe
    dev = ", ".join(f"{task} {len(found.ids):,} ({found.metric})" for task, found in collected.dev.items())
    epochs = sorted({curve.epochs[-1] for curve in runs.curves if len(curve.epochs)})
    parts = [
        f"Encoder {_encoder_name(recipe.encoder)}",
        f"{_count(len(plan.seeds), 'seed')} a row ({', '.join(map(str, plan.seeds))})",
        f"labelled dev examples: {dev}",
    ]
    if runs.examples and epochs:
        parts.append(f"the baseline's runs train on {round(runs.examples[0] / epochs[-1]):,} examples an epoch")
        parts.append(f"{epochs[-1]:g} epochs in batches of {recipe.batching.batch_size}")
        parts.append(f"learning rate {recipe.training.learning_rate:g}")
    return "; ".join(parts) + "."


def notes_of(plan: StudyPlan, collected: Collected, rows: Sequence[TableRow], worth: Worth) -> tuple[str, ...]:
    """The notes under the table, the gravest first."""
    return tuple(_notes(plan, collected, rows, worth))


def _notes(plan: StudyPlan, collected: Collected, rows: Sequence[TableRow], worth: Worth) -> Iterator[str]:
    yield from _gaps(plan, rows)
    if len(plan.seeds) == 1:
        yield (
            "One seed: nothing can be concluded about seeds. Intervals hold the chance of the dev examples alone, and "
            "another seed may well turn any of these differences around. No p values are given."
        )
    yield (
        "A row's figures are those of the epoch with the best dev average of each run: the epoch was chosen on the dev "
        "set that is reported here, so they flatter every row a little. The last epoch stands beside them."
    )
    yield (
        "Intervals are 95% intervals of the mean over seeds, and hold two chances: another seed for the run, and other "
        "dev examples from the same source (variance components of seeds and of examples, each with its t quantile)."
    )
    compared = sum(row.difference is not None for row in rows if row.same_as is None)
    yield (
        f"Differences are from {plan.baseline} in {metric_name(plan.metric)}. p is two-sided, of the same statistic as "
        f"the interval; p (Holm) is corrected over the {_count(compared, 'comparison')} of this column. Differences by "
        "task, gains over single-task twins, and effects of factors are families of their own."
    )
    if any(row.may_be_best is not None for row in rows):
        yield (
            "Rows marked as maybe best cannot be told from the row with the highest figure: the marked rows hold the "
            "truly best one with 95% confidence."
        )
    if worth.smallest_difference is not None:
        yield (
            f"The smallest difference that this study would have found with 80% power, after correction for its "
            f"comparisons, is {worth.smallest_difference:.4f} (the median over its comparisons). A smaller one that is "
            "not significant is no sign of there being none."
        )
    if worth.aliases:
        yield f"These rows cannot tell apart: {'; '.join(worth.aliases)}."
    if len({count for count in (len(row.seeds) for row in rows) if count}) > 1:
        yield "Rows have different numbers of finished seeds; see the column of seeds."
    yield from _undefined(collected, rows)


def _gaps(plan: StudyPlan, rows: Sequence[TableRow]) -> Iterator[str]:
    own = [row for row in rows if row.same_as is None]
    failed = sum(len(row.failed) for row in own)
    missing = sum(len(row.missing) for row in own)
    total = len(own) * len(plan.seeds)
    if failed:
        yield (
            f"{_count(failed, 'run')} of {total} failed and count for nothing here; their errors are listed below. "
            "Where a row loses its bad seeds so, its figures flatter it."
        )
    if missing:
        yield f"{_count(missing, 'run')} of {total} {'is' if missing == 1 else 'are'} not finished yet."


def _undefined(collected: Collected, rows: Sequence[TableRow]) -> Iterator[str]:
    for row in rows:
        lost = [name for name, found in row.best.tasks.items() if found is None]
        if row.same_as is None and row.seeds and lost:
            which = f"the metric of {', '.join(lost)} is undefined in a run (constant predictions, for one)"
            if None in collected.rows[row.name].epochs["best"]:
                which = "a run has no best epoch, for no evaluation of it had an average"
            yield f"{row.name}: {which}, so its figures are left out."


def _encoder_name(encoder: str) -> str:
    """The encoder without the folders around it: a table names no path."""
    return encoder.rstrip("/").rpartition("/")[2] if encoder.startswith(("/", ".", "~")) else encoder


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
