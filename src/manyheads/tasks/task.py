"""Task: a question asked of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from manyheads.tasks.kind import Kind

Pairing = Literal["cross", "bi"]


@dataclass(frozen=True)
class Task:
    """A question asked of text: its kind, columns, label space, pair encoding, head, loss and metric.

    `pair` is None for one text column; for two it says whether both texts share a sequence ("cross") or each
    has one of its own ("bi"). `loss_weight` scales the loss; `class_weights` (one a class) weight its terms.
    """

    name: str
    kind: Kind
    text: tuple[str, ...]
    label: str
    id: str | None
    pair: Pairing | None
    head: str
    dropout: float
    loss: str
    metric: str
    loss_weight: float = 1.0
    class_weights: tuple[float, ...] | None = None

    @property
    def outputs(self) -> int:
        """How many numbers this task's head gives an example."""
        return self.kind.outputs(self.loss)

    @property
    def sequences(self) -> int:
        """How many sequences one example of this task becomes: 2 for a bi-encoded pair, else 1."""
        return 2 if self.pair == "bi" else 1
