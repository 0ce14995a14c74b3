"""The vector head."""

from __future__ import annotations

import torch

from manyheads.model.heads.vector import Vector


def test_the_vectors_of_the_encoder_have_length_1() -> None:
    first, second = torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0]])
    head = Vector(2, 2, False, 0.0)
    torch.testing.assert_close(head(first, second), torch.tensor([[0.6, 0.8, 0.0, 1.0]]))
    assert head(first, second, first).shape == (1, 6)
    assert Vector(2, 2, False, 0.0, normalise=False)(first, second).tolist() == [[3.0, 4.0, 0.0, 2.0]]
    assert [*head.parameters()] == []


def test_one_linear_map_gives_another_size() -> None:
    head = Vector(4, 2, False, 0.0, size=3)
    vectors = torch.randn(5, 4, requires_grad=True)
    found = head(vectors, vectors)
    assert found.shape == (5, 6)
    assert torch.equal(found[:, :3], found[:, 3:])
    torch.testing.assert_close(found[:, :3].norm(dim=1), torch.ones(5))
    found[:, 0].sum().backward()
    assert vectors.grad is not None
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in head.parameters())


def test_dropout_removes_numbers_in_training_only() -> None:
    torch.manual_seed(0)
    head = Vector(64, 2, False, 0.5, normalise=False)
    vectors = torch.ones(2, 64)
    assert (head.train()(vectors, vectors) == 0).any()
    assert torch.equal(head.eval()(vectors, vectors), torch.ones(2, 128))
