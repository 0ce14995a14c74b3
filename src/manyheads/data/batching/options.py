"""The `[batching]` table of a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class BatchingOptions(Options):
    """Which strategy makes the batches, and examples a batch."""

    strategy: str = "even"
    batch_size: int = Field(default=32, ge=1)
