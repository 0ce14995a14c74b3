"""Modules for sentence-transformers, which then reads the same text vectors from a bundle as manyheads."""

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
    """Add modules.json and its folders to a bundle that has a bi-encoded task.

    The modules are first-token or mean pooling, and the pooler as a Dense module with tanh. If the bundle has a task
    whose prediction is a cosine (see `cosine_task`), the linear map of its head is the next module, and vectors have
    length 1 if those of the head have. The cosine of two vectors is then that task's prediction, for a regression
    before scaling to its range.
    """
    pairs = [task for task in model.tasks.values() if task.sequences > 1]
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
        # ALBERT's pooler is a linear map without a module around it. Its activation is tanh, too.
        pooler = encoder.model.pooler
        dense = pooler if isinstance(pooler, nn.Linear) else pooler.dense
        _write_dense(target / "2_Dense", dense, "torch.nn.modules.activation.Tanh")
    mapped = cosine_task(pairs)
    if mapped is not None:
        place = f"{len(modules)}_Dense"
        head: Any = model.head(mapped)
        if head.shared is not None:
            modules.append(_module(len(modules), place, "Dense"))
            _write_dense(target / place, head.shared, "torch.nn.modules.linear.Identity")
        if getattr(head, "normalise", False):
            modules.append(_module(len(modules), f"{len(modules)}_Normalize", "Normalize"))
            (target / f"{len(modules) - 1}_Normalize").mkdir()
    write_json(target / "modules.json", modules)
    write_json(target / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})


def cosine_task(tasks: Iterable[Task]) -> str | None:
    """Return the task that predicts the cosine of two vectors of its head. None if there is none or several.

    It is the only task of a kind that reads vectors. Without such a task, it is the only regression with the head "b2".
    """
    tasks = list(tasks)
    of_vectors = [task.name for task in tasks if task.kind.vectors]
    names = of_vectors or [task.name for task in tasks if task.head == "b2" and task.kind.unit]
    return names[0] if len(names) == 1 else None


def sentence_vectors(model: MultitaskModel, vectors: Tensor) -> Tensor:
    """Return the vectors that the modules give, [n, width], from those of the encoder, [n, hidden]."""
    mapped = cosine_task(task for task in model.tasks.values() if task.sequences > 1)
    if mapped is None:
        return vectors
    head: Any = model.head(mapped)
    found: Tensor = head.vector(vectors) if model.tasks[mapped].kind.vectors else head.shared(vectors)
    return found


def _module(number: int, path: str, kind: str) -> dict[str, object]:
    # Class paths of sentence-transformers 2.0. Later versions read them, too.
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
