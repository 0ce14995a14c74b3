"""Read the texts of a run again from its data files, if they are unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manyheads.data.examples import Examples
from manyheads.errors import ManyheadsError
from manyheads.recipe.prepare import read_tasks
from manyheads.recipe.schema import Recipe


@dataclass(frozen=True)
class Texts:
    """The dev and training examples of a task. `missing`: why they are not available."""

    dev: Examples | None
    train: Examples | None
    missing: str | None


def find_texts(recipe: Recipe, task: str, ids: tuple[str, ...], fingerprints: Mapping[str, str]) -> Texts:
    """Read the dev examples, which must have these ids in this order, and the training examples of a task.

    `fingerprints`: SHA-256 of the files that the run read, by their names in the recipe.
    """
    options = recipe.tasks[task].model_copy(update={"test": None})
    try:
        (data,) = read_tasks(recipe.model_copy(update={"tasks": {task: options}}), _ignore)
    except (ManyheadsError, OSError) as error:
        return Texts(None, None, _reason(error))
    changed = [name for name, value in data.fingerprints.items() if fingerprints.get(name, value) != value]
    if changed:
        return Texts(None, None, f"the file {changed[0]} has changed since the run")
    if tuple(data.dev.ids) != ids:
        return Texts(None, None, "the dev files contain other examples than the predictions of the run")
    return Texts(data.dev, data.train, None)


def _reason(error: Exception) -> str:
    if isinstance(error, ManyheadsError):
        return error.what if error.where is None else f"{error.what} ({error.where})"
    return str(error)


def _ignore(event: str, **fields: object) -> None:
    """Ignore the event. The run has already reported it."""
