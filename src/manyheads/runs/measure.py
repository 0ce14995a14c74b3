"""Evaluate the model of a finished run on its dev or test files, or on another file."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from manyheads import plugins
from manyheads.data.cache import cache_folder
from manyheads.data.examples import Examples, read_examples
from manyheads.data.examples import labelled_rows as labelled_rows_of
from manyheads.data.reading import BadRow, Files, files_name, from_here
from manyheads.data.split import draw
from manyheads.data.tokenised import tokenise_examples
from manyheads.errors import DataError, RunError, argument, by_caller, did_you_mean
from manyheads.evaluation.evaluate import evaluate
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.model.multitask import to_int8
from manyheads.process_state import left_as_found, most_threads
from manyheads.recipe.begin import recipe_of_run
from manyheads.recipe.held_out import are_held_out, check_held_out
from manyheads.recipe.prepare import examples_held_out_in_0_4, held_out_examples, unknown_labels
from manyheads.recipe.tasks import open_task_source, partners, same_files
from manyheads.run.folder import RunFolder
from manyheads.shown import data_frame, paragraph, table_html, table_text
from manyheads.tasks.task import Task
from manyheads.tasks.written import fixed


@dataclass(frozen=True, repr=False)
class Measurement:
    """The metrics of a model. It shows itself as `manyheads evaluate` prints it.

    Attributes:
        scores: an entry as in results.json: `tasks`, `average`, `course_score`, `intervals`, and `whole_rows` if tasks
            of one stream have rows in common.
        examples: number of examples per task.
        seconds: time of the forward passes and the metrics.
        bad_rows: the rows per task that could not be used and were skipped.
        warnings: what was suspicious in the files, such as labels that training does not know.
        int8: the measurement of the quantised model, if requested.
    """

    scores: Mapping[str, Any]
    examples: Mapping[str, int]
    seconds: float
    bad_rows: Mapping[str, Sequence[BadRow]] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    int8: Measurement | None = None

    @property
    def cells(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """The columns and the rows of a table of the metrics, as text.

        The last column is the 95% interval, or the difference of the quantised model if that was measured. Rows after
        the first one of a task do not repeat its name.
        """
        int8, found = self.int8, []
        for name, metrics in self.scores["tasks"].items():
            for place, (metric, value) in enumerate(metrics.items()):
                first = (name, str(self.examples[name])) if place == 0 else ("", "")
                if int8 is None:
                    more = [_metric(value), _interval(self.scores["intervals"][name][metric])]
                else:
                    more = _compared(value, int8.scores["tasks"][name][metric])
                found.append((*first, metric, *more))
        for name, share in self.scores.get("whole_rows", {}).items():
            if int8 is None:
                more = [_metric(share["accuracy"]), _interval(share["interval"])]
            else:
                more = _compared(share["accuracy"], int8.scores["whole_rows"][name]["accuracy"])
            found.append((name, str(share["rows"]), "whole_rows", *more))
        average = self.scores["average"]
        if int8 is None:
            return (*COLUMNS, "95% interval"), [*found, ("average", "", "", _metric(average), "")]
        found.append(("average", "", "", *_compared(average, int8.scores["average"])))
        found.append(("seconds", "", "", f"{self.seconds:.1f}", f"{int8.seconds:.1f}", ""))
        return (*COLUMNS, "int8", "difference"), found

    @property
    def frame(self) -> Any:
        """The metrics with their intervals as a DataFrame of pandas where it is installed, otherwise of polars."""
        found = [(task, metric) for task, metrics in self.scores["tasks"].items() for metric in metrics]
        bounds = [self.scores["intervals"][task][metric] or (None, None) for task, metric in found]
        columns: dict[str, list[Any]] = {
            "task": [task for task, _ in found],
            "examples": [self.examples[task] for task, _ in found],
            "metric": [metric for _, metric in found],
            "value": [self.scores["tasks"][task][metric] for task, metric in found],
            "low": [low for low, _ in bounds],
            "high": [high for _, high in bounds],
        }
        if self.int8 is not None:
            columns["int8"] = [self.int8.scores["tasks"][task][metric] for task, metric in found]
        return data_frame(columns)

    def to_dict(self) -> dict[str, Any]:
        """Return the measurement as values for JSON."""
        bad = {
            name: {
                "count": len(rows),
                "rows": [{"file": row.source, "line": row.line, "reason": row.reason} for row in rows],
            }
            for name, rows in self.bad_rows.items()
        }
        content = {
            **self.scores,
            "examples": dict(self.examples),
            "seconds": self.seconds,
            "warnings": list(self.warnings),
            "bad_rows": bad,
        }
        return content if self.int8 is None else content | {"int8": {**self.int8.scores, "seconds": self.int8.seconds}}

    @property
    def _skipped(self) -> list[str]:
        counts = {name: len(bad) for name, bad in self.bad_rows.items() if len(bad)}
        rows = [f"{name}: {count:,} row{'s' if count > 1 else ''} not measured" for name, count in counts.items()]
        return [*self.warnings, *rows]

    def __repr__(self) -> str:
        return "\n".join([table_text("", *self.cells, (0, 2)), *self._skipped])

    def _repr_html_(self) -> str:
        return table_html("", *self.cells, (0, 2)) + "".join(map(paragraph, self._skipped))


COLUMNS = ("task", "examples", "metric", "value")
"""The first columns of the table of a measurement."""


def _metric(value: float | None) -> str:
    return "undefined" if value is None else fixed(value, 4)


def _interval(bounds: Sequence[float] | None) -> str:
    return "" if bounds is None else f"{fixed(bounds[0], 3)} to {fixed(bounds[1], 3)}"


def _compared(value: float | None, other: float | None) -> list[str]:
    """Return a metric, that of the quantised model, and the difference."""
    gap = "" if value is None or other is None else f"{'' if other < value else '+'}{fixed(other - value, 4)}"
    return [_metric(value), _metric(other), gap]


@left_as_found()
def measure_run(
    folder: Path,
    *,
    split: str = "dev",
    task: str | None = None,
    file: Path | Files | None = None,
    text: Mapping[str, Any] | None = None,
    int8: bool = False,
) -> Measurement:
    """Evaluate the model of a run on a split of its recipe, or one of its tasks on a labelled file.

    Args:
        folder: the run folder.
        split: "dev" or "test".
        task: evaluate only this task.
        file: a labelled file of `task` to use instead of the split, or a folder, a pattern, a data set on the hub, or
            the file of each column.
        text: how `file` is written: values of `TextFormat` in place of those of the recipe.
        int8: also evaluate the quantised model.

    Raises:
        RunError: the run is not finished, or its recipe was changed.
        DataError: a file is missing, has no labels, or has bad rows.
    """
    if split not in ("dev", "test"):
        hint = did_you_mean(split, ("dev", "test"))
        raise RunError("there is no such split", where=argument("split"), found=split, allowed="dev, test", hint=hint)
    run = RunFolder(folder)
    run.require("model")
    recipe = recipe_of_run(run)
    torch.set_num_threads(most_threads(recipe.threads or torch.get_num_threads()))
    bundle = load_bundle(run.model)
    tasks = {name: each for name, each in bundle.model.tasks.items() if task in (None, name)}
    if not tasks:
        allowed = ", ".join(bundle.model.tasks)
        hint = did_you_mean(str(task), bundle.model.tasks)
        raise DataError("the model has no such task", found=task, allowed=allowed, hint=hint)
    by_task = {name: labelled_rows(run, each, split, file, text) for name, each in tasks.items()}
    examples = {name: each[0] for name, each in by_task.items() if each is not None}
    bad = {name: each[1] for name, each in by_task.items() if each is not None}
    if not examples:
        hint = f"name a labelled file with {argument('task')} and {argument('data', option='input')}"
        raise DataError(f"the recipe names no {split} file", where=str(run.recipe), hint=hint)
    course_score = recipe.score == "course"
    warnings = tuple(dict.fromkeys(text for each in examples.values() for text in each.warnings))
    together = same_files(recipe.tasks, split) if file is None else []
    measurement = replace(_measure(bundle, tasks, examples, course_score, together), bad_rows=bad, warnings=warnings)
    if not int8:
        return measurement
    quantised = replace(bundle, model=to_int8(bundle.model))
    return replace(measurement, int8=_measure(quantised, tasks, examples, course_score, together))


def _measure(
    bundle: Bundle,
    tasks: Mapping[str, Task],
    examples: Mapping[str, Examples],
    course_score: bool,
    together: Sequence[Sequence[str]],
) -> Measurement:
    store, splits = tokenise_examples(list(examples.values()), tasks, bundle.tokenizer, None)
    named = dict(zip(examples, splits, strict=True))
    started = time.perf_counter()
    scores = evaluate(
        bundle.model,
        store,
        bundle.tokenizer.template,
        named,
        max_length=bundle.max_length,
        device=torch.device("cpu"),
        course_score=course_score,
        together=together,
    )
    seconds = time.perf_counter() - started
    return Measurement(scores.summary, {name: len(split) for name, split in named.items()}, seconds)


def labelled_rows(
    run: RunFolder,
    task: Task,
    split: str,
    file: Path | Files | None = None,
    text: Mapping[str, Any] | None = None,
) -> tuple[Examples, Sequence[BadRow]] | None:
    """Return the labelled examples of a task and the skipped rows, from a split of a run or from another file.

    `text`: how another file is written: values of `TextFormat` in place of those of the recipe.

    Returns None if the recipe has no file for the split. The skipped rows of held-out examples are those of the whole
    training file.

    Raises:
        DataError: the file is missing, has no labels or has bad rows, or the held-out rows differ from those of the
            run.
        RunError: the recipe in the run folder was changed or is damaged.
    """
    recipe = recipe_of_run(run)
    if task.name not in recipe.tasks:
        what, hint = "the recipe of the run lacks a task of its model", "restore the file from a copy"
        raise RunError(what, where=str(run.recipe), found=task.name, hint=hint)
    options = recipe.tasks[task.name]
    folder = Path(recipe.data_dir)
    given = os.fspath(file) if isinstance(file, os.PathLike) else file
    spec = getattr(options, split) if given is None else from_here(given)
    if spec is None:
        return None
    if isinstance(spec, float):
        dev, bad = held_out_examples(recipe, task.name)
        file_name = files_name(options.train)
        if not are_held_out(run, task.name, file_name, dev):
            older = examples_held_out_in_0_4(recipe, task.name)
            dev = older if are_held_out(run, task.name, file_name, older) else dev
        check_held_out(run, task.name, file_name, dev)
        return dev, bad
    written = options.text_format if file is None else replace(options.text_format, **(text or {}))
    source = open_task_source(options, spec, folder, labelled=True, text=written)
    if not set(task.label_columns) <= set(source.columns):
        command = ["manyheads", "predict", str(run.path), "--task", task.name, "--input", source.name]
        command += plugins.options()
        predict = by_caller(shlex.join(command), f"manyheads.predict({str(run.path)!r}, {task.name!r}, data, FILE)")
        raise DataError(
            f"the file has no label column {next(each for each in task.label_columns if each not in source.columns)!r}",
            where=source.name,
            hint=f"add the labels, or predict without evaluating: {predict}",
        )
    # Only the dev file of the recipe must have the groups.
    grouped = (file is None and split == "dev") or task.group in source.columns
    holes = len(partners(recipe.readers, task.name, options.train)) > 1
    examples, bad = read_examples(
        task,
        source,
        on_bad_rows=options.on_bad_rows,
        labelled=True,
        cache=cache_folder(),
        grouped=grouped,
        holes=holes,
        unknown=unknown_labels(task, options, split if file is None else "dev"),
    )
    labelled = labelled_rows_of(examples)
    drawn = draw(labelled, options.dev_rows) if file is None and split == "dev" else labelled
    return replace(drawn, warnings=examples.warnings), bad


def labelled_examples(run: RunFolder, task: Task, split: str, file: str | Path | None = None) -> Examples | None:
    """Return the examples of `labelled_rows`."""
    found = labelled_rows(run, task, split, file)
    return None if found is None else found[0]
