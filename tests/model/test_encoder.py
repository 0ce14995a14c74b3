"""Loading and saving an encoder: pooling, dropout, errors, and the hub's format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModel

from manyheads.errors import EncoderError
from manyheads.model.config import FLAT_TYPES, TRIED_TYPES
from manyheads.model.encoder import Encoder, load_encoder
from manyheads.model.flat import FlatTokens

LENGTHS = (5, 3, 12, 12)
POOLERS = ("bert", "roberta", "xlm-roberta", "mpnet", "albert", "camembert")
ALL_TYPES = TRIED_TYPES

Tokens = Callable[..., FlatTokens]
Saved = Callable[..., Path]


def drop_pooler(folder: Path) -> Path:
    """Remove the pooler from a checkpoint, as if it was trained only on masked language modelling."""
    file = folder / "model.safetensors"
    weights = {name: tensor for name, tensor in load_file(file).items() if not name.startswith("pooler.")}
    save_file(weights, file, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("name", ALL_TYPES)
def test_auto_pooling_is_the_checkpoint_s_own(name: str, saved_model: Saved, flat_tokens: Tokens) -> None:
    encoder = load_encoder(saved_model(name)).eval()
    assert encoder.pooling == ("pooler" if name in POOLERS else "first")
    assert encoder.flat == (name in FLAT_TYPES)
    assert (encoder.note is None) == encoder.flat
    vectors = encoder(flat_tokens(LENGTHS))
    assert vectors.shape == (len(LENGTHS), encoder.hidden_size)
    assert vectors.dtype == torch.float32


@pytest.mark.parametrize("name", POOLERS)
def test_a_missing_pooler_is_not_initialised_randomly(
    name: str, saved_model: Saved, flat_tokens: Tokens, tmp_path: Path
) -> None:
    folder = drop_pooler(saved_model(name))
    encoder = load_encoder(folder).eval()
    assert encoder.pooling == "first"
    assert not [parameter for parameter, _ in encoder.named_parameters() if "pooler" in parameter]
    tokens = flat_tokens(LENGTHS)
    torch.testing.assert_close(encoder(tokens), encoder.tokens(tokens)[tokens.layout.starts])
    encoder.save(tmp_path / "again")
    assert torch.equal(load_encoder(tmp_path / "again").eval()(tokens), encoder(tokens))
    with pytest.raises(EncoderError, match="no pooler"):
        load_encoder(folder, pooling="pooler")


def test_pooler_pooling_of_an_architecture_without_a_pooler_is_an_error(saved_model: Saved) -> None:
    with pytest.raises(EncoderError, match="no pooler"):
        load_encoder(saved_model("distilbert"), pooling="pooler")


@pytest.mark.parametrize("name", ALL_TYPES)
def test_saved_encoders_load_back(name: str, saved_model: Saved, flat_tokens: Tokens, tmp_path: Path) -> None:
    """manyheads and transformers load the same weights and give the same outputs."""
    encoder = load_encoder(saved_model(name)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01)
    encoder.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["model_type"] == name
    assert "flat" not in (tmp_path / "config.json").read_text()
    tokens = flat_tokens(LENGTHS)
    assert torch.equal(load_encoder(tmp_path).eval()(tokens), encoder(tokens))
    plain = AutoModel.from_pretrained(tmp_path).eval()
    weights = encoder.model.state_dict()
    assert plain.state_dict().keys() == weights.keys()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in plain.state_dict().items())
    for piece, start, end in zip(
        encoder.tokens(tokens).split(LENGTHS), tokens.layout.offsets[:-1], tokens.layout.offsets[1:], strict=True
    ):
        alone = plain(input_ids=tokens.token_ids[None, start:end]).last_hidden_state[0]
        torch.testing.assert_close(piece, alone, rtol=1e-4, atol=1e-5)


def test_parameters_keep_the_hub_s_names(saved_model: Saved) -> None:
    folder = saved_model("bert")
    names = {f"model.{name}" for name in load_file(folder / "model.safetensors")}
    assert {name for name, _ in load_encoder(folder).named_parameters()} == names


@pytest.mark.parametrize("name", ALL_TYPES)
def test_dropout_is_the_requested_one(name: str, saved_model: Saved, flat_tokens: Tokens) -> None:
    """Without dropout, training mode equals eval mode. Each kind makes a difference that is repeatable with a seed."""
    folder, tokens = saved_model(name), flat_tokens(LENGTHS)

    def train(dropout: float, attention_dropout: float, seed: int) -> Tensor:
        encoder = load_encoder(folder, dropout=dropout, attention_dropout=attention_dropout).train()
        torch.manual_seed(seed)
        return encoder(tokens).detach()

    plain = load_encoder(folder).eval()(tokens).detach()
    torch.testing.assert_close(train(0.0, 0.0, 1), plain, rtol=1e-4, atol=1e-5)
    for rates in ((0.3, 0.0), (0.0, 0.3)):
        assert torch.equal(train(*rates, 1), train(*rates, 1))
        assert not torch.allclose(train(*rates, 1), train(*rates, 2), atol=1e-3)
        assert not torch.allclose(train(*rates, 1), plain, atol=1e-3)


@pytest.mark.parametrize("first_token_only", [True, False])
@pytest.mark.parametrize("place", ["attention.self.dropout", "attention.output.dropout", "output.dropout"])
def test_the_last_layer_has_dropout_in_all_places(
    place: str, first_token_only: bool, saved_model: Saved, flat_tokens: Tokens
) -> None:
    """The last layer for first tokens has the same places of dropout as the full one."""
    encoder = load_encoder(
        saved_model("bert"), dropout=0.0, attention_dropout=0.0, first_token_only=first_token_only
    ).train()
    tokens = flat_tokens(LENGTHS)
    still = encoder(tokens)
    encoder.model.encoder.layer[-1].get_submodule(place).p = 0.5
    assert not torch.allclose(encoder(tokens), still, atol=1e-3)


def test_the_default_dropouts_are_the_checkpoint_s(saved_model: Saved) -> None:
    folder = saved_model("bert", hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.3)
    config = load_encoder(folder).model.config
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.2, 0.3)
    config = load_encoder(folder, dropout=0.0).model.config
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.0, 0.3)


@pytest.mark.parametrize(("name", "longest"), [("bert", 64), ("roberta", 62), ("mpnet", 62), ("modernbert", 64)])
def test_the_longest_sequence_runs(name: str, longest: int, saved_model: Saved, flat_tokens: Tokens) -> None:
    encoder = load_encoder(saved_model(name)).eval()
    assert encoder.max_length == longest
    assert torch.isfinite(encoder(flat_tokens((longest, 2)))).all()


def test_nothing_is_printed(saved_model: Saved, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = drop_pooler(saved_model("bert"))
    capfd.readouterr()
    load_encoder(folder).save(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_missing_weights_are_an_error(saved_model: Saved) -> None:
    folder = saved_model("bert")
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"lacks weights(.|\n)*encoder\.layer\.1\.output\.dense\.weight"):
        load_encoder(folder)


def test_truncated_weights_are_an_error(saved_model: Saved) -> None:
    file = saved_model("bert") / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(file.parent)


def test_weights_of_another_shape_are_an_error(saved_model: Saved) -> None:
    folder = saved_model("bert")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(folder)


def test_pickles_are_not_read(saved_model: Saved) -> None:
    folder = saved_model("bert")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(folder)


def test_code_in_a_checkpoint_is_not_run(saved_model: Saved) -> None:
    folder = saved_model("bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('code was run')")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(folder)


def test_a_dropout_that_the_architecture_lacks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "fnet"}))
    with pytest.raises(EncoderError, match=r"fnet(.|\n)*model\.attention_dropout"):
        load_encoder(tmp_path, attention_dropout=0.1, untested=True)


def test_the_last_layer_computes_only_first_tokens_if_only_they_are_read(
    new_model: Callable[..., Any], flat_tokens: Tokens
) -> None:
    """The last feed-forward receives S rows for first tokens, and T rows for the mean or if it is switched off."""
    tokens = flat_tokens(LENGTHS)

    def rows(pooling: Any, *, first_token_only: bool = True) -> int:
        model = new_model("bert")
        model.set_attn_implementation("flat")
        seen: list[int] = []
        dense = model.encoder.layer[-1].intermediate.dense
        dense.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[:-1].numel()))
        Encoder(model, pooling=pooling, first_token_only=first_token_only).eval()(tokens)
        return sum(seen)

    assert rows("first") == rows("pooler") == len(LENGTHS)
    assert rows("mean") == rows("first", first_token_only=False) == sum(LENGTHS)
