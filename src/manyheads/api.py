"""The public Python functions: `manyheads.train`, `pretrain`, `run_study` and `load` are these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyheads.inference.predictor import Predictor
from manyheads.pretraining.cache import Pretrained
from manyheads.recipe.assemble import Run
from manyheads.recipe.assemble import train as train_recipe
from manyheads.recipe.load import load_recipe
from manyheads.recipe.pretrain import pretrain as pretrain_recipe
from manyheads.recipe.schema import Recipe
from manyheads.study.cells import Notify
from manyheads.study.load import load_study
from manyheads.study.run import default_jobs, local_runner, survey
from manyheads.study.run import run_study as run_cells
from manyheads.study.table import Table
from manyheads.study.write import write_table
from manyheads.training.listener import Listener

__all__ = ["Predictor", "Pretrained", "Run", "Table", "load", "pretrain", "run_study", "train"]


def train(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    resume: bool = False,
    listeners: Sequence[Listener] = (),
) -> Run:
    """Train one model on all tasks of a recipe.

    Args:
        recipe: a recipe file, or a loaded recipe.
        out: the run folder; by default `runs/<the recipe file's name>`.
        changes: overrides as on the command line, `"training.epochs=3"`.
        resume: go on from the folder's last checkpoint.
        listeners: functions that are told every event, `listener(event, **fields)`.

    Raises:
        ManyheadsError: the recipe, the data, the encoder or the folder cannot be used; the message says why.
    """
    if isinstance(recipe, Recipe):
        if out is None:
            raise TypeError("train() needs `out` where the recipe is not a file")
        return train_recipe(recipe, Path(out), resume=resume, listeners=listeners)
    file = Path(recipe)
    folder = Path("runs") / file.stem if out is None else Path(out)
    return train_recipe(load_recipe(file, changes), folder, resume=resume, listeners=listeners)


def pretrain(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    listeners: Sequence[Listener] = (),
) -> Pretrained:
    """Pretrain a recipe's encoder on its tasks' texts, as its `[pretraining]` table says, or take it from the cache.

    Args:
        recipe: a recipe file, or a loaded recipe.
        out: a new folder to copy the encoder to; by default it stays in the cache.
        changes: overrides as on the command line, `"pretraining.epochs=3"`.
        listeners: functions that are told every event, `listener(event, **fields)`.

    Raises:
        ManyheadsError: the recipe, the data, the encoder or the folder cannot be used; the message says why.
    """
    loaded = recipe if isinstance(recipe, Recipe) else load_recipe(Path(recipe), changes)
    return pretrain_recipe(loaded, None if out is None else Path(out), listeners=listeners)


def load(run: str | Path | Run, *, int8: bool = False) -> Predictor:
    """Load the model of a finished run: from the run, its folder, or the bundle `model` in it.

    Args:
        run: a run, its folder, or a bundle.
        int8: answer in 8-bit integers: faster on a CPU, and not the same numbers (`manyheads evaluate RUN --int8`).

    Raises:
        ManyheadsError: the folder is no finished run and no bundle, or a file of it was changed.
    """
    folder = run.folder.path if isinstance(run, Run) else Path(run)
    return Predictor.load(folder / "model" if (folder / "model").is_dir() else folder, int8=int8)


def run_study(
    file: str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    changes: Sequence[str] = (),
    notify: Notify | None = None,
) -> Table:
    """Run what is missing of a study in processes of this machine, write its table, and return it.

    Args:
        file: the study file.
        out: the study's folder; by default `runs/<the study file's name>`.
        jobs: runs side by side; by default cores / threads a run.
        changes: overrides of every row's recipe, `"training.epochs=1"`.
        notify: a function that is told what happens to each cell, `notify(event, row=..., seed=..., **fields)`.

    Raises:
        ManyheadsError: the study or its base cannot be used, or the folder holds other runs.
        RuntimeError: a signal stopped the study; the same call goes on from there.
    """
    plan = load_study(file, changes)
    folder = Path("runs") / plan.file.stem if out is None else Path(out)
    runner = local_runner(plan, jobs or default_jobs(plan, 0), 0)
    if not run_cells(plan, folder, runner, notify or _nobody, survey(plan, folder)):
        raise RuntimeError(f"the study in {folder} was stopped")
    return write_table(plan, folder)


def _nobody(event: str, **fields: object) -> None:
    """Nobody is told."""
