"""Small random models of every architecture, ragged batches, and transformers' own run of one sequence at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import (
    AlbertConfig,
    AutoModel,
    BertConfig,
    CamembertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    MPNetConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from manyheads.data.batch import Batch
from manyheads.model.encoder import Encoder, quiet
from manyheads.model.flat import FlatTokens

VOCABULARY = 120
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
CONFIGS: dict[str, Callable[..., Any]] = {
    "bert": BertConfig,
    "roberta": lambda **shape: RobertaConfig(**shape, type_vocab_size=1, pad_token_id=1),
    "xlm-roberta": lambda **shape: XLMRobertaConfig(**shape, type_vocab_size=1, pad_token_id=1),
    "electra": lambda **shape: ElectraConfig(**shape, embedding_size=16),
    "distilbert": lambda **shape: DistilBertConfig(
        **{
            **{key: value for key, value in shape.items() if key in ("vocab_size", "initializer_range")},
            "max_position_embeddings": shape["max_position_embeddings"],
            "dim": shape["hidden_size"],
            "n_layers": shape["num_hidden_layers"],
            "n_heads": shape["num_attention_heads"],
            "hidden_dim": shape["intermediate_size"],
        }
    ),
    # In two of three layers the window is 8: a token sees four tokens on each side.
    "modernbert": lambda **shape: ModernBertConfig(
        **shape, local_attention=8, global_attn_every_n_layers=3, pad_token_id=0, initializer_cutoff_factor=2.0
    ),
    "mpnet": lambda **shape: MPNetConfig(**shape, pad_token_id=1),
    "camembert": lambda **shape: CamembertConfig(**shape, type_vocab_size=1, pad_token_id=1),
    "deberta-v2": lambda **shape: DebertaV2Config(
        **shape, relative_attention=True, pos_att_type=["c2p", "p2c"], position_biased_input=False
    ),
    "albert": lambda **shape: AlbertConfig(**shape, embedding_size=16),
}


@pytest.fixture(scope="session")
def new_model() -> Callable[..., Any]:
    """A new random model of an architecture, in eval mode: `new_model(name, hidden_size=...)`."""

    def new(name: str, **changes: Any) -> Any:
        torch.manual_seed(7)
        with quiet():
            model = AutoModel.from_config(CONFIGS[name](**{**SHAPE, **changes}), attn_implementation="eager")
        for parameter in model.parameters():
            # Biases are initialised to zero and layer norms to one. Move them, so that a missing one is noticed.
            if parameter.ndim == 1:
                torch.nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.1)
        return model.eval()

    return new


@pytest.fixture(scope="session")
def saved_model(new_model: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A new random model as a folder in the hub's layout."""

    def save(name: str, **changes: Any) -> Path:
        folder = tmp_path_factory.mktemp(name)
        with quiet():
            new_model(name, **changes).save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def new_batch() -> Callable[..., Batch]:
    """A batch of random sequences of the given lengths. The second half of each has the segment `segment`."""

    def new(lengths: Sequence[int], *, vocabulary: int = VOCABULARY, segment: int = 0, seed: int = 3) -> Batch:
        random = np.random.default_rng(seed)
        return Batch(
            token_ids=random.integers(5, vocabulary, sum(lengths)).astype(np.int32),
            position_ids=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
            segment_ids=np.concatenate(
                [(np.arange(length) >= (length + 1) // 2) * segment for length in lengths]
            ).astype(np.int32),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            max_length=max(lengths),
            parts=(),
        )

    return new


@pytest.fixture(scope="session")
def flat_tokens(new_batch: Callable[..., Batch]) -> Callable[..., FlatTokens]:
    """`new_batch`, on the CPU."""

    def new(lengths: Sequence[int], **options: int) -> FlatTokens:
        return FlatTokens.from_batch(new_batch(lengths, **options), torch.device("cpu"))

    return new


@pytest.fixture(scope="session")
def one_by_one() -> Callable[[Any, FlatTokens], tuple[Tensor, Tensor | None]]:
    """transformers' own run of one sequence at a time without padding: states[T, H], pooler outputs[S, H] or None."""

    def run(model: Any, tokens: FlatTokens) -> tuple[Tensor, Tensor | None]:
        assert model.config._attn_implementation in ("eager", "sdpa")
        takes_segments = "token_type_ids" in inspect.signature(model.forward).parameters
        states, pooled = [], []
        for start, end in zip(tokens.layout.offsets[:-1].tolist(), tokens.layout.offsets[1:].tolist(), strict=True):
            inputs = {"input_ids": tokens.token_ids[None, start:end]}
            if takes_segments:
                inputs["token_type_ids"] = tokens.segment_ids[None, start:end]
            outputs = model(**inputs)
            states.append(outputs.last_hidden_state[0])
            pooled.append(getattr(outputs, "pooler_output", None))
        return torch.cat(states), None if pooled[0] is None else torch.cat(pooled)

    return run


@pytest.fixture(scope="session")
def relative() -> Callable[[Tensor, Tensor], float]:
    """The norm of the difference over the norm of the reference."""

    def measure(actual: Tensor, reference: Tensor) -> float:
        return float(((actual - reference).norm() / reference.norm()).detach())

    return measure


@pytest.fixture(scope="session")
def worst_gradient() -> Callable[[Encoder, Callable[[], Tensor], Callable[[], Tensor]], tuple[str, float]]:
    """The parameter whose gradients of two equal losses differ most, and the difference relative to its norm.

    Key biases have no gradient in exact arithmetic. Their difference is divided by the query biases' norm.
    """

    def measure(encoder: Encoder, actual: Callable[[], Tensor], reference: Callable[[], Tensor]) -> tuple[str, float]:
        gradients = []
        for loss in (actual, reference):
            encoder.zero_grad()
            loss().backward()
            gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.grad is not None})
        first, second = gradients
        used = {name for name, gradient in second.items() if gradient.any()}
        assert used == {name for name, gradient in first.items() if gradient.any()}
        errors = {}
        for name in used:
            scale = second[_query(name)] if _query(name) in second else second[name]
            errors[name] = float((first[name] - second[name]).norm() / scale.norm())
        worst = max(errors, key=errors.__getitem__)
        return worst, errors[worst]

    return measure


def _query(name: str) -> str:
    """Return the name of the query bias that belongs to a key bias. Other names are unchanged."""
    return name.replace("key.bias", "query.bias").replace("k_lin.bias", "q_lin.bias")
