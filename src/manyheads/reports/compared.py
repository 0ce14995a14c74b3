"""Comparisons of runs and of groups of runs as blocks, and their text in each format."""

from __future__ import annotations

import json
from collections.abc import Iterator

from manyheads.pages.blocks import Block, Grid, Heading, Items, Text
from manyheads.pages.render import to_html, to_markdown
from manyheads.pages.words import counted, name_of, p_value, share, text_with_id, with_interval
from manyheads.reports.compare import Comparison, Disagreement, Disagreements, TaskComparison
from manyheads.reports.compare_groups import AVERAGE, GroupComparison, GroupDifference, Mean, RunGroup
from manyheads.reports.keys import plain


def comparison_text(comparison: Comparison | GroupComparison, form: str) -> str:
    """Return a comparison in one format: "html", "md" or "json"."""
    if form == "json":
        return json.dumps(plain(comparison), indent=1, ensure_ascii=False) + "\n"
    title, blocks = comparison_blocks(comparison)
    return to_markdown(title, blocks) if form == "md" else to_html(title, blocks, {})


def comparison_blocks(comparison: Comparison | GroupComparison) -> tuple[str, list[Block]]:
    """Return the title and the blocks of a comparison."""
    if isinstance(comparison, GroupComparison):
        return f"Comparison of {comparison.first.name} and {comparison.second.name}", list(group_blocks(comparison))
    return f"Comparison of {', '.join(comparison.runs)}", list(_blocks(comparison))


def _blocks(comparison: Comparison) -> Iterator[Block]:
    yield Text(
        f"Differences are paired differences from {comparison.runs[0]}, on the same dev examples. The 95% confidence "
        "intervals cover only the sampling variance of the dev examples. They do not cover seed variance, which single "
        "runs cannot measure. Use a study with several seeds (manyheads study). The last column "
        "is corrected for the number of differences that are shown: all intervals together cover with 95% confidence."
    )
    if comparison.excluded:
        yield Items(comparison.excluded)
    for task in comparison.tasks:
        yield Heading(task.name)
        yield _metrics(task)
        for disagreements in task.disagreements:
            yield from _disagreements(task, disagreements)


def _metrics(task: TaskComparison) -> Grid:
    differences = {(each.run, each.metric): each for each in task.differences}
    rows = []
    for run, measures in zip(task.runs, task.measures, strict=True):
        for each in measures:
            difference = differences.get((run, each.name))
            text = (
                "" if difference is None else f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
            )
            excludes_zero = (
                "" if difference is None else ("yes" if difference.all_low > 0 or difference.all_high < 0 else "no")
            )
            rows.append((run, name_of(each.name), with_interval(each), text, excludes_zero))
    columns = ("run", "metric", "value", f"difference from {task.runs[0]}", "corrected interval excludes 0")
    title = f"Metrics of {task.name} on {counted(task.examples, 'dev example')}"
    return Grid(title, columns, tuple(rows), words=frozenset({1}), long=frozenset({0}))


def _disagreements(task: TaskComparison, disagreements: Disagreements) -> Iterator[Block]:
    first, other = task.runs[0], disagreements.run
    if disagreements.first_correct is not None and disagreements.other_correct is not None:
        yield Text(
            f"{first} and {other} make different predictions for {disagreements.count:,} of "
            f"{counted(task.examples, 'example')}. Only {first} is correct for {disagreements.first_correct:,}, "
            f"and only {other} is correct for {disagreements.other_correct:,} of them."
        )
    if not disagreements.shown:
        return
    columns: tuple[str, ...] = ("text (id)", "true", first, other)
    if disagreements.first_correct is not None:
        columns = (*columns, f"probability of the true label, {first}", f"probability of the true label, {other}")
    rows = tuple(_row(each) for each in disagreements.shown)
    yield Grid(f"Largest disagreements between {first} and {other}", columns, rows, long=frozenset({0}))


def _row(each: Disagreement) -> tuple[str, ...]:
    cells = (text_with_id(each.texts, each.id), each.target, *each.predictions)
    return cells if each.probabilities is None else (*cells, *map(share, each.probabilities))


def group_blocks(comparison: GroupComparison) -> Iterator[Block]:
    """Yield the blocks of a comparison."""
    first, second = comparison.first, comparison.second
    yield Items(tuple(f"{group.name}: {_listed(group)}" for group in (first, second)))
    pairing = (
        "Both groups have the same seeds, so the runs are paired by seed."
        if comparison.paired
        else "The groups have different seeds, which are taken as independent."
    )
    tested = sum(each.p is not None for each in comparison.differences)
    yield Text(
        f"Differences are {second.name} minus {first.name}, on the same dev examples. The 95% confidence intervals "
        f"cover seed variance and sampling variance. {pairing} p is two-sided. p (Holm) is corrected over the "
        f"{counted(tested, 'difference')} of this page; a difference is significant if it is below .05."
    )
    remarks = (*comparison.excluded, *comparison.notes)
    if remarks:
        yield Items(remarks)
    columns = ("task", "metric", first.name, second.name, "difference", "p", "p (Holm)")
    rows = tuple(_group_row(each) for each in comparison.differences)
    title = f"Metrics of {first.name} and {second.name}"
    yield Grid(title, columns, rows, words=frozenset({1}), long=frozenset({0}))


def _listed(group: RunGroup) -> str:
    seeds = ", ".join(map(str, group.seeds))
    return f"{counted(len(group.runs), 'run')} ({', '.join(group.runs)}), seeds {seeds}"


def _group_row(each: GroupDifference) -> tuple[str, ...]:
    examples = "" if each.examples is None else f" ({counted(each.examples, 'dev example')})"
    metric = "primary metrics" if each.task == AVERAGE else name_of(each.metric)
    difference = f"{each.value:+.3f} [{each.low:+.3f}, {each.high:+.3f}]"
    tests = (p_value(each.p), p_value(each.p_holm))
    return (f"{each.task}{examples}", metric, _mean(each.first), _mean(each.second), difference, *tests)


def _mean(mean: Mean) -> str:
    return f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
