"""The `strategy` of the `[batching]` table of a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class StrategyOptions(Options):
    """How batches are composed. A strategy without options of its own has only `kind`."""

    kind: str = Field(description="Name of the strategy.")
