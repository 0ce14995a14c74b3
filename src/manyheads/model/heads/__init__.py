"""The menu of heads: vectors in, outputs out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from manyheads.menu import Menu, require
from manyheads.model.heads.b1 import B1
from manyheads.model.heads.b2 import B2, B2Options
from manyheads.model.heads.linear import Linear
from manyheads.model.heads.options import HeadOptions
from manyheads.model.heads.vector import Vector, VectorOptions
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kind import Kind

Reads = Literal["single", "cross", "bi", "tokens"]


@dataclass(frozen=True)
class HeadEntry:
    """A head, its options, and the examples that it fits.

    `build(hidden, outputs, unit, dropout, **own)` returns a module, where `own` are the options that `options` adds to
    `HeadOptions`. Its forward takes one vector[n, hidden] ("single", "cross", "tokens") or two ("bi") and returns
    [n, outputs]: scores from 0 to 1 if `unit` is true, otherwise logits.

    `reads`: how the texts of a task are encoded; "tokens" for one text of which each word's first token is read.
    `targets`: the targets of the kinds that it fits (`Kind.target`), by default all. `loss`: the default loss where the
    kind has it, by default the first of the kind. `vectors`: whether it gives
    [n, k * size], the vectors of k texts, for the kinds that read vectors.
    """

    name: str
    build: Callable[..., nn.Module]
    reads: Reads
    options: type[HeadOptions] = HeadOptions
    targets: tuple[str, ...] | None = None
    loss: str | None = None
    vectors: bool = False

    def fits(self, kind: Kind) -> bool:
        """Return whether the head fits the targets of a kind, and gives vectors if the kind reads them."""
        return self.vectors == kind.vectors and (self.targets is None or kind.target in self.targets)


def _check(entry: HeadEntry) -> None:
    require(entry.reads in DEFAULT, f"reads is {entry.reads!r}, allowed are {', '.join(DEFAULT)}")
    require(issubclass(entry.options, HeadOptions), "options is not a subclass of HeadOptions")
    options = entry.options(kind=entry.name)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = entry.build(8, 3, False, options.dropout, **options.own)
        require(isinstance(module, nn.Module), f"build returns {type(module).__name__}, not a torch module")
        found = module.eval()(*(torch.zeros(2, 8) for _ in range(2 if entry.reads == "bi" else 1)))
    if entry.vectors:
        require(len(found) == 2, f"the vectors of 2 examples have the shape {[*found.shape]}")
        return
    require(found.shape == (2, 3), f"the outputs of 2 examples have the shape {[*found.shape]}, not [2, 3]")


DEFAULT: dict[str, str] = {"single": "linear", "cross": "cross", "bi": "b2", "tokens": "tokens"}
"""The default head for each way to encode the texts of a task."""

HEADS = Menu(
    "head",
    (
        HeadEntry("linear", Linear, "single"),
        HeadEntry("cross", Linear, "cross"),
        HeadEntry("tokens", Linear, "tokens"),
        HeadEntry("b1", B1, "bi", loss="l1"),
        HeadEntry("b2", B2, "bi", B2Options),
        HeadEntry("vector", Vector, "bi", VectorOptions, vectors=True),
    ),
    _check,
)


def default_loss(head: str, kind: Kind) -> str:
    """Return the default loss: that of the head where it fits the kind, else the first that fits."""
    own, losses = HEADS[head].loss, fitting_losses(kind)
    return own if own in losses else losses[0]
