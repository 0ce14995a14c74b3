"""`manyheads.load`: load the model of a run as a predictor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from manyheads.errors import BundleError, call
from manyheads.inference.engine import Engine
from manyheads.inference.graph_engine import export_command
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.predictor import Origin, Predictor
from manyheads.process_state import left_as_found
from manyheads.run.checksum import checksum, is_unchanged
from manyheads.run.names import MOST_THREADS

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


def load(
    run: str | os.PathLike[str] | HasFolder, *, int8: bool = False, runtime: Runtime = "torch", threads: int = 0
) -> Predictor:
    """Load the model of a finished run.

    Args:
        run: a run, its folder, its bundle (the folder `model` in it), or the folder of an export.
        int8: compute in 8-bit integers. This is faster on a CPU and changes the predictions slightly;
            `manyheads evaluate RUN --int8` measures how much.
        runtime: "torch", or "onnx" for a model exported by `manyheads export --to onnx`. "onnx" does not need torch.
        threads: number of threads of each call of the predictor. 0 leaves the choice to the runtime.

    Code in the folder is never executed. torch's threads, random numbers and defaults are as before after the call.

    Raises:
        ManyheadsError: the folder is not a finished run, a bundle or an export, or one of its files was changed, or the
            number of threads cannot be used.
        TypeError: `run` is something else.
    """
    if not isinstance(run, str | os.PathLike) and not hasattr(run, "folder"):
        raise TypeError(f"a run is what manyheads.train returns, or the path of a folder, not a {type(run).__name__}")
    folder = Path(run) if isinstance(run, str | os.PathLike) else run.folder.path
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
    if not folder.exists():
        hint = "check the path, or the current folder if the path is relative"
        raise BundleError("there is no such folder", where=str(folder), hint=hint)
    if runtime == "torch":
        _require_model(folder)
        found = _inside(folder, "model") if (folder / "model").is_dir() else folder
        engine = _torch_engine(found, int8)
    else:
        from manyheads.inference.graph_engine import onnx_engine

        found = _exported(folder, runtime)
        engine = onnx_engine(found, int8=int8, threads=threads)
    origin = Origin(_reload, found.absolute(), checksum(found / MANIFEST), runtime, int8, threads)
    return Predictor(engine, threads=threads if runtime == "torch" else 0, origin=origin)


def _require_model(folder: Path) -> None:
    """Check that a run folder has a model.

    Raises:
        BundleError: it has none.
    """
    recipe = folder / "recipe.toml"
    if recipe.is_file() and not (folder / "model").exists():
        again = call("train", recipe, out="NEW")
        raise BundleError(
            "the run has no model",
            where=str(folder),
            found="a run that is not finished, or a run of a study, which drops the models by default",
            hint=f"finish the run, set keep_models = true in the study, or train again: {again}",
        )


def _reload(origin: Origin) -> Predictor:
    """Load the model of a predictor that was pickled.

    Raises:
        BundleError: the folder has another model now, or none.
    """
    manifest = origin.folder / MANIFEST
    if manifest.is_file() and not is_unchanged(manifest, origin.checksum):
        hint = "load the model again and pass on the new predictor"
        raise BundleError(
            "the folder has another model than the one that was pickled", where=str(origin.folder), hint=hint
        )
    runtime: Runtime = "onnx" if origin.runtime == "onnx" else "torch"
    return load(origin.folder, int8=origin.int8, runtime=runtime, threads=origin.threads)


def _torch_engine(folder: Path, int8: bool) -> Engine:
    # Imported here because exported ONNX graphs run without torch.
    from dataclasses import replace

    from manyheads.inference.bundle import load_bundle
    from manyheads.inference.torch_engine import TorchEngine
    from manyheads.model.multitask import to_int8

    with left_as_found():
        bundle = load_bundle(folder)
        return TorchEngine(replace(bundle, model=to_int8(bundle.model)) if int8 else bundle)


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
