"""The selection of a study: which evaluation of each run its primary figures are from, and on which examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from manyheads.errors import RunError
from manyheads.evaluation.metrics.resolve import primary_of
from manyheads.recipe.tasks import finished_task, kind_of
from manyheads.studies.dev_clusters import with_clusters
from manyheads.studies.finished import DevExamples, Finished, has_every_evaluation, read_examples
from manyheads.studies.schema import StudyPlan
from manyheads.studies.selection import ONE_EVALUATION, Selection, without_files


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
        return without_files(without)
    if all(_evaluations(row, place) == 1 for row in rows for place in range(len(row.folders))):
        return ONE_EVALUATION
    return Selection("crossfit")


def _evaluations(row: Finished, place: int) -> int:
    """Return the number of evaluations of a run, from its curve."""
    metrics = {task: options.metric_name for task, options in row.recipe.tasks.items()}
    return len(row.folders[place].read_curve(row.results[place], metrics))
