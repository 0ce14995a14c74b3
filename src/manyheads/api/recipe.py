"""Recipes that are made in Python: by keywords, from a dict or from a file, with changes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack, get_type_hints

import tomli_w

from manyheads.api import keys
from manyheads.api.keys import RecipeKeys, TaskKeys
from manyheads.api.values import Table, place, plain, shown
from manyheads.data.given import GivenTable, check_sizes, remove_given, require_files
from manyheads.errors import RecipeError, is_on_command_line
from manyheads.recipe import schema
from manyheads.recipe.given import LIMIT, SPLITS, Tables, names_of, naming_files, take_tables, with_tables, write_tables
from manyheads.recipe.load import (
    FORM,
    KEY,
    Change,
    applied,
    dotted_key,
    file_place,
    from_here,
    parse_override,
    placed,
    read_toml,
    recipe_from,
    without_none,
)
from manyheads.run.atomic import write_text

if TYPE_CHECKING:
    from manyheads.api.checked import Check

Changes = Mapping[str, Any] | Sequence[str | Change] | str
"""Changes of a recipe: a dict of dotted keys, such as {"training.epochs": 3}, or texts "training.epochs=3"."""

Where = Callable[[Sequence[str]], str]


class Task(Table):
    """One task of a recipe, by keywords: the keys of [tasks.NAME], and those of its kind.

    The keywords are those of a recipe file. The recipe that the task becomes a part of validates them, because only
    there the task has a name.
    """

    def __init__(self, **keys: Unpack[TaskKeys]) -> None:
        super().__init__(**keys)


class Recipe:
    """Everything that determines one run: an encoder, the tasks, and how to train them.

    The keywords are the keys of a recipe file, with a `Task` or a dict for each task. A recipe does not change after
    it is made. Relative paths are resolved when it is made: they are relative to the current folder.

    Raises:
        RecipeError: A key or a value is invalid. The error names it as `tasks["reviews"].label`.
    """

    def __init__(self, **keys: Unpack[RecipeKeys]) -> None:
        self._fill(_plain(keys), Path.cwd(), place)
        self._require_files()

    @classmethod
    def load(cls, path: str | os.PathLike[str], changes: Changes = ()) -> Recipe:
        """Read a recipe file.

        Args:
            path: The TOML file.
            changes: Changes as in `with_`.

        Raises:
            RecipeError: The file cannot be read, or a key or a value of it or of a change is invalid.
        """
        file = Path(path)
        text, content = read_toml(file, "recipe")
        recipe = cls.__new__(cls)
        recipe._fill(content, file.parent, lambda key: file_place(file, text, key), changes)
        recipe._name = file.stem
        return recipe

    @classmethod
    def of(cls, recipe: Recipe | schema.Recipe | Mapping[str, Any] | str | os.PathLike[str]) -> Recipe:
        """Return a recipe in any of its forms as a `Recipe`: a dict with the keys of a recipe, or the path of a file.

        Raises:
            RecipeError: A key or a value is invalid.
            TypeError: The value is not a recipe.
        """
        if isinstance(recipe, cls):
            return recipe
        if isinstance(recipe, str | os.PathLike):
            return cls.load(recipe)
        made = cls.__new__(cls)
        if isinstance(recipe, schema.Recipe):
            made._options, made._tables = recipe, {}
            return made
        if not isinstance(recipe, Mapping):
            raise TypeError(f"a recipe is a Recipe, a dict or the path of a file, not a {type(recipe).__name__}")
        made._fill(_plain(recipe), Path.cwd(), place)
        made._require_files()
        return made

    _options: schema.Recipe
    _tables: Tables
    _name: str | None = None

    def _fill(self, content: Mapping[str, Any], folder: Path, where: Where, changes: Changes = ()) -> None:
        found = read_changes(changes)
        tables: dict[str, GivenTable] = {}
        taken = take_tables(applied(content, found), tables)
        spelled = ".".join if is_on_command_line() else place
        self._options = recipe_from(taken, folder, placed(content, where, found, spelled))
        self._tables = tables

    def _require_files(self) -> None:
        """Check that lists of texts were not given as files.

        Raises:
            DataError: They were.
        """
        for name, task in self._options.tasks.items():
            for split in SPLITS:
                require_files(getattr(task, split), Path(self._options.data_dir), place(("tasks", name, split)))

    def with_(self, changes: Changes) -> Recipe:
        """Return the recipe with changes.

        Args:
            changes: A dict of dotted keys, `{"training.epochs": 3}`, whose tables are merged into those of the recipe.
                Or texts as on the command line, `["training.epochs=3"]`, or one of them.

        Raises:
            RecipeError: A key or a value is invalid, or does not fit the recipe.
        """
        recipe = type(self).__new__(type(self))
        recipe._fill(self.to_dict(), Path.cwd(), place, changes)
        recipe._name = self._name
        return recipe

    @property
    def options(self) -> schema.Recipe:
        """The validated options, with their defaults."""
        return self._options

    @property
    def name(self) -> str | None:
        """The name of the file that the recipe was read from, without its ending. None without a file."""
        return self._name

    def check(self) -> Check:
        """Check the recipe and its data, and estimate time and memory. The function `check` has the details."""
        from manyheads.api.training import check

        return check(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as a dict of plain values: the keys that were set. Paths are absolute.

        A table that was given in memory is in it as such, and is accepted in its place again.
        """
        content = without_none(self._options.model_dump(exclude_unset=True))
        return with_tables(content, self._tables)

    @property
    def tables(self) -> Tables:
        """The tables that were given in memory, by what the options have in their place."""
        return MappingProxyType(self._tables)

    def save(self, path: str | os.PathLike[str], *, data_limit: int = LIMIT) -> Path:
        """Write the recipe to a TOML file, which `manyheads train` trains to the same model.

        Tables that were given in memory are written next to it, as `NAME.data/TASK.SPLIT.parquet`.

        Args:
            path: The file. It is replaced if it exists, and so are its tables.
            data_limit: The largest number of bytes of a table in memory.

        Returns:
            The path of the file.

        Raises:
            DataError: A table is larger than the limit.
            RecipeError: The path is that of a folder.
        """
        file = Path(path)
        if file.is_dir():
            raise RecipeError("the place of the recipe is a folder", where=str(file), hint="name a file in it")
        options = self._options
        if self._tables:
            names, folder = names_of(options, self._tables), file.with_name(f"{file.stem}.data")
            check_sizes({name: self._tables[mark] for mark, name in names.items()}, data_limit)
            remove_given(folder)
            write_tables(names, self._tables, folder, data_limit)
            options = naming_files(options, names, file.parent, folder.name)
            options = options.model_copy(update={"data_dir": "."})
        write_text(file, tomli_w.dumps(without_none(options.model_dump(exclude_unset=True))))
        return file

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self._options == other._options

    __hash__ = None  # type: ignore[assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"a recipe does not change: recipe.with_({{{name!r}: VALUE}}) returns a changed one")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        content = self.to_dict()
        tasks = "".join(f"        {name!r}: {Task(**keys)!r},\n" for name, keys in content.pop("tasks").items())
        encoder = content.pop("encoder", None)
        others = "".join(f"    {key}={shown(value)},\n" for key, value in content.items())
        return f"Recipe(\n    encoder={encoder!r},\n    tasks={{\n{tasks}    }},\n{others})"


def read_changes(changes: Changes) -> list[Change]:
    """Return changes of a recipe in any of their forms.

    Raises:
        RecipeError: A key is not a dotted key, or a text is not of the form KEY=VALUE.
    """
    if isinstance(changes, Mapping):
        return [_change(key, value) for key, value in changes.items()]
    if not isinstance(changes, Iterable):
        allowed = f'a dict such as {{"training.epochs": 3}}, or texts: {FORM}'
        found_type = f"a value of the type {type(changes).__name__}"
        raise RecipeError("the changes are not a dict or texts", where="changes", found=found_type, allowed=allowed)
    found = []
    for change in [changes] if isinstance(changes, str) else changes:
        if isinstance(change, Change):
            found.append(change)
            continue
        if not isinstance(change, str):
            raise RecipeError("a change is not a text", where="changes", found=repr(change), allowed=FORM)
        where = f'changes "{change}"'
        parts, value = parse_override(change, where)
        found.append(Change(tuple(parts), from_here(parts, value), where, text=change))
    return found


def _change(key: object, value: Any) -> Change:
    where = f'changes["{key}"]'
    if not isinstance(key, str):
        raise RecipeError("the key of a change is not a text", where=where, allowed=KEY)
    parts = dotted_key(key, where)
    return Change(tuple(parts), from_here(parts, plain(value)), where, merged=True)


def _plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): plain(value) for key, value in keys.items()}


def _sign(made: type, keys: Any) -> None:
    """Give a class the signature of its keywords, which notebooks complete. `keys`: a TypedDict of them."""
    hints = get_type_hints(keys, localns={"Task": Task, "Recipe": Recipe})
    required = [name for name in hints if name in keys.__required_keys__]
    optional = [name for name in hints if name not in required]
    keyword, absent = inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.empty
    parameters = [
        *(inspect.Parameter(name, keyword, annotation=hints[name], default=absent) for name in required),
        *(inspect.Parameter(name, keyword, annotation=hints[name], default=...) for name in optional),
    ]
    vars_: Any = made
    vars_.__signature__ = inspect.Signature(parameters)


for _made, _keys in (
    (Task, TaskKeys),
    (Recipe, RecipeKeys),
    *(
        (each, getattr(keys, each.__name__.replace("Options", "Keys")))
        for each in Table.__subclasses__()
        if each is not Task
    ),
):
    _sign(_made, _keys)
