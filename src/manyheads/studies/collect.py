"""Read the runs of a study, row by row, and check that they read the same data and the same encoder."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads import plugins
from manyheads.errors import RunError, argument, by_caller
from manyheads.evaluation.crossfit import Half, halves_of
from manyheads.evaluation.metrics.resolve import primary_of
from manyheads.pages.words import counted
from manyheads.ragged import Stack
from manyheads.recipe.begin import differences
from manyheads.recipe.held_out import task_of
from manyheads.recipe.load import load_recipe
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import finished_task, kind_of
from manyheads.run.evaluations import Known
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import STUDY_FILE, cell_folder, error_file, read_error
from manyheads.studies.finished import (
    WHICH,
    DevExamples,
    Epoch,
    Finished,
    Shares,
    read_examples,
    read_row,
    with_clusters,
)
from manyheads.studies.schema import Row, StudyPlan
from manyheads.studies.selection import BEST, Selection, select


@dataclass(frozen=True)
class Failure:
    """A run that failed. `kind`: the class of the error. `message`: the complete error."""

    row: str
    seed: int
    kind: str
    message: str


@dataclass(frozen=True)
class Curve:
    """The metrics of one run by evaluation: `scores[column]` float64[evaluations], NaN where undefined."""

    epochs: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class RowRuns:
    """The finished runs of one row, in the order of its seeds.

    `which` is "best" or "last", the epoch, or the selection of the study. `values[which][task]`: float64[S, n, ...] or
    a ragged stack, the predictions of the S runs on the n examples of the task. It is None if a run has no best epoch
    because none of its evaluations has an average. `probabilities[which][task]`: float32[S, n, classes], None if the
    metric of the task does not need them. `reported[which][task]`: float64[S], the metric in results.json, NaN where
    undefined. `epochs[which]`: the epoch of each run; for cross-fitting, the epochs chosen on the first and the second
    half. `seconds`: training time of each run. `missing`: the seeds whose runs neither finished nor failed. `recipe`:
    the recipe of the last run, or the planned one if no run is finished.
    """

    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    failures: tuple[Failure, ...]
    recipe: Recipe
    values: Mapping[str, Mapping[str, Stack | None]]
    reported: Mapping[str, Mapping[str, NDArray[np.float64]]]
    epochs: Mapping[str, tuple[Epoch, ...]]
    curves: tuple[Curve, ...]
    seconds: tuple[float, ...]
    examples: tuple[int, ...]
    hardware: tuple[str, ...]
    probabilities: Mapping[str, Mapping[str, Shares]] = field(default_factory=dict)


@dataclass
class Collected:
    """All runs of a study.

    `rows`: by name; rows with the same recipe share their runs. `dev`, `test`: the examples by task; `test` is empty
    unless the selection is "test". `selection`: how the evaluation of a run is chosen. `halves`: which dev examples are
    in the first half, by task, for cross-fitting. `notes`: what could not be compared.
    """

    rows: dict[str, RowRuns] = field(default_factory=dict)
    dev: dict[str, DevExamples] = field(default_factory=dict)
    test: dict[str, DevExamples] = field(default_factory=dict)
    selection: Selection = BEST
    halves: dict[str, Half] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def examples(self, which: str) -> Mapping[str, DevExamples]:
        """Return the examples that an evaluation is measured on."""
        return self.test if which == "test" else self.dev


def collect(plan: StudyPlan, out: Path) -> Collected:
    """Read the finished runs of a study. The result also lists the runs that failed or are missing.

    Raises:
        RunError: no run is finished, the files of a run are damaged, runs have different metrics, different dev or test
            examples, or other data or weights under the same name, or the study selects "test" without labels.
    """
    collected = Collected(notes=check_same_data(plan, out))
    finished = {row.name: _finished(plan, out, row, collected.dev) for row in plan.rows if row.same_as is None}
    if not any(row.folders for row in finished.values()):
        raise RunError(
            "no run of this study is finished", where=str(out), hint=f"run the study: {study_command(plan, out)}"
        )
    collected.dev = with_clusters(plan, out, collected.dev)
    collected.selection, collected.test = select(plan, out, list(finished.values()), collected.dev)
    if collected.selection.chosen == "crossfit":
        collected.halves = halves_of(
            {task: dev.ids for task, dev in collected.dev.items()},
            {task: dev.clusters for task, dev in collected.dev.items()},
            {task: dev.kind.classes_of(dev.targets) for task, dev in collected.dev.items()},
        )
    known: Known = {}
    for row in plan.rows:
        collected.rows[row.name] = (
            collected.rows[row.same_as] if row.same_as else _read_row(plan, out, finished[row.name], collected, known)
        )
    return collected


def study_command(plan: StudyPlan, out: Path) -> str:
    """Return the call that runs or resumes a study."""
    overrides = (word for override in plan.overrides for word in ("--set", override))
    words = ["manyheads", "study", str(plan.file), *overrides, "--out", str(out), *plugins.options()]
    began = (out / STUDY_FILE).exists()
    called = f"manyheads.open_study({str(out)!r}).run()" if began else f"study.run({str(out)!r})"
    return by_caller(shlex.join(words), called)


def _finished(plan: StudyPlan, out: Path, row: Row, dev: dict[str, DevExamples]) -> Finished:
    """Return the finished runs of a row, and add the dev examples of its tasks to `dev`."""
    folders = {seed: RunFolder(cell_folder(out, row.name, seed)) for seed in plan.seeds}
    done = {seed: folder for seed, folder in folders.items() if folder.finished}
    results = tuple(folder.read_results(complete=True) for folder in done.values())
    recipe = row.recipe
    if done:
        recipe = [_own_recipe(plan, row, seed, folder) for seed, folder in done.items()][-1]
        _agree_on_tasks(recipe, list(done.values()), results[0], dev)
    return Finished(row, recipe, tuple(done), tuple(done.values()), results)


def _read_row(plan: StudyPlan, out: Path, row: Finished, collected: Collected, known: Known) -> RowRuns:
    failures = [_failure(out, row.row.name, seed) for seed in plan.seeds if seed not in row.seeds]
    failed = tuple(failure for failure in failures if failure is not None)
    ended = {*row.seeds, *(failure.seed for failure in failed)}
    recipe, folders, results = row.recipe, row.folders, row.results
    predicted = read_row(row, collected.dev, collected.test, collected.selection.chosen, collected.halves, known)
    return RowRuns(
        seeds=row.seeds,
        missing=tuple(seed for seed in plan.seeds if seed not in ended),
        failures=failed,
        recipe=recipe,
        values=predicted.values,
        probabilities=predicted.probabilities,
        reported={which: _reported(recipe, folders, results, which) for which in WHICH},
        epochs=predicted.epochs,
        curves=tuple(_curve(recipe, folder, result) for folder, result in zip(folders, results, strict=True)),
        seconds=tuple(float(result["seconds"]) for result in results),
        examples=tuple(int(result["examples"]) for result in results),
        hardware=tuple(_hardware(folder) for folder in folders),
    )


def _failure(out: Path, row: str, seed: int) -> Failure | None:
    file = error_file(out, row, seed)
    if not file.exists():
        return None
    content = read_error(file)
    return Failure(row, seed, content["kind"], content["error"])


def _own_recipe(plan: StudyPlan, row: Row, seed: int, folder: RunFolder) -> Recipe:
    """Return the recipe in a run folder, which must be the recipe of the row.

    `data_dir` may differ, because the runs of a study may read copies of the same data.

    Raises:
        RunError: the run has another recipe.
    """
    recipe = load_recipe(folder.recipe)
    planned = row.recipe.model_copy(update={"seed": seed, "data_dir": recipe.data_dir}).model_dump()
    changed = list(differences(planned, recipe.model_dump()))
    if changed:
        raise RunError(
            f"a run of row {row.name} has another recipe than the study",
            where=str(folder.path),
            found="; ".join(changed[:5]),
            hint=f"choose another folder with {argument('out')} if {plan.file} was changed, or repeat "
            + by_caller("the --set options of the study", "the `changes` of the study"),
        )
    return recipe


def _agree_on_tasks(
    recipe: Recipe, folders: Sequence[RunFolder], results: Mapping[str, Any], dev: dict[str, DevExamples]
) -> None:
    """Read the dev examples of new tasks, and check that known tasks have the same metric as in the rows before."""
    for task, options in recipe.tasks.items():
        metric = primary_of(finished_task(recipe, task))
        if task not in dev:
            dev[task] = read_examples(folders[0], results, task, "last", metric, kind_of(options), "dev")
        elif dev[task].chosen != metric:
            raise RunError(
                f"two rows have different metrics for task {task}, so they cannot be compared",
                where=f"{folders[0].path} and {dev[task].source}",
                found=f"{metric.name} and {dev[task].metric}",
                hint=f"set tasks.{task}.metric only in the base recipe",
            )


def _reported(
    recipe: Recipe, folders: Sequence[RunFolder], results: Sequence[Mapping[str, Any]], which: str
) -> dict[str, NDArray[np.float64]]:
    return {
        task: np.array(
            [
                _number(None if result[which] is None else folder.reported(result[which], task, options.metric_name))
                for folder, result in zip(folders, results, strict=True)
            ]
        )
        for task, options in recipe.tasks.items()
    }


def _curve(recipe: Recipe, folder: RunFolder, results: Mapping[str, Any]) -> Curve:
    lines = folder.read_curve(results, {task: options.metric_name for task, options in recipe.tasks.items()})
    columns = [name for name in (lines[0] if lines else {}) if name not in ("epoch", "step")]
    # The column "sst.accuracy" belongs to task sst. Task names have no dots.
    scores = {name.partition(".")[0]: np.array([_number(line[name]) for line in lines]) for name in columns}
    return Curve(np.array([line["epoch"] for line in lines]), scores)


def _hardware(folder: RunFolder) -> str:
    hardware = folder.hardware()
    return hardware["processor"] if hardware["device"] == "cpu" else hardware["device"]


def _number(score: float | None) -> float:
    return float("nan") if score is None else float(score)


def check_same_data(plan: StudyPlan, out: Path) -> tuple[str, ...]:
    """Compare the fingerprints that the finished runs of a study recorded.

    Two names are the same file if the study gives both rows the same `data_dir`. The runs themselves may have read
    copies in other folders. Rows that name other files, or hold out another share of a file, are not compared.

    Returns:
        A note if runs have no fingerprints, as runs that other programs wrote.

    Raises:
        RunError: Two runs read different contents of one file, held out different rows of it, or began with different
            weights of one encoder; or the provenance of a run is damaged.
    """
    seen: dict[Hashable, tuple[str, RunFolder]] = {}
    finished = without = 0
    for row in plan.rows:
        for seed in plan.seeds if row.same_as is None else ():
            folder = RunFolder(cell_folder(out, row.name, seed))
            if not folder.finished:
                continue
            finished += 1
            without += not folder.fingerprints()
            for name, identity, fingerprint in _recorded(row.recipe, folder):
                first, other = seen.setdefault(identity, (fingerprint, folder))
                if first != fingerprint:
                    raise _different(name, (other, first), (folder, fingerprint))
    if not without:
        return ()
    verb = "has" if without == 1 else "have"
    return (f"{without:,} of {counted(finished, 'run')} {verb} no fingerprints of the data, which were not compared.",)


def _recorded(recipe: Recipe, folder: RunFolder) -> Iterator[tuple[str, Hashable, str]]:
    """Yield a name for messages, what identifies the file or encoder, and the recorded fingerprint."""
    for name, fingerprint in folder.fingerprints().items():
        task = recipe.tasks.get(task_of(name) or "")
        share = () if task is None else (task.dev, task.dev_rows, task.group)
        yield name, (recipe.data_dir, name, *share), fingerprint
    encoder = folder.read_provenance().get("encoder")
    weights = encoder.get("sha256") if isinstance(encoder, Mapping) else None
    if weights is not None:
        yield f"the weights of {recipe.encoder}", ("encoder", recipe.encoder), str(weights)


def _different(name: str, first: tuple[RunFolder, str], second: tuple[RunFolder, str]) -> RunError:
    return RunError(
        f"two runs of the study used different versions of {name}, so they cannot be compared",
        where=f"{first[0].path} and {second[0].path}",
        found=f"fingerprint {first[1]} in the first run, {second[1]} in the second",
        hint="restore the file, remove the folders of the runs that used the other version, and repeat the study",
    )
