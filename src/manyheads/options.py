"""The base class of all option types: typed, frozen, and closed to unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """A table of a recipe or a study. Unknown keys, wrong types and infinite numbers are errors.

    Values are not converted, except that an integer is accepted where a float is expected.
    Each field has a `description`. The JSON Schema and the reference documentation are generated from the fields.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
