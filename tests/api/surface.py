"""The public names of the package with their arguments, as text: `python -m tests.api.surface` writes surface.txt."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import manyheads
from manyheads import sklearn

FILE = Path(__file__).with_name("surface.txt")
ESTIMATORS = ("TextClassifier", "TextRegressor")


def surface() -> str:
    """Return a line for every public name, and for every public attribute and method of a class."""
    lines = [line for name in manyheads.__all__ for line in _lines(f"manyheads.{name}", getattr(manyheads, name))]
    lines += [line for name in ESTIMATORS for line in _lines(f"manyheads.sklearn.{name}", getattr(sklearn, name))]
    return "".join(f"{line}\n" for line in lines)


def _lines(name: str, found: Any) -> Iterator[str]:
    if isinstance(found, type):
        yield name if issubclass(found, Warning) else f"{name}{_signature(found)}"
        yield from (f"{name}.{field}" for field in _fields(found))
        for each in sorted(dir(found)):
            own = inspect.getattr_static(found, each)
            ours = any(each in vars(base) for base in found.__mro__ if base.__module__.startswith("manyheads"))
            if each.startswith("_") or not ours:
                continue
            if isinstance(own, staticmethod | classmethod) or callable(own):
                yield f"{name}.{each}{_signature(getattr(found, each))}"
            elif each not in _fields(found):
                yield f"{name}.{each}"
    elif callable(found):
        yield f"{name}{_signature(found)}"
    else:
        yield name


def _fields(found: type) -> list[str]:
    return [name for name in getattr(found, "__dataclass_fields__", {}) if not name.startswith("_")]


def _signature(found: Any) -> str:
    """Return the names of arguments, with their defaults. Without types, which the type checkers check."""
    try:
        signature = inspect.signature(found)
    except ValueError:
        return "(...)"
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty)).replace(
        "Ellipsis", "..."
    )


if __name__ == "__main__":
    FILE.write_text(surface(), encoding="utf-8")
