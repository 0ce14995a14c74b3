"""The linear head computed by hand."""

from __future__ import annotations

import torch

from manyheads.model.heads.linear import Linear


def test_logits_are_one_map_with_bias() -> None:
    head = Linear(4, 3, regression=False, dropout=0.0)
    vectors = torch.randn(5, 4)
    torch.testing.assert_close(head(vectors), vectors @ head.map.weight.T + head.map.bias)
    assert [name for name, _ in head.named_parameters()] == ["map.weight", "map.bias"]


def test_a_regression_is_the_sigmoid_of_the_logit() -> None:
    head = Linear(4, 1, regression=True, dropout=0.0)
    vectors = torch.randn(5, 4)
    torch.testing.assert_close(head(vectors), torch.sigmoid(head.map(vectors)))


def test_dropout_applies_to_the_vector_only_in_training() -> None:
    head = Linear(1000, 1, regression=False, dropout=0.3)
    torch.nn.init.ones_(head.map.weight)
    torch.nn.init.zeros_(head.map.bias)
    vectors = torch.ones(20, 1000)
    torch.testing.assert_close(head.eval()(vectors), torch.full((20, 1), 1000.0))
    torch.manual_seed(0)
    dropped = head.train()(vectors)
    assert dropped.unique().numel() > 1
    torch.testing.assert_close(dropped.mean(), torch.tensor(1000.0), rtol=0.05, atol=0)
