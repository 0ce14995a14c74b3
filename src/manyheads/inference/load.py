"""`manyheads.load`: a predictor from a run, in the runtime that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from manyheads.errors import BundleError
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.predictor import Predictor

if TYPE_CHECKING:
    from manyheads.run.folder import RunFolder

Runtime = Literal["torch", "onnx", "torch-export"]

RUNTIMES: tuple[Runtime, ...] = ("torch", "onnx", "torch-export")


class HasFolder(Protocol):
    """A finished run, as `manyheads.train` gives it."""

    @property
    def folder(self) -> RunFolder:
        """Where it is."""


def load(run: str | Path | HasFolder, *, int8: bool = False, runtime: Runtime = "torch", threads: int = 0) -> Predictor:
    """Load the model of a finished run: from the run, its folder, or the bundle `model` in it.

    Args:
        run: a run, its folder, a bundle, or the folder that an export was written to.
        int8: answer in 8-bit integers: faster on a CPU, and not the same numbers (`manyheads evaluate RUN --int8`).
        runtime: "torch"; or "onnx" or "torch-export" for what `manyheads export RUN --to ...` wrote. "onnx" needs no
            torch.
        threads: of the computation; 0, the runtime's own choice. torch's are those of the whole process.

    Raises:
        ManyheadsError: the folder is no finished run, bundle or export, or a file of it was changed.
    """
    folder = Path(run) if isinstance(run, str | Path) else run.folder.path
    if runtime not in RUNTIMES:
        raise BundleError("there is no such runtime", found=runtime, allowed=", ".join(RUNTIMES))
    if threads and runtime != "onnx":
        import torch

        torch.set_num_threads(threads)
    if runtime == "torch":
        return _in_torch(folder / "model" if (folder / "model").is_dir() else folder, int8)
    exported = _exported(folder, runtime)
    if runtime == "onnx":
        from manyheads.inference.onnx_graphs import onnx_engine

        return Predictor(onnx_engine(exported, int8=int8, threads=threads))
    if int8:
        raise BundleError("torch-export has no int8 form", hint='leave out int8, or use runtime="onnx" or "torch"')
    from manyheads.inference.torch_graphs import torch_export_engine

    return Predictor(torch_export_engine(exported))


def _in_torch(folder: Path, int8: bool) -> Predictor:
    # Imported here: a predictor of exported graphs runs where there is no torch.
    from dataclasses import replace

    from manyheads.inference.bundle import load_bundle
    from manyheads.inference.torch_engine import TorchEngine
    from manyheads.model.int8 import to_int8

    bundle = load_bundle(folder)
    return Predictor(TorchEngine(replace(bundle, model=to_int8(bundle.model)) if int8 else bundle))


def _exported(folder: Path, runtime: str) -> Path:
    """The export in a run's folder, or the folder itself where it is one."""
    if (folder / MANIFEST).is_file() and "export" in read_manifest(folder):
        return folder
    if not (folder / runtime / MANIFEST).is_file():
        hint = f"manyheads export {folder} --to {runtime}"
        raise BundleError(f"there is no export to {runtime} here", where=str(folder), hint=hint)
    return folder / runtime
