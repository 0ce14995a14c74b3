"""The contract of losses, for every kind that fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from manyheads.model.losses import LossEntry, LossFunction
from manyheads.tasks.kind import Kind
from manyheads.testing.ensure import drawn_outputs, drawn_targets, ensure, kinds_of_candidates, kinds_of_texts


def check_loss(
    entry: LossEntry, options: Mapping[str, Any] | None = None, *, kinds: Sequence[Kind] | None = None
) -> None:
    """Check a loss with each kind that fits.

    It gives one finite number per example, which depends on this example only, and a step against its gradient lowers
    it. If the kind has classes, weights of 1 change nothing. A loss of candidates gives one number per row.

    Args:
        entry: the loss.
        options: its own options. Default: the defaults.
        kinds: the kinds. Default: a sample of every kind on the menu that predicts something of texts or candidates.

    Raises:
        AssertionError: The loss does not keep the contract.
    """
    table = entry.options.model_validate({"kind": entry.name, **(options or {})})
    known = [*kinds_of_texts(), *kinds_of_candidates()] if kinds is None else kinds
    fitting = [kind for kind in known if entry.form(kind) is not None]
    ensure(bool(fitting), f"{entry.name} fits none of the kinds")
    for kind in fitting:
        name = f"{entry.name} with {kind!r}"
        loss = entry.build(kind, table, None)
        if kind.reads == "candidates":
            _check_rows(name, loss)
            continue
        _check_values(name, entry, kind, loss)
        if kind.probability_names:
            weighted = entry.build(kind, table, torch.ones(len(kind.probability_names)))
            outputs, targets = _drawn(entry, kind)
            same = torch.allclose(weighted(outputs, targets), loss(outputs, targets))
            ensure(same, f"{name}: class weights of 1 change the loss")


def _drawn(entry: LossEntry, kind: Kind) -> tuple[torch.Tensor, torch.Tensor]:
    size = kind.forms[str(entry.form(kind))]
    outputs = torch.from_numpy(drawn_outputs(kind, size, 6, seed=1)).float()
    return outputs, drawn_targets(kind, size, 6, seed=2)


def _check_values(name: str, entry: LossEntry, kind: Kind, loss: LossFunction) -> None:
    outputs, targets = _drawn(entry, kind)
    outputs.requires_grad_()
    losses = loss(outputs, targets)
    ensure(losses.shape == (6,), f"{name}: 6 examples have losses of the shape {[*losses.shape]}, not [6]")
    ensure(bool(torch.isfinite(losses).all()), f"{name}: a loss is not finite")
    (first,) = torch.autograd.grad(losses[0], outputs, retain_graph=True)
    ensure(bool(first[0].abs().sum() > 0), f"{name}: the loss of an example has no gradient")
    ensure(bool((first[1:] == 0).all()), f"{name}: the loss of an example depends on other examples")
    (gradient,) = torch.autograd.grad(losses.mean(), outputs)
    lower = loss(outputs.detach() - 1e-3 * gradient, targets).mean() < losses.mean()
    ensure(bool(lower), f"{name}: a small step against the gradient does not lower the loss")


def _check_rows(name: str, loss: LossFunction) -> None:
    """Check the losses of rows with two, one and four candidates, of which one or two are right."""
    outputs = torch.linspace(-1, 1, 7).flip(0)[:, None].requires_grad_()
    targets, offsets = torch.tensor([0.0, 1, 1, 0, 2, 0, 1]), torch.tensor([0, 2, 3, 7])
    losses = loss(outputs, targets, offsets)
    ensure(losses.shape == (3,), f"{name}: 3 rows have losses of the shape {[*losses.shape]}, not [3]")
    ensure(bool(torch.isfinite(losses).all()), f"{name}: a loss is not finite")
    (first,) = torch.autograd.grad(losses[0], outputs, retain_graph=True)
    ensure(bool(first[:2].abs().sum() > 0), f"{name}: the loss of a row has no gradient")
    ensure(bool((first[2:] == 0).all()), f"{name}: the loss of a row depends on other rows")
    (gradient,) = torch.autograd.grad(losses.mean(), outputs)
    lower = loss(outputs.detach() - 1e-3 * gradient, targets, offsets).mean() < losses.mean()
    ensure(bool(lower), f"{name}: a small step against the gradient does not lower the loss")
