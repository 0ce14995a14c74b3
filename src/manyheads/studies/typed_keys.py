"""The keys of recipes and studies as types of Python, for editors and type checkers.

`python -m manyheads.studies.json_schema` writes the file `api/keys.py` again after a change of the options.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.studies.schema import StudyOptions
from manyheads.tasks.kinds import KINDS

FILE = Path(__file__).parent.parent / "api" / "keys.py"

SCALARS = {int: "Integer", float: "Number", str: "str", bool: "bool", type(None): "None", Any: "Any"}

PARTIAL = "Mapping[str, Any]"
"""A part of a recipe, whose keys may be dotted."""

OWN: Mapping[str, str] = {
    "TaskKeys.train": "Files | Rows",
    "TaskKeys.dev": "Files | Rows | Number",
    "TaskKeys.test": "Files | Rows | None",
    "RecipeKeys.encoder": "Path_",
    "RecipeKeys.data_dir": "Path_",
    "RecipeKeys.tasks": "Mapping[str, Task | Mapping[str, Any]]",
    "RecipeKeys.held_out_with": "Mapping[str, Task | Mapping[str, Any]] | None",
    "StudyKeys.base": "Recipe | Mapping[str, Any] | Path_",
    "StudyKeys.seeds": "Iterable[Integer]",
    "StudyKeys.changes": PARTIAL,
    "StudyKeys.rows": f"Mapping[str, {PARTIAL}]",
    "StudyKeys.grid": "Mapping[str, Iterable[Any]]",
    "StudyKeys.factors": f"Mapping[str, str | Sequence[str] | {PARTIAL}]",
}
"""Keys that accept more in Python than in a file."""

TABLES: Mapping[str, type[BaseModel]] = {
    each.__name__: each
    for field in Recipe.model_fields.values()
    for each in (field.annotation, *get_args(field.annotation))
    if isinstance(each, type) and get_origin(each) is None and issubclass(each, BaseModel)
}
"""Tables of a recipe that have a class of their own in Python."""

HEAD = '''"""The keys of recipes and studies as types.

`python -m manyheads.studies.json_schema` writes this file.
"""

# fmt: off

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, Unpack

from manyheads.api.values import Files, Integer, Number, Path_, Rows, Table

if TYPE_CHECKING:
    from manyheads.api.recipe import Recipe, Task
'''


def keys_file() -> str:
    """Return the text of `api/keys.py`."""
    task: dict[str, list[FieldInfo]] = {}
    models: list[type[BaseModel]] = [TaskOptions, *(kind.options for kind in KINDS.values())]
    for model in models:
        for key, field in model.model_fields.items():
            task.setdefault(key, []).append(field)
    parts = [HEAD]
    for name, model in TABLES.items():
        parts += [_typed_dict(_keys_name(name), _single(model), total=True), _table_class(name, model)]
    parts.append(_typed_dict("TaskKeys", task, total=True))
    parts.append(_typed_dict("RecipeKeys", _single(Recipe), total=True))
    parts.append(_typed_dict("StudyKeys", _single(StudyOptions), total=True))
    return "\n\n".join(parts)


def _single(model: type[BaseModel]) -> dict[str, list[FieldInfo]]:
    return {key: [field] for key, field in model.model_fields.items()}


def _keys_name(table: str) -> str:
    return table.removesuffix("Options") + "Keys"


def _typed_dict(name: str, fields: Mapping[str, list[FieldInfo]], *, total: bool) -> str:
    lines = [f"class {name}(TypedDict, total=False):", f'    """The keywords of `{name.removesuffix("Keys")}`."""', ""]
    for key, found in fields.items():
        text = OWN.get(f"{name}.{key}") or _union(spelling for field in found for spelling in _spelled_field(field))
        required = total and len(found) > 0 and all(field.is_required() for field in found) and not _of_kind(name, key)
        lines.append(f"    {key}: Required[{text}]" if required else f"    {key}: {text}")
    return "\n".join(lines) + "\n"


def _of_kind(name: str, key: str) -> bool:
    """Whether a key of a task is one that only some kinds have."""
    return name == "TaskKeys" and key not in TaskOptions.model_fields


def _table_class(name: str, model: type[BaseModel]) -> str:
    summary = (model.__doc__ or "").strip().partition("\n")[0]
    return (
        f'class {name}(Table):\n    """{summary}"""\n\n'
        f"    def __init__(self, **keys: Unpack[{_keys_name(name)}]) -> None:\n        super().__init__(**keys)\n"
    )


def _spelled_field(field: FieldInfo) -> list[str]:
    annotation: Any = field.annotation
    return _spelled(Annotated[(annotation, *field.metadata)] if field.metadata else annotation)


def _spelled(annotation: Any) -> list[str]:
    """Return the members of the union of what a key accepts, as Python is written."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(arguments)
    if origin in (Union, types.UnionType):
        return [name for each in arguments for name in _spelled(each)]
    if origin is list:
        return [f"Sequence[{_union(_spelled(arguments[0]))}]"]
    if origin is dict:
        return [f"Mapping[str, {_union(_spelled(arguments[1]))}]"]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation.__name__, PARTIAL] if annotation.__name__ in TABLES else [PARTIAL]
    return [f"Literal[{', '.join(map(_quoted, arguments))}]" if origin is Literal else SCALARS.get(annotation, "Any")]


def _annotated(arguments: tuple[Any, ...]) -> list[str]:
    """Return what an annotated type accepts: members of a menu by name or table, and the input of a validator."""
    inner = _spelled(arguments[0])
    for each in arguments[1:]:
        none = [name for name in inner if name == "None"]
        if hasattr(each, "_menu"):
            return ["str", PARTIAL, *none]
        wider = getattr(each, "json_schema_input_type", None)
        if isinstance(wider, type | types.UnionType) or get_origin(wider) is not None:
            inner = [*_spelled(wider), *none]
    return inner


def _quoted(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _union(members: Iterable[str]) -> str:
    """Return a union without repetitions, with None at its end. The order is that of the names."""
    names = dict.fromkeys(members)
    if "Any" in names:
        return "Any"
    if "None" in names:
        del names["None"]
        names["None"] = None
    return " | ".join(names)
