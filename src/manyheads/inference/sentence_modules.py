"""The modules that make a bundle with bi-encoded pairs a model of sentence-transformers: the same vector of a text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor, nn

from manyheads.model.multitask import MultitaskModel
from manyheads.run.atomic import write_json
from manyheads.tasks.task import Task

POOLINGS = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")


def write_sentence_modules(target: Path, model: MultitaskModel, max_length: int) -> None:
    """Add modules.json and its folders to a bundle.

    The vector is the encoder's: first-token or mean pooling, the pooler as a Dense with tanh. If exactly one
    bi-encoded task measures by cosine ("b2" for values), its map comes last, and the cosine of two vectors is its
    answer before scaling. Without a bi-encoded task nothing is written.
    """
    pairs = [task for task in model.tasks.values() if task.sequences == 2]
    if not pairs:
        return
    encoder = model.encoder
    modules = [_module(0, "", "Transformer"), _module(1, "1_Pooling", "Pooling")]
    write_json(target / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    chosen = "mean_tokens" if encoder.pooling == "mean" else "cls_token"
    flags = {f"pooling_mode_{each}": each == chosen for each in POOLINGS}
    write_json(target / "1_Pooling" / "config.json", {"word_embedding_dimension": encoder.hidden_size, **flags})
    if encoder.pooling == "pooler":
        modules.append(_module(2, "2_Dense", "Dense"))
        _write_dense(target / "2_Dense", encoder.model.pooler.dense, "torch.nn.modules.activation.Tanh")
    mapped = cosine_task(pairs)
    if mapped is not None:
        place = f"{len(modules)}_Dense"
        head: Any = model.head(mapped)
        modules.append(_module(len(modules), place, "Dense"))
        _write_dense(target / place, head.shared, "torch.nn.modules.linear.Identity")
    write_json(target / "modules.json", modules)
    write_json(target / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})


def cosine_task(tasks: Iterable[Task]) -> str | None:
    """The one task that answers by the cosine of two mapped vectors ("b2" for values); None of none or several."""
    found = [task.name for task in tasks if task.head == "b2" and task.kind.value_range is not None]
    return found[0] if len(found) == 1 else None


def _module(number: int, path: str, kind: str) -> dict[str, object]:
    # The names of old: every version since 2.0 reads them.
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _write_dense(folder: Path, dense: nn.Linear, activation: str) -> None:
    config = {
        "in_features": dense.in_features,
        "out_features": dense.out_features,
        "bias": True,
        "activation_function": activation,
    }
    write_json(folder / "config.json", config)
    weights: dict[str, Tensor] = {
        "linear.weight": dense.weight.detach().cpu().contiguous(),
        "linear.bias": dense.bias.detach().cpu().contiguous(),
    }
    save_file(weights, folder / "model.safetensors")
