"""Export the model of a finished run, and check the export against the model on the dev data of the run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.errors import BundleError, RunError, argument, did_you_mean
from manyheads.evaluation.evaluate import measure, summarise
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.inference.engine import Engine
from manyheads.inference.export.content import add_common_files
from manyheads.inference.manifest import MANIFEST, read_manifest
from manyheads.inference.torch_engine import TorchEngine
from manyheads.process_state import borrowing, left_as_found
from manyheads.ragged import flat
from manyheads.recipe.begin import recipe_of_run
from manyheads.run.atomic import replace_folder
from manyheads.run.folder import RunFolder
from manyheads.runs.exporters import EXPORTERS, DevData, Exporter
from manyheads.runs.measure import Measurement, labelled_examples
from manyheads.shown import paragraph

LARGEST = 1e-4
"""Maximum allowed difference between float32 outputs of an export and of the model."""


@dataclass(frozen=True, repr=False)
class Export:
    """An export that was written. It shows itself as `manyheads export` prints it.

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
        advice: what to do with the export, and None for most targets.
        warning: what to know before it is used, and None for most targets.
    """

    folder: Path
    compared: Sequence[str]
    examples: int
    largest: float | None
    measured: Measurement | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    cut: int = 0
    sentences: float | None = None
    advice: str | None = None
    warning: str | None = None

    @property
    def findings(self) -> list[str]:
        """Where the export is and what the check found, as lines."""
        lines = [f"exported to {self.folder}"]
        if self.largest is None:
            lines.append("not checked against the model")
        elif self.compared:
            rows = f"{self.examples:,} dev examples of {', '.join(self.compared)}"
            lines.append(f"largest difference from the model: {self.largest:.1e} ({rows})")
        else:
            lines.append("no task has a pipeline in transformers, so there was nothing to check")
        # The model card names these tasks, too.
        for name, reason in self.left_out.items() if self.largest is not None else ():
            lines.append(f"task {name} has no pipeline in transformers: {reason}")
        if self.cut:
            lines.append(f"not compared: {self.cut:,} pairs, which transformers truncates at another token")
        if self.sentences is not None:
            lines.append(f"largest difference of a vector of sentence-transformers: {self.sentences:.1e}")
        return [*lines, *([] if self.advice is None else [self.advice])]

    def __repr__(self) -> str:
        return "\n".join([*([] if self.measured is None else [repr(self.measured)]), *self.findings])

    def _repr_html_(self) -> str:
        table = "" if self.measured is None else self.measured._repr_html_()
        return table + "".join(map(paragraph, self.findings))


@left_as_found()
@borrowing()
def export_run(folder: Path, target: str, out: Path | None = None, *, int8: bool = False, check: bool = True) -> Export:
    """Export the model of a run.

    With `check`, nothing is written if the export differs from the model on the dev data.

    Args:
        folder: the run folder.
        target: the name of an exporter: "onnx", "hub", "torch-export", or one that was registered.
        out: where to write. Default: a folder named like the target in the run folder.
        int8: also write an int8 graph and measure it. Only for "onnx" and exporters that support it.
        check: check the export against the model on the dev data.

    Raises:
        RunError: the run is not finished, or `out` contains something other than an export.
        BundleError: the export fails, or differs from the model.
        DataError: the dev data are missing.
    """
    exporter = exporter_named(target)
    if int8 and not exporter.int8:
        able = ", ".join(argument("to", name) for name, each in EXPORTERS.items() if each.int8)
        where, found = argument("int8", True), argument("to", target)
        raise BundleError("this target does not support int8", where=where, found=found, allowed=able)
    run = RunFolder(folder)
    run.require("model")
    to = folder / target if out is None else out
    _check_replaceable(to)
    bundle = load_bundle(run.model)
    data = dev_data(run, bundle) if check or int8 else None
    exports: list[Export] = []

    def fill(temporary: Path) -> None:
        """Write the files of the target and verify them."""
        written = exporter.write(bundle, run.model, temporary, int8)
        if not (temporary / MANIFEST).is_file():
            add_common_files(temporary, target, bundle, run.model)
        advice = None if exporter.advice is None else exporter.advice.format(folder=shlex.quote(str(to)))
        export = Export(to, (), 0, None, left_out=written.left_out, advice=advice, warning=exporter.warning)
        if data is not None and written.compare is not None:
            found = written.compare(data)
            export = replace(
                export,
                compared=found.tasks,
                examples=found.examples,
                largest=found.largest,
                cut=found.cut,
                sentences=found.sentences,
            )
        elif data is not None and written.engine is not None:
            largest = largest_difference(TorchEngine(bundle), written.engine, data.store, data.splits)
            names = tuple(split.task.name for split in data.splits)
            export = replace(export, compared=names, examples=sum(map(len, data.splits)), largest=largest)
            if written.quantised is not None:
                course = recipe_of_run(run).score == "course"
                quantised = _measured(written.quantised, data.store, data.splits, course_score=course)
                whole = _measured(written.engine, data.store, data.splits, course_score=course)
                export = replace(export, measured=replace(whole, int8=quantised))
        exports.append(export)

    replace_folder(to, fill)
    return exports[0]


def exporter_named(target: str) -> Exporter:
    """Return the exporter with a name.

    Raises:
        BundleError: There is no such exporter.
    """
    if target not in EXPORTERS:
        hint = did_you_mean(target, EXPORTERS)
        raise BundleError("unknown target", where=argument("to"), found=target, allowed=", ".join(EXPORTERS), hint=hint)
    return EXPORTERS[target]


def largest_difference(model: Engine, other: Engine, store: TextStore, splits: Sequence[Split]) -> float:
    """Return the largest difference between the outputs of two engines.

    Raises:
        BundleError: the difference is larger than `LARGEST`.
    """
    largest = 0.0
    found = [engine.outputs_several(store, splits) for engine in (model, other)]
    for split, expected, exported in zip(splits, *found, strict=True):
        gap = float(np.abs(flat(expected) - flat(exported)).max(initial=0.0))
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


def dev_data(run: RunFolder, bundle: Bundle) -> DevData:
    """Return the dev examples of a run, with which its exports are compared."""
    tasks = bundle.model.tasks
    by_task = {name: labelled_examples(run, task, "dev") for name, task in tasks.items()}
    examples = [each for each in by_task.values() if each is not None]
    return DevData(examples, *tokenise_examples(examples, tasks, bundle.tokenizer, None))


def _measured(engine: Engine, store: TextStore, splits: Sequence[Split], *, course_score: bool) -> Measurement:
    started = time.perf_counter()
    metrics = {
        split.task.name: measure(split.task, split.decode(outputs, together=True), split.targets.astype(np.float64))
        for split, outputs in zip(splits, engine.outputs_several(store, splits), strict=True)
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
    hint = f"name a new folder, or the folder of an earlier export, with {argument('out')}"
    raise RunError("the folder is not empty and not an export", where=str(folder), hint=hint)
