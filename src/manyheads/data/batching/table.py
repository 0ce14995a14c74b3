"""The `[batching]` table of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal

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
        "batch has rows of one task, or of the tasks that read the same rows (see `streams`). "
        '"even": the batches of all tasks in '
        'one shuffled order. "sequential": all batches of the first task, then all of the second, and so on, in every '
        'epoch. "even_replacement": like "even", but each batch is sampled again from its whole task, as the program '
        "of the reference study did. Some rows are then not used in an epoch.",
    )
    streams: Literal["joint", "separate"] = Field(
        default="joint",
        description="How tasks are trained that read the same rows: the same training file, text columns, pairing, "
        '`train_rows`, `id`, `group` and file format. "joint": a batch has rows with the labels of all these tasks, '
        'and each row is encoded once. "separate": each batch has rows with the labels of one task.',
    )
    batch_size: int = Field(
        default=32, ge=1, description="Rows per batch. The last batch of a task in an epoch may be smaller."
    )
