"""The contract of heads, for every kind and every loss that fits. A head on the menu is tested automatically."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from manyheads.model.heads import HEADS, default_loss
from manyheads.model.losses import LOSSES, build_loss, fitting_losses
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression

HIDDEN = 16
KINDS: list[Kind] = [
    Classification([0, 1]),
    Classification(["a", "b", "c"]),
    Multilabel(["a", "b"]),
    Ordinal([1, 2, 3]),
    Regression(0, 5),
]
CASES = [
    pytest.param(head, kind, loss, id=f"{head}-{kind!r}-{loss}")
    for head in HEADS
    for kind in KINDS
    if HEADS[head].fits(kind)
    for loss in fitting_losses(kind)
]
every_case = pytest.mark.parametrize(("head", "kind", "loss"), CASES)


def _build(head: str, kind: Kind, loss: str, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    return HEADS[head].build(HIDDEN, kind.forms[str(LOSSES[loss].form(kind))], kind.unit, dropout)


def _vectors(head: str, examples: int) -> list[Tensor]:
    torch.manual_seed(2)
    return [torch.randn(examples, HIDDEN, requires_grad=True) for _ in range(2 if HEADS[head].reads == "bi" else 1)]


@every_case
@pytest.mark.parametrize("examples", [1, 5])
def test_outputs_have_the_shape_of_the_kind_and_can_be_decoded(head: str, kind: Kind, loss: str, examples: int) -> None:
    outputs = _build(head, kind, loss)(*_vectors(head, examples))
    assert outputs.shape == (examples, kind.forms[str(LOSSES[loss].form(kind))])
    found = kind.decode(outputs.detach().numpy())
    assert found.values.shape == (examples, *kind.shape)


def _targets(kind: Kind) -> Tensor:
    targets = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])
    return torch.stack([targets, 1 - targets], dim=1) if kind.shape else targets


@every_case
def test_the_gradient_reaches_every_parameter_and_every_vector(head: str, kind: Kind, loss: str) -> None:
    module, vectors = _build(head, kind, loss), _vectors(head, 5)
    targets = _targets(kind)
    build_loss(kind, LOSSES[loss].options(kind=loss))(module(*vectors), targets).mean().backward()
    parameters = dict(module.named_parameters())
    assert parameters
    for name, tensor in [*parameters.items(), *((f"vector {n}", vector) for n, vector in enumerate(vectors))]:
        assert tensor.grad is not None, name
        assert torch.isfinite(tensor.grad).all(), name
        assert tensor.grad.abs().sum() > 0, name


@every_case
def test_the_outputs_of_an_example_do_not_depend_on_other_examples(head: str, kind: Kind, loss: str) -> None:
    module, vectors = _build(head, kind, loss).eval(), _vectors(head, 5)
    together = module(*vectors)
    alone = torch.cat([module(*(vector[row : row + 1] for vector in vectors)) for row in range(5)])
    torch.testing.assert_close(together, alone)


@every_case
def test_evaluation_is_deterministic_and_equals_training_without_dropout(head: str, kind: Kind, loss: str) -> None:
    vectors = _vectors(head, 5)
    dropping, plain = _build(head, kind, loss, dropout=0.5), _build(head, kind, loss, dropout=0.0)
    assert not torch.equal(dropping.train()(*vectors), dropping(*vectors))
    evaluated = dropping.eval()(*vectors)
    assert torch.equal(evaluated, dropping(*vectors))
    assert torch.equal(evaluated, plain.train()(*vectors))


@every_case
def test_the_state_can_be_loaded_into_a_new_head(head: str, kind: Kind, loss: str) -> None:
    module, other, vectors = _build(head, kind, loss), _build(head, kind, loss), _vectors(head, 5)
    for parameter in other.parameters():
        nn.init.zeros_(parameter)
    assert not torch.equal(module(*vectors), other(*vectors))
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(*vectors), other(*vectors))


@every_case
def test_a_few_updates_lower_the_loss_of_a_few_examples(head: str, kind: Kind, loss: str) -> None:
    module, vectors = _build(head, kind, loss), [vector.detach() for vector in _vectors(head, 5)]
    targets = _targets(kind)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    seen = []
    for _ in range(40):
        value = build_loss(kind, LOSSES[loss].options(kind=loss))(module(*vectors), targets).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        seen.append(value.item())
    assert seen[-1] < 0.8 * seen[0]


OF_NUMBERS = [head for head, entry in HEADS.items() if not entry.vectors]


@pytest.mark.parametrize("head", OF_NUMBERS)
@pytest.mark.parametrize("kind", KINDS, ids=repr)
def test_the_default_loss_is_one_of_the_kinds(head: str, kind: Kind) -> None:
    assert default_loss(head, kind) in fitting_losses(kind)


@pytest.mark.parametrize("head", OF_NUMBERS)
def test_regressions_give_scores_from_0_to_1(head: str) -> None:
    outputs = _build(head, Regression(0, 5), "mse")(*(100 * vector for vector in _vectors(head, 50)))
    low = -1.0 if head == "b2" else 0.0
    assert outputs.min() >= low - 1e-6
    assert outputs.max() <= 1.0 + 1e-6
