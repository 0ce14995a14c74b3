"""The contract of heads, for every kind and every loss that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.model.heads import HeadEntry, default_loss
from manyheads.model.losses import LOSSES, build_loss, fitting_losses
from manyheads.tasks.kind import Kind
from manyheads.testing.ensure import drawn_targets, ensure, kinds_of_texts

HIDDEN, EXAMPLES = 16, 5


def check_head(
    entry: HeadEntry, options: Mapping[str, Any] | None = None, *, kinds: Sequence[Kind] | None = None
) -> None:
    """Check a head with each kind and loss that fits.

    Outputs have the right shape, can be decoded and depend on their own example only. The gradient reaches every
    parameter and every vector. Dropout is off in evaluation. The state can be loaded into a new head. A few updates
    lower the loss.

    Args:
        entry: the head.
        options: its own options and `dropout`. Default: the defaults.
        kinds: the kinds. Default: a sample of every kind on the menu that predicts something of a text.

    Raises:
        AssertionError: The head does not keep the contract.
    """
    found = False
    for kind in kinds_of_texts() if kinds is None else kinds:
        if not entry.fits(kind):
            continue
        for loss in fitting_losses(kind):
            found = True
            _Case(entry, dict(options or {}), kind, loss).check()
    ensure(found, f"{entry.name} fits none of the kinds")


class _Case:
    """A head with a kind and a loss."""

    def __init__(self, entry: HeadEntry, options: dict[str, Any], kind: Kind, loss: str) -> None:
        self._entry, self._given, self._kind, self._loss = entry, options, kind, loss
        form = LOSSES[loss].form(kind)
        ensure(form is not None, f"{loss} does not fit {kind!r}")
        self._outputs = kind.forms[str(form)]
        self._name = f"{entry.name} with {kind!r} and {loss}"

    def check(self) -> None:
        """Check all parts of the contract."""
        self._check_shapes()
        self._check_gradients()
        self._check_evaluation()
        self._check_state()
        self._check_learning()

    def _build(self, dropout: float = 0.0) -> nn.Module:
        torch.manual_seed(1)
        options = self._entry.options(kind=self._entry.name, **{**self._given, "dropout": dropout})
        return self._entry.build(HIDDEN, self._outputs, self._kind.unit, dropout, **options.own)

    def _vectors(self, examples: int = EXAMPLES) -> list[Tensor]:
        torch.manual_seed(2)
        sides = 2 if self._entry.reads == "bi" else 1
        return [torch.randn(examples, HIDDEN, requires_grad=True) for _ in range(sides)]

    def _losses(self, outputs: Tensor) -> Tensor:
        loss = build_loss(self._kind, LOSSES[self._loss].options(kind=self._loss))
        return loss(outputs, drawn_targets(self._kind, self._outputs, EXAMPLES, seed=3))

    def _check_shapes(self) -> None:
        for examples in (1, EXAMPLES):
            outputs = self._build()(*self._vectors(examples))
            shape = (examples, self._outputs)
            ensure(outputs.shape == shape, f"{self._name}: outputs have the shape {[*outputs.shape]}, not {[*shape]}")
            values = self._kind.decode(outputs.detach().numpy()).values
            ensure(len(values) == examples, f"{self._name}: the outputs are not decoded to one prediction per example")
        loss = default_loss(self._entry.name, self._kind) if self._entry.loss else self._loss
        ensure(loss in fitting_losses(self._kind), f"{self._name}: the default loss {loss} does not fit")

    def _check_gradients(self) -> None:
        module, vectors = self._build(), self._vectors()
        torch.autograd.backward(self._losses(module(*vectors)).mean())
        tensors: Iterator[tuple[str, Tensor]] = iter(
            [*module.named_parameters(), *((f"vector {side}", each) for side, each in enumerate(vectors))]
        )
        for name, tensor in tensors:
            gradient = tensor.grad
            ensure(gradient is not None, f"{self._name}: no gradient reaches {name}")
            assert gradient is not None
            ensure(bool(torch.isfinite(gradient).all()), f"{self._name}: the gradient of {name} is not finite")
            ensure(bool(gradient.abs().sum() > 0), f"{self._name}: the gradient of {name} is 0")

    def _check_evaluation(self) -> None:
        vectors = self._vectors()
        module = self._build().eval()
        together = module(*vectors)
        single = torch.cat([module(*(each[row : row + 1] for each in vectors)) for row in range(EXAMPLES)])
        same = torch.allclose(together, single, rtol=1e-4, atol=1e-5)
        ensure(same, f"{self._name}: the outputs of an example depend on other examples")
        dropping = self._build(dropout=0.5)
        differs = not torch.equal(dropping.train()(*vectors), dropping(*vectors))
        ensure(differs, f"{self._name}: dropout has no effect in training")
        evaluated = dropping.eval()(*vectors)
        ensure(torch.equal(evaluated, dropping(*vectors)), f"{self._name}: evaluation is not deterministic")
        plain = self._build().train()(*vectors)
        ensure(torch.equal(evaluated, plain), f"{self._name}: evaluation differs from training without dropout")

    def _check_state(self) -> None:
        module, other, vectors = self._build(), self._build(), self._vectors()
        for parameter in other.parameters():
            nn.init.zeros_(parameter)
        other.load_state_dict(module.state_dict())
        same = torch.equal(module(*vectors), other(*vectors))
        ensure(same, f"{self._name}: a head with the state of another one gives other outputs")

    def _check_learning(self) -> None:
        module, vectors = self._build(), [each.detach() for each in self._vectors()]
        optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
        seen = []
        for _ in range(40):
            value = self._losses(module(*vectors)).mean()
            optimizer.zero_grad()
            torch.autograd.backward(value)
            optimizer.step()
            seen.append(value.item())
        ensure(seen[-1] < seen[0], f"{self._name}: 40 updates do not lower the loss ({seen[0]:.3g} to {seen[-1]:.3g})")
