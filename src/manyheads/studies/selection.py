"""The selection of a study: which evaluation of each run its primary figures are from, and on which examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import RunError
from manyheads.evaluation.metrics.resolve import primary_of
from manyheads.recipe.tasks import finished_task, kind_of
from manyheads.studies.finished import DevExamples, Finished, has_every_evaluation, read_examples, with_clusters
from manyheads.studies.schema import Select, StudyPlan


@dataclass(frozen=True)
class Selection:
    """How the evaluation of each run is chosen. `reason`: why it is not the one that was asked for, or is the default.

    `chosen` is "test" (the best dev epoch, measured on the test file), "crossfit" (the epoch chosen on one half of the
    dev examples, measured on the other), "last" or "best" (the best dev epoch, measured on the same dev examples).
    """

    chosen: Select
    reason: str = ""


MEANING: Mapping[Select, str] = {
    "test": (
        "The values are those on the labelled test files, of the best epoch of each run by dev average. The test "
        "examples took no part in the choice of the epoch."
    ),
    "crossfit": (
        "The values are cross-fitted: the epoch of each run is chosen by the average on one half of the dev examples "
        "and measured on the other half, the halves are swapped, and a value is the mean of both. No example takes "
        "part in the choice of the epoch that is measured on it."
    ),
    "last": "The values are those of the last epoch of each run. No epoch is chosen.",
    "best": (
        "The values are those of the best epoch of each run by dev average. The epoch was chosen on the same dev "
        "examples, so the values are optimistic, and the intervals do not cover the choice. A row with more "
        "evaluations or noisier runs gains more from it."
    ),
}
"""What each selection means, for the notes of a table."""

TITLES: Mapping[str, str] = {
    "test": "test",
    "crossfit": "cross-fitted",
    "last": "last epoch",
    "best": "best epoch",
}
"""Short names of the selections, for titles of columns."""


def _without_files(folders: Sequence[str]) -> Selection:
    """Return the selection of a study in which some runs lack the predictions of every evaluation."""
    named = ", ".join(folders[:3]) + (f" and {len(folders) - 3:,} more" if len(folders) > 3 else "")
    return Selection(
        "last",
        f"Cross-fitting is not possible, because runs lack usable predictions of every evaluation (predictions/"
        f"TASK.dev.all.npz): {named}. So all rows show the last epoch.",
    )


def undefined_halves(rows: Sequence[str]) -> Selection:
    """Return the selection of a study in which the metrics of some rows are undefined on a half of the dev examples."""
    return Selection(
        "last",
        f"Cross-fitting is not possible, because a metric of {', '.join(rows)} is undefined on a half of the dev "
        "examples (for example, too few examples). So all rows show the last epoch.",
    )


BEST = Selection("best")

_ONE_EVALUATION = Selection(
    "last", "Every run has one evaluation, so there is nothing to choose and cross-fitting is not needed."
)


def select(
    plan: StudyPlan, out: Path, rows: Sequence[Finished], dev: Mapping[str, DevExamples]
) -> tuple[Selection, dict[str, DevExamples]]:
    """Return the selection of a study, and the test examples by task if it is "test".

    By default it is "test" if every task of every row has a fully labelled test file, else "crossfit". Without the
    predictions of every evaluation, "crossfit" becomes "last" for all rows, so that rows are compared with their like.

    Raises:
        RunError: the study file says "test", and a test file has examples without labels or was not predicted.
    """
    done = [row for row in rows if row.folders]
    if plan.select in (None, "test"):
        test, lacking = _test_examples(plan, done, dev)
        if not lacking:
            return Selection("test"), with_clusters(plan, out, test, "test")
        if plan.select == "test":
            raise RunError(
                'select = "test" needs labelled test predictions of every task in every run',
                where=str(plan.file),
                found="; ".join(lacking[:3]),
                hint='add the labels to the test file and train again, or set select = "crossfit" in the study file',
            )
    if plan.select in (None, "crossfit"):
        return _crossfit(done), {}
    return Selection(plan.select), {}


def _test_examples(
    plan: StudyPlan, rows: Sequence[Finished], dev: Mapping[str, DevExamples]
) -> tuple[dict[str, DevExamples], list[str]]:
    """Return the test examples by task, and what is lacking: tasks without a test file or without labels."""
    found: dict[str, DevExamples] = {}
    lacking = [
        f"{row.name}: {task} has no test file"
        for row in plan.rows
        for task, options in row.recipe.tasks.items()
        if options.test is None
    ]
    if lacking:
        return {}, lacking
    for row in rows:
        for task, options in row.recipe.tasks.items():
            for folder, results in zip(row.folders, row.results, strict=True):
                if results["best"] is None:
                    continue
                file = folder.prediction_file(task, "test", "best")
                if not file.is_file() and not has_every_evaluation(row.recipe, task, folder, "test"):
                    lacking.append(f"{file} is missing")
                elif task not in found:
                    metric = primary_of(finished_task(row.recipe, task))
                    found[task] = read_examples(folder, results, task, "best", metric, kind_of(options), "test")
    for task, examples in found.items():
        if examples.unlabelled or not examples.ids:
            total = examples.unlabelled + len(examples.ids)
            lacking.append(f"{examples.unlabelled:,} of {total:,} test examples of {task} have no label")
    if not all(task in found for task in dev):
        lacking.append("no run has a best epoch")
    return found, lacking


def _crossfit(rows: Sequence[Finished]) -> Selection:
    """Return "crossfit", or "last" if it is not needed or not possible."""
    without = [
        f"{row.row.name}/{seed}"
        for row in rows
        for seed, folder in zip(row.seeds, row.folders, strict=True)
        if not all(has_every_evaluation(row.recipe, task, folder) for task in row.recipe.tasks)
    ]
    if without:
        return _without_files(without)
    if all(_evaluations(row, place) == 1 for row in rows for place in range(len(row.folders))):
        return _ONE_EVALUATION
    return Selection("crossfit")


def _evaluations(row: Finished, place: int) -> int:
    """Return the number of evaluations of a run, from its curve."""
    metrics = {task: options.metric_name for task, options in row.recipe.tasks.items()}
    return len(row.folders[place].read_curve(row.results[place], metrics))
