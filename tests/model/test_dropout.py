"""Keyed dropout: the right share, no pattern, and the same mask for an example in every batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from manyheads.data.batch import Batch, Part
from manyheads.model.dropout import DropoutStream, KeyedDropout, head_keys, install, row_keys
from manyheads.model.encoder import load_encoder
from manyheads.model.flat import FlatTokens


def batch_of(examples: list[int], task: str = "t") -> Batch:
    """Example i has 3 + i tokens with different ids."""
    lengths = [3 + each for each in examples]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    ids = np.concatenate([10 + 7 * each + np.arange(size) for each, size in zip(examples, lengths, strict=True)])
    places = np.arange(len(examples))[:, None]
    part = Part(task, np.array(examples), places, np.zeros(len(examples), dtype=np.float32))
    positions = np.concatenate([np.arange(size) for size in lengths]).astype(np.int32)
    return Batch(ids.astype(np.int32), positions, np.zeros_like(positions), offsets, max(lengths), (part,))


def stream_at(step: int) -> DropoutStream:
    stream = DropoutStream()
    stream.begin(step * 0x1234567890ABCDEF)
    return stream


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5])
def test_the_share_and_the_scale(probability: float) -> None:
    keys = torch.from_numpy(row_keys(batch_of(list(range(40)))))
    factor = stream_at(3).draw(1, keys[:, None], 384, probability, torch.float64)
    assert factor is not None
    count = factor.numel()
    assert float((factor == 0).double().mean()) == pytest.approx(probability, abs=4 * (0.25 / count) ** 0.5)
    assert factor.max() == pytest.approx(1 / (1 - probability), rel=1e-4)
    # Rows, columns, neighbours and the next mask are not correlated.
    mask = (factor == 0).double() - probability
    spread = (probability * (1 - probability)) ** 0.5
    assert float(mask.mean(dim=0).abs().max()) < 5 * spread / len(mask) ** 0.5
    assert float(mask.mean(dim=1).abs().max()) < 5 * spread / 384**0.5
    for other in (mask.roll(1, 1), mask.roll(2, 1), mask.roll(1, 0)):
        assert abs(float((mask * other).mean())) < 5 * spread**2 / count**0.5


def test_sites_steps_tasks_and_examples_differ() -> None:
    keys = torch.from_numpy(row_keys(batch_of([1, 2, 3])))[:, None]
    stream = stream_at(1)
    one, two = (stream.draw(site, keys, 64, 0.5, torch.float32) for site in (1, 2))
    later = stream_at(2).draw(1, keys, 64, 0.5, torch.float32)
    others = torch.from_numpy(row_keys(batch_of([1, 2, 3], "u")))[:, None]
    other = stream_at(1).draw(1, others, 64, 0.5, torch.float32)
    assert one is not None
    for mask in (two, later, other):
        assert mask is not None
        assert 0.4 < float((one == mask).float().mean()) < 0.6
    assert len({tuple(row.tolist()) for row in one}) == len(one)


def test_a_mask_depends_only_on_the_example(tiny_encoder: Path) -> None:
    """With dropout, the vector of an example does not depend on the other examples of its batch or their order."""
    encoder = load_encoder(tiny_encoder, dropout=0.2, attention_dropout=0.2).train()
    vectors = {}
    for examples in ([5], [1, 5, 9], [9, 5], [2, 5, 5, 30, 7, 1]):
        encoder.stream.begin(77)
        tokens = FlatTokens.from_batch(batch_of(examples), torch.device("cpu"), keyed=True)
        vectors[len(examples)] = encoder(tokens)[examples.index(5)]
    for vector in vectors.values():
        torch.testing.assert_close(vector, vectors[1], rtol=1e-5, atol=1e-6)
    encoder.stream.begin(78)
    again = encoder(FlatTokens.from_batch(batch_of([5]), torch.device("cpu"), keyed=True))[0]
    assert not torch.allclose(again, vectors[1], atol=1e-3)


def test_without_keys_torch_s_generator_is_used() -> None:
    stream = DropoutStream()
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    install(model, stream)
    assert isinstance(model[1], KeyedDropout)
    torch.manual_seed(0)
    one = model[1](torch.ones(8, 4))
    torch.manual_seed(0)
    assert torch.equal(one, nn.Dropout(0.5)(torch.ones(8, 4)))
    assert torch.equal(model.eval()[1](torch.ones(8, 4)), torch.ones(8, 4))


def test_the_heads_of_tasks_that_read_the_same_rows_have_different_masks() -> None:
    keys = torch.arange(6, dtype=torch.int32)
    assert torch.equal(head_keys(keys, "a", "a"), keys)
    ours, others = head_keys(keys, "a", "a+b"), head_keys(keys, "b", "a+b")
    assert len({*ours.tolist(), *others.tolist(), *keys.tolist()}) == 18
