"""Architectures that cannot be used are refused by name, and those that were never tried are probed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    BertConfig,
    ConvBertConfig,
    FNetConfig,
    FunnelConfig,
    GPT2Config,
    MobileBertConfig,
    SqueezeBertConfig,
)

from manyheads.errors import EncoderError
from manyheads.model.config import TRIED_TYPES
from manyheads.model.encoder import Encoder, load_encoder, probe, quiet

SMALL = {"vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
UNTRIED: dict[str, Callable[[], Any]] = {
    "fnet": lambda: FNetConfig(**SMALL, intermediate_size=64),
    "convbert": lambda: ConvBertConfig(**SMALL, intermediate_size=64, embedding_size=32),
    "mobilebert": lambda: MobileBertConfig(
        **SMALL, intermediate_size=64, embedding_size=16, intra_bottleneck_size=16, true_hidden_size=16
    ),
    "squeezebert": lambda: SqueezeBertConfig(
        **SMALL, intermediate_size=64, embedding_size=32, q_groups=1, k_groups=1, v_groups=1, post_attention_groups=1
    ),
}


def saved(config: Any, folder: Path) -> Path:
    torch.manual_seed(3)
    with quiet():
        AutoModel.from_config(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("t5", "encoder-decoder"),
        ("bart", "encoder-decoder"),
        ("led", "encoder-decoder"),
        ("gpt2", "causal"),
        ("llama", "causal"),
        ("xlnet", "causal"),
        ("big_bird", "sparse"),
        ("longformer", "sparse"),
    ],
)
@pytest.mark.parametrize("untested", [False, True])
def test_an_unusable_architecture_is_refused_by_name(name: str, reason: str, untested: bool, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
    with pytest.raises(EncoderError, match=rf"{name} .*{reason}"):
        load_encoder(tmp_path, untested=untested)


def test_a_decoder_of_a_tried_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "is_decoder": True}))
    with pytest.raises(EncoderError, match="is_decoder"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["fnet", "convbert", "mobilebert", "deberta", "rembert", "funnel"])
def test_an_architecture_that_was_never_tried_is_refused_by_name(name: str, tmp_path: Path) -> None:
    assert name not in TRIED_TYPES
    (tmp_path / "config.json").write_text(json.dumps({"model_type": name}))
    with pytest.raises(EncoderError, match=rf"{name} was never tried(.|\n)*model\.untested"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("name", ["fnet", "convbert"])
def test_an_encoder_that_reads_its_padding_fails_a_probe(name: str, tmp_path: Path) -> None:
    folder = saved(UNTRIED[name](), tmp_path)
    with pytest.raises(EncoderError, match=f"{name} fails a probe: a text alone"):
        load_encoder(folder, untested=True)


def test_an_encoder_that_is_no_single_model_is_an_error(tmp_path: Path) -> None:
    sizes = {"d_model": 32, "n_head": 2, "d_head": 16, "d_inner": 64, "block_sizes": [1]}
    folder = saved(FunnelConfig(vocab_size=120, **sizes, architectures=["FunnelModel"]), tmp_path)
    with pytest.raises(EncoderError, match=r"its architecture does not read texts(.|\n)*funnel"):
        load_encoder(folder, untested=True)


@pytest.mark.parametrize("name", ["mobilebert", "squeezebert"])
def test_an_encoder_that_passes_the_probes_can_be_used(name: str, tmp_path: Path) -> None:
    encoder = load_encoder(saved(UNTRIED[name](), tmp_path), untested=True)
    assert encoder.untested
    assert encoder.training, "the probes leave the mode unchanged"


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(vocab_size=120, n_embd=32, n_layer=2, n_head=2, n_positions=64),
        BertConfig(**SMALL, intermediate_size=64, is_decoder=True),
    ],
    ids=["gpt2", "bert"],
)
def test_a_causal_model_fails_a_probe_too(config: Any) -> None:
    """The third probe finds a causal model whose configuration does not say that it is one."""
    torch.manual_seed(3)
    with quiet():
        model = AutoModel.from_config(config).eval()
    model.config.max_position_embeddings = 64
    encoder = Encoder(model, pooling="first", first_token_only=False)
    encoder.flat = False
    with pytest.raises(EncoderError, match="last token"):
        probe(encoder, "here")


def test_flat_attention_that_differs_from_padded_attention_fails_a_probe(
    saved_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(saved_model("bert"))
    whole = encoder.tokens
    monkeypatch.setattr(encoder, "tokens", lambda tokens: whole(tokens) * 1.001)
    with pytest.raises(EncoderError, match="flat attention"):
        probe(encoder, "here")


def test_weights_that_are_not_finite_are_named(saved_model: Callable[..., Path]) -> None:
    folder = saved_model("bert")
    weights = load_file(folder / "model.safetensors")
    for value, named in ((float("nan"), "NaN"), (float("inf"), "infinite")):
        broken = {name: tensor.clone() for name, tensor in weights.items()}
        broken["encoder.layer.1.output.dense.weight"][3, 2] = value
        save_file(broken, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(EncoderError, match=rf"not finite(.|\n)*{named}.*encoder\.layer\.1\.output\.dense\.weight"):
            load_encoder(folder)


def test_unused_weights_are_known_by_name(saved_model: Callable[..., Path]) -> None:
    folder = saved_model("bert")
    weights = load_file(folder / "model.safetensors")
    weights["cls.predictions.bias"] = torch.zeros(3)
    weights["encoder.layer.7.output.dense.weight"] = torch.zeros(3, 3)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert load_encoder(folder).unused == ("cls.predictions.bias", "encoder.layer.7.output.dense.weight")
