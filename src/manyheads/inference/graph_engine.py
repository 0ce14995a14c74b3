"""The engine for exported graphs of any runtime, and for graphs in onnxruntime, on the CPU.

This module and its imports do not need torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch, batches_by_length
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
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

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> Floats:
        """Return one output of the encoder for int64[S, L] inputs: float32[S, width], or [S, L, width] per token."""

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
        if split.words is not None:
            return self._of_words(store, split, split.words)
        if split.candidates is not None:
            return Ragged(self._of_texts(store, split.pairs), split.candidates.offsets)
        return self._of_texts(store, split)

    def _of_texts(self, store: TextStore, split: Split) -> Floats:
        return self._of_pairs(store, split) if split.task.sequences > 1 else self._of_sequences(store, split)

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Rows]:
        """Return `outputs` for several splits, one after the other."""
        return [self.outputs(store, split) for split in splits]

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Raise an error: exported graphs have no gradients.

        Raises:
            BundleError: always.
        """
        del store, split
        raise BundleError("token weights need gradients, and exported graphs have none", hint='use runtime="torch"')

    def _of_sequences(self, store: TextStore, split: Split) -> Floats:
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        template, length = self._tokenizer.template, self._max_length
        for picks in batches_by_length(lengths(store, template, length, split)):
            batch = assemble(store, template, length, [(split, picks)], deduplicate=True)
            encoded = self._encode(batch, task_output(split.task.name))
            outputs[picks] = encoded[batch.parts[0].sequences[:, 0]]
        return outputs

    def _of_words(self, store: TextStore, split: Split, words: Ragged) -> Ragged:
        """Return the outputs for each word. The graph gives the outputs of every token: float32[S, L, outputs]."""
        outputs = np.empty((len(words.values), split.task.outputs), dtype=np.float32)
        template, length = self._tokenizer.template, self._max_length
        for picks in batches_by_length(lengths(store, template, length, split)):
            batch = assemble(store, template, length, [(split, picks)])
            encoded, found = self._encode(batch, task_output(split.task.name)), batch.parts[0].words
            if found is None:
                raise AssertionError("the split has words")
            outputs[words.places(picks)[0]] = encoded[found.values[:, 0], found.values[:, 1]]
        return Ragged(outputs, words.offsets)

    def _of_pairs(self, store: TextStore, split: Split) -> Floats:
        if len(split) == 0:
            return np.empty((0, split.task.outputs), dtype=np.float32)
        texts, places = np.unique(split.text_index.astype(np.int64), return_inverse=True)
        places = places.reshape(split.text_index.shape)
        template, length = self._tokenizer.template, self._max_length
        vectors: Floats | None = None
        for picks in batches_by_length(text_lengths(store, template, length, texts)):
            encoded = self._encode(assemble_texts(store, template, length, texts[picks]), VECTOR)
            if vectors is None:
                vectors = np.empty((len(texts), encoded.shape[1]), dtype=np.float32)
            vectors[picks] = encoded
        assert vectors is not None
        return self._graphs.pair(split.task.name, vectors[places[:, 0]], vectors[places[:, 1]])

    def _encode(self, batch: Batch, output: str) -> Floats:
        mask = np.arange(batch.max_length)[None] < np.diff(batch.offsets)[:, None]
        feeds = {"input_ids": _spread(batch.token_ids, mask, self._pad_id), "attention_mask": mask.astype(np.int64)}
        if self._graphs.segments:
            feeds["token_type_ids"] = _spread(batch.segment_ids, mask, 0)
        return self._graphs.encode(feeds, output)


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
    _check_export(folder, TARGET, INT8 if int8 else ENCODER)
    return GraphEngine(folder, OnnxGraphs(folder, int8=int8, threads=threads))
