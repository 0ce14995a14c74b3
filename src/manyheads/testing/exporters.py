"""The contract of exporters."""

from __future__ import annotations

import math
import os
from pathlib import Path

from manyheads.inference.bundle import load_bundle
from manyheads.inference.manifest import MANIFEST
from manyheads.inference.torch_engine import TorchEngine
from manyheads.process_state import left_as_found
from manyheads.run.checksum import checksum
from manyheads.run.folder import RunFolder
from manyheads.runs.export import dev_data, largest_difference
from manyheads.runs.exporters import Exporter, Written
from manyheads.testing.ensure import ensure


@left_as_found()
def check_exporter(exporter: Exporter, run: str | os.PathLike[str], to: Path) -> None:
    """Check an exporter on the model of a finished run with dev examples.

    It writes files, only into its folder, and the same names each time. It changes neither the bundle nor the model. No
    file has the path of the run. What was written gives the outputs of the model, or its own
    comparison finds a difference that is a number. The tasks that it leaves out have a reason.

    Args:
        exporter: the exporter.
        run: the folder of the run.
        to: a folder for the exports, which is made.

    Raises:
        AssertionError: The exporter does not keep the contract.
        BundleError: The comparison of the exporter found a difference, or the outputs differ from those of the model.
    """
    folder = RunFolder(Path(run))
    name, bundle = exporter.name, load_bundle(folder.model)
    before = _sums(folder.model)
    weights = {key: tensor.clone() for key, tensor in bundle.model.state_dict().items()}
    listings = []
    for number, int8 in enumerate((False, exporter.int8)):
        own = to / str(number)
        own.mkdir(parents=True)
        written = exporter.write(bundle, folder.model, own, int8)
        ensure(isinstance(written, Written), f"{name}: write returns {written!r} and not a Written")
        files = [file for file in own.rglob("*") if not file.is_dir()]
        ensure(bool(files), f"{name}: no file was written")
        ensure(not any(file.is_symlink() for file in files), f"{name}: a file is a link")
        path = str(folder.path.resolve()).encode()
        named = [file.name for file in files if path in file.read_bytes()]
        ensure(not named, f"{name}: {', '.join(named)} contains the path of the run")
        listings.append(sorted(str(file.relative_to(own)) for file in files))
        ensure(not int8 or written.quantised is not None, f"{name}: with int8, Written has no quantised engine")
        if number == 0:
            _check_written(exporter, folder, written, listed=(own / MANIFEST).is_file())
    # With int8, an exporter may write more files.
    same_names = set(listings[0]) <= set(listings[1]) if exporter.int8 else listings[0] == listings[1]
    ensure(same_names, f"{name}: writing again gives other files")
    ensure(set(_sums(folder.model).items()) == set(before.items()), f"{name}: the bundle was changed")
    now = bundle.model.state_dict()
    same = weights.keys() == now.keys() and all(bool((now[key] == each).all()) for key, each in weights.items())
    ensure(same and not bundle.model.training, f"{name}: the model was changed")


def _check_written(exporter: Exporter, run: RunFolder, written: Written, *, listed: bool) -> None:
    """Check what an exporter says about what it wrote. `listed`: whether it wrote a manifest of its own."""
    name, bundle = exporter.name, load_bundle(run.model)
    tasks, data = bundle.model.tasks, dev_data(run, bundle)
    unknown = [task for task in written.left_out if task not in tasks]
    ensure(not unknown, f"{name}: left_out has {', '.join(unknown)}, which the model does not have")
    ensure(all(written.left_out.values()), f"{name}: a task is left out without a reason")
    if written.compare is not None:
        found = written.compare(data)
        ensure(set(found.tasks) <= set(tasks), f"{name}: the comparison names tasks that the model does not have")
        ensure(not set(found.tasks) & set(written.left_out), f"{name}: a task is compared and left out")
        ensure(math.isfinite(found.largest) and found.largest >= 0, f"{name}: the difference is {found.largest!r}")
    if written.engine is not None:
        kept = [split for split in data.splits if split.task.name not in written.left_out]
        lacking = [split.task.name for split in kept if split.task.name not in written.engine.tasks]
        ensure(not lacking, f"{name}: the engine lacks {', '.join(lacking)}, which left_out does not name")
        largest_difference(TorchEngine(bundle), written.engine, data.store, kept)
        ensure(listed or written.engine.tokenizer is not None, f"{name}: the engine has no tokenizer")


def _sums(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): checksum(file) for file in folder.rglob("*") if file.is_file()}
