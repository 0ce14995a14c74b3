"""The JSON Schema of a recipe, generated from its options. Editors use it to complete and check recipes.

The draft is draft 7, the newest one that the editor extensions for TOML understand. Rules between keys are `if`/`then`
pairs. Some rules cannot be written as JSON Schema, for example that the label column is not a text column; only
manyheads checks those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import misfit
from manyheads.model.heads import HEADS
from manyheads.model.losses import fitting_losses
from manyheads.options import only_for
from manyheads.recipe.schema import Recipe, keys_of_kinds
from manyheads.run.names import RESERVED
from manyheads.run.names import TASK_NAME as NAME
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS

DRAFT = "http://json-schema.org/draft-07/schema#"

TASK_NAME = f"^{NAME.pattern}$"

Schema = dict[str, Any]


def recipe_schema() -> Schema:
    """Return the JSON Schema of a recipe file."""
    schema = schema_of(Recipe)
    tasks = schema["properties"]["tasks"]
    keys = tasks["additionalProperties"]["properties"]
    keys["metric"] = metric_schema(keys["metric"]["description"], primary=True)
    keys["metrics"] = {**keys["metrics"], "items": metric_schema()}
    unlabelled = [name for name, kind in KINDS.items() if not kind.label_required]
    task = {
        **_with_kinds(tasks.pop("additionalProperties")),
        "dependencies": {
            "class_weights": {"anyOf": [_value("class_weights", "string"), {"required": ["labels"]}]},
            "kind": {"anyOf": [{"properties": {"kind": {"enum": unlabelled}}}, {"required": ["label"]}]},
        },
        **unseen(allOf=task_rules()),
    }
    others = schema["properties"]["held_out_with"]
    others["additionalProperties"] = _with_kinds(others["additionalProperties"])
    schema["properties"]["tasks"] = {
        **tasks,
        "additionalProperties": False,
        "patternProperties": {TASK_NAME: task},
        "not": {
            "anyOf": [
                {"additionalProperties": {"required": ["loss_weight"], "properties": {"loss_weight": {"const": 0}}}},
                *({"required": [name]} for name in RESERVED),
            ]
        },
    }
    return {"$schema": DRAFT, "title": "manyheads recipe", **schema}


def schema_of(options: type[BaseModel]) -> Schema:
    """Return the JSON Schema of an options type as the loader accepts it, without references."""
    schema = options.model_json_schema(schema_generator=_Generator)
    definitions = schema.pop("$defs", {})
    inlined: Schema = _inline(schema, definitions)
    return inlined


def _with_kinds(task: Schema) -> Schema:
    """Return the schema of a task with the keys of all kinds."""
    own: Schema = {}
    for kind in KINDS.values():
        own = {**schema_of(kind.options)["properties"], **own}
    return {**task, "properties": {**task["properties"], **own}}


def task_rules() -> list[Schema]:
    """Return the rules between the keys of a task: what fits its kind, its labels and its text columns."""
    chooses = {"enum": [name for name, kind in KINDS.items() if kind.reads == "candidates"]}
    return [
        *(rule for name in KINDS for rule in _kind_rules(name)),
        _rule({"text": {"maxItems": 1}, "kind": {"not": chooses}}, {"pair": False, "head": _heads("single", "tokens")}),
        _rule({"kind": chooses}, {"head": _heads("cross", "bi")}),
        _rule({"text": {"type": "array", "minItems": 2}}, {"head": _heads("cross", "bi")}),
        _rule({"pair": {"const": "cross"}}, {"head": _heads("cross")}),
        _rule({"pair": {"const": "bi"}}, {"head": _heads("bi")}),
    ]


def _kind_rules(name: str) -> Iterator[Schema]:
    """Yield the rules of a kind: the keys of other kinds, and the metrics and losses that fit."""
    kind = KINDS[name]
    own = schema_of(kind.options)["properties"]
    others: Schema = {key: False for key, kinds in keys_of_kinds().items() if name not in kinds}
    others |= {key: _plain(own[key]) for key, kinds in keys_of_kinds().items() if name in kinds and len(kinds) > 1}
    fewest, most = kind.texts
    several = {"type": "array", "minItems": fewest} if fewest > 1 else {}
    others |= {"text": {**several, "maxItems": most}}
    fitting = {**_metrics(kind.sample()), "loss": _named(fitting_losses(kind.sample()))}
    yield _rule({"kind": {"const": name}}, {**others, **fitting})
    for condition, narrower in kind.narrower():
        yield _rule({"kind": {"const": name}, **condition}, {"loss": _named(fitting_losses(narrower))})


def _plain(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("description", "default")}


def unseen(**keywords: object) -> Schema:
    """Keywords that validators obey and that do not add to the keys and values that editors suggest."""
    return {"if": True, "then": keywords}


def partial(schema: Schema) -> Schema:
    """Return the schema of a partial table: every key is optional, at any depth, and no key has a default."""
    kept = {key: value for key, value in schema.items() if key not in ("required", "default", "dependencies")}
    if "properties" not in schema and "patternProperties" not in schema:
        return kept
    for key in ("not", "minProperties"):
        kept.pop(key, None)
    for key in ("properties", "patternProperties"):
        if key in kept:
            kept[key] = {name: partial(each) for name, each in kept[key].items()}
    return kept


def keys_within(table: Schema, prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every key of a table and of the tables in it, with dots, and the schema of its value."""
    for name, schema in table.get("properties", {}).items():
        yield prefix + name, schema
        yield from keys_within(schema, f"{prefix}{name}.")


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without titles, null values and defaults of tables, which TOML files do not have."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> Schema:
        """The value that may be absent. TOML has no null."""
        return self.generate_inner(schema["schema"])

    def literal_schema(self, schema: core_schema.LiteralSchema) -> Schema:
        """A list of values, also if there is only one: editors suggest the values of `enum`."""
        found = super().literal_schema(schema)
        return {"enum": [found.pop("const")], **found} if "const" in found else found

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> Schema:
        """The value with its default, except where that is an absent value or a table with defaults of its own."""
        found = super().default_schema(schema)
        if found.get("default") is None or isinstance(found["default"], dict):
            found.pop("default", None)
        return found


def _inline(schema: Any, definitions: Mapping[str, Schema]) -> Any:
    """Replace references by what they refer to. Keywords next to a reference win. Titles are dropped."""
    if isinstance(schema, list):
        return [_inline(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _inline(value, definitions) for key, value in schema.items() if not _is_title(key, value)}
    reference = found.pop("$ref", None)
    if reference is not None:
        found = {**_inline(definitions[reference.rpartition("/")[2]], definitions), **found}
    options = found.pop("anyOf", None)
    return found if options is None else {**_union(options), **found}


def _is_title(key: str, value: object) -> bool:
    return key == "title" and isinstance(value, str)


def _union(options: list[Schema]) -> Schema:
    """One schema with several types instead of `anyOf`, because validators explain its errors better.

    `anyOf` stays in addition where a member lists its values, which editors then suggest.
    """
    types = [option["type"] for option in options]
    joined: Schema = {"type": types}
    for option in options:
        joined.update({key: value for key, value in option.items() if key not in ("type", "enum", "description")})
    if any("enum" in option for option in options):
        joined["anyOf"] = [{key: option[key] for key in ("type", "enum") if key in option} for option in options]
    return joined


def _rule(condition: Mapping[str, Any], consequence: Mapping[str, Any]) -> Schema:
    """If the table has these keys with such values, then other keys are restricted."""
    return {"if": {"required": [*condition], "properties": {**condition}}, "then": {"properties": {**consequence}}}


def _value(key: str, kind: str) -> Schema:
    """The value of a key has a type."""
    return {"properties": {key: {"type": kind}}}


def _metrics(kind: Kind) -> Schema:
    """The metrics that fit a kind of task."""
    return {"metric": among(kind, primary=True), "metrics": {"items": among(kind, primary=False)}}


def _heads(*reads: str) -> Schema:
    """A head, as a string or a table, that reads texts in one of these encodings."""
    return _named(name for name, entry in HEADS.items() if entry.reads in reads)


def _named(members: Iterable[str]) -> Schema:
    """A member of a menu, as a string or a table, that has one of these names."""
    names = {"enum": [*members]}
    return {"if": {"type": "string"}, "then": names, "else": {"properties": {"kind": names}}}


def metric_schema(description: str | None = None, *, primary: bool = False) -> Schema:
    """Return the schema of `metric`, or of an entry of `metrics`. `primary`: only metrics that may be primary."""
    names = [name for name, metric in METRICS.items() if metric.primary or not primary]
    options: dict[str, Schema] = {}
    owners: dict[str, list[str]] = {}
    for name in names:
        for key, schema in _options(name).items():
            options.setdefault(key, schema)
            owners.setdefault(key, []).append(name)
    rules = [only_for(key, kinds) for key, kinds in owners.items()]
    return {
        **({} if description is None else {"description": description}),
        "type": ["string", "object"],
        "anyOf": [{"type": "string", "enum": names}, {"type": "object"}],
        "properties": {"kind": {"description": "Name of the metric.", "type": "string", "enum": names}, **options},
        "required": ["kind"],
        "additionalProperties": False,
        # Validators obey `then`, and editors do not suggest what it has.
        "if": True,
        "then": {"allOf": rules},
    }


def among(kind: Kind, *, primary: bool) -> Schema:
    """Return the rule that a metric, as a name or a table, fits a kind of task."""
    names = [
        name for name, metric in METRICS.items() if misfit(metric, kind) is None and (metric.primary or not primary)
    ]
    return {"if": {"type": "string"}, "then": {"enum": names}, "else": {"properties": {"kind": {"enum": names}}}}


def _options(name: str) -> dict[str, Schema]:
    """Return the schemas of the options of a metric, without `kind`."""
    properties: dict[str, Schema] = schema_of(METRICS[name].options)["properties"]
    return {key: schema for key, schema in properties.items() if key != "kind"}
