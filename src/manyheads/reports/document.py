"""The content of a report as blocks, which are the same in every format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manyheads.evaluation.sample import FEW
from manyheads.pages.blocks import Block, Code, Grid, Heading, Items, Picture, Text
from manyheads.pages.words import counted, duration, interval, name_of, number, share, text_with_id, with_interval
from manyheads.reports.conflicts import Conflicts, Side
from manyheads.reports.content import Report, TaskReport
from manyheads.reports.figures import pictures_of
from manyheads.reports.views import Calibration


def document(report: Report) -> list[Block]:
    """Return all blocks of a report in order."""
    pictures = pictures_of(report)
    blocks: list[Block] = [*_summary(report), *pictures.get("", ())]
    for task in report.tasks:
        blocks += [Heading(task.name), *_task(task, pictures.get(task.name, ()))]
    return [*blocks, *_data(report), *_time(report), *_origin(report)]


def title(report: Report) -> str:
    """Return the title of a report."""
    return f"Report of the run {report.name}"


def _summary(report: Report) -> Iterator[Block]:
    epoch = f"{'best dev' if report.which == 'best' else 'last'} epoch, {report.epoch:.4g}"
    yield Text(f"Dev average over tasks of the shipped model ({epoch}): {with_interval(report.average)}.")
    rows = tuple(
        (
            task.name,
            name_of(task.metric),
            number(first.value),
            interval(first),
            number(task.last.value),
            f"{len(task.predictions):,}",
        )
        for task in report.tasks
        for first in task.measures[:1]
    )
    columns = ("task", "metric", f"{report.which} epoch", "95% confidence interval", "last epoch", "dev examples")
    yield Grid("Dev metrics of all tasks", columns, rows, words=frozenset({1}))
    whole = [
        (split, each.name, number(each.value), interval(each), f"{each.count:,}")
        for split, shares in (("dev", report.whole_rows), ("test", report.whole_test_rows))
        for each in shares
    ]
    if whole:
        heads = ("split", "tasks", "share of rows", "95% confidence interval", "rows")
        yield Grid("Rows on which every task is right", heads, tuple(whole), words=frozenset({1}))
    explanation = (
        "Brackets are 95% confidence intervals. They cover the sampling variance of the dev examples, but not the seed "
        "variance, which a single run cannot measure (manyheads study can)."
    )
    if report.which == "best":
        explanation += " The best epoch was chosen on the same dev examples, so its metrics are slightly optimistic."
    yield Text(explanation, soft=True)


def _task(task: TaskReport, pictures: tuple[Picture, ...]) -> Iterator[Block]:
    yield from _metrics(task)
    if task.decoding is not None:
        yield Text(f"Decoding: {task.decoding}.")
    yield from pictures
    if task.confusion is not None and task.confusion.joined:
        yield Text(f"The {task.confusion.joined} rarest labels are joined as (others).", soft=True)
    if task.calibration is not None:
        yield Text(_calibration(task.calibration))
    if task.fit is not None:
        yield Text(
            f"Least squares: {task.fit.equation}. With a slope below 1, predictions shrink to the middle of the range."
        )
    if task.by_label:
        views = task.predictions.kind.views
        heading = "By rank" if "ranking" in views else "By true value" if "bands" in views else "By label"
        yield _groups(heading, task.by_label)
    if task.by_length:
        yield _groups("By length of the text", task.by_length)
    if task.texts_missing:
        yield Text(f"The texts cannot be shown: {task.texts_missing}.")
    yield from _mistakes(task)
    if task.conflicts is not None:
        yield from _conflicts(task.conflicts)


def _calibration(calibration: Calibration) -> str:
    miscalibrated = calibration.error > calibration.expected_error
    overconfidence = f"{calibration.overconfidence:+.3f}"
    if miscalibrated:
        overconfidence += " (overconfident)" if calibration.overconfidence > 0 else " (underconfident)"
    relation = "above" if miscalibrated else "within"
    return (
        f"Expected calibration error in ten bins: {number(calibration.error)}. This is {relation} the range that is "
        f"expected by chance: on these examples, 95% of perfectly calibrated models are below "
        f"{number(calibration.expected_error)}. Mean confidence minus accuracy: {overconfidence}."
    )


def _metrics(task: TaskReport) -> Iterator[Block]:
    rows = [
        ("dev", name_of(each.name), number(each.value), interval(each), f"{each.count:,}") for each in task.measures
    ]
    rows += [("test", name_of(each.name), number(each.value), interval(each), f"{each.count:,}") for each in task.test]
    if task.majority_accuracy is not None:
        name, value = "accuracy of the majority label", number(task.majority_accuracy)
        rows.append(("dev", name, value, "", f"{len(task.predictions):,}"))
    columns = ("split", "metric", "value", "95% confidence interval", "examples")
    yield Grid(f"Metrics of {task.name}", columns, tuple(rows), words=frozenset({1}))
    count = task.predictions.cluster_count
    if count is not None:
        few = f", with a t quantile of {count - 1} degrees of freedom" if count < FEW else ""
        yield Text(
            f"The dev examples are in {counted(count, 'cluster')} with texts or groups in common, which the intervals "
            f"take as units{few}.",
            soft=True,
        )


def _groups(heading: str, groups: tuple[Any, ...]) -> Grid:
    names = tuple(dict.fromkeys(measure.name for group in groups for measure in group.figures))
    rows = []
    for group in groups:
        measures = {measure.name: measure for measure in group.figures}
        cells = (with_interval(measures[name]) if name in measures and group.count else "" for name in names)
        rows.append((group.name, f"{group.count:,}", *cells))
    return Grid(heading, (heading.removeprefix("By "), "examples", *map(name_of, names)), tuple(rows))


def _mistakes(task: TaskReport) -> Iterator[Block]:
    if not task.mistakes:
        return
    classes = any(each.true_probability is not None for each in task.mistakes)
    yield Heading("Confident errors" if classes else "Largest errors", 3)
    probabilities = ("its probability", "probability of the true label") if classes else ()
    columns = ("text (id)", "true", "prediction", *probabilities)
    rows = tuple(
        (
            text_with_id(each.texts, each.id),
            each.target,
            each.prediction,
            *((share(each.probability or 0.0), share(each.true_probability or 0.0)) if classes else ()),
        )
        for each in task.mistakes
    )
    heading = "Wrong predictions with the highest confidence" if classes else "Predictions with the largest errors"
    yield Grid(heading, columns, rows, long=frozenset({0}))


def _conflicts(conflicts: Conflicts) -> Iterator[Block]:
    yield Heading("Label conflicts", 3)
    examples = f"{conflicts.dev_examples:,} dev and {counted(conflicts.train_examples, 'training example')}"
    if not conflicts.shown:
        yield Text(f"No near-duplicates (80% of their words in common) with conflicting labels among {examples}.")
        return
    verb = "has" if conflicts.count == 1 else "have"
    yield Text(
        f"{counted(conflicts.count, 'pair')} of near-duplicates (80% of their words in common) among {examples} {verb} "
        "conflicting labels. Either a label is wrong, or one word decides."
    )
    rows = tuple(
        (share(each.similarity), _side(each.dev), each.dev.label, _side(each.other), each.other.label)
        for each in conflicts.shown
    )
    columns = ("words in common", "dev example", "its label", "other example", "its label")
    yield Grid(
        "Near-duplicates with conflicting labels", columns, rows, words=frozenset({1, 3}), long=frozenset({1, 3})
    )


def _side(side: Side) -> str:
    return text_with_id(side.texts, f"{side.split} {side.id}")


def _data(report: Report) -> Iterator[Block]:
    log = report.log
    yield Heading("Truncated texts and rejected rows")
    reported = {warning.split(":", 1)[0] for warning in log.warnings}
    counts = {task: count for task, count in log.rejected_count.items() if task not in reported}
    rejected = (f"{task}: {counted(count, 'row')} rejected" for task, count in counts.items())
    messages = [*log.truncated, *rejected, *log.warnings]
    yield Items(tuple(messages)) if messages else Text("None. The run used all rows with their complete texts.")
    if log.rejected:
        rows = tuple((each.task, each.file, str(each.line), each.reason) for each in log.rejected)
        columns = ("task", "file", "line", "reason")
        yield Grid("First rejected rows", columns, rows, words=frozenset({1, 3}), long=frozenset({3}))
    if log.notes:
        yield Items(tuple(log.notes))


def _time(report: Report) -> Iterator[Block]:
    results, log = report.results, report.log
    yield Heading("Time")
    rows = [
        ("training (updates)", duration(float(results["seconds"]))),
        ("evaluation", duration(log.evaluation_seconds)),
        ("total, from the first to the last event", duration(log.wall_seconds)),
        ("training examples per second", _rate(results.get("examples_per_second"), 1)),
        ("training tokens per second", _rate(results.get("tokens_per_second"), 0)),
    ]
    if log.resumed:
        rows.append(("resumed", counted(log.resumed, "time")))
    yield Grid("Times and rates", ("quantity", "value"), tuple(rows))


def _rate(value: float | None, places: int) -> str:
    return "unknown" if value is None else f"{value:.{places}f}"


def _origin(report: Report) -> Iterator[Block]:
    yield Heading("Provenance")
    rows = tuple((name, value) for name, value in _flat(report.provenance))
    yield Grid(
        "Software, hardware and data of the run", ("key", "value"), rows, words=frozenset({1}), long=frozenset({0, 1})
    )
    yield Code("Complete recipe of the run", report.recipe)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", " ".join(map(str, value)) if isinstance(value, list) else str(value)
