"""The types of a study file: a base recipe, named changes to it, and seeds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from manyheads.options import Options


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _factor_table(value: Any) -> Any:
    """A factor may be written as its key alone."""
    return {"key": value} if isinstance(value, str) else value


class FactorOptions(Options):
    """A column of the table: what the recipe says at a key, or at several at once.

    `levels` names values: a value of `key`, or a list of one value for each key. A value without a name shows itself.
    The levels "yes" and "no" show as a tick and as nothing.
    """

    key: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]
    levels: dict[str, Any] = Field(default_factory=dict)


class StudyOptions(Options):
    """A study file.

    `base`: the recipe that rows change, relative to the study file. `changes`: a partial recipe for all rows alike.
    `baseline`: the row that others are compared with; left out, the first. `metric`: "average", "course_score" or a
    task's name. `rows`: partial recipes by name. `grid`: recipe keys with the values to cross. `twins`: the rows whose
    tasks are also trained alone; left out, the baseline. `keep_models`: keep the weights of finished runs.
    """

    base: str
    title: str | None = None
    caption: str = ""
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(min_length=1)
    baseline: str | None = None
    metric: str = "average"
    twins: list[str] | None = None
    keep_models: bool = False
    changes: dict[str, Any] = Field(default_factory=dict)
    factors: dict[str, Annotated[FactorOptions, BeforeValidator(_factor_table)]] = Field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
