"""The menu of losses. Each returns one number per example. The caller takes the mean over the examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.menu import Menu, require
from manyheads.model.losses.contrastive import (
    CosentOptions,
    MultipleNegativesOptions,
    TripletOptions,
    cosent,
    multiple_negatives,
    triplet_margin,
)
from manyheads.model.losses.cross_entropy import CrossEntropyOptions, binary_cross_entropy, cross_entropy
from manyheads.model.losses.options import LossOptions
from manyheads.model.losses.ordinal import corn, squared_distance
from manyheads.model.losses.ranking import candidate_cross_entropy, listnet, ranknet
from manyheads.model.losses.value_error import l1, mse
from manyheads.tasks.kind import Kind

LossFunction = Callable[..., Tensor]
"""Losses[n] from the outputs[n, k] of a head and targets[n, ...] of a kind.

A `BatchLoss` also reads texts[n, columns], and all rows of the task in a batch at once. A `CandidateLoss` reads
outputs[N, 1], targets[N] and offsets[n+1] of candidates.
"""

Weights = Sequence[float] | NDArray[np.float64]
"""The weights of the classes of a task; see `Kind.balanced_weights`."""


@dataclass(frozen=True)
class LossEntry:
    """A loss, the kinds that it fits, and its own options. `name`: the name in recipes.

    `forms`: for each `Kind.target` that the loss can read, the form of the outputs that it trains, see `Kind.forms`.
    The loss fits a kind that has such targets and decodes such outputs. `least_rows`: the rows of a batch without which
    the loss trains nothing.

    `build(kind, options, class_weights)` returns the loss of a kind. `class_weights`: factors of the terms of each
    class, float32[classes], or of rows without and with each label, float32[2, labels]; or None. The caller's mean is
    divided by the number of examples, not by the sum of the weights as torch's own weighted mean is.
    """

    name: str
    build: Callable[[Kind, Any, Tensor | None], LossFunction]
    forms: Mapping[str, str]
    options: type[LossOptions] = LossOptions
    least_rows: int = 1

    def form(self, kind: Kind) -> str | None:
        """Return the form of the outputs that the loss trains for a kind. None if the loss does not fit."""
        form = self.forms.get(kind.target)
        return form if form in kind.forms else None


def _check(entry: LossEntry) -> None:
    require(issubclass(entry.options, LossOptions), "options is not a subclass of LossOptions")
    require(bool(entry.forms), "forms is empty, so it fits no kind of task")


LOSSES = Menu(
    "loss",
    (
        LossEntry(
            "cross_entropy",
            cross_entropy,
            {"class": "logits", "order": "logits", "tags": "logits"},
            CrossEntropyOptions,
        ),
        LossEntry(
            "binary_cross_entropy",
            binary_cross_entropy,
            {"class": "logit", "labels": "independent"},
            CrossEntropyOptions,
        ),
        LossEntry("mse", mse, {"value": "score"}),
        LossEntry("l1", l1, {"value": "score", "class": "logit"}),
        LossEntry("corn", corn, {"order": "steps"}),
        LossEntry("squared_distance", squared_distance, {"order": "place"}),
        LossEntry(
            "multiple_negatives",
            multiple_negatives,
            {"rank": "vectors", "vectors": "vectors"},
            MultipleNegativesOptions,
            least_rows=2,
        ),
        LossEntry("triplet_margin", triplet_margin, {"rank": "triplets", "vectors": "triplets"}, TripletOptions),
        LossEntry("cosent", cosent, {"similarity": "vectors", "vectors": "vectors"}, CosentOptions, least_rows=2),
        LossEntry("candidate_cross_entropy", candidate_cross_entropy, {"candidates": "scores"}),
        LossEntry("listnet", listnet, {"candidates": "scores"}),
        LossEntry("ranknet", ranknet, {"candidates": "scores"}),
    ),
    _check,
)


def fitting_losses(kind: Kind) -> tuple[str, ...]:
    """Return the losses that fit a kind. The default is first: the first one that trains the kind's first form."""
    forms = {name: form for name, entry in LOSSES.items() if (form := entry.form(kind)) is not None}
    default = next((name for name, form in forms.items() if form == next(iter(kind.forms))), None)
    return tuple(sorted(forms, key=lambda name: name != default))


def build_loss(kind: Kind, options: LossOptions, class_weights: Weights | None = None) -> LossFunction:
    """Return the loss of a task, before its `loss_weight`.

    The loss of soft labels[n, classes] is the sum of the losses of the classes, each multiplied by its probability.
    """
    build = LOSSES[options.kind].build
    if class_weights is None:
        return _softened(build(kind, options, None), kind)

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return on_device(outputs.device)(outputs, targets)

    @lru_cache(maxsize=8)
    def on_device(device: torch.device) -> LossFunction:
        """Copy the weights to a device once. A copy within a step would make the device wait for the host."""
        return build(kind, options, torch.tensor(np.array(class_weights, dtype=np.float32), device=device))

    return _softened(loss, kind)


def _softened(loss: LossFunction, kind: Kind) -> LossFunction:
    if not kind.soft_shape:
        return loss

    def softened(outputs: Tensor, shares: Tensor) -> Tensor:
        classes = range(shares.shape[1])
        return sum((shares[:, k] * loss(outputs, torch.full_like(shares[:, k], k)) for k in classes), shares[:, 0] * 0)

    return softened
