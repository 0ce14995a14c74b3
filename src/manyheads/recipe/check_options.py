"""Checks of a recipe that types cannot express: names on menus, and combinations of options.

A recipe has one fault per key. One error lists all faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from manyheads.data.batching import BATCHING
from manyheads.data.reading import FORMATS, files_of
from manyheads.errors import RecipeError, by_caller, did_you_mean
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import misfit, misfit_of_options
from manyheads.model.heads import DEFAULT, HEADS
from manyheads.model.heads.options import HeadOptions
from manyheads.model.losses import fitting_losses
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.run.names import RESERVED, TASK_NAME, TASK_NAMES
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.training.optimizer import SHAPES
from manyheads.training.weighting import WEIGHTING

SHOWN = 10
"""Faults that one error shows in full."""

Where = Callable[[Sequence[str]], str]
"""Returns the place of a key for messages, such as "file:line, key a.b"."""


@dataclass(frozen=True)
class Fault:
    """One fault: the key, what is wrong, the value found, the values allowed, and what to do."""

    key: tuple[str, ...]
    what: str
    found: object = None
    allowed: str | None = None
    hint: str | None = None


def raise_faults(faults: Sequence[Fault], where: Where) -> None:
    """Raise one error for all faults, with the first ten in full. Do nothing if there are no faults.

    Raises:
        RecipeError: There is at least one fault.
    """
    if not faults:
        return
    errors = [
        RecipeError(fault.what, where=where(fault.key), found=fault.found, allowed=fault.allowed, hint=fault.hint)
        for fault in faults[:SHOWN]
    ]
    if len(faults) == 1:
        raise errors[0]
    shown = "\n".join(str(error) for error in errors)
    more = f"\n... and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    raise RecipeError(f"the recipe has {len(faults)} faults\n{shown}{more}")


def from_validation(error: ValidationError, root: type[BaseModel] = Recipe) -> list[Fault]:
    """Convert a validation error of the model `root` into faults.

    A value that matches no member of a union gives one fault, which lists what all members allow.
    """
    faults: dict[tuple[str, ...], Fault] = {}
    for entry in error.errors(include_url=False):
        key, model = _walk(entry["loc"], root)
        fault = _fault(key, model, dict(entry))
        before = faults.get(key)
        if before is not None and before.allowed and fault.allowed and fault.allowed not in before.allowed:
            fault = replace(before, allowed=f"{before.allowed} or {fault.allowed}")
        elif before is not None:
            continue
        faults[key] = fault
    return list(faults.values())


def misspelt_tasks(content: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield a fault for each task that has neither a kind nor a train file, and nearly the name of another task."""
    tasks = content.get("tasks")
    named = tasks if isinstance(tasks, Mapping) else {}
    tables = {name: keys for name, keys in named.items() if isinstance(keys, Mapping)}
    complete = [name for name, keys in tables.items() if "kind" in keys]
    for name, keys in tables.items():
        hint = None if "kind" in keys or "train" in keys else did_you_mean(name, complete)
        if hint is not None:
            yield Fault(("tasks", name), f"there is no task {name!r}", allowed=", ".join(complete), hint=hint)


def _fault(key: tuple[str, ...], model: type[BaseModel] | None, entry: Mapping[str, Any]) -> Fault:
    kind, value, context = entry["type"], entry["input"], entry.get("ctx", {})
    if kind in ("extra_forbidden", "unknown_key"):
        names = context["names"] if "names" in context else list(model.model_fields if model is not None else ())
        return Fault(key, f"unknown key '{key[-1]}'", None, ", ".join(names), did_you_mean(key[-1], names))
    if kind == "other_kind":
        hint = f"remove {key[-1]}, or change kind"
        return Fault(key, f"{context['noun']} has no {key[-1]}", value, hint=hint)
    if kind == "missing":
        return Fault(key, f"the key '{key[-1]}' is missing", None, None, f"add the key '{key[-1]}'")
    if kind == "literal_error":
        allowed = str(context["expected"])
        names = [name.strip("'") for name in allowed.replace(" or ", ", ").split(", ")]
        return Fault(key, "the value is not allowed", value, allowed, did_you_mean(str(value), names))
    if kind == "value_error":
        return Fault(key, str(entry["msg"]).removeprefix("Value error, "), value)
    return Fault(key, "the value is invalid" if value is not None else "None is not a value", value, _allowed(entry))


def _allowed(entry: Mapping[str, Any]) -> str:
    """Return what is allowed, in the terms of TOML.

    The fallback is pydantic's message "Input should be ..." without these words.
    """
    kind, context = entry["type"], entry.get("ctx", {})
    if kind in ("dict_type", "model_type"):
        return "a table"
    if kind in ("too_long", "too_short"):
        bound = f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        return f"{bound} items"
    if kind == "string_too_short":
        return f"at least {context['min_length']} character" + ("" if context["min_length"] == 1 else "s")
    message = str(entry["msg"])
    return message.removeprefix("Input should be ").removeprefix("a valid ")


def _walk(location: Iterable[int | str], root: type[BaseModel]) -> tuple[tuple[str, ...], type[BaseModel] | None]:
    """Return the key of a pydantic location without names of union members, and the model that contains the key."""
    key: list[str] = []
    model: type[BaseModel] | None = root
    names_follow = False
    for part in location:
        if (model is None and not names_follow) or not isinstance(part, str):
            break
        key.append(part)
        if names_follow or model is None:
            names_follow = False
        elif part in (fields := _fields(model)):
            annotation = fields[part].annotation
            names_follow = get_origin(annotation) is dict
            model = _model_of(annotation)
    return tuple(key), model


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the fields of a model. A task has the keys of all kinds."""
    if model is not TaskOptions:
        return model.model_fields
    own = {key: field for kind in KINDS.values() for key, field in kind.options.model_fields.items()}
    return {**own, **model.model_fields}


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the options model in an annotation, which may be a union or a table of models. None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        model = _model_of(argument)
        if model is not None:
            return model
    return None


def check_recipe(recipe: Recipe) -> list[Fault]:
    """Return all faults of a recipe whose types are valid."""
    faults = [
        *_menu(("batching", "strategy"), recipe.batching.strategy.kind, BATCHING),
        *_menu(("training", "schedule"), recipe.training.schedule, SHAPES),
        *_menu(("training", "weighting"), recipe.training.weighting.kind, WEIGHTING),
    ]
    if recipe.pretraining is not None:
        faults.extend(_menu(("pretraining", "schedule"), recipe.pretraining.schedule, SHAPES))
    for name, options in recipe.tasks.items():
        faults.extend(_task(name, options))
    if all(options.loss_weight == 0 for options in recipe.tasks.values()):
        faults.append(Fault(("tasks",), "every task has loss_weight 0, so nothing would be trained"))
    return faults


def head_of(options: TaskOptions) -> str:
    """Return the head of a task: the one in the recipe, or the default for how its texts are encoded."""
    if options.head.kind is not None:
        return options.head.kind
    reads = _encoding(options)
    fitting = fitting_heads(KINDS[options.kind], reads)
    return DEFAULT[reads] if DEFAULT[reads] in fitting or not fitting else fitting[0]


def head_options(options: TaskOptions) -> HeadOptions:
    """Return the options of the head of a task, with its kind and the defaults of its own options."""
    if options.head.kind is not None:
        return options.head
    head = head_of(options)
    given = {key: getattr(options.head, key) for key in options.head.model_fields_set - {"kind"}}
    return HEADS[head].options(kind=head, **given)


def fitting_heads(kind: type[Kind], reads: str) -> list[str]:
    """Return the heads that fit a kind and read texts in one of these encodings: "single", "cross" or "bi"."""
    return [name for name, entry in HEADS.items() if entry.reads == reads and entry.fits(kind.sample())]


def _encoding(options: TaskOptions) -> str:
    """Return what a head of the task reads: a pair as it is encoded, one text, or the first token of each word."""
    return pairing_of(options) or ("tokens" if KINDS[options.kind].reads == "tokens" else "single")


def pairing_of(options: TaskOptions) -> str | None:
    """Return how the pair of a task is encoded: "cross" or "bi", or None for one text.

    Without `pair` in the recipe, the head decides. Without a head, it is the default of the kind, usually "cross".
    """
    if options.pair is not None or not _is_paired(options):
        return options.pair
    head = HEADS.get(options.head.kind or "")
    if head is None:
        return KINDS[options.kind].pairings[0]
    return "bi" if head.reads == "bi" else "cross"


def _is_paired(options: TaskOptions) -> bool:
    """Return whether a head of the task reads pairs: of two texts, or of a text with each of its candidates."""
    return len(options.text) > 1 or KINDS[options.kind].reads == "candidates"


def _task(name: str, options: TaskOptions) -> Iterator[Fault]:
    key = ("tasks", name)
    if not TASK_NAME.fullmatch(name):
        yield Fault(
            key,
            "the name of the task cannot be used in file names",
            name,
            TASK_NAMES,
        )
    elif name in RESERVED:
        names = ", ".join(RESERVED)
        yield Fault(key, "a task cannot have the name of a metric over all tasks", name, f"any name but {names}")
    if len(set(options.text)) < len(options.text):
        count = {2: "two", 3: "three"}[len(options.text)]
        what = "the two text columns are the same" if len(options.text) == 2 else "two text columns are the same"
        yield Fault((*key, "text"), what, options.text, f"{count} different columns")
    if options.format is not None:
        yield from _menu((*key, "format"), options.format, FORMATS)
    yield from _labels(key, options)
    for split, file in (("dev", options.dev), ("test", options.test)):
        if not isinstance(file, float | None) and set(files_of(file)) & set(files_of(options.train)):
            hint = "name another file"
            if split == "dev":
                hint += ", or hold out a share of the training rows: dev = 0.1"
            yield Fault((*key, split), f"the {split} file is the training file", file, hint=hint)
    if options.labels_unknown == "wrong" and not KINDS[options.kind].counts_unknown:
        what = f"{KINDS[options.kind].noun} cannot count a label that training does not know as wrong"
        yield Fault((*key, "labels_unknown"), what, options.labels_unknown, "error, skip")
    yield from _kind(key, options)
    yield from _head(key, options)


def _labels(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    """Yield the faults of the columns of labels, groups and weights."""
    labels = label_columns(options)
    if not labels and KINDS[options.kind].label_required:
        yield Fault((*key, "label"), "the key 'label' is missing", hint="add the key 'label'")
    if set(labels) & set(options.text):
        yield Fault((*key, "label"), "the label column is also a text column", options.label)
    if len(set(labels)) < len(labels):
        yield Fault((*key, "label"), "a label column is named twice", options.label, "different columns")
    if isinstance(options.label, list) and not KINDS[options.kind].several_columns:
        kinds = [name for name, kind in KINDS.items() if kind.several_columns]
        what = f"{KINDS[options.kind].noun} has one label column"
        hint = f"name one column, or set kind to {' or '.join(map(repr, kinds))}"
        yield Fault((*key, "label"), what, options.label, hint=hint)
    known = getattr(options, "labels", None)
    if isinstance(options.label, list) and known and len(known) != len(labels):
        what = "the number of labels differs from the number of label columns"
        yield Fault((*key, "labels"), what, len(known), str(len(labels)))
    if options.group is not None and options.group in labels:
        yield Fault((*key, "group"), "the label column is also the column of groups", options.group)
    if options.weight is not None and options.weight in (*labels, *options.text):
        what = "the column of weights is also a text or label column"
        yield Fault((*key, "weight"), what, options.weight, "a column of numbers")


def label_columns(options: TaskOptions) -> tuple[str, ...]:
    """Return the columns with the labels of a task. () for rows without labels."""
    if options.label is None:
        return ()
    return (options.label,) if isinstance(options.label, str) else tuple(options.label)


def _kind(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    kind = KINDS[options.kind]
    faults = [Fault((*key, each.key), each.what, each.found, each.allowed, each.hint) for each in kind.faults(options)]
    yield from faults
    # The label space decides which losses fit. Before the file is read, every loss of the kind is allowed.
    known = None if faults else kind.of(options)
    named = known or kind.sample()
    yield from check_metrics(key, options, named, known=known is not None)
    losses = fitting_losses(named)
    if not losses:  # only a kind from outside the package
        found = f"targets {named.target!r} with outputs {', '.join(named.forms)}"
        hint = "register a LossEntry for them, or " + by_caller("give its file with --plugin", "import its file")
        yield Fault((*key, "kind"), f"no loss on the menu fits {kind.noun}", found, hint=hint)
    elif options.loss is not None:
        yield from _menu((*key, "loss"), options.loss.kind, losses)


def _head(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    kind = KINDS[options.kind]
    fewest, most = kind.texts
    if not fewest <= len(options.text) <= most:
        count, allowed = ("one", "one column") if most == 1 else (f"{fewest} or {most}", f"{fewest} or {most} columns")
        columns = "column" if most == 1 else "columns"
        yield Fault((*key, "text"), f"{kind.noun} reads {count} text {columns}", options.text, allowed)
        return
    if options.pair is not None and _is_paired(options) and options.pair not in kind.pairings:
        allowed = ", ".join(kind.pairings)
        yield Fault((*key, "pair"), f"{kind.noun} encodes each text in its own sequence", options.pair, allowed)
        return
    if options.pair is not None and not _is_paired(options):
        remedy = "remove pair, or name two columns"
        yield Fault((*key, "pair"), "a pair requires two text columns", options.pair, hint=remedy)
        return
    reads = _encoding(options)
    fitting = fitting_heads(kind, reads)
    head = head_of(options)
    if head not in HEADS:
        yield from _menu((*key, "head", "kind"), head, fitting)
    elif HEADS[head].reads != reads:
        pairs = _is_paired(options) and len(options.text) < 3 and HEADS[head].reads in ("cross", "bi")
        hint = f'set pair = "{HEADS[head].reads}"' if pairs else None
        what = f"the head requires {_shape(HEADS[head].reads)}, and the task has {_shape(reads)}"
        yield Fault((*key, "head", "kind"), what, head, ", ".join(fitting), hint)
    elif head not in fitting:
        what = f"the head does not fit {kind.noun}"
        yield Fault((*key, "head", "kind"), what, head, ", ".join(fitting))


def _shape(reads: str) -> str:
    """Return what a head reads, in words."""
    return {
        "single": "one text",
        "cross": "a pair in one sequence",
        "bi": "a pair in two sequences",
        "tokens": "the words of one text",
    }[reads]


def _menu(key: tuple[str, ...], name: str, menu: Mapping[str, object] | Iterable[str]) -> Iterator[Fault]:
    names = list(menu)
    if name not in names:
        yield Fault(key, f"unknown {_noun(key)}", name, ", ".join(names), did_you_mean(name, names))


def _noun(key: tuple[str, ...]) -> str:
    """Return what the value of a key names: "loss", "strategy", "head"."""
    return key[-2] if key[-1] == "kind" else key[-1]


Content = str | Mapping[str, Any]


def check_metrics(key: tuple[str, ...], options: TaskOptions, kind: Kind, *, known: bool) -> Iterator[Fault]:
    """Yield the faults of `metric` and `metrics` of a task.

    `kind`: the kind of the task. `known`: whether its label space is that of the task.
    """
    if options.metric is not None:
        yield from _check((*key, "metric"), options.metric, kind, known, primary=True)
    for content in options.metrics or ():
        yield from _check((*key, "metrics"), content, kind, known, primary=False)
    yield from _equal_names((*key, "metrics"), options)


def _check(key: tuple[str, ...], content: Content, kind: Kind, known: bool, *, primary: bool) -> Iterator[Fault]:
    form = kind if known else kind.sample()
    fits = [name for name, each in METRICS.items() if misfit(each, form) is None and (each.primary or not primary)]
    name = content if isinstance(content, str) else content.get("kind")
    shown = "metric" if isinstance(content, str) else "kind"
    at = key if isinstance(content, str) or key[-1] == "metrics" else (*key, "kind")
    if not isinstance(name, str) or name not in METRICS:
        what = f"the table of a metric has no {shown}" if name is None else "unknown metric"
        yield Fault(at if name is not None else key, what, name, ", ".join(fits), did_you_mean(str(name), fits))
        return
    metric = METRICS[name]
    reason = misfit(metric, form)
    if reason is not None:
        yield Fault(at, f"the metric {name} does not fit the task: {reason}", name, ", ".join(fits))
        return
    if primary and metric.reason_not_primary is not None:
        what = f"the metric {name} cannot be the primary metric: {metric.reason_not_primary}"
        hint = f'to compute it in addition, set metrics = ["{name}"]'
        yield Fault(at, what, name, ", ".join(fits), hint)
        return
    table = {"kind": name} if isinstance(content, str) else dict(content)
    try:
        options = metric.options.model_validate(table)
    except ValidationError as error:
        for fault in from_validation(error, metric.options):
            yield replace(fault, key=(*key, *fault.key) if key[-1] == "metric" else key)
        return
    reason = misfit_of_options(metric, options, kind) if known else None
    if reason is not None:
        yield Fault(key, f"the metric {name} does not fit the task: {reason}", content)


def _equal_names(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    """Yield a fault for metrics that are different and would have the same name in results."""
    contents = [each for each in (options.metric, *(options.metrics or ())) if each is not None]
    choices = [MetricChoice.of(each) for each in contents if isinstance(each, str) or "kind" in each]
    for place, choice in enumerate(choices):
        same = [each for each in choices[:place] if each.name == choice.name and each != choice]
        if same:
            yield Fault(key, "two metrics have the same name in results", choice.name, hint="remove one of them")
