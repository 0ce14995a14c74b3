"""The engine for exported graphs of any runtime, and for graphs in onnxruntime, on the CPU.

This module and its imports do not need torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch
from manyheads.data.dataset import Split
from manyheads.data.shared import outputs_together
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError, call
from manyheads.inference.engine import Floats, TokenWeight
from manyheads.inference.manifest import MANIFEST, check_files, note_unchecked, read_manifest, tasks_of
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.task import Task

LONGEST = 1 << 20
"""The largest `max_length` of an export."""

VECTOR = "vector"
"""Name of the encoder graph's output with one vector per sequence."""


class Graphs(Protocol):
    """Open graphs: a padded encoder with one output per task, and one small graph per bi-encoded pair task."""

    segments: bool
    """Whether the encoder reads `token_type_ids`."""

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], outputs: Sequence[str]) -> list[Floats]:
        """Return outputs of the encoder, from one pass, for int64[S, L] inputs: float32[S, width], or [S, L, width]."""

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """Return a bi-encoded pair head's outputs for vectors[n, hidden]: float32[n, outputs]."""


class GraphEngine:
    """An export, run on the CPU."""

    explains = False
    survives_fork = False

    def __init__(self, folder: Path, graphs: Graphs) -> None:
        manifest = read_manifest(folder)
        try:
            self._tasks = {task.name: task for task in tasks_of(folder, manifest, heads=False)}
            self._max_length, self._pad_id = int(manifest["max_length"]), int(manifest["pad_id"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BundleError("the export cannot be read", where=str(folder), found=str(error)) from error
        self._tokenizer = Tokenizer.load(folder)
        specials = max(self._tokenizer.template.single.specials, self._tokenizer.template.pair.specials)
        if not specials < self._max_length <= LONGEST or not 0 <= self._pad_id < self._tokenizer.vocab_size:
            found = f"max_length {self._max_length}, pad_id {self._pad_id}"
            raise BundleError("a number of the manifest is out of range", where=str(folder / MANIFEST), found=found)
        self._graphs = graphs

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the model, by name."""
        return self._tasks

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._tokenizer

    def outputs(self, store: TextStore, split: Split) -> Rows:
        """Return the head's outputs for every example, in the order of the split: float32[n, outputs], or ragged."""
        return self.outputs_several(store, [split])[0]

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Rows]:
        """Return `outputs` for several splits. A sequence that several splits read is encoded once."""
        read = [each if each.candidates is None else each.pairs for each in splits]
        sequences = [_texts_of(each) if each.task.sequences > 1 else each for each in read]
        found: list[Rows] = [None] * len(splits)
        for width in (1, 2):
            places = [place for place, each in enumerate(sequences) if each.text_index.shape[1] == width]
            own, template = [sequences[place] for place in places], self._tokenizer.template
            if own:
                results = outputs_together(self._encode, store, template, own, max_length=self._max_length)
                for place, each in zip(places, results, strict=True):
                    found[place] = each
        for place, (given, each) in enumerate(zip(splits, read, strict=True)):
            if each.task.sequences > 1:
                found[place] = self._of_pairs(each, sequences[place], found[place])
            if given.candidates is not None:
                found[place] = Ragged(found[place], given.candidates.offsets)
        return found

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Raise an error: exported graphs have no gradients.

        Raises:
            BundleError: always.
        """
        del store, split
        raise BundleError("token weights need gradients, and exported graphs have none", hint='use runtime="torch"')

    def _of_pairs(self, split: Split, texts: Split, vectors: Floats) -> Floats:
        """Return the outputs of a head that reads two vectors. `vectors`: those of the distinct texts."""
        if len(split) == 0:
            return np.empty((0, split.task.outputs), dtype=np.float32)
        places = np.searchsorted(texts.text_index[:, 0], split.text_index)
        return self._graphs.pair(split.task.name, vectors[places[:, 0]], vectors[places[:, 1]])

    def _encode(self, batch: Batch) -> list[Floats]:
        """Return what each part reads from one pass of the encoder: its task's outputs, or vectors for a head of pairs.

        The graph has the outputs of every token for a task that reads words: float32[S, L, outputs].
        """
        mask = np.arange(batch.max_length)[None] < np.diff(batch.offsets)[:, None]
        feeds = {"input_ids": _spread(batch.token_ids, mask, self._pad_id), "attention_mask": mask.astype(np.int64)}
        if self._graphs.segments:
            feeds["token_type_ids"] = _spread(batch.segment_ids, mask, 0)
        names = [VECTOR if self._tasks[part.task].sequences > 1 else task_output(part.task) for part in batch.parts]
        wanted = list(dict.fromkeys(names))
        encoded = dict(zip(wanted, self._graphs.encode(feeds, wanted), strict=True))
        return [
            encoded[name][part.sequences[:, 0]]
            if part.words is None
            else encoded[name][part.words.values[:, 0], part.words.values[:, 1]]
            for name, part in zip(names, batch.parts, strict=True)
        ]


def _texts_of(split: Split) -> Split:
    """Return the distinct texts of a split as examples of one text without targets, in the order of the store."""
    texts = np.unique(split.text_index)
    task = replace(split.task, text=split.task.text[:1], pair=None)
    nothing = np.full(len(texts), np.nan, dtype=np.float32)
    return Split(task, [""] * len(texts), texts[:, None], nothing, np.zeros(len(texts), dtype=np.int64))


def _check_export(folder: Path, target: str, *needed: str) -> None:
    """Check that a folder is an export to `target`, and check the hash of every file.

    Raises:
        BundleError: the folder is not such an export, or a file is missing, changed or unknown.
    """
    manifest = read_manifest(folder)
    if manifest.get("export") != target:
        where = str(folder / MANIFEST)
        raise BundleError(
            f"the folder is not an export to {target}",
            where=where,
            found=manifest.get("export", "a bundle"),
            hint=export_command(folder, target),
        )
    check_files(folder, manifest, *needed, "tokenizer.json")
    note_unchecked(folder, manifest)


def export_command(folder: Path, target: str, **options: bool) -> str:
    """Return the call that exports the run of `folder` to `target`.

    The run is `folder` or its parent, whichever has a bundle. RUN stands for it if neither has one.
    """
    run = next((each for each in (folder, folder.parent) if (each / "model" / MANIFEST).is_file()), None)
    return call("export", "RUN" if run is None else run, to=target, **options)


def task_output(task: str) -> str:
    """Return the name of the encoder graph's output for a task that reads one sequence."""
    return f"task_{task}"


def pair_graph(task: str) -> str:
    """Return the file name, without its ending, of the graph that reads two vectors."""
    return f"pair_{task}"


def _spread(values: NDArray[np.int32], mask: NDArray[np.bool_], fill: int) -> NDArray[np.int64]:
    spread = np.full(mask.shape, fill, dtype=np.int64)
    spread[mask] = values
    return spread


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

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], outputs: Sequence[str]) -> list[Floats]:
        """Return outputs of the encoder, from one pass, for int64[S, L] inputs: float32[S, width], or [S, L, width]."""
        return [np.asarray(values, dtype=np.float32) for values in self._encoder.run(list(outputs), dict(feeds))]

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
    _check_export(folder, TARGET, INT8 if int8 else ENCODER)
    return GraphEngine(folder, OnnxGraphs(folder, int8=int8, threads=threads))
