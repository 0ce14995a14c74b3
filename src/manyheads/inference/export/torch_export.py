"""Export to torch.export programs, for AOTInductor, ExecuTorch or a C++ runtime.

manyheads writes these programs and never loads those of someone else: `torch.export.load` may execute code that an
archive contains. `WrittenPrograms` loads only what this process has just written, to compare it with the model.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim

from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import Floats
from manyheads.inference.export.content import PaddedModel, add_common_files, add_to_card, pair_example
from manyheads.inference.graph_engine import GraphEngine, pair_graph

TARGET = "torch-export"
ENCODER = "encoder.pt2"

WARNING = (
    "torch may execute code that an archive (.pt2) contains when it loads it, so load only archives that you wrote "
    "yourself or whose writer you trust. manyheads itself does not load them."
)


def write_torch_export(bundle: Bundle, folder: Path, to: Path) -> GraphEngine:
    """Write the programs of the bundle in `folder` to `to`. Batch size and length are dynamic.

    Returns the engine of what was written, to compare it with the bundle.
    """
    model = PaddedModel(bundle, folder).eval()
    feeds = model.example()
    shape = {0: Dim("sequences"), 1: Dim("length", max=bundle.max_length)}
    _write(model, feeds, dict.fromkeys(feeds, shape), to / ENCODER)
    for name, task in bundle.model.tasks.items():
        if task.sequences > 1:
            pair = pair_example(bundle.model.encoder.hidden_size)
            file = to / f"{pair_graph(name)}.pt2"
            _write(bundle.model.head(name), pair, {side: {0: Dim("pairs")} for side in pair}, file)
    add_common_files(to, TARGET, bundle, folder, outputs=model.names, segments=model.segments)
    add_to_card(to, f"\n## torch.export\n\nWarning: {WARNING}\n")
    return GraphEngine(to, WrittenPrograms(to, model.names, segments=model.segments))


class WrittenPrograms:
    """The programs that this process has just written to `folder`."""

    def __init__(self, folder: Path, outputs: Sequence[str], *, segments: bool) -> None:
        self._folder, self._outputs, self.segments = folder, list(outputs), segments
        self._programs: dict[str, Any] = {}

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], outputs: Sequence[str]) -> list[Floats]:
        """Return outputs of the encoder, from one pass, for int64[S, L] inputs: float32[S, width], or [S, L, width]."""
        with torch.inference_mode():
            values = self._program(ENCODER)(**{name: torch.from_numpy(feed) for name, feed in feeds.items()})
        return [np.asarray(values[self._outputs.index(name)].numpy()) for name in outputs]

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """Return a bi-encoded pair head's outputs for vectors[n, hidden]: float32[n, outputs]."""
        with torch.inference_mode():
            program = self._program(f"{pair_graph(task)}.pt2")
            values = program(first=torch.from_numpy(first), second=torch.from_numpy(second))
        return np.asarray(values.numpy())

    def _program(self, name: str) -> Any:
        if name not in self._programs:
            self._programs[name] = torch.export.load(self._folder / name).module()
        return self._programs[name]


def _write(module: nn.Module, feeds: dict[str, Tensor], free: Any, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (), feeds, dynamic_shapes=free)
        # torch's own writer of files names neither the file nor the reason if the disk is full.
        content = io.BytesIO()
        torch.export.save(program, content)
    path.write_bytes(content.getvalue())
