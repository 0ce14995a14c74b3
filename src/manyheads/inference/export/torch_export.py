"""Export to torch.export programs, for AOTInductor, ExecuTorch or a C++ runtime."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from manyheads.inference.bundle import Bundle
from manyheads.inference.export.content import add_common_files
from manyheads.inference.export.padded import PaddedModel, pair_example
from manyheads.inference.graph_engine import pair_graph
from manyheads.inference.torch_graphs import ENCODER, TARGET


def write_torch_export(bundle: Bundle, folder: Path, to: Path) -> None:
    """Write the programs of the bundle in `folder` to `to`. Batch size and length are dynamic."""
    model = PaddedModel(bundle, folder).eval()
    feeds = model.example()
    shape = {0: Dim("sequences"), 1: Dim("length", max=bundle.max_length)}
    _write(model, feeds, dict.fromkeys(feeds, shape), to / ENCODER)
    for name, task in bundle.model.tasks.items():
        if task.sequences == 2:
            pair = pair_example(bundle.model.encoder.hidden_size)
            file = to / f"{pair_graph(name)}.pt2"
            _write(bundle.model.head(name), pair, {side: {0: Dim("pairs")} for side in pair}, file)
    add_common_files(to, TARGET, bundle, folder, outputs=model.names, segments=model.segments)


def _write(module: nn.Module, feeds: dict[str, Tensor], free: Any, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (), feeds, dynamic_shapes=free)
        # torch's own writer of files names neither the file nor the reason if the disk is full.
        content = io.BytesIO()
        torch.export.save(program, content)
    path.write_bytes(content.getvalue())
