"""The JSON Schema of a study, and the schema files that the package contains.

`python -m manyheads.studies.json_schema` writes the files, and the types of the keys for Python, after a change of the
options.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

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
from manyheads.run.names import TASK_NAME as NAME
from manyheads.studies.load import REMARK, ROW_NAME, TAKEN
from manyheads.studies.schema import StudyOptions
from manyheads.studies.typed_keys import FILE, keys_file

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
