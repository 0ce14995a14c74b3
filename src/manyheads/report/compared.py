"""A comparison as blocks, in any form that a report has."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator

from manyheads.report.blocks import Block, Grid, Heading, Items, Text
from manyheads.report.compare import Comparison, Parting, Partings, TaskComparison
from manyheads.report.render.html import to_html
from manyheads.report.render.markdown import to_markdown
from manyheads.report.words import name_of, share, text_with_id, with_interval


def comparison_text(found: Comparison, form: str) -> str:
    """A comparison in one form: "html", "md" or "json"."""
    title = f"Comparison of {', '.join(found.runs)}"
    if form == "json":
        return json.dumps(dataclasses.asdict(found), indent=1, ensure_ascii=False) + "\n"
    blocks = list(_blocks(found))
    return to_markdown(title, blocks) if form == "md" else to_html(title, blocks, {})


def _blocks(found: Comparison) -> Iterator[Block]:
    yield Text(
        f"Differences are from {found.runs[0]}, on the same dev examples. Their 95% intervals hold the chance of the "
        "examples alone: what another seed would give, single runs cannot tell (manyheads study can)."
    )
    if found.apart:
        yield Items(found.apart)
    for task in found.tasks:
        yield Heading(task.name)
        yield _figures(task)
        for partings in task.partings:
            yield from _partings(task, partings)


def _figures(task: TaskComparison) -> Grid:
    differences = {(each.run, each.metric): each for each in task.differences}
    rows = []
    for run, measures in zip(task.runs, task.measures, strict=True):
        for each in measures:
            difference = differences.get((run, each.name))
            words = (
                "" if difference is None else f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
            )
            clear = "" if difference is None else ("yes" if difference.low > 0 or difference.high < 0 else "no")
            rows.append((run, name_of(each.name), with_interval(each), words, clear))
    columns = ("run", "metric", "value", f"difference from {task.runs[0]}", "clear of 0")
    return Grid(f"{task.name}, {task.examples:,} dev examples", columns, tuple(rows), words=frozenset({1}))


def _partings(task: TaskComparison, found: Partings) -> Iterator[Block]:
    first = task.runs[0]
    if found.first_right is not None:
        yield Text(
            f"{first} and {found.run} answer {found.answered_differently:,} of {task.examples:,} examples differently: "
            f"{found.first_right:,} only {first} has right, {found.other_right:,} only {found.run}."
        )
    if not found.shown:
        return
    chances = found.first_right is not None
    columns: tuple[str, ...] = ("text (id)", "true", first, found.run)
    if chances:
        columns = (*columns, f"chance of the true one, {first}", found.run)
    rows = tuple(_row(each) for each in found.shown)
    yield Grid(f"Where {first} and {found.run} part most", columns, rows, long=frozenset({0}))


def _row(each: Parting) -> tuple[str, ...]:
    cells = (text_with_id(each.texts, each.id), each.target, *each.answers)
    return cells if each.chances is None else (*cells, *map(share, each.chances))
