"""Exported graphs in onnxruntime, on the CPU. Does not need torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import BundleError
from manyheads.inference.engine import Floats
from manyheads.inference.graph_engine import GraphEngine, check_export, export_command, pair_graph

TARGET = "onnx"
NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
"""Environment variable of onnxruntime that turns its telemetry off."""

ENCODER, INT8 = "encoder.onnx", "encoder.int8.onnx"


class OnnxGraphs:
    """The graphs of an export, each in its own session."""

    def __init__(self, folder: Path, *, int8: bool = False, threads: int = 0) -> None:
        self._folder, self._threads = folder, threads
        self._encoder = self._session(INT8 if int8 else ENCODER)
        self.segments = "token_type_ids" in {each.name for each in self._encoder.get_inputs()}
        self._pairs: dict[str, Any] = {}

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> Floats:
        """Return one output of the encoder for int64[S, L] inputs: float32[S, width]."""
        (values,) = self._encoder.run([output], dict(feeds))
        return np.asarray(values, dtype=np.float32)

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """Return a bi-encoded pair head's outputs for vectors[n, hidden]: float32[n, outputs]."""
        if task not in self._pairs:
            self._pairs[task] = self._session(f"{pair_graph(task)}.onnx")
        (values,) = self._pairs[task].run(None, {"first": first, "second": second})
        return np.asarray(values, dtype=np.float32)

    def _session(self, name: str) -> Any:
        onnxruntime = import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        return onnxruntime.InferenceSession(self._folder / name, options, providers=["CPUExecutionProvider"])


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off. Call this before any other import of it.

    Its library reads the variable when it is loaded. The call turns telemetry off if it was loaded before.

    Raises:
        BundleError: onnxruntime is not installed.
    """
    before = os.environ.get(NO_TELEMETRY)
    os.environ[NO_TELEMETRY] = "1"
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        hint = "pip install 'manyheads[onnx]'"
        raise BundleError("onnxruntime is not installed", found=str(error), hint=hint) from error
    finally:
        if before is None:
            del os.environ[NO_TELEMETRY]
        else:
            os.environ[NO_TELEMETRY] = before
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def onnx_engine(folder: Path, *, int8: bool = False, threads: int = 0) -> GraphEngine:
    """Return the engine of an ONNX export. `threads=0` uses one thread per core.

    Raises:
        BundleError: the folder is not an ONNX export, one of its files was changed, it has no int8 graph, or
            onnxruntime is not installed.
    """
    if int8 and not (folder / INT8).is_file():
        hint = export_command(folder, TARGET, int8=True)
        raise BundleError("the export has no int8 graph", where=str(folder), hint=hint)
    check_export(folder, TARGET, INT8 if int8 else ENCODER)
    return GraphEngine(folder, OnnxGraphs(folder, int8=int8, threads=threads))
