"""The `[batching]` table of a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.data.batching import BATCHING
from manyheads.options import Options


class BatchingOptions(Options):
    """How the training rows of all tasks are divided into batches."""

    strategy: str = Field(
        default="even",
        description='How batches are composed. Each batch has rows of one task. "even": the batches of all tasks in '
        'one shuffled order. "sequential": all batches of the first task, then all of the second, and so on, in every '
        'epoch. "even_replacement": like "even", but each batch is sampled again from its whole task, as the program '
        "of the reference study did. Some rows are then not used in an epoch.",
        json_schema_extra={"enum": [*BATCHING]},
    )
    batch_size: int = Field(
        default=32, ge=1, description="Rows per batch. The last batch of a task in an epoch may be smaller."
    )
