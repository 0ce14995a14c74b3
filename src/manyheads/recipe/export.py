"""Exporting a finished run: to another runtime or library, held to the model on the run's own dev data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.errors import BundleError, RunError
from manyheads.evaluation.evaluate import measure, summarise
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.inference.engine import Engine
from manyheads.inference.export.hub import hub_engine, write_hub
from manyheads.inference.export.onnx import write_onnx
from manyheads.inference.export.torch_export import write_torch_export
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.onnx_graphs import onnx_engine
from manyheads.inference.torch_engine import TorchEngine
from manyheads.inference.torch_graphs import torch_export_engine
from manyheads.recipe.load import load_recipe
from manyheads.recipe.measure import Measurement, labelled_examples
from manyheads.run.atomic import replace_folder
from manyheads.run.folder import RunFolder

FORMS = ("onnx", "hub", "torch-export")

LARGEST = 1e-4
"""Outputs in float32 may differ from the model's by this much."""


@dataclass(frozen=True)
class Export:
    """A folder that was written.

    `compared`: the tasks that were held to the model; `largest`: the largest difference of any output from the
    model's over `examples` dev examples, None unchecked. `measured`: the metrics of the export and, where it has an
    int8 form, of that; None without one.
    """

    folder: Path
    compared: Sequence[str]
    examples: int
    largest: float | None
    measured: Measurement | None = None


def export_run(folder: Path, form: str, out: Path | None = None, *, int8: bool = False, check: bool = True) -> Export:
    """Export a run's model ("onnx", "hub" or "torch-export") into `out`, by default a folder of that name in the run.

    Nothing is written unless the export agrees with the model on the dev data.

    Raises:
        RunError: it is no finished run, or `out` holds something else. BundleError: the export cannot be made, or
            differs from the model. DataError: the dev data are gone.
    """
    if form not in FORMS:
        raise BundleError("there is no such export", where="--to", found=form, allowed=", ".join(FORMS))
    if int8 and form != "onnx":
        raise BundleError("only ONNX has an int8 form", where="--int8", found=f"--to {form}", allowed="--to onnx")
    run = RunFolder(folder)
    run.require("model")
    to = folder / form if out is None else out
    _refuse_other_things(to)
    bundle = load_bundle(run.model)
    data = _dev_data(run, bundle) if check or int8 else None
    found: list[Export] = []

    def fill(target: Path) -> None:
        engine, compared = _write(form, bundle, run.model, target, int8)
        if data is None:
            found.append(Export(to, (), 0, None))
            return
        store, splits = data
        kept = [split for split in splits if split.task.name in compared]
        largest = largest_difference(TorchEngine(bundle), engine, store, kept)
        measured = None
        if int8:
            course = load_recipe(run.recipe).score == "course"
            quantised = _measured(onnx_engine(target, int8=True), store, kept, course_score=course)
            measured = replace(_measured(engine, store, kept, course_score=course), int8=quantised)
        names = tuple(split.task.name for split in kept)
        found.append(Export(to, names, sum(map(len, kept)), largest, measured))

    replace_folder(to, fill)
    return found[0]


def largest_difference(model: Engine, other: Engine, store: TextStore, splits: Sequence[Split]) -> float:
    """The largest difference between two engines' outputs on these splits.

    Raises:
        BundleError: it is above what float32 explains.
    """
    largest = 0.0
    for split in splits:
        gap = float(np.abs(model.outputs(store, split) - other.outputs(store, split)).max(initial=0.0))
        if not gap <= LARGEST:
            hint = "nothing was written; please report it with the encoder's architecture"
            allowed = f"up to {LARGEST:g}"
            raise BundleError(
                "the export differs from the model",
                where=split.task.name,
                found=f"{gap:.2e}",
                allowed=allowed,
                hint=hint,
            )
        largest = max(largest, gap)
    return largest


def _write(form: str, bundle: Bundle, model: Path, target: Path, int8: bool) -> tuple[Engine, Sequence[str]]:
    """Write an export, and open it; with the tasks that it answers."""
    everything = tuple(bundle.model.tasks)
    if form == "onnx":
        write_onnx(bundle, model, target, int8=int8)
        return onnx_engine(target), everything
    if form == "torch-export":
        write_torch_export(bundle, model, target)
        return torch_export_engine(target), everything
    compared = write_hub(bundle, model, target)
    return hub_engine(target, bundle.model.tasks), compared


def _dev_data(run: RunFolder, bundle: Bundle) -> tuple[TextStore, Sequence[Split]]:
    tasks = bundle.model.tasks
    read = {name: labelled_examples(run, task, "dev") for name, task in tasks.items()}
    examples = [found for found in read.values() if found is not None]
    return tokenise_examples(examples, tasks, bundle.tokenizer, None)


def _measured(engine: Engine, store: TextStore, splits: Sequence[Split], *, course_score: bool) -> Measurement:
    started = time.perf_counter()
    metrics = {
        split.task.name: measure(
            split.task, split.task.kind.decode(engine.outputs(store, split)), split.targets.astype(np.float64)
        )
        for split in splits
    }
    seconds = time.perf_counter() - started
    tasks = {split.task.name: split.task for split in splits}
    summary = summarise(tasks, metrics, course_score=course_score)
    return Measurement(summary, {split.task.name: len(split) for split in splits}, seconds)


def _refuse_other_things(folder: Path) -> None:
    """An export takes the place of an earlier one and of nothing else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if (folder / MANIFEST).is_file() and "export" in read_manifest(folder):
        return
    hint = "name a new folder with --out, or one that an export was written to"
    raise RunError("there is something else already", where=str(folder), hint=hint)
