"""Embeddings whose gradient is updated row by row have the same weights as torch's own in every step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from manyheads.model.embedding import RowEmbedding, keep_rows

IDS = st.lists(st.lists(st.integers(0, 19), min_size=1, max_size=8), min_size=1, max_size=3)


def norm_of(weight: nn.Parameter) -> Tensor:
    assert weight.grad is not None
    return weight.grad.norm()


@settings(deadline=None, max_examples=40)
@given(steps=st.lists(IDS, min_size=1, max_size=4), padding=st.none() | st.just(0))
def test_the_same_weights_as_torch_s(steps: Sequence[Sequence[Sequence[int]]], padding: int | None) -> None:
    """Steps accumulate several batches. The gradient is clipped and applied by AdamW."""
    torch.manual_seed(0)
    plain = nn.Embedding(20, 3, padding_idx=padding).double()
    kept = RowEmbedding.of(nn.Embedding(20, 3, padding_idx=padding).double())
    kept.load_state_dict(plain.state_dict())
    optimizers = [torch.optim.AdamW(each.parameters(), lr=0.1, weight_decay=0.01) for each in (plain, kept)]
    for batches in steps:
        plain.zero_grad()
        kept.clear()
        for ids in batches:
            for each in (plain, kept):
                each(torch.tensor([ids])).square().sum().backward()
        rows = kept.gradient()
        assert rows is not None
        torch.testing.assert_close(rows.norm(), norm_of(plain.weight))
        assert plain.weight.grad is not None
        plain.weight.grad.mul_(0.5)
        kept.scale(torch.tensor(0.5).double())
        torch.testing.assert_close(kept.weight.grad, plain.weight.grad)
        for optimizer in optimizers:
            optimizer.step()
        torch.testing.assert_close(kept.weight, plain.weight)


def test_a_model_keeps_its_parameter_names_and_outputs() -> None:
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    model = BertModel(BertConfig(vocab_size=30, **shape)).eval()
    names, ids = list(model.state_dict()), torch.tensor([[3, 4, 5]])
    before = model(ids).last_hidden_state
    (rows,) = keep_rows(model)
    assert list(model.state_dict()) == names
    assert model.get_input_embeddings() is rows
    assert torch.equal(model(ids).last_hidden_state, before)
    model(ids).last_hidden_state.sum().backward()
    assert rows.touched is not None
    assert rows.touched.tolist() == [3, 4, 5]


def test_a_frozen_embedding_has_no_gradient() -> None:
    kept = RowEmbedding.of(nn.Embedding(5, 2))
    kept.weight.requires_grad_(False)
    assert not kept(torch.tensor([1])).requires_grad
    assert kept.gradient() is None
