"""Losses that compare the rows of a batch: their definition, false negatives, truncated vectors, and gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from manyheads.model.losses import LOSSES, build_loss
from manyheads.tasks.kinds.embedding import TextEmbedding

N, SIZE = 5, 6


def loss_of(name: str, rows: str = "triplets", **options: object) -> object:
    return build_loss(TextEmbedding(rows), LOSSES[name].options.model_validate({"kind": name, **options}))  # type: ignore[arg-type]


def losses(name: str, columns: list[Tensor], texts: Tensor, targets: Tensor | None = None, **options: object) -> Tensor:
    loss = loss_of(name, "scored" if targets is not None else "triplets", **options)
    found: Tensor = loss(torch.cat(columns, dim=1), torch.ones(N) if targets is None else targets, texts)  # type: ignore[operator]
    assert found.shape == (N,)
    return found


def drawn(count: int) -> list[Tensor]:
    torch.manual_seed(count)
    return [torch.randn(N, SIZE, requires_grad=True) for _ in range(count)]


def different(count: int) -> Tensor:
    return torch.arange(N * count).view(count, N).T


def test_in_batch_negatives_are_the_positives_and_hard_negatives_of_all_rows() -> None:
    anchors, positives, negatives = drawn(3)
    found = losses("multiple_negatives", [anchors, positives, negatives], different(3), scale=10.0)
    for row in range(N):
        scores = [10 * cosine_similarity(anchors[row], each, dim=0) for each in [*positives, *negatives]]
        expected = -scores[row] + torch.stack(scores).logsumexp(0)
        assert found[row].item() == pytest.approx(expected.item(), abs=1e-5)


def test_equal_texts_are_no_negatives() -> None:
    columns, texts = drawn(2), different(2)
    texts[1, 1] = texts[0, 1]  # rows 0 and 1 have one positive
    texts[3, 0] = texts[2, 0]  # rows 2 and 3 have one anchor
    texts[4, 1] = texts[0, 0]  # the positive of row 4 is the anchor of row 0
    without = {0: [1, 4], 1: [0], 2: [3], 3: [2], 4: []}
    found = losses("multiple_negatives", columns, texts, scale=5.0)
    for row, removed in without.items():
        kept = [place for place in range(N) if place not in removed]
        scores = torch.stack([5 * cosine_similarity(columns[0][row], columns[1][place], dim=0) for place in kept])
        assert found[row].item() == pytest.approx((scores.logsumexp(0) - scores[kept.index(row)]).item(), abs=1e-5)


def test_the_margin_of_the_guard_removes_texts_that_are_nearer_than_the_positive() -> None:
    anchors = torch.eye(SIZE)[:N]
    positives = torch.eye(SIZE)[:N] * 0.2 + 0.05
    positives[1] = anchors[0]  # nearer to the anchor of row 0 than its own positive
    plain = losses("multiple_negatives", [anchors, positives], different(2))
    guarded = losses("multiple_negatives", [anchors, positives], different(2), guard_margin=0.01)
    assert guarded[0] < plain[0]
    wide = losses("multiple_negatives", [anchors, positives], different(2), guard_margin=2.0)
    torch.testing.assert_close(wide, plain)


def test_one_row_has_no_negatives_and_no_loss() -> None:
    loss = loss_of("multiple_negatives")
    assert loss(torch.randn(1, 2 * SIZE), torch.ones(1), torch.tensor([[0, 1]])).tolist() == [0.0]  # type: ignore[operator]


def test_a_triplet_has_no_loss_beyond_the_margin() -> None:
    anchors, positives, negatives = drawn(3)
    found = losses("triplet_margin", [anchors, positives, negatives], different(3), margin=0.3)
    gaps = cosine_similarity(anchors, negatives) - cosine_similarity(anchors, positives) + 0.3
    torch.testing.assert_close(found, gaps.clamp(min=0))


def test_cosent_counts_every_pair_of_rows_in_the_wrong_order() -> None:
    first, second = drawn(2)
    targets = torch.tensor([0.0, 1.0, 1.0, 4.0, 2.5])
    found = losses("cosent", [first, second], different(2), targets, scale=3.0)
    cosines = cosine_similarity(first, second).tolist()
    terms = [math.exp(3 * (cosines[j] - cosines[i])) for i in range(N) for j in range(N) if targets[i] > targets[j]]
    assert found.tolist() == pytest.approx([math.log(1 + sum(terms))] * N, abs=1e-5)


@pytest.mark.parametrize("name", ["multiple_negatives", "triplet_margin", "cosent"])
def test_sizes_of_matryoshka_give_the_mean_of_the_losses_of_truncated_vectors(name: str) -> None:
    columns = drawn(3 if name == "triplet_margin" else 2)
    targets = torch.arange(N).float() if name == "cosent" else None
    texts = different(len(columns))
    found = losses(name, columns, texts, targets, matryoshka=[6, 2])
    apart = [losses(name, [each[:, :size] for each in columns], texts, targets) for size in (6, 2)]
    torch.testing.assert_close(found, (apart[0] + apart[1]) / 2)


@pytest.mark.parametrize("name", ["multiple_negatives", "triplet_margin", "cosent"])
def test_following_the_gradient_lowers_the_loss(name: str) -> None:
    columns = drawn(3 if name == "triplet_margin" else 2)
    targets = torch.arange(N).float() if name == "cosent" else None
    before = losses(name, columns, different(len(columns)), targets).mean()
    before.backward()
    moved = [each.detach() - 1e-2 * (each.grad if each.grad is not None else 0) for each in columns]
    assert losses(name, moved, different(len(columns)), targets).mean() < before
