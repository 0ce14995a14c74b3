"""The contract of losses, for every kind that lists them."""

from __future__ import annotations

import pytest
import torch

from manyheads.model.losses import LOSSES, LossEntry, LossFunction, build_loss, fitting_losses
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.embedding import TextEmbedding
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.one_label import OneLabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression

KINDS: list[Kind] = [
    Classification([0, 1]),
    Classification(range(4)),
    Multilabel(range(4)),
    Ordinal(range(1, 5)),
    Regression(0, 5),
    Regression(-1, 1),
]
CASES = [pytest.param(kind, loss, id=f"{kind!r}-{loss}") for kind in KINDS for loss in fitting_losses(kind)]


def _width(kind: Kind, loss: str) -> int:
    return kind.forms[str(LOSSES[loss].form(kind))]


def _drawn(kind: Kind, loss: str, examples: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(examples)
    outputs = torch.rand((examples, _width(kind, loss)), generator=generator).requires_grad_()
    if isinstance(kind, OneLabel):
        return outputs, torch.randint(len(kind.labels), (examples,), generator=generator).float()
    if kind.shape:
        return outputs, torch.randint(2, (examples, *kind.shape), generator=generator).float()
    low, high = kind.scale
    return outputs, low + (high - low) * torch.rand(examples, generator=generator)


def loss_of(kind: Kind, name: str, weights: list[float] | None = None, **options: float) -> LossFunction:
    table = LOSSES[name].options.model_validate({"kind": name, **options})
    return build_loss(kind, table, None if weights is None else tuple(weights))


def test_every_loss_of_the_menu_fits_some_kind() -> None:
    kinds = [*KINDS, *map(TextEmbedding, ("pairs", "triplets", "scored")), Choice(["candidates"])]
    assert {loss for kind in kinds for loss in fitting_losses(kind)} == set(LOSSES)


@pytest.mark.parametrize(("kind", "loss"), CASES)
@pytest.mark.parametrize("examples", [1, 6])
def test_every_example_has_one_finite_loss_that_depends_only_on_its_outputs(
    kind: Kind, loss: str, examples: int
) -> None:
    outputs, targets = _drawn(kind, loss, examples)
    losses = loss_of(kind, loss)(outputs, targets)
    assert losses.shape == (examples,)
    assert torch.isfinite(losses).all()
    assert (losses >= 0).all()
    losses[0].backward()
    assert outputs.grad is not None
    assert outputs.grad[0].abs().sum() > 0
    assert outputs.grad[1:].abs().sum() == 0


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_following_the_gradient_lowers_the_loss(kind: Kind, loss: str) -> None:
    outputs, targets = _drawn(kind, loss, 6)
    before = loss_of(kind, loss)(outputs, targets).mean()
    (gradient,) = torch.autograd.grad(before, outputs)
    after = loss_of(kind, loss)(outputs - 1e-3 * gradient, targets).mean()
    assert after < before


@pytest.mark.parametrize(("kind", "loss"), [case for case in CASES if "Regression" not in str(case.id)])
def test_class_weights_of_one_change_nothing_and_zero_removes_a_class(kind: Kind, loss: str) -> None:
    outputs, targets = _drawn(kind, loss, 6)
    plain = loss_of(kind, loss)(outputs, targets)
    weights = [1.0] * len(kind.probability_names)
    assert torch.equal(loss_of(kind, loss, weights)(outputs, targets), plain)
    weights[1] = 0.0
    weighted = loss_of(kind, loss, weights)(outputs, targets)
    if kind.shape:
        other = torch.ones(4)
        other[1] = 0.0
        terms = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        torch.testing.assert_close(weighted, (terms * other).mean(dim=1))
    else:
        assert (weighted[targets == 1] == 0).all()
        assert torch.equal(weighted[targets != 1], plain[targets != 1])


@pytest.mark.parametrize(("kind", "loss"), [case for case in CASES if "Regression" in str(case.id)])
def test_a_perfect_value_has_no_loss(kind: Kind, loss: str) -> None:
    low, high = kind.scale
    targets = torch.tensor([low, high, (low + high) / 2])
    losses = loss_of(kind, loss)(torch.tensor([[0.0], [1.0], [0.5]]), targets)
    assert losses.tolist() == [0.0, 0.0, 0.0]


def test_a_loss_from_outside_fits_kinds_by_the_form_of_their_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = LossEntry("huber", LOSSES["mse"].build, {"value": "score", "order": "place", "class": "unknown"})
    monkeypatch.setitem(LOSSES, "huber", entry)
    assert [type(kind).__name__ for kind in KINDS if "huber" in fitting_losses(kind)] == [
        "Ordinal",
        "Regression",
        "Regression",
    ]
    assert all(fitting_losses(kind)[0] != "huber" for kind in KINDS)
