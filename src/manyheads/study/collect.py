"""Read the runs of a study, row by row: predictions on the dev examples, curves, times and failures."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.schema import Recipe
from manyheads.run.folder import RunFolder
from manyheads.study.cells import cell_folder, differences, error_file, read_error
from manyheads.study.dev_clusters import with_clusters
from manyheads.study.plan import Row, StudyPlan
from manyheads.study.predictions import DevExamples, read_dev, read_values
from manyheads.study.same_data import check_same_data

WHICH = ("best", "last")


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

    `which` is "best" or "last", the epoch. `values[which][task]`: float64[S, n], the predictions of the S runs on the n
    dev examples of the task. It is None if a run has no best epoch because none of its evaluations has an average.
    `reported[which][task]`: float64[S], the metric in results.json, NaN where undefined. `epochs[which]`: the epoch of
    each run. `seconds`: training time of each run. `missing`: the seeds whose runs neither finished nor failed.
    `recipe`: the recipe of the last run, or the planned one if no run is finished.
    """

    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    failures: tuple[Failure, ...]
    recipe: Recipe
    values: Mapping[str, Mapping[str, NDArray[np.float64] | None]]
    reported: Mapping[str, Mapping[str, NDArray[np.float64]]]
    epochs: Mapping[str, tuple[float | None, ...]]
    curves: tuple[Curve, ...]
    seconds: tuple[float, ...]
    examples: tuple[int, ...]
    hardware: tuple[str, ...]


@dataclass
class Collected:
    """All runs of a study.

    `rows`: by name; rows with the same recipe share their runs. `dev`: by task. `notes`: what could not be compared.
    """

    rows: dict[str, RowRuns] = field(default_factory=dict)
    dev: dict[str, DevExamples] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def collect(plan: StudyPlan, out: Path) -> Collected:
    """Read the finished runs of a study. The result also lists the runs that failed or are missing.

    Raises:
        RunError: no run is finished, the files of a run are damaged, or runs have different metrics, different dev
            examples, or other data or weights under the same name.
    """
    collected = Collected(notes=check_same_data(plan, out))
    for row in plan.rows:
        shared = collected.rows[row.same_as] if row.same_as else None
        collected.rows[row.name] = _read_row(plan, out, row, collected.dev) if shared is None else shared
    collected.dev = with_clusters(plan, out, collected.dev)
    if not any(runs.seeds for runs in collected.rows.values()):
        raise RunError(
            "no run of this study is finished", where=str(out), hint=f"run the study: {study_command(plan, out)}"
        )
    return collected


def study_command(plan: StudyPlan, out: Path) -> str:
    """Return the command line of a study, quoted for a shell."""
    overrides = (word for override in plan.overrides for word in ("--set", override))
    return shlex.join(["manyheads", "study", str(plan.file), *overrides, "--out", str(out)])


def _read_row(plan: StudyPlan, out: Path, row: Row, dev: dict[str, DevExamples]) -> RowRuns:
    folders = {seed: RunFolder(cell_folder(out, row.name, seed)) for seed in plan.seeds}
    done = {seed: folder for seed, folder in folders.items() if folder.finished}
    failures = [_failure(out, row.name, seed) for seed in plan.seeds if seed not in done]
    failed = tuple(failure for failure in failures if failure is not None)
    results = [folder.read_results(complete=True) for folder in done.values()]
    recipe = row.recipe
    if done:
        recipe = [_own_recipe(plan, row, seed, folder) for seed, folder in done.items()][-1]
        _agree_on_tasks(recipe, list(done.values()), dev)
    ended = {*done, *(failure.seed for failure in failed)}
    return RowRuns(
        seeds=tuple(done),
        missing=tuple(seed for seed in plan.seeds if seed not in ended),
        failures=failed,
        recipe=recipe,
        values={which: _values(recipe, done, results, which, dev) for which in WHICH},
        reported={which: _reported(recipe, list(done.values()), results, which) for which in WHICH},
        epochs={which: tuple(_at(result[which], "epoch") for result in results) for which in WHICH},
        curves=tuple(_curve(recipe, folder, result) for folder, result in zip(done.values(), results, strict=True)),
        seconds=tuple(float(result["seconds"]) for result in results),
        examples=tuple(int(result["examples"]) for result in results),
        hardware=tuple(_hardware(folder) for folder in done.values()),
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
            hint=f"choose another --out if {plan.file} was changed, or repeat the --set options of the study",
        )
    return recipe


def _agree_on_tasks(recipe: Recipe, folders: Sequence[RunFolder], dev: dict[str, DevExamples]) -> None:
    """Read the dev examples of new tasks, and check that known tasks have the same metric as in the rows before."""
    for task, options in recipe.tasks.items():
        metric = options.metric or ""
        if task not in dev:
            file = folders[0].prediction_file(task, "dev", "last")
            dev[task] = read_dev(file, task, metric, options.labels)
        elif dev[task].metric != metric:
            raise RunError(
                f"two rows have different metrics for task {task}, so they cannot be compared",
                where=f"{folders[0].path} and {dev[task].source}",
                found=f"{metric} and {dev[task].metric}",
                hint=f"set tasks.{task}.metric only in the base recipe",
            )


def _values(
    recipe: Recipe,
    done: Mapping[int, RunFolder],
    results: Sequence[Mapping[str, Any]],
    which: str,
    dev: Mapping[str, DevExamples],
) -> dict[str, NDArray[np.float64] | None]:
    if not done or any(result[which] is None for result in results):
        return dict.fromkeys(recipe.tasks)
    return {
        task: np.stack(
            [
                read_values(folder.require_whole(folder.prediction_file(task, "dev", which), result), dev[task])
                for folder, result in zip(done.values(), results, strict=True)
            ]
        )
        for task in recipe.tasks
    }


def _reported(
    recipe: Recipe, folders: Sequence[RunFolder], results: Sequence[Mapping[str, Any]], which: str
) -> dict[str, NDArray[np.float64]]:
    return {
        task: np.array(
            [
                _number(None if result[which] is None else folder.reported(result[which], task, options.metric or ""))
                for folder, result in zip(folders, results, strict=True)
            ]
        )
        for task, options in recipe.tasks.items()
    }


def _curve(recipe: Recipe, folder: RunFolder, results: Mapping[str, Any]) -> Curve:
    lines = folder.read_curve(results, {task: options.metric or "" for task, options in recipe.tasks.items()})
    columns = [name for name in (lines[0] if lines else {}) if name not in ("epoch", "step")]
    # The column "sst.accuracy" belongs to task sst. Task names have no dots.
    scores = {name.partition(".")[0]: np.array([_number(line[name]) for line in lines]) for name in columns}
    return Curve(np.array([line["epoch"] for line in lines]), scores)


def _hardware(folder: RunFolder) -> str:
    hardware = folder.hardware()
    return hardware["processor"] if hardware["device"] == "cpu" else hardware["device"]


def _at(entry: Mapping[str, Any] | None, key: str) -> float | None:
    return None if entry is None else float(entry[key])


def _number(score: float | None) -> float:
    return float("nan") if score is None else float(score)
