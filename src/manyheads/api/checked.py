"""The result of a dry run of a recipe, as text, as HTML, and in parts for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.checks.audit import FileAudit
from manyheads.checks.rehearse import Rehearsal
from manyheads.pages.words import counted
from manyheads.shown import data_frame, paragraph, table_html, table_text

SHOWN = 10
"""Labels shown per file, and rejected rows shown per file."""

TITLE = "files (mean, p99 and max: tokens per example)"

COLUMNS = ("task", "split", "rows", "rejected", "repeated", "truncated", "mean", "p99", "max")

STOPS = 'Training would stop at the rejected rows. Fix them, or set on_bad_rows = "skip" for the task.'


class Check:
    """What a dry run of a recipe found: the files, their labels, warnings, the schedule, and estimates.

    Attributes:
        rehearsal: the numbers.
    """

    def __init__(self, rehearsal: Rehearsal) -> None:
        self.rehearsal = rehearsal

    @property
    def stops(self) -> bool:
        """Whether training would stop at a rejected row."""
        return self.rehearsal.stops

    @property
    def findings(self) -> list[str]:
        """The lines after the table of files: labels, groups, warnings, schedule and estimates."""
        files = self.rehearsal.files
        return [
            *_labels(files),
            *_groups(files),
            *_streams(self.rehearsal),
            *_findings(self.rehearsal),
            *_schedule(self.rehearsal),
        ]

    @property
    def frame(self) -> Any:
        """The counts of every file as a DataFrame of pandas where it is installed, otherwise of polars."""
        files = self.rehearsal.files
        tokens = [audit.tokens for audit in files]
        columns: tuple[list[Any], ...] = (
            [audit.task for audit in files],
            [audit.split for audit in files],
            [audit.rows for audit in files],
            [len(audit.rejected) for audit in files],
            [audit.duplicates for audit in files],
            [audit.cut for audit in files],
            *([float(each[place]) for each in tokens] for place in range(3)),
        )
        return data_frame(dict(zip(COLUMNS, columns, strict=True)))

    def __repr__(self) -> str:
        return "\n".join([table_text(TITLE, COLUMNS, file_rows(self.rehearsal.files), (0, 1)), self._text])

    def _repr_html_(self) -> str:
        return table_html(TITLE, COLUMNS, file_rows(self.rehearsal.files), (0, 1)) + paragraph(self._text.strip("\n"))

    @property
    def _text(self) -> str:
        return "\n".join([*self.findings, *([STOPS] if self.stops else [])])


def file_rows(files: Sequence[FileAudit]) -> list[tuple[str, ...]]:
    """Return the counts of every file, one row per file."""
    rows = []
    for audit in files:
        mean, high, longest = audit.tokens
        counts = (f"{audit.rows:,}", len(audit.rejected), audit.duplicates, audit.cut)
        rows.append((audit.task, audit.split, *map(str, counts), f"{mean:.0f}", f"{high:.0f}", str(longest)))
    return rows


def file_lines(files: Sequence[FileAudit]) -> list[str]:
    """Return the counts of every file as lines, for a terminal that is narrower than the table."""
    lines = ["files"]
    for audit in files:
        mean, high, longest = audit.tokens
        lines += [
            f"  {audit.task} {audit.split}: {counted(audit.rows, 'row')}",
            f"    {len(audit.rejected)} rejected, {audit.duplicates} repeated, {audit.cut} truncated",
            f"    tokens per example: mean {mean:.0f}, p99 {high:.0f}, max {longest}",
        ]
    return lines


def _labels(files: Sequence[FileAudit]) -> list[str]:
    """Return one line per file with the share of each label."""
    lines = []
    for audit in files:
        shares = [f"{label}: {share:.0%}" for label, share in list(audit.labels.items())[:SHOWN]]
        more = ["..."] if len(audit.labels) > SHOWN else []
        shown = ", ".join(shares + more) or "no labels"
        lines.append(f"  {audit.task} {audit.split} ({Path(audit.source).name}): {shown}")
    return ["", "labels", *lines]


def _groups(files: Sequence[FileAudit]) -> list[str]:
    """Return one line per file with the number of groups, if a task names a column of groups."""
    lines = [
        f"  {audit.task} {audit.split} ({Path(audit.source).name}): {audit.groups:,} groups of {audit.rows:,} rows"
        for audit in files
        if audit.groups is not None
    ]
    return ["", "groups", *lines] if lines else []


def _streams(rehearsal: Rehearsal) -> list[str]:
    """Return the rows that several tasks read, with the number of labels and of empty cells of each task."""
    lines = []
    for stream in rehearsal.streams:
        lines.append(f"  {', '.join(stream.labels)}: {counted(stream.rows, 'training row')}, each encoded once")
        for task, labels in stream.labels.items():
            empty = stream.rows - labels
            without = f", {empty:,} without a label" if empty else ""
            lines.append(f"    {task}: {counted(labels, 'label')}{without}")
    return ["", "rows with several labels", *lines] if lines else []


def _findings(rehearsal: Rehearsal) -> list[str]:
    """Return the warnings, the first rejected rows of each file, and the overlaps of training and dev files."""
    lines = list(rehearsal.warnings)
    # Held-out dev rows and training rows are of one file, whose rejected rows are named once.
    rejected: dict[str, None] = {}
    for audit in rehearsal.files:
        rejected |= dict.fromkeys(f"rejected: {row}" for row in audit.rejected[:SHOWN])
        if len(audit.rejected) > SHOWN:
            rejected[f"... and {len(audit.rejected) - SHOWN} more in {audit.source}"] = None
    lines += rejected
    for overlap in rehearsal.overlaps:
        texts = counted(overlap.texts, "example" if overlap.train == overlap.dev else "text")
        is_or_are = "is" if overlap.texts == 1 else "are"
        lines.append(f"{texts} of {overlap.train}'s training file {is_or_are} also in {overlap.dev}'s dev file")
    return ["", *lines] if lines else []


def _schedule(rehearsal: Rehearsal) -> list[str]:
    """Return the number of steps, the estimates of time, and the measured rate and memory."""
    plan, recipe = rehearsal.plan, rehearsal.recipe
    lines = ["", f"schedule: {counted(plan.total_steps, 'step')} ({plan.steps_per_epoch:,} per epoch)"]
    lines += [
        f"  {each.task}: {counted(each.steps, 'step')}, each example seen {_times(each.times)} on average"
        for each in rehearsal.schedule
    ]
    training, evaluation = _duration(rehearsal.training_seconds), _duration(rehearsal.evaluation_seconds)
    where = f"cpu with {counted(recipe.threads or 1, 'thread')}" if recipe.device == "cpu" else recipe.device
    lines += [
        f"trained parameters: {rehearsal.parameters:,}",
        f"time: about {training} of training and {evaluation} of evaluation",
        f"rate: {rehearsal.examples_per_second:.1f} examples/s on {where}",
        f"memory: {rehearsal.peak_gib:.1f} GiB at the peak of the timed steps",
    ]
    return lines


def _times(number: float) -> str:
    """Return a number of times with four significant digits."""
    digits = f"{number:.4g}"
    return "once" if digits == "1" else f"{digits} times"


def _duration(seconds: float) -> str:
    """Return seconds below two minutes, and minutes above."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
