"""Faults of a recipe, one per key, and the error that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from manyheads.errors import RecipeError, did_you_mean
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.tasks.kinds import KINDS

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
    return Fault(key, "the value is invalid", value, _allowed(entry))


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
