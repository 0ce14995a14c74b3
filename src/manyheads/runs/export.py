"""Export the model of a finished run, and check the export against the model on the dev data of the run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyheads.data.dataset import Split
from manyheads.data.examples import Examples
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.errors import BundleError, RunError
from manyheads.evaluation.evaluate import measure, summarise
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.inference.engine import Engine
from manyheads.inference.export.hub import write_hub
from manyheads.inference.export.hub_check import TaskSample, check_pipeline, check_sentences
from manyheads.inference.export.onnx import write_onnx
from manyheads.inference.export.torch_export import write_torch_export
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.onnx_graphs import onnx_engine
from manyheads.inference.torch_engine import TorchEngine
from manyheads.process_state import borrowing, left_as_found
from manyheads.recipe.load import load_recipe
from manyheads.run.atomic import replace_folder
from manyheads.run.folder import RunFolder
from manyheads.runs.measure import Measurement, labelled_examples

TARGETS = ("onnx", "hub", "torch-export")

LARGEST = 1e-4
"""Maximum allowed difference between float32 outputs of an export and of the model."""


@dataclass(frozen=True)
class Export:
    """An export that was written.

    Attributes:
        folder: where it was written.
        compared: the tasks that were checked against the model.
        examples: number of dev examples of the check.
        largest: largest difference between an output of the export and of the model. None without a check.
        measured: metrics of the float32 and the int8 graphs. None without an int8 graph.
        left_out: the tasks that have no pipeline in an export to the hub, with the reason.
        cut: number of dev examples whose pair transformers truncates at another token. They were not compared.
        sentences: largest difference between a vector of sentence-transformers and of the model. None if it was not
            compared: no task is bi-encoded, or the package is not installed.
    """

    folder: Path
    compared: Sequence[str]
    examples: int
    largest: float | None
    measured: Measurement | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    sentences: float | None = None


@left_as_found()
@borrowing()
def export_run(folder: Path, target: str, out: Path | None = None, *, int8: bool = False, check: bool = True) -> Export:
    """Export the model of a run.

    With `check`, nothing is written if the export differs from the model on the dev data.

    Args:
        folder: the run folder.
        target: "onnx", "hub" or "torch-export".
        out: where to write. Default: a folder named like the target in the run folder.
        int8: also write an int8 graph and measure it. Only for "onnx".
        check: check the export against the model on the dev data.

    Raises:
        RunError: the run is not finished, or `out` contains something other than an export.
        BundleError: the export fails, or differs from the model.
        DataError: the dev data are missing.
    """
    if target not in TARGETS:
        raise BundleError("unknown target", where="--to", found=target, allowed=", ".join(TARGETS))
    if int8 and target != "onnx":
        raise BundleError(
            "only exports to ONNX support int8", where="--int8", found=f"--to {target}", allowed="--to onnx"
        )
    run = RunFolder(folder)
    run.require("model")
    to = folder / target if out is None else out
    _check_replaceable(to)
    bundle = load_bundle(run.model)
    data = _dev_data(run, bundle) if check or int8 else None
    exports: list[Export] = []

    def fill(temporary: Path) -> None:
        """Write the files of the target and verify them."""
        if target == "hub":
            exports.append(_fill_hub(bundle, run.model, temporary, to, data))
            return
        engine = _write(target, bundle, run.model, temporary, int8)
        if data is None:
            exports.append(Export(to, (), 0, None))
            return
        store, splits = data.store, data.splits
        largest = largest_difference(TorchEngine(bundle), engine, store, splits)
        measured = None
        if int8:
            course = load_recipe(run.recipe).score == "course"
            quantised = _measured(onnx_engine(temporary, int8=True), store, splits, course_score=course)
            measured = replace(_measured(engine, store, splits, course_score=course), int8=quantised)
        names = tuple(split.task.name for split in splits)
        exports.append(Export(to, names, sum(map(len, splits)), largest, measured))

    replace_folder(to, fill)
    return exports[0]


def largest_difference(model: Engine, other: Engine, store: TextStore, splits: Sequence[Split]) -> float:
    """Return the largest difference between the outputs of two engines.

    Raises:
        BundleError: the difference is larger than `LARGEST`.
    """
    largest = 0.0
    for split in splits:
        gap = float(np.abs(model.outputs(store, split) - other.outputs(store, split)).max(initial=0.0))
        if not gap <= LARGEST:
            hint = "nothing was written. Please report this with the architecture of the encoder"
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


def _write(target: str, bundle: Bundle, model: Path, to: Path, int8: bool) -> Engine:
    """Write an export of graphs. Return its engine."""
    if target == "onnx":
        write_onnx(bundle, model, to, int8=int8)
        return onnx_engine(to)
    return write_torch_export(bundle, model, to)


def _fill_hub(bundle: Bundle, model: Path, temporary: Path, to: Path, data: _DevData | None) -> Export:
    """Write an export for the hub and compare it with the model as its users load it."""
    pipelines = write_hub(bundle, model, temporary)
    if data is None:
        return Export(to, (), 0, None, left_out=pipelines.left_out)
    engine = TorchEngine(bundle)
    samples = [
        TaskSample(split, examples.texts, engine.outputs(data.store, split))
        for split, examples in zip(data.splits, data.examples, strict=True)
    ]
    kept = [sample for sample in samples if sample.split.task.name in pipelines.names]
    found = [check_pipeline(temporary, bundle, data.store, sample) for sample in kept]
    return Export(
        to,
        tuple(sample.split.task.name for sample in kept),
        sum(len(sample.split) for sample in kept),
        max((each.largest for each in found), default=0.0),
        left_out=pipelines.left_out,
        cut=sum(each.cut for each in found),
        sentences=check_sentences(temporary, bundle, data.store, samples),
    )


@dataclass(frozen=True)
class _DevData:
    """The dev examples of every task that has some, and the same as splits over a store of their tokens."""

    examples: Sequence[Examples]
    store: TextStore
    splits: Sequence[Split]


def _dev_data(run: RunFolder, bundle: Bundle) -> _DevData:
    tasks = bundle.model.tasks
    by_task = {name: labelled_examples(run, task, "dev") for name, task in tasks.items()}
    examples = [each for each in by_task.values() if each is not None]
    return _DevData(examples, *tokenise_examples(examples, tasks, bundle.tokenizer, None))


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


def _check_replaceable(folder: Path) -> None:
    """Check that a folder is missing, is empty, or contains an export.

    Raises:
        RunError: it contains something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if (folder / MANIFEST).is_file() and "export" in read_manifest(folder):
        return
    hint = "name a new folder, or the folder of an earlier export, with --out"
    raise RunError("the folder is not empty and not an export", where=str(folder), hint=hint)
