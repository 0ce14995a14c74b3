"""The menu of batching strategies, which decide the examples of each batch, and the `[batching]` table of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.data.batching.even import Even
from manyheads.data.batching.even_replacement import EvenReplacement
from manyheads.data.batching.options import StrategyOptions
from manyheads.data.batching.sequential import Sequential
from manyheads.menu import Menu, require
from manyheads.options import Options, choice


class Batching(Protocol):
    """The batches of a run. Batch k depends only on the sizes, the batch size, the seed and k.

    A batch never has examples of two epochs.
    """

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches per epoch."""

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """Return the tasks of batch k, counted from 0 over all epochs: each name with the indices of its examples."""


@dataclass(frozen=True)
class BatchingEntry:
    """A batching strategy and its options.

    `build(sizes, batch_size, seed, **own)` returns the batches of a run. `sizes`: the number of training examples of
    each task. `own`: the options that `options` adds to `StrategyOptions`.
    """

    name: str
    build: Callable[..., Batching]
    options: type[StrategyOptions] = StrategyOptions


def _check(entry: BatchingEntry) -> None:
    require(issubclass(entry.options, StrategyOptions), "options is not a subclass of StrategyOptions")
    batching = build_batching(entry.options(kind=entry.name), {"a": 5, "b": 3}, 2, 0, entry)
    require(batching.steps_per_epoch >= 1, "steps_per_epoch is below 1")
    for task, examples in batching.batch(0):
        require(task in ("a", "b"), f"batch(0) has the task {task!r}, and the tasks are 'a' and 'b'")
        require(examples.dtype == np.int64, f"the examples of a batch are {examples.dtype}, not int64")


BATCHING = Menu(
    "batching strategy",
    (
        BatchingEntry("sequential", Sequential),
        BatchingEntry("even", Even),
        BatchingEntry("even_replacement", EvenReplacement),
    ),
    _check,
)


def build_batching(
    options: StrategyOptions, sizes: Mapping[str, int], batch_size: int, seed: int, entry: BatchingEntry | None = None
) -> Batching:
    """Return the batches of a run. `entry`: the strategy, by default the one that the options name."""
    build = (entry or BATCHING[options.kind]).build
    return build(sizes, batch_size, seed, **options.model_dump(exclude={"kind"}))


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
