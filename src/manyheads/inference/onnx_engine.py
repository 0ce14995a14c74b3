"""The engine that runs exported graphs in onnxruntime. Nothing here, or below it, imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch
from manyheads.data.by_length import batches_by_length
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError
from manyheads.inference.manifest import ENCODER_GRAPH, check_files, read_manifest
from manyheads.inference.task_json import task_from_json
from manyheads.tasks.task import Task

TOKEN_BUDGET = 2048
"""Real tokens a batch."""

VECTOR = "vector"
"""The encoder graph's output of one vector a sequence; the tasks' outputs are `task_NAME`."""


class OnnxEngine:
    """A folder that `export_onnx` wrote, on the CPU."""

    def __init__(self, folder: Path) -> None:
        manifest = read_manifest(folder)
        check_files(folder, manifest, ENCODER_GRAPH)
        try:
            self._tasks = {task.name: task for task in map(task_from_json, manifest["tasks"])}
            self._max_length, self._pad_id = int(manifest["max_length"]), int(manifest["pad_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError("the export cannot be understood", where=str(folder), found=str(error)) from error
        self._tokenizer = Tokenizer.load(folder)
        self._encoder = _session(folder / ENCODER_GRAPH)
        self._inputs = {each.name for each in self._encoder.get_inputs()}
        self._pairs = {
            name: _session(folder / pair_graph(name)) for name, task in self._tasks.items() if task.sequences == 2
        }

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that the model answers, by name."""
        return self._tasks

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of its texts."""
        return self._tokenizer

    def outputs(self, store: TextStore, split: Split) -> NDArray[np.float32]:
        """The head's outputs of every example, in the split's order: float32[n, outputs]."""
        return self._of_pairs(store, split) if split.task.sequences == 2 else self._of_sequences(store, split)

    def _of_sequences(self, store: TextStore, split: Split) -> NDArray[np.float32]:
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        template, length = self._tokenizer.template, self._max_length
        for picks in batches_by_length(lengths(store, template, length, split), TOKEN_BUDGET):
            batch = assemble(store, template, length, [(split, picks)], deduplicate=True)
            found = self._run(batch, task_output(split.task.name))
            outputs[picks] = found[batch.parts[0].sequences[:, 0]]
        return outputs

    def _of_pairs(self, store: TextStore, split: Split) -> NDArray[np.float32]:
        if len(split) == 0:
            return np.empty((0, split.task.outputs), dtype=np.float32)
        texts, places = np.unique(split.text_index.astype(np.int64), return_inverse=True)
        places = places.reshape(split.text_index.shape)
        template, length = self._tokenizer.template, self._max_length
        vectors: NDArray[np.float32] | None = None
        for picks in batches_by_length(text_lengths(store, template, length, texts), TOKEN_BUDGET):
            found = self._run(assemble_texts(store, template, length, texts[picks]), VECTOR)
            if vectors is None:
                vectors = np.empty((len(texts), found.shape[1]), dtype=np.float32)
            vectors[picks] = found
        assert vectors is not None
        feeds = {"first": vectors[places[:, 0]], "second": vectors[places[:, 1]]}
        (result,) = self._pairs[split.task.name].run(None, feeds)
        return np.asarray(result, dtype=np.float32)

    def _run(self, batch: Batch, output: str) -> NDArray[np.float32]:
        sizes = np.diff(batch.offsets)
        mask = np.arange(batch.max_length)[None] < sizes[:, None]
        feeds = {"input_ids": self._spread(batch.token_ids, mask, self._pad_id), "attention_mask": mask.astype(np.int64)}
        if "token_type_ids" in self._inputs:
            feeds["token_type_ids"] = self._spread(batch.segment_ids, mask, 0)
        (result,) = self._encoder.run([output], feeds)
        return np.asarray(result, dtype=np.float32)

    @staticmethod
    def _spread(values: NDArray[np.int32], mask: NDArray[np.bool_], fill: int) -> NDArray[np.int64]:
        spread = np.full(mask.shape, fill, dtype=np.int64)
        spread[mask] = values
        return spread


def task_output(task: str) -> str:
    """The encoder graph's output of a task that reads one sequence."""
    return f"task_{task}"


def pair_graph(task: str) -> str:
    """The file of the graph that reads two vectors."""
    return f"pair_{task}.onnx"


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        hint = "pip install 'manyheads[onnx]'"
        raise BundleError("onnxruntime is not installed", where="runtime", found=str(error), hint=hint) from error
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
