"""Exported graphs of torch.export, run on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.errors import BundleError
from manyheads.inference.engine import Floats
from manyheads.inference.graph_engine import GraphEngine, check_export, pair_graph
from manyheads.inference.manifest import read_manifest

TARGET = "torch-export"
ENCODER = "encoder.pt2"


class TorchGraphs:
    """The graphs of an export. A pair graph is read when it is first used."""

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        self._folder = folder
        self._encoder = self._graph(ENCODER)
        self._outputs, self.segments = list(manifest["outputs"]), bool(manifest["segments"])
        self._pairs: dict[str, Callable[..., Any]] = {}

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> Floats:
        """Return one output of the encoder for int64[S, L] inputs: float32[S, width]."""
        with torch.inference_mode():
            values = self._encoder(**{name: torch.from_numpy(feed) for name, feed in feeds.items()})
        return np.asarray(values[self._outputs.index(output)].numpy())

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """Return a bi-encoded pair head's outputs for vectors[n, hidden]: float32[n, outputs]."""
        if task not in self._pairs:
            self._pairs[task] = self._graph(f"{pair_graph(task)}.pt2")
        with torch.inference_mode():
            values = self._pairs[task](first=torch.from_numpy(first), second=torch.from_numpy(second))
        return np.asarray(values.numpy())

    def _graph(self, name: str) -> Callable[..., Any]:
        path = self._folder / name
        try:
            graph: Callable[..., Any] = torch.export.load(path).module()
        except (RuntimeError, ValueError, OSError) as error:
            raise BundleError("the exported graph cannot be read", where=str(path), found=str(error)) from error
        return graph


def torch_export_engine(folder: Path) -> GraphEngine:
    """Return the engine of a torch.export export.

    Raises:
        BundleError: the folder is not such an export, or one of its files was changed.
    """
    check_export(folder, TARGET, ENCODER)
    return GraphEngine(folder, TorchGraphs(folder))
