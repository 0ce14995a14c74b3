"""The notes of a table: how its numbers were computed and how to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.evaluation.significance import DEVIATIONS, LEAST
from manyheads.pages.words import counted, p_value
from manyheads.studies.collect import Collected
from manyheads.studies.effects import FactorialAnalysis
from manyheads.studies.finished import cluster_notes
from manyheads.studies.render.words import seed_list, signed
from manyheads.studies.schema import Select, StudyPlan
from manyheads.studies.selection import MEANING, TITLES, Selection
from manyheads.studies.table import TableRow

METRIC_NAMES = {"average": "the average over tasks", "course_score": "the course score"}


def metric_name(metric: str) -> str:
    """Return the metric of a study in words."""
    return METRIC_NAMES.get(metric, f"the metric of {metric}")


def setting_of(plan: StudyPlan, collected: Collected, chosen: Select) -> str:
    """Return the encoder, the seeds, the data sizes and the selection of a study in one sentence, for captions."""
    runs = collected.rows[plan.baseline]
    recipe = runs.recipe
    split = "test" if chosen == "test" else "dev"
    counts = ", ".join(
        f"{task} {len(examples.ids):,} ({examples.metric})" for task, examples in collected.examples(split).items()
    )
    epochs = sorted({curve.epochs[-1] for curve in runs.curves if len(curve.epochs)})
    parts = [
        f"Encoder {_encoder_name(recipe.encoder)}",
        f"{counted(len(plan.seeds), 'seed')} per row ({', '.join(map(str, plan.seeds))})",
        f"labelled {split} examples: {counts}",
        f"values: {TITLES[chosen]}",
    ]
    if runs.examples and epochs:
        examples = counted(round(runs.examples[0] / epochs[-1]), "training example")
        length = "1 epoch" if epochs[-1] == 1 else f"{epochs[-1]:g} epochs"
        parts.append(
            f"baseline: {examples} per epoch, {length}, batch size {recipe.batching.batch_size}, "
            f"learning rate {recipe.training.learning_rate:g}"
        )
    return "; ".join(parts) + "."


def notes_of(
    plan: StudyPlan,
    collected: Collected,
    selection: Selection,
    rows: Sequence[TableRow],
    analysis: FactorialAnalysis,
) -> tuple[str, ...]:
    """Return the notes below the table, the most important ones first."""
    return tuple(_notes(plan, collected, selection, rows, analysis))


def _notes(
    plan: StudyPlan,
    collected: Collected,
    selection: Selection,
    rows: Sequence[TableRow],
    analysis: FactorialAnalysis,
) -> Iterator[str]:
    yield from _gaps(plan, rows)
    yield from _collapses(rows)
    if len(plan.seeds) == 1:
        yield (
            "This study has one seed, so the seed variance is unknown. The intervals cover only the sampling variance "
            "of the dev examples, and another seed may reverse any of these differences. No p values are given."
        )
    split = "test" if selection.chosen == "test" else "dev"
    yield f"{MEANING[selection.chosen]} {selection.reason}".strip()
    yield from _optimism(plan, selection, rows)
    if len(plan.seeds) > 1:
        yield (
            "Brackets are 95% confidence intervals of the mean over seeds. They cover seed variance (training again "
            f"with another seed) and sampling variance (other {split} examples from the same source)."
        )
    alone = [row.name for row in rows if row.same_as is None and len(row.seeds) == 1 and len(plan.seeds) > 1]
    if alone:
        yield f"No intervals for {', '.join(alone)}: one finished seed does not show the seed variance."
    yield from cluster_notes(collected.examples(split))
    compares = sum(row.twin_of is None for row in rows) > 1
    if compares:
        yield _comparisons(plan, rows, split)
    if compares and any(row.may_be_best is not None for row in rows):
        yield (
            'The rows marked "among the best" (bold average) are not significantly worse than the row with the highest '
            "value. This set contains the truly best row with 95% confidence."
        )
    if analysis.aliases:
        yield f"Aliased effects, which these rows cannot separate: {'; '.join(analysis.aliases)}."
    for effect in analysis.effects:
        if effect.contains:
            parts = ", ".join(f"{value:+.2f} times {name}" for name, value in effect.contains.items())
            yield f"The main effect of {effect.name} contains interactions, because of the choice of rows: {parts}."
    fit = analysis.lack_of_fit
    if fit is not None:
        result = "does not fit" if fit.p < 0.05 else "is not contradicted"
        meaning = " A main effect then depends on the levels of other factors." if fit.p < 0.05 else ""
        freedom = counted(fit.df, "degree")
        yield (
            f"The additive model of the main effects {result} (lack-of-fit test, {freedom} of freedom, "
            f"p {p_value(fit.p)}).{meaning}"
        )
    if len({count for count in (len(row.sound) for row in rows) if count}) > 1:
        yield (
            "The rows have different numbers of seeds. See the column of seeds. A difference is estimated over the "
            "seeds that both rows have, so it can differ from the difference of their means."
        )
    if plan.metric in METRIC_NAMES:
        tasks = set(plan.row(plan.baseline).recipe.tasks)
        apart = [row.name for row in plan.rows if row.twin_of is None and set(row.recipe.tasks) != tasks]
        if apart:
            yield (
                f"Rows with different tasks than {plan.baseline} are compared with it only by task: {', '.join(apart)}."
            )
    yield from _undefined(collected, rows, selection.chosen)
    yield from collected.notes


def _collapses(rows: Sequence[TableRow]) -> Iterator[str]:
    """Say what collapsed seeds are and what the means do not include, if any seed is collapsed."""
    own = [row for row in rows if row.same_as is None and row.collapsed]
    if not own:
        return
    named = "; ".join(f"{row.name}: {seed_list(row.collapsed)}" for row in own)
    yield (
        f"Collapsed seeds ({named}) are more than {DEVIATIONS:g} robust standard deviations and more than {LEAST:g} "
        "below the median of their row. Means, intervals, differences and tests are over the other seeds, so they "
        "describe runs that do not collapse. How often a row collapses, and its mean over all seeds, which no interval "
        "covers, are in the table of collapsed seeds. Few seeds often show no collapse: with a true share of 10%, 73% "
        "of rows with 3 seeds, 59% with 5 and 35% with 10."
    )


def _optimism(plan: StudyPlan, selection: Selection, rows: Sequence[TableRow]) -> Iterator[str]:
    """Say how much the best epoch flatters the rows."""
    known = [row.optimism for row in rows if row.twin_of is None and row.same_as is None and row.optimism is not None]
    if selection.chosen == "best" or not known:
        return
    low, high = signed(min(known)), signed(max(known))
    amount = low if low == high else f"{low} to {high}"
    where = " It includes what the dev and the test examples differ in." if selection.chosen == "test" else ""
    if selection.chosen == "last":
        where = " It includes what the runs lost after their best epoch."
    yield (
        f"Optimism of the best epoch, which is chosen and measured on the same dev examples: {amount} in "
        f"{metric_name(plan.metric)} (best minus the values of this table, by row under Epochs and seeds).{where}"
    )


def _comparisons(plan: StudyPlan, rows: Sequence[TableRow], split: str) -> str:
    tested = [row for row in rows if row.same_as is None and row.difference and row.difference.p is not None]
    meaning = (
        f"Differences are paired differences from {plan.baseline} in {metric_name(plan.metric)}, per seed and on the "
        f"same {split} examples."
    )
    if not tested:
        return meaning
    deciding = "p (Holm, looks)" if plan.looks else "p (Holm)"
    return (
        f"{meaning} p is two-sided. p (Holm) is corrected over the {counted(len(tested), 'comparison')} of this "
        f"column. Bold differences are significant: {deciding} is below .05."
    )


def _gaps(plan: StudyPlan, rows: Sequence[TableRow]) -> Iterator[str]:
    own = [row for row in rows if row.same_as is None]
    failed = sum(len(row.failed) for row in own)
    missing = sum(len(row.missing) for row in own)
    total = counted(len(own) * len(plan.seeds), "run")
    if failed:
        yield (
            f"{failed:,} of {total} failed and {'is' if failed == 1 else 'are'} excluded. The errors are listed below. "
            "If bad seeds fail, the remaining values of a row are optimistic."
        )
    if missing:
        yield f"{missing:,} of {total} {'is' if missing == 1 else 'are'} not finished."


def _undefined(collected: Collected, rows: Sequence[TableRow], chosen: Select) -> Iterator[str]:
    for row in rows:
        undefined = [name for name, value in row.figures.tasks.items() if value is None]
        if row.same_as is None and row.seeds and undefined:
            reason = f"the metric of {', '.join(undefined)} is undefined in a run (for example, constant predictions)"
            if chosen in ("best", "test") and None in collected.rows[row.name].epochs["best"]:
                reason = "a run has no best epoch because none of its evaluations has an average"
            yield f"{row.name}: values are missing because {reason}."


def _encoder_name(encoder: str) -> str:
    """Return the name of the encoder without its folders, because a table contains no paths."""
    return encoder.rstrip("/").rpartition("/")[2] if encoder.startswith(("/", ".", "~")) else encoder
