"""`manyheads.load`: a predictor from a run, in the runtime that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from manyheads.errors import BundleError
from manyheads.inference.manifest import ENCODER_GRAPH
from manyheads.inference.predictor import Predictor

Runtime = Literal["torch", "onnx"]


def load(run: str | Path | Any, *, int8: bool = False, runtime: Runtime = "torch") -> Predictor:
    """Load the model of a finished run: from the run, its folder, or the bundle `model` in it.

    Args:
        run: a run, its folder, a bundle, or (onnx) the folder that an export was written to.
        int8: answer in 8-bit integers: faster on a CPU, and not the same numbers (`manyheads evaluate RUN --int8`).
        runtime: "torch", or "onnx" for what `manyheads export RUN --to onnx` wrote; that needs no torch.

    Raises:
        ManyheadsError: the folder is no finished run and no bundle, or a file of it was changed.
    """
    folder = Path(run) if isinstance(run, str | Path) else Path(run.folder.path)
    if runtime == "torch":
        return Predictor.load(folder / "model" if (folder / "model").is_dir() else folder, int8=int8)
    if runtime != "onnx":
        raise BundleError("there is no such runtime", found=runtime, allowed="torch, onnx")
    if int8:
        raise BundleError("int8 is of the torch runtime", hint='leave out int8 or runtime="onnx"')
    exported = folder if (folder / ENCODER_GRAPH).is_file() else folder / "onnx"
    if not (exported / ENCODER_GRAPH).is_file():
        raise BundleError("there is no export here", where=str(folder), hint=f"manyheads export {folder} --to onnx")
    from manyheads.inference.onnx_engine import OnnxEngine

    return Predictor(OnnxEngine(exported))
