"""`manyheads.load`: load the model of a run as a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from manyheads.errors import BundleError
from manyheads.inference.graph_engine import export_command
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.predictor import Predictor
from manyheads.run.limits import MOST_THREADS

if TYPE_CHECKING:
    from manyheads.run.folder import RunFolder

Runtime = Literal["torch", "onnx"]

RUNTIMES: tuple[Runtime, ...] = ("torch", "onnx")
"""The runtimes. None of them executes code that a folder contains."""


class HasFolder(Protocol):
    """A finished run, as returned by `manyheads.train`."""

    @property
    def folder(self) -> RunFolder:
        """The folder of the run."""


def load(run: str | Path | HasFolder, *, int8: bool = False, runtime: Runtime = "torch", threads: int = 0) -> Predictor:
    """Load the model of a finished run.

    Args:
        run: a run, its folder, its bundle (the folder `model` in it), or the folder of an export.
        int8: compute in 8-bit integers. This is faster on a CPU and changes the predictions slightly;
            `manyheads evaluate RUN --int8` measures how much.
        runtime: "torch", or "onnx" for a model exported by `manyheads export --to onnx`. "onnx" does not need torch.
        threads: number of threads. 0 leaves the choice to the runtime. In torch the number is set for the process.

    Code in the folder is never executed.

    Raises:
        ManyheadsError: the folder is not a finished run, a bundle or an export, or one of its files was changed, or the
            number of threads cannot be used.
    """
    folder = Path(run) if isinstance(run, str | Path) else run.folder.path
    if runtime not in RUNTIMES:
        hint = "archives of torch.export may execute code when they are loaded, so manyheads only writes them"
        raise BundleError(
            "unknown runtime",
            found=runtime,
            allowed=", ".join(RUNTIMES),
            hint=hint if str(runtime) == "torch-export" else None,
        )
    if not 0 <= threads <= MOST_THREADS:
        raise BundleError("the number of threads cannot be used", found=str(threads), allowed=f"0 to {MOST_THREADS}")
    if threads and runtime != "onnx":
        import torch

        torch.set_num_threads(threads)
    if runtime == "torch":
        return _in_torch(_inside(folder, "model") if (folder / "model").is_dir() else folder, int8)
    from manyheads.inference.onnx_graphs import onnx_engine

    return Predictor(onnx_engine(_exported(folder, runtime), int8=int8, threads=threads))


def _in_torch(folder: Path, int8: bool) -> Predictor:
    # Imported here because exported ONNX graphs run without torch.
    from dataclasses import replace

    from manyheads.inference.bundle import load_bundle
    from manyheads.inference.torch_engine import TorchEngine
    from manyheads.model.int8 import to_int8

    bundle = load_bundle(folder)
    return Predictor(TorchEngine(replace(bundle, model=to_int8(bundle.model)) if int8 else bundle))


def _exported(folder: Path, runtime: str) -> Path:
    """Return the export in a run folder, or the folder itself if it is an export."""
    if (folder / MANIFEST).is_file() and "export" in read_manifest(folder):
        return folder
    if not (folder / runtime / MANIFEST).is_file():
        hint = export_command(folder, runtime)
        raise BundleError(f"the folder has no export to {runtime}", where=str(folder), hint=hint)
    return _inside(folder, runtime)


def _inside(run: Path, name: str) -> Path:
    """Return a folder of a run folder.

    Raises:
        BundleError: it is a link.
    """
    if (run / name).is_symlink():
        hint = f"name the target of the link itself: {(run / name).resolve()}"
        raise BundleError("a run folder contains no links", where=str(run / name), hint=hint)
    return run / name
