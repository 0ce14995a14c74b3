"""report.json: the numbers, for programs."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

from manyheads.report.answers import Answers
from manyheads.report.content import Report


def to_json(report: Report) -> str:
    """Everything that a report says; answers themselves are in the run's `predictions`."""
    return json.dumps(_values(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _values(each: Any) -> Any:
    if isinstance(each, Answers):
        return {"examples": len(each), "labels": each.labels}
    if dataclasses.is_dataclass(each) and not isinstance(each, type):
        return {field.name: _values(getattr(each, field.name)) for field in dataclasses.fields(each)}
    if isinstance(each, dict):
        return {str(key): _values(value) for key, value in each.items()}
    if isinstance(each, list | tuple):
        return [_values(value) for value in each]
    if isinstance(each, np.generic):
        return each.item()
    return each
