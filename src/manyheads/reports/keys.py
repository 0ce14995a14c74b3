"""JSON keys of reports that differ from the names of the fields. The keys are stable and keep older names."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

KEY = "key"


def stored_as(key: str) -> dict[str, str]:
    """Return the metadata of a dataclass field that has another key in JSON."""
    return {KEY: key}


def plain(value: Any) -> Any:
    """Return a value with its dataclasses, tuples and numpy numbers as plain values for JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.metadata.get(KEY, field.name): plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
