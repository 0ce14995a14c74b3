"""Generates the parts of the reference that must not differ from the code.

A line `<!-- generated: NAME -->` in a page is replaced, before the page is parsed, by the Markdown that the generator
NAME returns.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from sphinx.application import Sphinx

PLACEHOLDER = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)

BOUNDS = {
    "ge": "at least {}",
    "gt": "greater than {}",
    "le": "at most {}",
    "lt": "less than {}",
    "min_length": "at least {} {unit}",
    "max_length": "at most {} {unit}",
}
TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


SCHEDULES = {
    "constant": "The learning rate stays the same after the warm-up.",
    "linear": "The learning rate falls to zero in a straight line after the warm-up.",
    "cosine": "The learning rate falls to zero as half a cosine after the warm-up.",
}

# Keys of recipes and studies


def recipe_keys() -> str:
    """Every key of a recipe, table by table."""
    from manyheads.recipe.schema import Recipe

    return "\n".join(_table("Top level", "", "", Recipe))


def study_keys() -> str:
    """Every key of a study."""
    from manyheads.studies.schema import StudyOptions

    return "\n".join(_table("Top level", "", "study: ", StudyOptions))


def _table(title: str, prefix: str, kind: str, options: type[BaseModel]) -> Iterator[str]:
    """A section with the keys of a table, then the sections of the tables in it."""
    yield f"\n## {title}\n"
    if prefix:
        yield f"{_sentences(options)}\n"
    inner: list[tuple[str, FieldInfo, type[BaseModel]]] = []
    for name, field in [*options.model_fields.items(), *_added(options)]:
        model, many = _model(field.annotation)
        if model is not None:
            inner.append((f"{prefix}{name}.NAME" if many else prefix + name, field, model))
        if model is None or field.annotation is None or _short_form(field):
            yield from _key(prefix + name, kind, field)
    if options.__name__ == "TaskOptions":
        from manyheads.evaluation.metrics.metric import MetricOptions

        inner.append((f"{prefix}metric", options.model_fields["metric"], MetricOptions))
    for name, field, model in inner:
        if field.description:
            yield from ()
        yield from _table(f"`[{name}]`", f"{name}.", kind, model)


def _added(options: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The keys that a table has for some of its values of `kind`: those of kinds of tasks, and those of losses.

    A key of several members has the descriptions of all of them.
    """
    from manyheads.data.batching import BATCHING
    from manyheads.data.batching.options import StrategyOptions
    from manyheads.evaluation.metrics import METRICS
    from manyheads.evaluation.metrics.metric import MetricOptions
    from manyheads.model.heads import HEADS
    from manyheads.model.heads.options import HeadOptions
    from manyheads.model.losses import LOSSES
    from manyheads.model.losses.options import LossOptions
    from manyheads.recipe.schema import TaskOptions
    from manyheads.tasks.kinds import KINDS
    from manyheads.training.weighting import WEIGHTING
    from manyheads.training.weighting.options import WeightingOptions

    menus: Mapping[type[BaseModel], Mapping[str, Any]] = {
        TaskOptions: KINDS,
        HeadOptions: HEADS,
        StrategyOptions: BATCHING,
        WeightingOptions: WEIGHTING,
        LossOptions: LOSSES,
        MetricOptions: METRICS,
    }
    found: dict[str, dict[str, FieldInfo]] = {}
    for name, member in menus.get(options, {}).items():
        for key, field in member.options.model_fields.items():
            if key not in options.model_fields:
                found.setdefault(key, {})[name] = field
    for key, fields in found.items():
        first = next(iter(fields.values())).asdict()
        meanings = dict.fromkeys(str(field.description) for field in fields.values())
        of = {meaning: [name for name, field in fields.items() if field.description == meaning] for meaning in meanings}
        words = " ".join(f"{_kinds(names)}: {meaning}" for meaning, names in of.items())
        yield key, FieldInfo(**{**first["attributes"], "annotation": first["annotation"], "description": words})


def _kinds(names: Sequence[str]) -> str:
    return " and ".join(f"`{name}`" for name in names)


def _short_form(field: FieldInfo) -> bool:
    """Whether a table may also be written as a string, so that its own key is worth an entry."""
    return any(type(each).__name__ in ("BeforeValidator", "_Choice") for each in field.metadata)


def _key(name: str, kind: str, field: FieldInfo) -> Iterator[str]:
    """One key as a configuration value of Sphinx: it has an anchor and is found by the search."""
    yield f"```{{confval}} {kind}{name}"
    yield f":type: {type_of(field)}"
    yield f":default: {_default(field)}"
    yield ""
    yield (field.description or "").strip()
    yield "```\n"


def type_of(field: FieldInfo) -> str:
    """The type of a key in words, with its bounds and allowed values."""
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, Mapping) else {}
    if "enum" in extra:
        found = _choices(extra["enum"])  # type: ignore[arg-type]
    else:
        found = _words(field.annotation)
        if _short_form(field) and found.startswith("list of"):
            found = f"{found.removeprefix('list of ').removesuffix('s')}, or {found}"
        elif _short_form(field):
            found = "string or table"
    unit = "item(s)" if "list" in found else "entry" if "table" in found else "character(s)"
    return ", ".join([found, *_bounds(field.metadata, unit)])


def _words(annotation: Any) -> str:  # noqa: PLR0911
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        bounds = [bound for each in arguments[1:] for bound in _bounds(getattr(each, "metadata", [each]), "item(s)")]
        return ", ".join([_words(arguments[0]), *bounds])
    if origin in (Union, UnionType):
        return " or ".join(_words(each) for each in arguments if each is not NoneType)
    if origin is Literal:
        return _choices(arguments)
    if origin is list:
        return f"list of {_plural(_words(arguments[0]))}"
    if origin is dict:
        return "table"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return TYPES.get(annotation, "any value")


def _plural(words: str) -> str:
    first, comma, rest = words.partition(",")
    return " or ".join(f"{word}s" if word != "any value" else "values" for word in first.split(" or ")) + comma + rest


def _choices(values: Iterable[Any]) -> str:
    return " or ".join(f'`"{value}"`' if isinstance(value, str) else f"`{value}`" for value in values)


def _bounds(metadata: Iterable[Any], unit: str) -> list[str]:
    found = []
    for each in metadata:
        for name, words in BOUNDS.items():
            value = getattr(each, name, None)
            if value is not None:
                number = f"2^{value.bit_length() - 1}" if isinstance(value, int) and value > 1 << 40 else f"{value:g}"
                found.append(words.format(number, unit=unit))
    return found


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default_factory() if field.default_factory is not None else field.default  # type: ignore[call-arg]
    if value is None or value is PydanticUndefined:
        return "absent"
    if isinstance(value, BaseModel):
        return "the defaults of its keys"
    return f"`{_toml(value)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return "{ }" if value == {} else f"{value}"


def _model(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The options type within an annotation, and whether there is a table of several by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    many = get_origin(annotation) is dict
    for each in get_args(annotation):
        model, inner = _model(each)
        if model is not None:
            return model, many or inner
    return None, False


# Menus


def menus() -> str:
    """Every member of every menu: its name, what it does, and its source."""
    from manyheads.data.batching import BATCHING
    from manyheads.data.reading import FORMATS
    from manyheads.evaluation.metrics import METRICS
    from manyheads.model.heads import HEADS
    from manyheads.model.losses import LOSSES
    from manyheads.tasks.kinds import KINDS
    from manyheads.training.optimizer import SHAPES
    from manyheads.training.weighting import WEIGHTING

    two = "a pair, or a text and a candidate,"
    reads = {"single": "one text", "cross": f"{two} in one sequence", "bi": f"{two} in two sequences"}
    reads["tokens"] = "the first token of each word of a text"
    lines = ["\n## Menus\n", "The values of the keys that choose a member of a menu.\n"]
    lines += _menu("Kinds of tasks", "tasks.NAME.kind", KINDS)
    heads = {name: entry.build for name, entry in HEADS.items()}
    lines += _menu("Heads", "tasks.NAME.head.kind", heads, {k: f"Reads {reads[e.reads]}." for k, e in HEADS.items()})
    losses = {name: entry.build for name, entry in LOSSES.items()}
    lines += _menu("Losses", "tasks.NAME.loss", losses, {name: _loss_notes(each) for name, each in LOSSES.items()})
    functions = {name: metric.function for name, metric in METRICS.items()}
    lines += _menu("Metrics", "tasks.NAME.metric", functions, {n: _metric_notes(m) for n, m in METRICS.items()})
    files = {name: f"Files that end in {', '.join(each.endings)}." for name, each in FORMATS.items()}
    lines += _menu("Formats of files", "tasks.NAME.format", dict.fromkeys(FORMATS), files)
    lines += _menu("Batching strategies", "batching.strategy", {name: each.build for name, each in BATCHING.items()})
    lines += _menu("Loss weighting", "training.weighting", {name: each.build for name, each in WEIGHTING.items()})
    lines += _menu("Schedules", "training.schedule", dict.fromkeys(SHAPES), {n: SCHEDULES[n] for n in SHAPES})
    return "\n".join(lines)


def _loss_notes(loss: Any) -> str:
    """Which kinds of tasks a loss fits."""
    from manyheads.tasks.kinds import KINDS

    fitting = [name for name, kind in KINDS.items() if loss.form(kind.sample()) is not None]
    return f"Fits {_kinds(fitting)}."


def _metric_notes(metric: Any) -> str:
    """What a metric fits and reads, whether it can be primary, and its options."""
    from manyheads.evaluation.metrics.metric import MEANING

    notes = [f"Fits {' or '.join(MEANING[each] for each in metric.targets)}."]
    if metric.needs == "probabilities":
        notes.append("Reads probabilities.")
    if not metric.primary:
        notes.append(f"Cannot be the primary metric: {metric.reason_not_primary}.")
    for name, field in metric.options.model_fields.items():
        if name != "kind":
            notes.append(f"Option `{name}` ({type_of(field)}): {field.description}")
    return " ".join(notes)


def _menu(title: str, key: str, members: Mapping[str, object], notes: Mapping[str, str] | None = None) -> list[str]:
    lines = [f"\n### {title}\n", f"Values of {{confval}}`{key}`.\n"]
    for name, member in members.items():
        text = [_sentences(member), (notes or {}).get(name, ""), _source(member)]
        lines += [f"`{name}`", f": {' '.join(part for part in text if part)}", ""]
    return lines


def _sentences(member: object) -> str:
    """The first paragraph of a docstring, on one line."""
    text = (inspect.getdoc(member) or "") if member is not None else ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def _source(member: object) -> str:
    """The source of a method, as its docstring or that of its module names it."""
    if member is None:
        return ""
    for text in (inspect.getdoc(member) or "", inspect.getdoc(inspect.getmodule(member)) or ""):
        found = re.search(r"^Sources?: (.*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
        if found is not None:
            return f"Source: {' '.join(found[1].split())}"
    return ""


# Commands


def commands() -> str:
    """Every command with its arguments, options, exit statuses and files."""
    import typer

    from manyheads.cli.facts import COMMANDS, COMMON
    from manyheads.cli.main import app

    group: Any = typer.main.get_command(app)
    types = {
        callback.__name__: get_type_hints(callback) for each in app.registered_commands if (callback := each.callback)
    }
    lines = ["\n## Exit statuses of all commands\n", *_statuses(COMMON)]
    for name, command in group.commands.items():
        facts = COMMANDS[name]
        lines += [f"\n(command-{name})=\n## manyheads {name}\n", f"{_help(command.help)}\n"]
        arguments = [each for each in command.params if each.param_type_name == "argument"]
        usage = " ".join(["manyheads", name, "[OPTIONS]", *(_metavar(each) for each in arguments)])
        lines += ["```text", usage, "```\n", f"```{{program}} manyheads {name}\n```\n"]
        for argument in arguments:
            lines += [f"```{{option}} {_metavar(argument)}", _help(argument.help), "```\n"]
        for option in command.params:
            if option.param_type_name == "option" and not option.hidden:
                lines += _option(option, types[name][option.name])
        lines += [f"**Reads.** {facts.reads}\n", f"**Writes.** {facts.writes}\n"]
        if facts.statuses:
            lines += ["**Exit statuses** beyond the common ones:\n", *_statuses(facts.statuses)]
    return "\n".join(lines)


def _metavar(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return f"{name} ..." if argument.nargs == -1 and " " not in name else str(name)


def _statuses(statuses: Mapping[str, str]) -> list[str]:
    return [line for status, meaning in statuses.items() for line in (f"{status}", f": {meaning}", "")]


def _help(text: str | None) -> str:
    return re.sub(r"(?<!`)(--[\w-]+)", r"`\1`", (text or "").replace("\b", "").strip())


def _option(option: Any, annotation: Any) -> list[str]:
    value = "" if option.is_flag else f" {option.metavar or _value(annotation)}"
    names = ", ".join(f"{each}{value}" for each in [*option.opts, *option.secondary_opts])
    notes = []
    if option.required:
        notes.append("Required.")
    default = getattr(option.default, "value", option.default)
    if not option.is_flag and isinstance(default, str | int | float) and option.show_default is not False:
        notes.append(f"Default: `{default}`.")
    if option.is_flag and option.secondary_opts:
        notes.append(f"Default: `{option.opts[0] if option.default else option.secondary_opts[0]}`.")
    if option.multiple and "repeat" not in (option.help or "").lower():
        notes.append("Can be repeated.")
    return [f"```{{option}} {names}", " ".join([_help(option.help), *notes]), "```\n"]


def _value(annotation: Any) -> str:
    """What stands for the value of an option: its choices, or its type."""
    for each in get_args(annotation):
        if each is not NoneType:
            return _value(each)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return "|".join(str(each.value) for each in annotation)
    return {int: "N", float: "X"}.get(annotation, "PATH" if annotation is Path else "TEXT")


# Files


def run_files() -> str:
    """The files of a run folder and their fields."""
    from manyheads.run.contents import RUN_FILES

    return _files(RUN_FILES)


def events() -> str:
    """The events of events.jsonl."""
    from manyheads.run.contents import EVENTS

    lines = []
    for name, (meaning, fields) in EVENTS.items():
        lines += [f"#### `{name}`\n", f"{meaning}\n", *_fields(fields)]
    return "\n".join(lines)


def study_files() -> str:
    """The files of a study's folder and the fields of its table."""
    from manyheads.studies.contents import STUDY_FILES

    return _files(STUDY_FILES)


def bundle_files() -> str:
    """The files of a bundle and the keys of its manifest."""
    from manyheads.run.contents import BUNDLE_FILES

    return _files(BUNDLE_FILES)


def _files(files: Sequence[Any]) -> str:
    lines = ["| File | Written | Content |", "|---|---|---|"]
    lines += [f"| `{each.name}` | {each.written} | {each.meaning} |" for each in files]
    for each in files:
        if each.fields:
            lines += [f"\n### Fields of `{each.name}`\n", *_fields(each.fields)]
    return "\n".join([*lines, ""])


def _fields(fields: Mapping[str, str]) -> list[str]:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in fields.items()]
    return ["| Field | Meaning |", "|---|---|", *rows, ""]


# HTTP


def http_api() -> str:
    """Every route of the server, from its OpenAPI document."""
    schema = openapi()
    lines = []
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            lines += [f"\n### {method.upper()} {path}\n", f"{operation.get('description', '').strip()}\n"]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body is not None:
                lines += [f"**Body**: {_type(body)}\n"]
            lines += ["| Status | Response |", "|---|---|"]
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json", {}).get("schema", {})
                lines.append(f"| {status} | {_type(content)} |")
            lines.append("")
    lines.append("\n## Bodies and responses\n")
    for name, model in schema["components"]["schemas"].items():
        lines += [f"(http-{name.lower()})=\n### {name}\n", " ".join(model.get("description", "").split()) + "\n"]
        required = model.get("required", [])
        lines += ["| Key | Type | Required | Meaning |", "|---|---|---|---|"]
        for key, value in model.get("properties", {}).items():
            needed = "yes" if key in required else "no"
            deprecated = "Deprecated. " if value.get("deprecated") else ""
            meaning = deprecated + " ".join(value.get("description", "").split())
            lines.append(f"| `{key}` | {_type(value)} | {needed} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the server, made without a model."""
    from typing import cast

    from manyheads.inference.predictor import Predictor
    from manyheads.inference.server.app import create_app
    from manyheads.inference.server.options import ServerOptions

    gate: Any = create_app(cast(Predictor, None), ServerOptions())
    app = next(value for value in vars(gate).values() if hasattr(value, "openapi"))
    return dict(app.openapi())


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#http-{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema.get("type", "any"))


def server_limits() -> str:
    """The limits of the server and their defaults."""
    from dataclasses import fields

    from manyheads.inference.server.options import ServerOptions

    meanings = dict(re.findall(r"^ *(\w+): (.+)$", inspect.getdoc(ServerOptions) or "", re.MULTILINE))
    rows = [
        f"| `{each.name}` | {each.default} | {meanings.get(each.name, '')} |"
        for each in fields(ServerOptions)
        if isinstance(each.default, int | float)
    ]
    return "\n".join(["| Limit | Default | Meaning |", "|---|---|---|", *rows, ""])


GENERATORS: Mapping[str, Callable[[], str]] = {
    "recipe-keys": recipe_keys,
    "study-keys": study_keys,
    "menus": menus,
    "commands": commands,
    "run-files": run_files,
    "events": events,
    "study-files": study_files,
    "bundle-files": bundle_files,
    "http-api": http_api,
    "server-limits": server_limits,
}


def fill(text: str) -> str:
    """Return a page with every placeholder replaced by what its generator returns."""
    return PLACEHOLDER.sub(lambda found: GENERATORS[found[1]](), text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill the placeholders of a page when it is read."""

    def replace(_app: Sphinx, _name: str, content: list[str]) -> None:
        content[0] = fill(content[0])

    app.connect("source-read", replace)
    return {"parallel_read_safe": True}
