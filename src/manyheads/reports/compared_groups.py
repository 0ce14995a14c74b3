"""A comparison of two groups of runs as blocks."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.reports.blocks import Block, Grid, Items, Text
from manyheads.reports.compare_groups import AVERAGE, GroupComparison, GroupDifference, Mean, RunGroup
from manyheads.reports.words import name_of
from manyheads.studies.counted import counted
from manyheads.studies.render.words import p_value


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
    rows = tuple(_row(each) for each in comparison.differences)
    title = f"Metrics of {first.name} and {second.name}"
    yield Grid(title, columns, rows, words=frozenset({1}), long=frozenset({0}))


def _listed(group: RunGroup) -> str:
    seeds = ", ".join(map(str, group.seeds))
    return f"{counted(len(group.runs), 'run')} ({', '.join(group.runs)}), seeds {seeds}"


def _row(each: GroupDifference) -> tuple[str, ...]:
    examples = "" if each.examples is None else f" ({counted(each.examples, 'dev example')})"
    metric = "primary metrics" if each.task == AVERAGE else name_of(each.metric)
    difference = f"{each.value:+.3f} [{each.low:+.3f}, {each.high:+.3f}]"
    tests = (p_value(each.p), p_value(each.p_holm))
    return (f"{each.task}{examples}", metric, _mean(each.first), _mean(each.second), difference, *tests)


def _mean(mean: Mean) -> str:
    return f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"
