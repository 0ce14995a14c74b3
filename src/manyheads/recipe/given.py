"""Recipes with tables that were given in memory: such a recipe is trained from the files that a folder keeps."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manyheads.data.given import LIST, GivenTable, given_table, is_table, remove_given, write_given
from manyheads.data.reading import Files
from manyheads.data.reading.hub import PREFIX as HUB
from manyheads.recipe.load import recipe_to_toml
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.run.folder import RunFolder
from manyheads.run.names import user_path

GIVEN = "given:"
"""In a recipe in memory, a table has this mark and its digest in place of the name of a file."""

SPLITS = ("train", "dev", "test")

LIMIT = 10**9
"""Bytes of the largest table that is copied into a folder by default."""

Tables = Mapping[str, GivenTable]
"""The tables of a recipe, by what is in the recipe in their place."""


def take_tables(content: Mapping[str, Any], tables: dict[str, GivenTable]) -> dict[str, Any]:
    """Return the keys of a recipe with marks in place of tables, which are added to `tables`.

    Equal tables under the same key of several tasks are one table, as equal files are one file.

    Raises:
        DataError: A table cannot be stored.
    """
    changed = dict(content)
    for group in ("tasks", "held_out_with"):
        named = content.get(group)
        if isinstance(named, Mapping):
            changed[group] = {name: _taken(group, name, task, tables) for name, task in named.items()}
    return changed


def _taken(group: str, name: str, task: Any, tables: dict[str, GivenTable]) -> Any:
    if not isinstance(task, Mapping):
        return task
    changed = dict(task)
    for split in SPLITS:
        if is_table(task.get(split)):
            table = given_table(task[split], f'{group}["{name}"].{split}')
            # The mark of a train file is never that of a dev file, as these are two files with the same content.
            mark = f"{GIVEN}{hashlib.sha256(f'{split} {table.digest}'.encode()).hexdigest()}"
            tables.setdefault(mark, table)
            changed[split] = mark
    return changed


def with_tables(content: Mapping[str, Any], tables: Tables) -> dict[str, Any]:
    """Return the keys of a recipe with its tables in place of their marks."""
    changed = dict(content)
    for group in ("tasks", "held_out_with"):
        if isinstance(content.get(group), Mapping):
            changed[group] = {
                name: {
                    key: tables.get(value, value) if isinstance(value, str) else value for key, value in each.items()
                }
                for name, each in content[group].items()
            }
    return changed


def names_of(recipes: Mapping[str, Recipe] | Recipe, tables: Tables) -> dict[str, str]:
    """Return the name of the file of each table, by its mark: the first task and the key that it was given for."""
    found: dict[str, str] = {}
    for recipe in [recipes] if isinstance(recipes, Recipe) else recipes.values():
        for name, task in {**recipe.tasks, **(recipe.held_out_with or {})}.items():
            for split in SPLITS:
                mark = getattr(task, split)
                if isinstance(mark, str) and mark in tables and mark not in found:
                    wanted = f"{name}.{split}"
                    while wanted in found.values():
                        wanted += "_"
                    found[mark] = wanted
    return found


def write_tables(names: Mapping[str, str], tables: Tables, folder: Path, limit: int) -> None:
    """Write the tables with these names into a folder.

    Raises:
        DataError: A table is too large.
        RunError: The folder has another table under one of the names.
    """
    write_given({name: tables[mark] for mark, name in names.items()}, folder, limit)


def naming_files(recipe: Recipe, names: Mapping[str, str], home: Path, folder: str) -> Recipe:
    """Return a recipe that names the files of its tables. Names of other files become absolute.

    Args:
        recipe: the recipe.
        names: the names of the files of its tables, by mark.
        home: the folder that the names of files are relative to.
        folder: the folder of the tables in it.
    """
    before = Path(recipe.data_dir)

    def renamed(tasks: Mapping[str, TaskOptions]) -> dict[str, TaskOptions]:
        return {
            name: task.model_copy(
                update={
                    split: renamed_files(spec, names, before, folder)
                    for split in SPLITS
                    if (spec := getattr(task, split)) is not None and not isinstance(spec, float)
                }
            )
            for name, task in tasks.items()
        }

    update: dict[str, Any] = {"data_dir": str(home.absolute()), "tasks": renamed(recipe.tasks)}
    if recipe.held_out_with:
        update["held_out_with"] = renamed(recipe.held_out_with)
    if recipe.pretraining is not None and recipe.pretraining.files:
        files = [_absolute(each, before) for each in recipe.pretraining.files]
        update["pretraining"] = recipe.pretraining.model_copy(update={"files": files})
    return recipe.model_copy(update=update)


def renamed_files(spec: Files, names: Mapping[str, str], before: Path, folder: str) -> Files:
    """Return the files of a key, with those of tables in place of marks. Other names become absolute."""
    if isinstance(spec, Mapping):
        return {column: _absolute(each, before) for column, each in spec.items()}
    if isinstance(spec, str):
        return f"{folder}/{names[spec]}.parquet" if spec in names else _absolute(spec, before)
    return [_absolute(each, before) for each in spec]


def _absolute(file: str, before: Path) -> str:
    return file if file.startswith(HUB) else os.fspath((before / user_path(file)).absolute())


def keep_in_run_folder(recipe: Recipe, tables: Tables, folder: RunFolder, limit: int, *, fresh: bool) -> None:
    """Write the tables of a recipe into its run folder.

    `fresh`: whether the run begins, so that the tables of an earlier attempt are removed.

    Raises:
        DataError: A table is too large.
        RunError: The run has other tables.
    """
    if tables:
        if fresh:
            remove_given(folder.data)
        write_tables(names_of(recipe, tables), tables, folder.data, limit)


def in_run_folder(recipe: Recipe, tables: Tables, folder: RunFolder) -> Recipe:
    """Return the recipe that names the files of its tables in its run folder."""
    return naming_files(recipe, names_of(recipe, tables), folder.path, folder.data.name) if tables else recipe


def own_recipe(recipe: Recipe, folder: RunFolder) -> str:
    """Return the TOML text of a recipe for its run folder.

    The folder can be moved if it keeps the tables of the recipe. So can the folder of a study that keeps them.
    """
    home, here = Path(recipe.data_dir).resolve(), folder.path.resolve()
    kept = (home / folder.data.name / LIST).exists() and here.is_relative_to(home)
    return recipe_to_toml(recipe.model_copy(update={"data_dir": os.path.relpath(home, here)}) if kept else recipe)


@contextmanager
def in_temporary_folder(recipe: Recipe, tables: Tables) -> Iterator[Recipe]:
    """Write the tables of a recipe into a temporary folder, and give the recipe that names their files."""
    if not tables:
        yield recipe
        return
    with tempfile.TemporaryDirectory(prefix="manyheads-") as home:
        names = names_of(recipe, tables)
        write_tables(names, tables, Path(home, "data"), sys.maxsize)
        yield naming_files(recipe, names, Path(home), "data")
