"""A bundle as ONNX graphs: one encoder with an output a task, and a small graph for each bi-encoded pair."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import Engine
from manyheads.inference.manifest import ENCODER_GRAPH, FORMAT, MANIFEST, sha256
from manyheads.inference.onnx_engine import VECTOR, pair_graph, task_output
from manyheads.inference.task_json import task_to_json
from manyheads.model.encoder import quiet
from manyheads.run.atomic import replace_folder, write_json
from manyheads.version import __version__

LARGEST = 1e-4
"""Outputs of the graphs may differ from the model's by this much, in float32."""


class Graph(nn.Module):
    """The padded encoder, pooling, and the heads that read one sequence."""

    def __init__(self, bundle: Bundle, folder: Path, names: Sequence[str]) -> None:
        super().__init__()
        with quiet():
            self.encoder: Any = AutoModel.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, attn_implementation="eager", dtype=torch.float32
            )
        self.pooling = bundle.model.encoder.pooling
        self.heads = nn.ModuleList([bundle.model.head(name) for name in names])

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Any:
        """int64[S, L] each to a vector[S, hidden] and each head's outputs[S, outputs]."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        found = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments)
        if self.pooling == "pooler":
            vector = found.pooler_output
        elif self.pooling == "first":
            vector = found.last_hidden_state[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).to(torch.float32)
            vector = (found.last_hidden_state * weights).sum(1) / weights.sum(1)
        return (vector, *(head(vector) for head in self.heads))


def export_onnx(bundle: Bundle, folder: Path, out: Path) -> None:
    """Write the graphs of the bundle in `folder`, its tokenizer and a manifest with hashes to `out`, in one step.

    Raises:
        BundleError: onnx or onnxscript is not installed.
    """
    try:
        import onnxscript  # type: ignore[import-untyped,unused-ignore]  # noqa: F401
    except ModuleNotFoundError as error:
        hint = "pip install 'manyheads[onnx]'"
        raise BundleError("ONNX needs a package that is not installed", found=str(error), hint=hint) from error
    single = [name for name, task in bundle.model.tasks.items() if task.sequences == 1]
    graph = Graph(bundle, folder, single).eval()
    config = graph.encoder.config

    def fill(target: Path) -> None:
        ids = torch.full((2, 8), 5, dtype=torch.int64)
        feeds = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        if bundle.model.encoder._takes_segments:
            feeds["token_type_ids"] = torch.zeros_like(ids)
        free = {name: {0: "sequences", 1: "length"} for name in feeds}
        _write(graph, feeds, free, [VECTOR, *map(task_output, single)], target / ENCODER_GRAPH)
        for name, task in bundle.model.tasks.items():
            if task.sequences == 2:
                pair = {side: torch.rand(2, config.hidden_size) for side in ("first", "second")}
                _write(bundle.model.head(name), pair, {side: {0: "pairs"} for side in pair}, [name], target / pair_graph(name))
        bundle.tokenizer.save(target)
        manifest = {
            "format": FORMAT,
            "manyheads": __version__,
            "runtime": "onnx",
            "pad_id": int(config.pad_token_id or 0),
            "max_length": bundle.max_length,
            "tasks": [task_to_json(task) for task in bundle.model.tasks.values()],
            "files": {path.name: sha256(path) for path in sorted(target.iterdir())},
        }
        write_json(target / MANIFEST, manifest)

    replace_folder(out, fill)


def largest_difference(model: Engine, graphs: Engine, store: TextStore, splits: Sequence[Split]) -> float:
    """The largest difference of two engines' outputs on these splits.

    Raises:
        BundleError: it is above what float32 explains.
    """
    gaps = [np.abs(model.outputs(store, each) - graphs.outputs(store, each)).max(initial=0.0) for each in splits]
    largest = float(max(gaps, default=0.0))
    if not largest <= LARGEST:
        raise BundleError("the exported graphs differ from the model", found=f"{largest:.2e}", allowed=f"up to {LARGEST}")
    return largest


def _write(module: nn.Module, feeds: dict[str, Tensor], free: Any, outputs: list[str], path: Path) -> None:
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (), path, kwargs=feeds, input_names=list(feeds), output_names=outputs, dynamic_shapes=free,
            dynamo=True, external_data=False, verbose=False,
        )
