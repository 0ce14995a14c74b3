"""B1 computed by hand: o = w · (W1 D(p1) * W2 D(p2)), each map with a bias."""

from __future__ import annotations

import torch

from manyheads.model.heads.b1 import B1


def _by_hand(head: B1, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    one = first @ head.first.weight.T + head.first.bias
    two = second @ head.second.weight.T + head.second.bias
    return (one * two) @ head.map.weight.T + head.map.bias


def test_the_formula_for_one_logit_and_for_several() -> None:
    first, second = torch.randn(5, 6), torch.randn(5, 6)
    for outputs in (1, 4):
        head = B1(6, outputs, regression=False, dropout=0.0)
        torch.testing.assert_close(head(first, second), _by_hand(head, first, second))


def test_a_regression_is_the_sigmoid_of_the_logit() -> None:
    head = B1(6, 1, regression=True, dropout=0.0)
    first, second = torch.randn(5, 6), torch.randn(5, 6)
    torch.testing.assert_close(head(first, second), torch.sigmoid(_by_hand(head, first, second)))


def test_each_text_has_its_own_map_from_hidden_to_hidden() -> None:
    head = B1(6, 1, regression=False, dropout=0.0)
    shapes = {name: tuple(parameter.shape) for name, parameter in head.named_parameters()}
    assert shapes == {
        "first.weight": (6, 6),
        "first.bias": (6,),
        "second.weight": (6, 6),
        "second.bias": (6,),
        "map.weight": (1, 6),
        "map.bias": (1,),
    }
    first, second = torch.randn(5, 6), torch.randn(5, 6)
    assert not torch.allclose(head(first, second), head(second, first))


def test_each_text_has_its_own_dropout_mask() -> None:
    torch.manual_seed(0)
    head = B1(200, 1, regression=False, dropout=0.3).train()
    first, second = (torch.randn(20, 200, requires_grad=True) for _ in range(2))
    head(first, second).sum().backward()
    assert first.grad is not None
    assert second.grad is not None
    dropped = [text.grad == 0 for text in (first, second)]
    for mask in dropped:
        assert 0.25 < mask.float().mean() < 0.35
    assert not torch.equal(*dropped)
