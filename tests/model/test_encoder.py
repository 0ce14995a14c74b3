"""Loading, pooling and saving an encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, ModernBertConfig, ModernBertModel

from manyheads.data.batch import Batch
from manyheads.errors import EncoderError
from manyheads.model.encoder import load_encoder, quiet
from manyheads.model.flat import FlatTokens


def tokens() -> FlatTokens:
    ids = np.array([2, 7, 8, 3, 2, 9, 3], dtype=np.int32)
    positions = np.array([0, 1, 2, 3, 0, 1, 2], dtype=np.int32)
    return FlatTokens.from_batch(
        Batch(ids, positions, np.zeros(7, np.int32), np.array([0, 4, 7], np.int32), 4, ()), torch.device("cpu")
    )


@pytest.fixture
def without_pooler(tiny_encoder: Path, tmp_path: Path) -> Path:
    with quiet():
        BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False).save_pretrained(tmp_path)
    return tmp_path


def test_auto_is_the_checkpoint_s_own_pooler_or_the_first_token(tiny_encoder: Path, without_pooler: Path) -> None:
    assert load_encoder(tiny_encoder).pooling == "pooler"
    encoder = load_encoder(without_pooler)
    assert encoder.pooling == "first"
    assert not any("pooler" in name for name, _ in encoder.named_parameters())
    with pytest.raises(EncoderError, match="no pooler of its own"):
        load_encoder(without_pooler, pooling="pooler")


def test_poolings_are_what_they_say(tiny_encoder: Path) -> None:
    states = load_encoder(tiny_encoder).eval().tokens(tokens())
    found = {name: load_encoder(tiny_encoder, pooling=name).eval()(tokens()) for name in ("first", "mean", "pooler")}  # type: ignore[arg-type]
    pooler = load_encoder(tiny_encoder).model.pooler.dense
    torch.testing.assert_close(found["first"], states[[0, 4]], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        found["mean"], torch.stack([states[:4].mean(0), states[4:].mean(0)]), atol=1e-5, rtol=1e-5
    )
    torch.testing.assert_close(found["pooler"], torch.tanh(pooler(states[[0, 4]])), atol=1e-5, rtol=1e-5)


def test_saved_it_loads_in_transformers_to_the_same_outputs(tiny_encoder: Path, tmp_path: Path) -> None:
    encoder = load_encoder(tiny_encoder).eval()
    encoder.save(tmp_path)
    assert "flat" not in (tmp_path / "config.json").read_text()
    with quiet():
        plain = AutoModel.from_pretrained(tmp_path).eval()
    wanted = plain(input_ids=torch.tensor([[2, 7, 8, 3]])).pooler_output
    torch.testing.assert_close(encoder(tokens())[:1], wanted, atol=1e-6, rtol=1e-5)


def test_dropouts_replace_the_configuration_s(tiny_encoder: Path, tmp_path: Path) -> None:
    config = load_encoder(tiny_encoder, dropout=0.3, attention_dropout=0.0).model.config
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.3, 0.0)
    modern = ModernBertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, pad_token_id=0
    )
    with quiet():
        ModernBertModel(modern).save_pretrained(tmp_path)
    config = load_encoder(tmp_path, dropout=0.2).model.config
    assert (config.embedding_dropout, config.mlp_dropout, config.attention_dropout) == (0.2, 0.2, 0.0)


def test_a_folder_that_cannot_be_loaded_says_why(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(tmp_path)
    config = json.loads((tiny_encoder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    (tmp_path / "model.safetensors").write_bytes((tiny_encoder / "model.safetensors").read_bytes())
    with pytest.raises(EncoderError, match="weights are missing"):
        load_encoder(tmp_path)


def test_the_longest_sequence(tiny_encoder: Path) -> None:
    assert load_encoder(tiny_encoder).max_length == BertConfig.from_pretrained(tiny_encoder).max_position_embeddings
