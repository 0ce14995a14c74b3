"""The menu of heads: vectors in, outputs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from manyheads.model.heads.b1 import B1
from manyheads.model.heads.b2 import B2
from manyheads.model.heads.linear import Linear
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kind import Kind

Reads = Literal["single", "cross", "bi"]


@dataclass(frozen=True)
class HeadEntry:
    """A head and the form of example that it reads.

    `build(hidden, outputs, regression, dropout)` returns a module. Its forward takes one vector[n, hidden] ("single",
    "cross") or two ("bi") and returns [n, outputs]: logits, or unit scores for regression.
    """

    build: Callable[[int, int, bool, float], nn.Module]
    reads: Reads


HEADS: dict[str, HeadEntry] = {
    "linear": HeadEntry(Linear, "single"),
    "cross": HeadEntry(Linear, "cross"),
    "b1": HeadEntry(B1, "bi"),
    "b2": HeadEntry(B2, "bi"),
}


def default_loss(head: str, kind: Kind) -> str:
    """Return the default loss: L1 for B1 where it fits, as in the reference study, else the first that fits."""
    losses = fitting_losses(kind)
    return "l1" if head == "b1" and "l1" in losses else losses[0]
