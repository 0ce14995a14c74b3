"""The head of masked language modelling, with the parameter names of each architecture's checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers.activations import ACT2FN

from manyheads.model.encoder import Encoder

HEAD_FILE = "mlm_head.safetensors"


@dataclass(frozen=True)
class HeadNames:
    """An architecture's names for the parts of its head. `activation`, `eps`: a key of the configuration or a value."""

    dense: str
    norm: str
    bias: str
    decoder: str
    activation: str = "gelu"
    eps: str | float = "layer_norm_eps"


_BERT = HeadNames(
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.bias",
    "cls.predictions.decoder",
    activation="hidden_act",
)
_ROBERTA = HeadNames("lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "lm_head.decoder")
HEAD_NAMES: dict[str, HeadNames] = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "mpnet": _ROBERTA,
    "distilbert": HeadNames(
        "vocab_transform",
        "vocab_layer_norm",
        "vocab_projector.bias",
        "vocab_projector",
        activation="activation",
        eps=1e-12,
    ),
    "electra": HeadNames(
        "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias", "generator_lm_head"
    ),
    "albert": HeadNames(
        "predictions.dense", "predictions.LayerNorm", "predictions.bias", "predictions.decoder", activation="hidden_act"
    ),
    "modernbert": HeadNames(
        "head.dense", "head.norm", "decoder.bias", "decoder", activation="classifier_activation", eps="norm_eps"
    ),
}
"""Architectures whose head is read from a checkpoint. All others get a new head, saved under BERT's names."""


class MaskedHead(nn.Module):
    """Maps vectors to logits over the vocabulary: a linear map, an activation, a layer norm, the word embeddings."""

    def __init__(self, config: Any, embeddings: Tensor) -> None:
        super().__init__()
        names = HEAD_NAMES.get(config.model_type, _BERT)
        vocabulary, size = embeddings.shape
        modern = config.model_type == "modernbert"
        self.dense = nn.Linear(config.hidden_size, size, bias=config.classifier_bias if modern else True)
        self.activation = ACT2FN[getattr(config, names.activation, None) or "gelu"]
        eps = names.eps if isinstance(names.eps, float) else getattr(config, names.eps, 1e-12)
        self.norm = nn.LayerNorm(size, eps=eps, bias=config.norm_bias if modern else True)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        nn.init.normal_(self.dense.weight, std=float(getattr(config, "initializer_range", 0.02)))
        if self.dense.bias is not None:
            nn.init.zeros_(self.dense.bias)

    def forward(self, vectors: Tensor, embeddings: Tensor) -> Tensor:
        """Map vectors[m, hidden] with embeddings[vocabulary, size] to logits[m, vocabulary]."""
        return linear(self.norm(self.activation(self.dense(vectors))), embeddings, self.bias)

    def start_from(self, counts: NDArray[np.int64]) -> None:
        """Initialise a new head's bias with the frequency of each token (one added to each count)."""
        shares = torch.from_numpy((counts + 1) / (counts + 1).sum())
        with torch.no_grad():
            self.bias.copy_(shares.log().to(self.bias))


class MaskedModel(nn.Module):
    """An encoder and its head. Logits are computed only at masked positions."""

    def __init__(self, encoder: Encoder, head: MaskedHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def logits(self, states: Tensor, positions: Tensor) -> Tensor:
        """Run the head at some positions[m] of the last hidden states[T, hidden]: [m, vocabulary]."""
        embeddings = self.encoder.model.get_input_embeddings().weight
        result: Tensor = self.head(states.index_select(0, positions), embeddings)
        return result

    def train_all(self) -> None:
        """Train the encoder too, except its pooler, which masked language modelling does not use."""
        self.encoder.requires_grad_(True)
        pooler = getattr(self.encoder.model, "pooler", None)
        if pooler is not None:
            pooler.requires_grad_(False)


def load_head(folder: Path, encoder: Encoder) -> tuple[MaskedHead, bool]:
    """Return the checkpoint's own head and True, or a new head from torch's generator and False.

    A head whose output is not tied to the embeddings is ignored, because it fits only its own output weights.
    """
    config = encoder.model.config
    embeddings = encoder.model.get_input_embeddings().weight
    head = MaskedHead(config, embeddings)
    names = HEAD_NAMES.get(config.model_type)
    tensors = {} if names is None else _read(folder, names)
    decoder = tensors.pop("decoder", None)
    if decoder is not None and (decoder.shape != embeddings.shape or not torch.equal(decoder, embeddings.detach())):
        return head, False
    expected = {name: value.shape for name, value in head.state_dict().items()}
    if {name: value.shape for name, value in tensors.items()} != expected:
        return head, False
    head.load_state_dict(tensors)
    return head, True


def save_head(folder: Path, model: MaskedModel) -> None:
    """Write the head next to the encoder, with the names of the architecture's checkpoints."""
    names = HEAD_NAMES.get(model.encoder.model.config.model_type, _BERT)
    tensors = {
        hub: value.detach().cpu().contiguous()
        for name, value in model.head.state_dict().items()
        for hub in _hub_names(names)[name][:1]
    }
    save_file(tensors, folder / HEAD_FILE)


def head_files(folder: Path) -> list[Path]:
    """Return the files that may contain a head."""
    return sorted(folder.glob("*.safetensors"))


def _hub_names(names: HeadNames) -> Mapping[str, tuple[str, ...]]:
    """Return the names of every part of the head in checkpoints: the current name, then older ones."""
    return {
        "dense.weight": (f"{names.dense}.weight",),
        "dense.bias": (f"{names.dense}.bias",),
        "norm.weight": (f"{names.norm}.weight", f"{names.norm}.gamma"),
        "norm.bias": (f"{names.norm}.bias", f"{names.norm}.beta"),
        "bias": (names.bias, f"{names.decoder}.bias"),
        "decoder": (f"{names.decoder}.weight",),
    }


def _read(folder: Path, names: HeadNames) -> dict[str, Tensor]:
    wanted = {hub: name for name, hubs in _hub_names(names).items() for hub in hubs}
    tensors: dict[str, Tensor] = {}
    for path in head_files(folder):
        with safe_open(path, framework="pt") as file:
            for hub in file.keys():  # noqa: SIM118 - the file is not a mapping
                if hub in wanted:
                    tensors[wanted[hub]] = file.get_tensor(hub).float()
    return tensors
