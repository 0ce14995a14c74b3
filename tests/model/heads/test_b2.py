"""B2 computed by hand: one map to 128 numbers for both texts, then classes from a map or values from the cosine."""

from __future__ import annotations

import torch
from torch.nn import functional

from manyheads.model.heads.b2 import B2, WIDTH


def test_the_formula_for_classes() -> None:
    first, second = torch.randn(5, 6), torch.randn(5, 6)
    for outputs in (1, 4):
        head = B2(6, outputs, regression=False, dropout=0.0)
        assert head.map is not None
        z1, z2 = (text @ head.shared.weight.T + head.shared.bias for text in (first, second))
        joined = torch.cat([first, second, z1 * z2], dim=1)
        torch.testing.assert_close(head(first, second), joined @ head.map.weight.T + head.map.bias)


def test_the_formula_for_values() -> None:
    head = B2(6, 1, regression=True, dropout=0.0)
    first, second = torch.randn(5, 6), torch.randn(5, 6)
    z1, z2 = functional.normalize(head.shared(first)), functional.normalize(head.shared(second))
    torch.testing.assert_close(head(first, second), (z1 * z2).sum(dim=1, keepdim=True))


def test_equal_texts_score_one_and_opposite_ones_minus_one() -> None:
    head = B2(6, 1, regression=True, dropout=0.0)
    torch.nn.init.zeros_(head.shared.bias)
    vectors = torch.randn(5, 6)
    torch.testing.assert_close(head(vectors, vectors), torch.ones(5, 1))
    torch.testing.assert_close(head(vectors, -vectors), -torch.ones(5, 1))


def test_every_parameter_is_used() -> None:
    shapes = {name: tuple(p.shape) for name, p in B2(6, 2, regression=False, dropout=0.0).named_parameters()}
    assert shapes == {
        "shared.weight": (WIDTH, 6),
        "shared.bias": (WIDTH,),
        "map.weight": (2, 12 + WIDTH),
        "map.bias": (2,),
    }
    assert WIDTH == 128
    assert [name for name, _ in B2(6, 1, regression=True, dropout=0.0).named_parameters()] == [
        "shared.weight",
        "shared.bias",
    ]


def test_the_map_reads_the_vectors_after_dropout() -> None:
    torch.manual_seed(0)
    head = B2(64, 1, regression=True, dropout=0.5).train()
    vectors = torch.randn(40, 64)
    # With different masks, the same text twice is not the same any more.
    assert head(vectors, vectors).max() < 0.99


def test_for_classes_dropout_applies_to_the_vectors_and_to_their_concatenation() -> None:
    torch.manual_seed(0)
    head = B2(200, 1, regression=False, dropout=0.5).train()
    # The product is zero here. A number reaches the logit if both masks keep it, which is a quarter of the cases.
    torch.nn.init.zeros_(head.shared.weight)
    torch.nn.init.zeros_(head.shared.bias)
    texts = [torch.randn(20, 200, requires_grad=True) for _ in range(2)]
    head(*texts).sum().backward()
    for text in texts:
        assert text.grad is not None
        assert 0.22 < (text.grad != 0).float().mean() < 0.28
