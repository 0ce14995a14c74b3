"""The head of masked language modelling agrees with transformers' own models at masked positions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from manyheads.data.batch import Batch
from manyheads.model.encoder import Encoder, load_encoder, quiet
from manyheads.model.flat import FlatTokens
from manyheads.pretraining.head import MaskedModel, load_head, save_head
from manyheads.pretraining.phase import NAME, MaskedLoss
from manyheads.pretraining.texts import MaskedBatch

SIZES = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "Bert": ("bert", {"max_position_embeddings": 40}),
    "Roberta": ("roberta", {"max_position_embeddings": 40, "pad_token_id": 1}),
    "DistilBert": (
        "distilbert",
        {"max_position_embeddings": 40, "dim": 32, "hidden_dim": 48, "n_layers": 2, "n_heads": 2},
    ),
    "Electra": ("electra", {"max_position_embeddings": 40, "embedding_size": 16}),
    "Albert": ("albert", {"max_position_embeddings": 40, "embedding_size": 16}),
    "ModernBert": (
        "modernbert",
        {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    ),
}
LENGTHS = (7, 12, 3)


@pytest.fixture(params=MODELS)
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Path]:
    """A masked language model of transformers with random weights and biases, and its folder."""
    torch.manual_seed(0)
    _, changes = MODELS[request.param]
    config = getattr(transformers, f"{request.param}Config")(**SIZES, **changes, initializer_range=0.2)
    with quiet():
        model = getattr(transformers, f"{request.param}ForMaskedLM")(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.1 * torch.randn_like(parameter))
        model.save_pretrained(tmp_path)
    return model, tmp_path


def flat_batch() -> MaskedBatch:
    draws = np.random.default_rng(0)
    offsets = np.cumsum([0, *LENGTHS]).astype(np.int32)
    ids = draws.integers(5, 90, offsets[-1]).astype(np.int32)
    places = np.concatenate([np.arange(length) for length in LENGTHS]).astype(np.int32)
    batch = Batch(ids, places, np.zeros_like(ids), offsets, max(LENGTHS), ())
    positions = np.array([1, 5, 8, 9, 17, 20])
    return MaskedBatch(batch, positions, draws.integers(5, 90, len(positions)))


def load(folder: Path) -> tuple[MaskedModel, bool]:
    encoder: Encoder = load_encoder(folder, first_token_only=False)
    head, own = load_head(folder, encoder)
    return MaskedModel(encoder, head).eval(), own


def test_logits_and_loss_agree_with_transformers(theirs: tuple[Any, Path]) -> None:
    model, folder = theirs
    ours, own = load(folder)
    assert own
    masked = flat_batch()
    device = torch.device("cpu")
    expected = []
    with torch.no_grad():
        for start, end in zip(masked.batch.offsets[:-1], masked.batch.offsets[1:], strict=True):
            ids = torch.from_numpy(masked.batch.token_ids[start:end]).long()[None]
            expected.append(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0])
        tokens = FlatTokens.from_batch(masked.batch, device)
        logits = ours.logits(ours.encoder.tokens(tokens), torch.from_numpy(masked.positions))
        loss = MaskedLoss(ours, device=device, precision="float32")(masked)[NAME]
    want = torch.cat(expected)[masked.positions]
    assert logits.shape == (len(masked.positions), 90)
    torch.testing.assert_close(logits, want, rtol=2e-4, atol=2e-4)
    torch.testing.assert_close(
        loss, torch.nn.functional.cross_entropy(want, torch.from_numpy(masked.targets)), rtol=1e-4, atol=1e-4
    )


def test_a_saved_head_is_loaded_again(theirs: tuple[Any, Path], tmp_path: Path) -> None:
    _, folder = theirs
    ours, _ = load(folder)
    out = tmp_path / "out"
    out.mkdir()
    ours.encoder.save(out)
    save_head(out, ours)
    again, own = load(out)
    assert own
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in ours.state_dict().items())


def test_an_encoder_without_a_head_gets_one_initialised_with_token_frequencies(tiny_encoder: Path) -> None:
    ours, own = load(tiny_encoder)
    assert not own
    counts = np.arange(len(ours.head.bias))
    ours.head.start_from(counts)
    torch.testing.assert_close(ours.head.bias.exp().sum().item(), 1.0)
    assert ours.head.bias.argmax().item() == len(counts) - 1


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    with quiet():
        transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)).save_pretrained(tmp_path)
    return tmp_path


def test_older_names_of_layer_norms_are_known(bert: Path) -> None:
    path = bert / "model.safetensors"
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in load_file(path).items()
    }
    renamed["cls.predictions.transform.LayerNorm.gamma"] += 0.5
    save_file(renamed, path, {"format": "pt"})
    ours, own = load(bert)
    assert own
    assert torch.equal(ours.head.norm.weight, renamed["cls.predictions.transform.LayerNorm.gamma"])


def test_a_head_with_an_untied_output_is_ignored(bert: Path) -> None:
    path = bert / "model.safetensors"
    tensors = load_file(path)
    tensors["cls.predictions.decoder.weight"] = torch.randn(90, 32)
    save_file(tensors, path, {"format": "pt"})
    assert not load(bert)[1]


def test_the_pooler_is_not_trained(tiny_encoder: Path) -> None:
    ours, _ = load(tiny_encoder)
    ours.encoder.requires_grad_(False)
    ours.train_all()
    frozen = {name for name, parameter in ours.named_parameters() if not parameter.requires_grad}
    assert frozen == {"encoder.model.pooler.dense.weight", "encoder.model.pooler.dense.bias"}
