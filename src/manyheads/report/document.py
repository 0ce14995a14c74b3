"""The content of a report as blocks: one order and one wording for every form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from manyheads.report.blocks import Block, Code, Grid, Heading, Items, Picture, Text
from manyheads.report.clashes import Clashes, Side
from manyheads.report.content import Report, TaskReport
from manyheads.report.figures import pictures_of
from manyheads.report.words import duration, interval, name_of, number, share, text_with_id, with_interval


def document(report: Report) -> list[Block]:
    """All blocks of a report, in order."""
    pictures = pictures_of(report)
    blocks: list[Block] = [*_summary(report), *pictures.get("", ())]
    for task in report.tasks:
        blocks += [Heading(task.name), *_task(task, pictures.get(task.name, ()))]
    return [*blocks, *_data(report), *_time(report), *_origin(report)]


def title(report: Report) -> str:
    """The report's title."""
    return f"Report of the run {report.name}"


def _summary(report: Report) -> Iterator[Block]:
    epoch = f"epoch {report.epoch:.4g}"
    chosen = f"the best epoch on dev ({epoch})" if report.which == "best" else f"the last epoch ({epoch})"
    yield Text(f"Average over tasks {with_interval(report.average)} on dev, of the model that is shipped: {chosen}.")
    rows = tuple(
        (
            task.name,
            name_of(task.metric),
            number(first.value),
            interval(first),
            number(task.last.value),
            str(len(task.answers)),
        )
        for task in report.tasks
        for first in task.measures[:1]
    )
    columns = ("task", "metric", report.which, "95% interval", "last epoch", "dev examples")
    yield Grid("Dev metrics of all tasks", columns, rows, words=frozenset({1}))
    said = (
        "Intervals hold the dev examples' chance. What another seed would give, one run cannot tell (manyheads study)."
    )
    if report.which == "best":
        said += " The best epoch was chosen on these very examples, so its figures are a little too good."
    yield Text(said, soft=True)


def _task(task: TaskReport, pictures: tuple[Picture, ...]) -> Iterator[Block]:
    yield from _figures(task)
    yield from pictures
    if task.confusion is not None and task.confusion.joined:
        yield Text(f"{task.confusion.joined} rarer labels stand together as (others).", soft=True)
    if task.calibration is not None:
        found = task.calibration
        beyond = found.error > found.chance
        lean = f"{found.lean:+.3f}"
        if beyond:
            lean += ": too sure of itself" if found.lean > 0 else ": less sure than it could be"
        where = "beyond" if beyond else "within"
        yield Text(
            f"Expected calibration error {number(found.error)} in ten bins, {where} what chance gives a perfectly "
            f"calibrated model on so many examples (95% of them below {number(found.chance)}). Mean confidence less "
            f"accuracy is {lean}."
        )
    if task.fit is not None:
        yield Text(f"Least squares: {task.fit.equation}. A slope below 1 draws answers to the middle.")
    yield _groups("By label" if task.answers.labels is not None else "By true value", task.by_label)
    if task.by_length:
        yield _groups("By length of the texts", task.by_length)
    if task.texts_missing:
        yield Text(f"The texts are not shown: {task.texts_missing}.")
    yield from _mistakes(task)
    if task.clashes is not None:
        yield from _clashes(task.clashes)


def _figures(task: TaskReport) -> Iterator[Block]:
    rows = [("dev", name_of(each.name), number(each.value), interval(each), str(each.count)) for each in task.measures]
    rows += [("test", name_of(each.name), number(each.value), interval(each), str(each.count)) for each in task.test]
    if task.commonest is not None:
        rows.append(("dev", "accuracy of the most frequent label", number(task.commonest), "", str(len(task.answers))))
    columns = ("split", "metric", "value", "95% interval", "examples")
    yield Grid(f"Metrics of {task.name}", columns, tuple(rows), words=frozenset({1}))


def _groups(heading: str, groups: tuple[Any, ...]) -> Grid:
    names = tuple(dict.fromkeys(figure.name for group in groups for figure in group.figures))
    rows = []
    for group in groups:
        figures = {figure.name: figure for figure in group.figures}
        cells = (with_interval(figures[name]) if name in figures and group.count else "" for name in names)
        rows.append((group.name, str(group.count), *cells))
    return Grid(heading, (heading.removeprefix("By "), "examples", *map(name_of, names)), tuple(rows))


def _mistakes(task: TaskReport) -> Iterator[Block]:
    if not task.mistakes:
        return
    sure = task.answers.labels is not None
    yield Heading("Sure and wrong" if sure else "Farthest off", 3)
    columns = ("text (id)", "true", "answer", *(("its chance", "chance of the true one") if sure else ()))
    rows = tuple(
        (
            text_with_id(each.texts, each.id),
            each.target,
            each.prediction,
            *((share(each.chance or 0.0), share(each.true_chance or 0.0)) if sure else ()),
        )
        for each in task.mistakes
    )
    heading = "Wrong answers of the highest confidence" if sure else "Values farthest from the true ones"
    yield Grid(heading, columns, rows, long=frozenset({0}))


def _clashes(found: Clashes) -> Iterator[Block]:
    yield Heading("Alike, with opposite labels", 3)
    looked = f"{found.dev_examples:,} dev and {found.train_examples:,} training examples"
    if not found.shown:
        yield Text(f"None among {looked}: no two with four fifths of their words in common have opposite labels.")
        return
    yield Text(
        f"{found.found:,} pairs among {looked} have four fifths of their words in common and opposite labels: "
        "a label is wrong, or one word decides."
    )
    rows = tuple(
        (share(each.alike), _side(each.dev), each.dev.label, _side(each.other), each.other.label)
        for each in found.shown
    )
    columns = ("words in common", "dev example", "label", "other example", "label of it")
    yield Grid("Near-duplicates with opposite labels", columns, rows, words=frozenset({1, 3}), long=frozenset({1, 3}))


def _side(side: Side) -> str:
    return text_with_id(side.texts, f"{side.split} {side.id}")


def _data(report: Report) -> Iterator[Block]:
    log = report.log
    yield Heading("What was cut or rejected")
    told = {warning.split(":", 1)[0] for warning in log.warnings}
    counts = {task: count for task, count in log.rejected_count.items() if task not in told}
    said = [*log.cut, *(f"{task}: {count} rows could not be used" for task, count in counts.items()), *log.warnings]
    yield Items(tuple(said)) if said else Text("Nothing: every row was used, whole.")
    if log.rejected:
        rows = tuple((each.task, each.file, str(each.line), each.reason) for each in log.rejected)
        columns = ("task", "file", "line", "reason")
        yield Grid("The first rejected rows", columns, rows, words=frozenset({1, 3}), long=frozenset({3}))
    if log.notes:
        yield Items(tuple(log.notes))


def _time(report: Report) -> Iterator[Block]:
    results, log = report.results, report.log
    yield Heading("Time")
    rows = [
        ("updates", duration(float(results["seconds"]))),
        ("evaluations", duration(log.evaluation_seconds)),
        ("from the first event to the last", duration(log.wall_seconds)),
        ("examples a second, in updates", f"{results['examples_per_second']:.1f}"),
        ("tokens a second, in updates", f"{results['tokens_per_second']:.0f}"),
    ]
    if log.resumed:
        rows.append(("went on after a stop", f"{log.resumed} times" if log.resumed > 1 else "once"))
    yield Grid("Times and rates", ("what", "figure"), tuple(rows))


def _origin(report: Report) -> Iterator[Block]:
    yield Heading("Where it comes from")
    rows = tuple((name, value) for name, value in _flat(report.provenance))
    yield Grid("Provenance", ("what", "value"), rows, long=frozenset({0}))
    yield Code("The recipe, every choice written out", report.recipe)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", " ".join(map(str, value)) if isinstance(value, list) else str(value)
