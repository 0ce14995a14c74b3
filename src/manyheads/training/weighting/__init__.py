"""The menu of loss weightings. Each combines the losses of the tasks of a step into one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from manyheads.menu import Menu, require
from manyheads.training.weighting.fixed import Fixed
from manyheads.training.weighting.options import WeightingOptions


class Weighting(Protocol):
    """Combines the losses of the tasks into the loss that is differentiated.

    It is linear in the losses, because an update adds the results of its batches and processes.
    """

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return a scalar from the scalar losses of the tasks that have examples in the batch.

        A loss is the batch's part of the mean over the task's labels in the update, times the task's share of the rows.
        """


@dataclass(frozen=True)
class WeightingEntry:
    """A weighting and its options.

    `build(weights, **own)` returns the weighting of a run. `weights`: the `loss_weight` of each task. `own`: the
    options that `options` adds to `WeightingOptions`.
    """

    name: str
    build: Callable[..., Weighting]
    options: type[WeightingOptions] = WeightingOptions


def _check(entry: WeightingEntry) -> None:
    require(issubclass(entry.options, WeightingOptions), "options is not a subclass of WeightingOptions")
    weighting = build_weighting(entry.options(kind=entry.name), {"a": 1.0, "b": 0.5}, entry)
    loss = weighting({"a": torch.tensor(1.0), "b": torch.tensor(2.0)})
    require(isinstance(loss, Tensor) and loss.shape == (), "the loss is not a scalar tensor")


WEIGHTING = Menu("weighting", (WeightingEntry("fixed", Fixed),), _check)


def build_weighting(
    options: WeightingOptions, weights: Mapping[str, float], entry: WeightingEntry | None = None
) -> Weighting:
    """Return the weighting of a run. `entry`: the weighting, by default the one that the options name."""
    return (entry or WEIGHTING[options.kind]).build(weights, **options.model_dump(exclude={"kind"}))
