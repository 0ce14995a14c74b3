"""The flat encoder against the library's own model, one sequence at a time: outputs and every parameter's gradient.

Errors are norms of differences over norms of the reference, a tensor at a time. A key bias has no gradient in exact
arithmetic, so what rounding leaves there is held against the query bias's norm.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    AutoModel,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from manyheads.data.batch import Batch
from manyheads.model.encoder import Encoder, load_encoder, quiet
from manyheads.model.flat import FlatTokens
from manyheads.model.weights import resolve

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {
    "vocab_size": 90,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}
FLAT: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SMALL),
    "roberta": RobertaConfig(**SMALL, pad_token_id=1),
    "xlm-roberta": XLMRobertaConfig(**SMALL, pad_token_id=1),
    "electra": ElectraConfig(**SMALL, embedding_size=16),
    "distilbert": DistilBertConfig(
        vocab_size=90, dim=32, n_layers=3, n_heads=4, hidden_dim=48, max_position_embeddings=80
    ),
    "modernbert": ModernBertConfig(
        **SMALL, local_attention=8, global_attn_every_n_layers=2, pad_token_id=0, cls_token_id=2, sep_token_id=3
    ),
}
PADDED: dict[str, PreTrainedConfig] = {
    "deberta-v2": DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"]),
    "mpnet": MPNetConfig(**SMALL, pad_token_id=1),
}
LIMITS = {torch.float32: (1e-5, 1e-4), torch.float64: (1e-9, 1e-9)}
"""Outputs and gradients."""


def batch_of(lengths: list[int], vocabulary: int, segments: int = 2) -> Batch:
    """Random tokens, none of them special; the second half of each sequence in the second segment."""
    rng = np.random.default_rng(len(lengths))
    offsets = np.cumsum([0, *lengths]).astype(np.int32)
    ids = rng.integers(5, vocabulary, offsets[-1]).astype(np.int32)
    positions = np.concatenate([np.arange(length) for length in lengths]).astype(np.int32)
    halves = np.concatenate([np.arange(length) * 2 // length for length in lengths]).astype(np.int32)
    return Batch(ids, positions, np.minimum(halves, segments - 1), offsets, max(lengths), ())


def saved(config: PreTrainedConfig, folder: Path) -> Path:
    """A random model of a configuration, in the hub's layout; biases and gains random too, lest zeros hide a fault."""
    torch.manual_seed(1)
    with quiet():
        model = AutoModel.from_config(config)
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.data.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(folder)
    return folder


def reference(folder: Path, batch: Batch, dtype: torch.dtype) -> tuple[Any, list[Tensor]]:
    """The library's model and its last hidden states, sequence by sequence, with nothing padded."""
    with quiet():
        model = AutoModel.from_pretrained(folder, attn_implementation="eager").to(dtype).eval()
    takes_segments = getattr(model.config, "type_vocab_size", 0) > 1 and model.config.model_type != "distilbert"
    states = []
    for start, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        inputs = {"input_ids": torch.from_numpy(batch.token_ids[start:end]).long()[None]}
        if takes_segments:
            inputs["token_type_ids"] = torch.from_numpy(batch.segment_ids[start:end]).long()[None]
        states.append(model(**inputs).last_hidden_state[0])
    return model, states


def error(found: Tensor, wanted: Tensor, scale: Tensor | None = None) -> float:
    return float((found - wanted).norm() / (wanted if scale is None else scale).norm())


def assert_gradients_agree(encoder: Encoder, model: Any, limit: float) -> None:
    wanted = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    found = {name: parameter.grad for name, parameter in encoder.model.named_parameters() if parameter.grad is not None}
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        scale = None
        for key, query in (("key.bias", "query.bias"), ("k_lin.bias", "q_lin.bias")):
            scale = wanted[name.replace(key, query)] if name.endswith(key) else scale
        assert error(found[name], gradient, scale) < limit, name


def check_tokens(folder: Path, lengths: list[int], vocabulary: int, dtype: torch.dtype) -> Encoder:
    """All token states, and gradients of a random map of them."""
    encoder = load_encoder(folder, pooling="first", first_token_only=False).to(dtype).eval()
    batch = batch_of(lengths, vocabulary)
    model, states = reference(folder, batch, dtype)
    found, wanted = encoder.tokens(FlatTokens.from_batch(batch, CPU)), torch.cat(states)
    outputs, gradients = LIMITS[dtype]
    assert error(found, wanted) < outputs
    weights = torch.randn(wanted.shape, dtype=dtype, generator=torch.Generator().manual_seed(2))
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert_gradients_agree(encoder, model, gradients)
    return encoder


def check_first_tokens(folder: Path, lengths: list[int], vocabulary: int, dtype: torch.dtype) -> None:
    """First tokens through the short last layer, and gradients of a random map of them."""
    encoder = load_encoder(folder, pooling="first").to(dtype).eval()
    batch = batch_of(lengths, vocabulary)
    model, states = reference(folder, batch, dtype)
    found, wanted = encoder(FlatTokens.from_batch(batch, CPU)), torch.stack([state[0] for state in states])
    outputs, gradients = LIMITS[dtype]
    assert error(found, wanted) < outputs
    weights = torch.randn(wanted.shape, dtype=dtype, generator=torch.Generator().manual_seed(3))
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    assert_gradients_agree(encoder, model, gradients)


@pytest.mark.parametrize("dtype", list(LIMITS), ids=["float32", "float64"])
@pytest.mark.parametrize("name", [*FLAT, *PADDED])
def test_every_architecture_agrees_with_the_library(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    folder = saved({**FLAT, **PADDED}[name], tmp_path)
    encoder = check_tokens(folder, [5, 9, 3, 20, 70, 1], 90, dtype)
    assert encoder.flat is (name in FLAT)
    assert (encoder.note is None) is encoder.flat


@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "electra"])
def test_the_last_layer_for_first_tokens_gives_the_same_numbers(name: str, tmp_path: Path) -> None:
    check_first_tokens(saved(FLAT[name], tmp_path), [5, 9, 3, 20, 70, 1], 90, torch.float64)


@pytest.mark.parametrize("dtype", list(LIMITS), ids=["float32", "float64"])
def test_real_weights(dtype: torch.dtype) -> None:
    folder = resolve("minilm-offline", Path()).folder
    check_tokens(folder, [3, 200, 31, 512], 30_000, dtype)
    check_first_tokens(folder, [3, 200, 31, 512], 30_000, dtype)


@pytest.mark.parametrize("dtype", list(LIMITS), ids=["float32", "float64"])
def test_random_weights_of_the_shape_of_bert_base(dtype: torch.dtype, tmp_path: Path) -> None:
    check_tokens(saved(BertConfig(), tmp_path), [3, 77, 512], 30_000, dtype)


@pytest.mark.parametrize("name", list(FLAT))
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8), seed=st.integers(0, 2**31))
def test_a_sequence_does_not_see_its_neighbours(name: str, lengths: list[int], seed: int, tmp_path: Path) -> None:
    """In any order and company a sequence has the same vector."""
    folder = tmp_path if (tmp_path / "config.json").exists() else saved(FLAT[name], tmp_path)
    encoder = load_encoder(folder, pooling="mean").double().eval()
    batch = batch_of(lengths, 90)
    together = encoder(FlatTokens.from_batch(batch, CPU))
    order = np.random.default_rng(seed).permutation(len(lengths))
    pieces = [np.arange(batch.offsets[place], batch.offsets[place + 1]) for place in order]
    rows = np.concatenate(pieces)
    offsets = np.cumsum([0, *[len(piece) for piece in pieces]]).astype(np.int32)
    shuffled = Batch(
        batch.token_ids[rows], batch.position_ids[rows], batch.segment_ids[rows], offsets, max(lengths), ()
    )
    again = encoder(FlatTokens.from_batch(shuffled, CPU))
    torch.testing.assert_close(again, together[torch.from_numpy(order)], rtol=1e-9, atol=1e-9)


def test_attention_dropout_is_drawn_in_training_alone(tmp_path: Path) -> None:
    encoder = load_encoder(saved(FLAT["bert"], tmp_path), pooling="first", dropout=0.0, attention_dropout=0.5)
    tokens = FlatTokens.from_batch(batch_of([5, 9], 90), CPU)
    with torch.no_grad():
        assert not torch.equal(encoder.train()(tokens), encoder.train()(tokens))
        assert torch.equal(encoder.eval()(tokens), encoder.eval()(tokens))


def test_two_threads_give_the_same_bytes_twice(tmp_path: Path) -> None:
    """Exact resume rests on it: no sum in the backward pass may depend on which thread came first."""
    folder = saved(FLAT["bert"], tmp_path)
    tokens = FlatTokens.from_batch(batch_of(list(range(1, 60)), 90), CPU)
    before, gradients = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        for _ in range(2):
            torch.manual_seed(5)
            encoder = load_encoder(folder, pooling="mean", attention_dropout=0.0).train()
            encoder(tokens).square().sum().backward()
            gradients.append([parameter.grad for parameter in encoder.parameters() if parameter.grad is not None])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(left, right) for left, right in zip(*gradients, strict=True))
