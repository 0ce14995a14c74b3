"""The JSON Schema of a metric: a name, or a table with `kind` and the options of the metric."""

from __future__ import annotations

from typing import Any

from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import misfit
from manyheads.tasks.kind import Kind

Schema = dict[str, Any]


def metric_schema(description: str | None = None, *, primary: bool = False) -> Schema:
    """Return the schema of `metric`, or of an entry of `metrics`. `primary`: only metrics that may be primary."""
    names = [name for name, metric in METRICS.items() if metric.primary or not primary]
    options: dict[str, Schema] = {}
    owners: dict[str, list[str]] = {}
    for name in names:
        for key, schema in _options(name).items():
            options.setdefault(key, schema)
            owners.setdefault(key, []).append(name)
    rules = [_only_for(key, kinds) for key, kinds in owners.items()]
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
    from manyheads.recipe.json_schema import schema_of

    properties: dict[str, Schema] = schema_of(METRICS[name].options)["properties"]
    return {key: schema for key, schema in properties.items() if key != "kind"}


def _only_for(key: str, kinds: list[str]) -> Schema:
    """Return the rule that only some metrics have an option."""
    other = {"properties": {"kind": {"not": {"enum": kinds}}}, "required": ["kind"]}
    return {"if": other, "then": {"properties": {key: False}}}
