"""The `weighting` of the `[training]` table of a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class WeightingOptions(Options):
    """How the losses of the tasks are combined. A weighting without options of its own has only `kind`."""

    kind: str = Field(description="Name of the weighting.")
