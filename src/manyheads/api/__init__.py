"""The public names of the package: recipes and studies made in Python, and a function for every command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.api.keys import BatchingOptions, ModelOptions, PretrainingOptions, TrainingOptions
from manyheads.api.recipe import Changes, Recipe, Task
from manyheads.inference.load import load
from manyheads.inference.predictions import Prediction, Predictions
from manyheads.inference.predictor import Predictor
from manyheads.pretraining.cache import Pretrained
from manyheads.process_state import check_threads, left_as_found, one_training
from manyheads.recipe import schema
from manyheads.recipe.assemble import Run
from manyheads.recipe.assemble import train as train_recipe
from manyheads.recipe.given import LIMIT, in_temporary_folder
from manyheads.recipe.pretrain import pretrain as pretrain_recipe
from manyheads.studies.cells import Notify
from manyheads.studies.load import load_study
from manyheads.studies.power import study_power
from manyheads.studies.run import default_jobs, local_runner, survey
from manyheads.studies.run import run_study as run_cells
from manyheads.studies.table import StudyPower, Table
from manyheads.studies.write import write_table
from manyheads.training.listener import Listener
from manyheads.training.stop import Event, Interrupted, StopFlag

__all__ = [
    "BatchingOptions",
    "ModelOptions",
    "Prediction",
    "Predictions",
    "Predictor",
    "Pretrained",
    "PretrainingOptions",
    "Recipe",
    "Run",
    "StudyPower",
    "Table",
    "Task",
    "TrainingOptions",
    "load",
    "power",
    "pretrain",
    "run_study",
    "train",
]

AnyRecipe = Recipe | schema.Recipe | Mapping[str, Any] | str | os.PathLike[str]
"""A recipe in any of its forms: made in Python, a dict with its keys, or the path of a file."""


@left_as_found(seeds=True)
def train(
    recipe: AnyRecipe,
    out: str | os.PathLike[str] | None = None,
    *,
    changes: Changes = (),
    resume: bool = False,
    listeners: Sequence[Listener] = (),
    stop: Event | None = None,
    tune_allocator: bool = False,
    data_limit: int = LIMIT,
) -> Run:
    """Train one model on all tasks of a recipe.

    A finished run folder is not trained again if `resume` is true: its results are returned. One training at a time
    runs in a process. Torch's threads, random numbers and defaults, and the handlers of signals, are as before after
    the call.

    Args:
        recipe: The recipe: a `Recipe`, a dict with the keys of one, or the path of a file.
        out: The run folder. Default: `runs/NAME` for a recipe file `NAME.toml`. Required for other recipes.
        changes: Changes of the recipe: `{"training.epochs": 3}`, or as on the command line `["training.epochs=3"]`.
        resume: Resume from the last checkpoint in the run folder. Without a checkpoint, training starts from the
            beginning. If false, an existing run folder is an error.
        listeners: Functions that are called as `listener(event, **fields)` for every event.
        stop: An event such as `threading.Event()`. Once it is set, the run stops after a checkpoint.
        tune_allocator: Let the C library keep freed memory for the next step, which saves about 5% of a step with small
            batches (glibc only). The setting lasts for the rest of the process.
        data_limit: The largest number of bytes of a table that was given in memory. The run folder keeps a copy of it.

    Returns:
        The finished run. `run.folder` is the run folder, `run.results` is the content of its results.json.

    Raises:
        ManyheadsError: The recipe, the data, the encoder or the run folder cannot be used, or another training is
            running in this process.
        TypeError: `out` is missing, and the recipe was not read from a file.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped the run after a checkpoint. The class is
            `manyheads.training.stop.Interrupted`, with `step` and `signal_number`.
        Exception: A listener raised it. The run stopped after a checkpoint and can be resumed.
    """
    made = _recipe(recipe, changes)
    if out is None and made.name is None:
        raise TypeError("train() requires `out` if the recipe is not a file")
    loaded = made.options
    folder = Path("runs", str(made.name)) if out is None else Path(out)
    check_threads(_threads(loaded))
    with one_training(folder):
        return train_recipe(
            loaded,
            folder,
            resume=resume,
            listeners=listeners,
            stop=stop,
            tune_allocator=tune_allocator,
            tables=made.tables,
            data_limit=data_limit,
        )


@left_as_found(seeds=True)
def pretrain(
    recipe: AnyRecipe,
    out: str | os.PathLike[str] | None = None,
    *,
    changes: Changes = (),
    listeners: Sequence[Listener] = (),
    stop: Event | None = None,
    tune_allocator: bool = False,
) -> Pretrained:
    """Pretrain the encoder of a recipe on the texts of its tasks.

    The `[pretraining]` table of the recipe sets the options. An encoder that is already in the cache is not
    pretrained again. A call that was interrupted resumes when it is repeated.

    Args:
        recipe: The recipe, as in `train`.
        out: A new or empty folder to copy the encoder to. Default: the encoder is in the cache only.
        changes: Changes of the recipe, as in `train`.
        listeners: Functions that are called as `listener(event, **fields)` for every event.
        stop: An event such as `threading.Event()`. Once it is set, pretraining stops after a checkpoint.
        tune_allocator: As in `train`.

    Returns:
        The pretrained encoder, with its key in the cache, its folder, and a summary of the pretraining.

    Raises:
        ManyheadsError: The recipe has no `[pretraining]` table, or the recipe, the data, the encoder or the folder
            cannot be used, or another training is running in this process.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped pretraining after a checkpoint. The class is
            `manyheads.training.stop.Interrupted`.
        Exception: A listener raised it. Pretraining stopped after a checkpoint.
    """
    made = _recipe(recipe, changes)
    folder = None if out is None else Path(out)
    check_threads(_threads(made.options))
    with one_training(folder), in_temporary_folder(made.options, made.tables) as loaded:
        return pretrain_recipe(loaded, folder, listeners=listeners, stop=stop, tune_allocator=tune_allocator)


@left_as_found()
def run_study(
    file: str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    changes: Sequence[str] = (),
    notify: Notify | None = None,
    stop: Event | None = None,
) -> Table:
    """Run the missing runs of a study in processes of this machine, and write its table.

    Finished runs are kept. Runs that failed are not repeated.

    Args:
        file: The study file.
        out: The folder of the study. Default: `runs/NAME` for a study file `NAME.toml`.
        jobs: Number of runs at a time. Default: cores of this machine / threads per run.
        changes: Overrides of the recipe of every row, for example `["training.epochs=1"]`.
        notify: A function that is called as `notify(event, row=..., seed=..., **fields)` for every event of a run.
        stop: An event such as `threading.Event()`. Once it is set, every run stops after a checkpoint.

    Returns:
        The table of the study.

    Raises:
        ManyheadsError: The study file or its base recipe cannot be used, or the folder contains other runs.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped the study. The same call resumes it. The class is
            `manyheads.training.stop.Interrupted`.
    """
    plan = load_study(file, changes)
    folder = Path("runs") / plan.file.stem if out is None else Path(out)
    flag = StopFlag(stop)
    runner = local_runner(plan, jobs or default_jobs(plan, 0), 0, flag)
    run_cells(plan, folder, runner, notify or _ignore, survey(plan, folder))
    if flag:
        raise Interrupted(0, flag.signal_number or 0, f"the study in {folder} was stopped; the same call resumes it")
    return write_table(plan, folder)


@left_as_found()
def power(
    file: str | Path,
    *,
    pilot: str | Path | None = None,
    seed_sd: float | None = None,
    correlation: float | None = None,
    difference: float | None = None,
    changes: Sequence[str] = (),
) -> StudyPower:
    """Compute which differences a study can find, by number of seeds, before its runs.

    The test of the study is simulated: rows against the baseline, with Holm's correction, in the study's metric.

    Args:
        file: The study file.
        pilot: The folder of a finished study or pilot, whose variances are used. Default: assumed variances, and the
            sizes, classes and metrics of the real dev files.
        seed_sd: Standard deviation of the metric between seeds of one row. Default: from the pilot, or assumed.
        correlation: Correlation of the results of two rows with the same seed. Default: from the pilot, or 0.
        difference: The true difference whose power is computed. Default: .01, .02 and .05.
        changes: Overrides of the recipe of every row, for example `["training.epochs=1"]`.

    Returns:
        The power by number of seeds, with the assumptions. `power.by_seeds[0].smallest` is the smallest difference
        that is found with 80% power.

    Raises:
        ManyheadsError: The study file, its dev files or the pilot cannot be used.
    """
    return study_power(
        load_study(file, changes),
        pilot=None if pilot is None else Path(pilot),
        seed_sd=seed_sd,
        correlation=correlation,
        difference=difference,
    )


def _recipe(recipe: AnyRecipe, changes: Changes) -> Recipe:
    """Return a recipe in any of its forms, with changes."""
    if isinstance(recipe, str | os.PathLike):
        return Recipe.load(recipe, changes)
    made = Recipe.of(recipe)
    return made.with_(changes) if changes else made


def _threads(recipe: schema.Recipe) -> int:
    """Return the number of threads of a training."""
    return recipe.threads or len(os.sched_getaffinity(0))


def _ignore(event: str, **fields: object) -> None:
    """Ignore the event."""
