"""What the runs of a study left, row by row: predictions on the same dev examples, curves, times, and failures."""

from __future__ import annotations

import csv
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
from manyheads.study.plan import Row, StudyPlan
from manyheads.study.predictions import DevExamples, read_dev, read_values

WHICH = ("best", "last")


@dataclass(frozen=True)
class Failure:
    """A run that failed: `message` is its error in full."""

    row: str
    seed: int
    kind: str
    message: str


@dataclass(frozen=True)
class Curve:
    """One run's metrics by evaluation: `scores[column]` float64[evaluations], NaN where undefined."""

    epochs: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class RowRuns:
    """The finished runs of one row, in the order of its seeds.

    `values[which][task]`: float64[S, n] predictions on the task's dev examples ("best" or "last" epoch); None where a
    run has no best epoch, for no evaluation had an average. `reported[which][task]`: float64[S], what results.json
    says, NaN where undefined. `epochs[which]`: the epoch of each run. `seconds`: training time of each run.
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
    """All runs of a study: `rows` by name (a row that is the same as another holds that one's), `dev` by task."""

    rows: dict[str, RowRuns] = field(default_factory=dict)
    dev: dict[str, DevExamples] = field(default_factory=dict)


def collect(plan: StudyPlan, out: Path) -> Collected:
    """Read the finished runs of a study; cells that failed or are missing are told as such.

    Raises:
        RunError: no run is finished, a run's files are damaged, or runs were measured by different metrics or on
            different dev examples.
    """
    found = Collected()
    for row in plan.rows:
        found.rows[row.name] = found.rows[row.same_as] if row.same_as else _read_row(plan, out, row, found.dev)
    if not any(runs.seeds for runs in found.rows.values()):
        hint = f"run it with: manyheads study {plan.file} --out {out}"
        raise RunError("no run of this study is finished", where=str(out), hint=hint)
    return found


def _read_row(plan: StudyPlan, out: Path, row: Row, dev: dict[str, DevExamples]) -> RowRuns:
    folders = {seed: RunFolder(cell_folder(out, row.name, seed)) for seed in plan.seeds}
    done = {seed: folder for seed, folder in folders.items() if folder.finished}
    failures = [_failure(out, row.name, seed) for seed in plan.seeds if seed not in done]
    failed = tuple(failure for failure in failures if failure is not None)
    results: list[dict[str, Any]] = [folder.read_results() for folder in done.values()]
    recipe = row.recipe
    if done:
        recipe = [_own_recipe(plan, row, seed, folder) for seed, folder in done.items()][-1]
        _agree_on_tasks(recipe, list(done.values()), dev)
    gone = {failure.seed for failure in failed}
    return RowRuns(
        seeds=tuple(done),
        missing=tuple(seed for seed in plan.seeds if seed not in done and seed not in gone),
        failures=failed,
        recipe=recipe,
        values={which: _values(recipe, done, results, which, dev) for which in WHICH},
        reported={which: _reported(recipe, results, which) for which in WHICH},
        epochs={which: tuple(_at(result[which], "epoch") for result in results) for which in WHICH},
        curves=tuple(_curve(folder) for folder in done.values()),
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
    """The recipe that a run had, which must be the row's. Where its data lay does not matter: fingerprints tell them.

    Raises:
        RunError: the run is of another recipe.
    """
    recipe = load_recipe(folder.recipe)
    planned = row.recipe.model_copy(update={"seed": seed, "data_dir": recipe.data_dir}).model_dump()
    changed = list(differences(planned, recipe.model_dump()))
    if changed:
        raise RunError(
            f"a run of the row {row.name} is of another recipe than the study's",
            where=str(folder.path),
            found="; ".join(changed[:5]),
            hint=f"was {plan.file} changed since? Then choose another --out; or give the --set that it was run with",
        )
    return recipe


def _agree_on_tasks(recipe: Recipe, folders: Sequence[RunFolder], dev: dict[str, DevExamples]) -> None:
    """Take the dev examples of tasks that are new, and see that a task's metric is the one it had in other rows."""
    for task, options in recipe.tasks.items():
        metric = options.metric or ""
        if task not in dev:
            file = folders[0].prediction_file(task, "dev", "last")
            dev[task] = read_dev(file, task, metric, options.labels)
        elif dev[task].metric != metric:
            raise RunError(
                f"two rows measure {task} by different metrics, so they cannot be compared",
                where=f"{folders[0].path} and {dev[task].source}",
                found=f"{metric} and {dev[task].metric}",
                hint=f"give tasks.{task}.metric in the base recipe alone",
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
        task: np.stack([read_values(folder.prediction_file(task, "dev", which), dev[task]) for folder in done.values()])
        for task in recipe.tasks
    }


def _reported(recipe: Recipe, results: Sequence[Mapping[str, Any]], which: str) -> dict[str, NDArray[np.float64]]:
    return {
        task: np.array(
            [
                _number(None if result[which] is None else result[which]["tasks"][task][options.metric])
                for result in results
            ]
        )
        for task, options in recipe.tasks.items()
    }


def _curve(folder: RunFolder) -> Curve:
    with folder.results_csv.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    columns = [name for name in (lines[0] if lines else {}) if name not in ("epoch", "step")]
    # "sst.accuracy" is the column of task sst; a task's name has no dot.
    scores = {name.partition(".")[0]: np.array([_number(line[name]) for line in lines]) for name in columns}
    return Curve(np.array([float(line["epoch"]) for line in lines]), scores)


def _hardware(folder: RunFolder) -> str:
    hardware = folder.read_provenance()["hardware"]
    return str(hardware["processor"]) if hardware["device"] == "cpu" else str(hardware["device"])


def _at(entry: Mapping[str, Any] | None, key: str) -> float | None:
    return None if entry is None else float(entry[key])


def _number(score: float | str | None) -> float:
    return float("nan") if score is None or score == "" else float(score)
