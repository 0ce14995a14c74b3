"""The `[batching]` table of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from manyheads.data.batching import BATCHING
from manyheads.data.batching.options import StrategyOptions
from manyheads.options import Options, choice

STRATEGY_CHOICE = choice(BATCHING)


class BatchingOptions(Options):
    """How the training rows of all tasks are divided into batches."""

    strategy: Annotated[StrategyOptions, STRATEGY_CHOICE] = Field(
        default=StrategyOptions(kind="even"),
        description="How batches are composed: a name, or a table with `kind` and the options of the strategy. Each "
        'batch has rows of one task. "even": the batches of all tasks in '
        'one shuffled order. "sequential": all batches of the first task, then all of the second, and so on, in every '
        'epoch. "even_replacement": like "even", but each batch is sampled again from its whole task, as the program '
        "of the reference study did. Some rows are then not used in an epoch.",
    )
    batch_size: int = Field(
        default=32, ge=1, description="Rows per batch. The last batch of a task in an epoch may be smaller."
    )
