"""Reports and comparisons of runs as blocks, which are the same in every format, and the files of a report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import RunError
from manyheads.evaluation.sample import FEW
from manyheads.pages.render import Block, Code, Grid, Heading, Items, Picture, Text, to_html, to_markdown
from manyheads.pages.words import (
    counted,
    duration,
    interval,
    name_of,
    number,
    p_value,
    share,
    text_with_id,
    with_interval,
)
from manyheads.reports.compare import Comparison, Disagreement, Disagreements, TaskComparison
from manyheads.reports.compare_groups import AVERAGE, GroupComparison, GroupDifference, Mean, RunGroup
from manyheads.reports.conflicts import Conflicts, Side
from manyheads.reports.content import Report, TaskReport, build_report, to_json
from manyheads.reports.figures import draw_all, pictures_of
from manyheads.reports.keys import plain
from manyheads.reports.views import Calibration
from manyheads.run.atomic import replace_folder


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
        "variance, which a single run cannot measure. A study with several seeds measures it."
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


FORMATS = ("html", "md", "json")


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write report.html, report.md, report.json and figures/ into `out`. Default: the folder `report` of the run.

    Raises:
        RunError: the folder is not a finished run, one of its files is missing or damaged, or `out` contains something
            other than a report.
    """
    folder = run / "report" if out is None else out
    if folder.exists() and not (folder / "report.html").is_file():
        hint = "choose a new folder, or one that contains a report"
        raise RunError("the folder exists and contains something other than a report", where=str(folder), hint=hint)
    report = build_report(run)
    figures = draw_all(report)

    def fill(fresh: Path) -> None:
        (fresh / "figures").mkdir()
        for name, files in figures.items():
            for ending, content in files.items():
                (fresh / "figures" / f"{name}.{ending}").write_bytes(content)
        for form in FORMATS:
            (fresh / f"report.{form}").write_text(text_of(report, form, figures), encoding="utf-8")

    replace_folder(folder, fill)
    return folder / "report.html"


def text_of(report: Report, form: str, figures: dict[str, dict[str, bytes]] | None = None) -> str:
    """Return a report in one format: "html", "md" or "json"."""
    if form == "json":
        return to_json(report)
    if form == "md":
        return to_markdown(title(report), document(report))
    return to_html(title(report), document(report), draw_all(report) if figures is None else figures)


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
        "runs cannot measure. Use a study with several seeds. The last column "
        "is corrected for the number of differences that are shown: all intervals together cover with 95% confidence."
    )
    if comparison.excluded:
        yield Items(comparison.excluded)
    for task in comparison.tasks:
        yield Heading(task.name)
        yield _compared_metrics(task)
        for disagreements in task.disagreements:
            yield from _disagreements(task, disagreements)


def _compared_metrics(task: TaskComparison) -> Grid:
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
