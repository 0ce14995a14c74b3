"""The files that are made from the options: the JSON Schemas, and the keys as types of Python.

`python -m manyheads.studies.json_schema` writes `schemas/` and `api/keys.py` again after a change of the options.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from manyheads.recipe.json_schema import (
    DRAFT,
    TASK_NAME,
    Schema,
    keys_within,
    partial,
    recipe_schema,
    schema_of,
    unseen,
)
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.run.names import TASK_NAME as NAME
from manyheads.studies.load import REMARK, ROW_NAME, TAKEN
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


FOLDER = Path(__file__).parent.parent / "schemas"

TASK, RECIPE, KEY = "#/definitions/task", "#/definitions/recipe", "#/definitions/key"


def study_schema() -> Schema:
    """Return the JSON Schema of a study file."""
    recipe = partial(recipe_schema())
    recipe = {key: recipe[key] for key in ("type", "properties", "additionalProperties")}
    tasks = recipe["properties"]["tasks"]
    task = tasks["patternProperties"].pop(TASK_NAME)
    tasks["patternProperties"][TASK_NAME] = {"$ref": TASK}
    schema = schema_of(StudyOptions)
    keys = schema["properties"]
    keys["changes"] = {**keys["changes"], **_by_reference(recipe)}
    keys["rows"] |= {
        "additionalProperties": False,
        "patternProperties": {f"^{ROW_NAME.pattern}$": _row(recipe)},
        **unseen(**{"not": {"anyOf": [{"required": [name]} for name in sorted(TAKEN)]}}),
    }
    keys["grid"] |= _grid(recipe, task)
    keys["factors"]["additionalProperties"] = _factor(keys["factors"]["additionalProperties"])
    some = [{"required": [key], "properties": {key: {"minProperties": 1}}} for key in ("rows", "grid")]
    definitions = {"task": task, "recipe": recipe, "key": _factor_key(recipe, task)}
    return {"$schema": DRAFT, "title": "manyheads study", **schema, **unseen(anyOf=some), "definitions": definitions}


def _by_reference(recipe: Schema) -> Schema:
    """A partial recipe whose keys refer to the definition of the partial recipe."""
    keys = {name: {"$ref": f"{RECIPE}/properties/{name}"} for name in recipe["properties"]}
    return {"type": "object", "additionalProperties": False, "properties": keys}


def _row(recipe: Schema) -> Schema:
    """A row: a partial recipe and a remark, which the loader converts to text."""
    row = _by_reference(recipe)
    row["properties"][REMARK] = {"description": "A remark about the row. It is shown with the table."}
    return row


def _grid(recipe: Schema, task: Schema) -> Schema:
    """The keys of a grid, each with a list of values of that key."""

    def values(place: str, key: str, schema: Schema) -> Schema:
        reference = {"$ref": f"{place}/properties/{key.replace('.', '/properties/')}"}
        return {"description": schema.get("description", ""), "type": "array", "minItems": 1, "items": reference}

    return {
        "additionalProperties": False,
        "properties": {key: values(RECIPE, key, schema) for key, schema in keys_within(recipe)},
        "patternProperties": {
            rf"^tasks\.{NAME.pattern}$": {"type": "array", "minItems": 1, "items": {"$ref": TASK}},
            **{_task_key(key): values(TASK, key, schema) for key, schema in keys_within(task)},
        },
    }


def _task_key(key: str) -> str:
    return rf"^tasks\.{NAME.pattern}\.{re.escape(key)}$"


def _factor(table: Schema) -> Schema:
    """A factor: a recipe key, or a table with one or several."""
    several = {"type": "array", "minItems": 1, "items": {"$ref": KEY}}
    key = {"description": table["properties"]["key"]["description"], "anyOf": [{"$ref": KEY}, several]}
    return {
        **table,
        "properties": {**table["properties"], "key": key},
        "anyOf": [{"$ref": KEY}, {"type": "object"}],
    }


def _factor_key(recipe: Schema, task: Schema) -> Schema:
    """A key that can differ between rows: a key with a value, or `pretraining`, which may be absent."""
    names = [key for key, schema in keys_within(recipe) if schema.get("type") != "object" or key == "pretraining"]
    of_task = [_task_key(key) for key, schema in keys_within(task) if "properties" not in schema or key == "loss"]
    return {"type": "string", "anyOf": [{"enum": names}, *({"pattern": pattern} for pattern in of_task)]}


SCHEMAS: Mapping[str, Callable[[], Schema]] = {"recipe": recipe_schema, "study": study_schema}


def schema_json(noun: str) -> str:
    """Return the schema of a "recipe" or a "study" as the text of its file."""
    content: Mapping[str, Any] = SCHEMAS[noun]()
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in SCHEMAS:
        (FOLDER / f"manyheads.{each}.schema.json").write_text(schema_json(each), encoding="utf-8")
    FILE.write_text(keys_file(), encoding="utf-8")
