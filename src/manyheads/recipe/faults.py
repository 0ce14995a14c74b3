"""Faults: what is wrong with a recipe, key by key, and the error that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from manyheads.errors import RecipeError, did_you_mean
from manyheads.recipe.schema import Recipe

SHOWN = 10

Where = Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong at a key: what, what was found, what is allowed, and what to do."""

    key: tuple[str, ...]
    what: str
    found: object = None
    allowed: str | None = None
    hint: str | None = None


def raise_faults(faults: Sequence[Fault], where: Where) -> None:
    """Raise them as one error, the first ten in full; nothing happens where there are none.

    Raises:
        RecipeError: there is at least one.
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
    """What pydantic found in a `root`, in this project's words; several tries at one value (a union) make one fault."""
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
    kind, found, context = entry["type"], entry["input"], entry.get("ctx", {})
    if kind == "extra_forbidden":
        names = list(model.model_fields) if model is not None else []
        return Fault(key, f"unknown key '{key[-1]}'", None, ", ".join(names), did_you_mean(key[-1], names))
    if kind == "missing":
        return Fault(key, f"the key '{key[-1]}' is missing", None, None, "add it")
    if kind == "literal_error":
        allowed = str(context["expected"])
        names = [name.strip("'") for name in allowed.replace(" or ", ", ").split(", ")]
        return Fault(key, "the value is none of those allowed", found, allowed, did_you_mean(str(found), names))
    return Fault(key, "the value cannot be used", found, _allowed(entry))


def _allowed(entry: Mapping[str, Any]) -> str:
    """What may stand there, in the words of TOML; else pydantic's "Input should be ..." without its opening."""
    kind, context = entry["type"], entry.get("ctx", {})
    if kind in ("dict_type", "model_type"):
        return "a table"
    if kind in ("too_long", "too_short"):
        bound = f"at most {context['max_length']}" if kind == "too_long" else f"at least {context['min_length']}"
        return f"{bound} of them"
    message = str(entry["msg"])
    return message.removeprefix("Input should be ").removeprefix("a valid ")


def _walk(location: Iterable[int | str], root: type[BaseModel]) -> tuple[tuple[str, ...], type[BaseModel] | None]:
    """The key that a pydantic location means, without the names of union members, and the model around it."""
    key: list[str] = []
    model: type[BaseModel] | None = root
    names_follow = False
    for part in location:
        if (model is None and not names_follow) or not isinstance(part, str):
            break
        key.append(part)
        if names_follow or model is None:
            names_follow = False
        elif part in model.model_fields:
            annotation = model.model_fields[part].annotation
            names_follow = get_origin(annotation) is dict
            model = _model_of(annotation)
    return tuple(key), model


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The option type within an annotation: itself, or the values of a table of them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_of(argument)
        if found is not None:
            return found
    return None
