"""The texts behind a run's predictions: read again from the recipe's files, if those are still what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manyheads.data.examples import Examples
from manyheads.errors import ManyheadsError
from manyheads.recipe.prepare import read_tasks
from manyheads.recipe.schema import Recipe


@dataclass(frozen=True)
class Texts:
    """A task's dev and training examples; or, in `missing`, why they cannot be shown."""

    dev: Examples | None
    train: Examples | None
    missing: str | None


def find_texts(recipe: Recipe, task: str, ids: tuple[str, ...], fingerprints: Mapping[str, str]) -> Texts:
    """The texts of the dev examples with these ids (in this order), and of the training examples.

    `fingerprints`: SHA-256 of the files as the run read them, by their names in the recipe.
    """
    options = recipe.tasks[task].model_copy(update={"test": None})
    try:
        (data,) = read_tasks(recipe.model_copy(update={"tasks": {task: options}}), _silent)
    except (ManyheadsError, OSError) as error:
        return Texts(None, None, _because(error))
    changed = [name for name, value in data.fingerprints.items() if fingerprints.get(name, value) != value]
    if changed:
        return Texts(None, None, f"the file {changed[0]} has been changed since the run")
    if tuple(data.dev.ids) != ids:
        return Texts(None, None, "the dev examples in the files are not those that the run answered")
    return Texts(data.dev, data.train, None)


def _because(error: Exception) -> str:
    if isinstance(error, ManyheadsError):
        return error.what if error.where is None else f"{error.what} ({error.where})"
    return str(error)


def _silent(event: str, **fields: object) -> None:
    """What reading finds was told by the run itself."""
