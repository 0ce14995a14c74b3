"""The menu of heads: vectors in, outputs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import nn

from manyheads.model.heads.b1 import B1
from manyheads.model.heads.b2 import B2
from manyheads.model.heads.linear import Linear
from manyheads.tasks.kind import Kind

Reads = Literal["single", "cross", "bi"]


@dataclass(frozen=True)
class HeadEntry:
    """A head and the form of example it reads.

    `build(hidden, outputs, regression, dropout)` gives a module whose forward takes one vector[n, hidden] an example
    ("single", "cross") or two ("bi") and returns [n, outputs]: logits, or for regression unit scores.
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
    """The loss of a task that names none: L1 for B1 where it fits, as in the reference study, else the kind's own."""
    return "l1" if head == "b1" and "l1" in kind.losses else kind.losses[0]
