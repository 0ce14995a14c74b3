"""The contract of weightings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from manyheads.testing.ensure import ensure
from manyheads.training.weighting import WeightingEntry, build_weighting

WEIGHTS = {"a": 1.0, "b": 0.5, "c": 0.0}


def check_weighting(entry: WeightingEntry, options: Mapping[str, Any] | None = None) -> None:
    """Check a weighting on the losses of one, two and three tasks.

    It returns a finite scalar, leaves the losses as they are, and the gradient reaches the losses of tasks whose weight
    is not 0.

    Args:
        entry: the weighting.
        options: its own options. Default: the defaults.

    Raises:
        AssertionError: The weighting does not keep the contract.
    """
    table = entry.options.model_validate({"kind": entry.name, **(options or {})})
    weighting = build_weighting(table, WEIGHTS, entry)
    for tasks in (("a",), ("b", "a"), ("a", "b", "c")):
        losses = {task: torch.tensor(1.0 + place, requires_grad=True) for place, task in enumerate(tasks)}
        total = weighting(losses)
        name = f"{entry.name} of {', '.join(tasks)}"
        ensure(total.shape == (), f"{name}: the loss has the shape {[*total.shape]} and is not a scalar")
        ensure(bool(torch.isfinite(total)), f"{name}: the loss is not finite")
        ensure([*losses] == [*tasks], f"{name}: the losses were changed")
        torch.autograd.backward(total)
        for task, loss in losses.items():
            reached = loss.grad is not None and bool(loss.grad != 0)
            ensure(reached or WEIGHTS[task] == 0, f"{name}: no gradient reaches the loss of {task}")
