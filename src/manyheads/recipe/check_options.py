"""Checks of a recipe that types cannot express: names on menus, and combinations of options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from manyheads.data.batching import BATCHING
from manyheads.errors import did_you_mean
from manyheads.model.heads import HEADS
from manyheads.recipe.check_metrics import check_metrics
from manyheads.recipe.faults import Fault
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.run.names import RESERVED, TASK_NAME, TASK_NAMES
from manyheads.tasks import KINDS
from manyheads.training.schedule import SHAPES
from manyheads.training.weighting import WEIGHTING

LARGEST = 3.4028234663852886e38
"""The largest number of float32, in which values are computed."""


def check_recipe(recipe: Recipe) -> list[Fault]:
    """Return all faults of a recipe whose types are valid."""
    faults = [
        *_menu(("batching", "strategy"), recipe.batching.strategy, BATCHING),
        *_menu(("training", "schedule"), recipe.training.schedule, SHAPES),
        *_menu(("training", "weighting"), recipe.training.weighting, WEIGHTING),
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
    return options.head.kind or {None: "linear", "cross": "cross", "bi": "b2"}[pairing_of(options)]


def pairing_of(options: TaskOptions) -> str | None:
    """Return how the pair of a task is encoded: "cross" or "bi", or None for one text.

    Without `pair` in the recipe, the head decides. Without a head, the default is "cross".
    """
    if len(options.text) == 1 or options.pair is not None:
        return options.pair
    head = HEADS.get(options.head.kind or "")
    return "bi" if head is not None and head.reads == "bi" else "cross"


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
        yield Fault((*key, "text"), "the two text columns are the same", options.text, "two different columns")
    if options.label in options.text:
        yield Fault((*key, "label"), "the label column is also a text column", options.label)
    if options.group is not None and options.group == options.label:
        yield Fault((*key, "group"), "the label column is also the column of groups", options.group)
    for split, file in (("dev", options.dev), ("test", options.test)):
        if isinstance(file, str | list) and set(_listed(file)) & set(_listed(options.train)):
            hint = "name another file"
            if split == "dev":
                hint += ", or hold out a share of the training rows: dev = 0.1"
            yield Fault((*key, split), f"the {split} file is the training file", file, hint=hint)
    yield from _kind(key, options)
    yield from _head(key, options)


def _listed(files: str | list[str]) -> list[str]:
    return [files] if isinstance(files, str) else files


def _kind(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    other = {"classification": "range", "regression": "labels"}[options.kind]
    if getattr(options, other) is not None:
        what = f"a {options.kind} task has no {other}"
        yield Fault((*key, other), what, getattr(options, other), hint=f"remove {other}, or change kind")
    if options.class_weights is not None:
        yield from _class_weights((*key, "class_weights"), options)
    try:
        kind = (
            KINDS["classification"]([0, 1, 2] if options.labels is None else options.labels)
            if options.kind == "classification"
            else KINDS["regression"](*(options.range or (0.0, 1.0)))
        )
    except ValueError as error:
        given = "labels" if options.kind == "classification" else "range"
        yield Fault((*key, given), str(error), getattr(options, given))
        return
    if kind.value_range is not None and kind.value_range[1] - kind.value_range[0] > LARGEST:
        yield Fault((*key, "range"), "the range is too wide for float32", options.range, f"at most {LARGEST:.1e} wide")
    yield from check_metrics(key, options, kind)
    if options.loss is not None:
        # The number of labels decides which losses fit. Before the file is read, every loss of the kind is allowed.
        known = options.labels is not None or options.kind == "regression"
        losses = kind.losses if known else KINDS["classification"]([0, 1]).losses
        yield from _menu((*key, "loss"), options.loss, losses)


def _class_weights(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    weights = options.class_weights or []
    if options.kind != "classification":
        yield Fault(key, f"a {options.kind} task has no classes to weight", weights, hint="remove class_weights")
    elif options.labels is None:
        yield Fault(key, "class_weights requires labels, to assign the weights to", weights, hint="add labels = [...]")
    elif len(weights) != len(options.labels):
        yield Fault(
            key, "the number of class weights differs from the number of labels", len(weights), str(len(options.labels))
        )
    if any(weight < 0 for weight in weights):
        yield Fault(key, "a class weight is below 0", weights, "0 or more")


def _head(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    if len(options.text) == 1 and options.pair is not None:
        remedy = "remove pair, or name two columns"
        yield Fault((*key, "pair"), "a pair requires two text columns", options.pair, hint=remedy)
        return
    reads = pairing_of(options) or "single"
    fitting = [name for name, entry in HEADS.items() if entry.reads == reads]
    head = head_of(options)
    if head not in HEADS:
        yield from _menu((*key, "head", "kind"), head, fitting)
    elif HEADS[head].reads != reads:
        hint = f'set pair = "{HEADS[head].reads}"' if len(options.text) == 2 and HEADS[head].reads != "single" else None
        what = f"the head requires {_shape(HEADS[head].reads)}, and the task has {_shape(reads)}"
        yield Fault((*key, "head", "kind"), what, head, ", ".join(fitting), hint)


def _shape(reads: str) -> str:
    """Return what a head reads, in words."""
    return {"single": "one text", "cross": "a pair in one sequence", "bi": "a pair in two sequences"}[reads]


def _menu(key: tuple[str, ...], name: str, menu: Mapping[str, object] | Iterable[str]) -> Iterator[Fault]:
    names = list(menu)
    if name not in names:
        yield Fault(key, f"unknown {_noun(key)}", name, ", ".join(names), did_you_mean(name, names))


def _noun(key: tuple[str, ...]) -> str:
    """Return what the value of a key names: "loss", "strategy", "head"."""
    return key[-2] if key[-1] == "kind" else key[-1]
