"""The engine that runs exported graphs, whatever their runtime. Nothing here, or below it, imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch
from manyheads.data.by_length import batches_by_length
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError
from manyheads.inference.engine import Floats, TokenWeight
from manyheads.inference.manifest import MANIFEST, check_files, read_manifest
from manyheads.inference.task_json import task_from_json
from manyheads.tasks.task import Task

TOKEN_BUDGET = 2048
"""Real tokens a batch."""

VECTOR = "vector"
"""The encoder graph's output of one vector a sequence."""


class Graphs(Protocol):
    """Open graphs: a padded encoder with an output a task, and a small graph for each bi-encoded pair."""

    segments: bool
    """Whether the encoder reads token_type_ids."""

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> Floats:
        """One output of the encoder for int64[S, L] inputs: float32[S, numbers]."""

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """A bi-encoded pair's head on vectors[n, hidden]: float32[n, outputs]."""


class GraphEngine:
    """A folder that an export wrote, on the CPU."""

    explains = False

    def __init__(self, folder: Path, graphs: Graphs) -> None:
        manifest = read_manifest(folder)
        try:
            self._tasks = {task.name: task for task in map(task_from_json, manifest["tasks"])}
            self._max_length, self._pad_id = int(manifest["max_length"]), int(manifest["pad_id"])
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError("the export cannot be understood", where=str(folder), found=str(error)) from error
        self._tokenizer = Tokenizer.load(folder)
        self._graphs = graphs

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that the model answers, by name."""
        return self._tasks

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of its texts."""
        return self._tokenizer

    def outputs(self, store: TextStore, split: Split) -> Floats:
        """The head's outputs of every example, in the split's order: float32[n, outputs]."""
        return self._of_pairs(store, split) if split.task.sequences == 2 else self._of_sequences(store, split)

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Floats]:
        """The same of several splits, one after the other."""
        return [self.outputs(store, split) for split in splits]

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Nothing: these graphs have no gradients.

        Raises:
            BundleError: always.
        """
        del store, split
        raise BundleError("exported graphs have no gradients, so no token can be weighed", hint='use runtime="torch"')

    def _of_sequences(self, store: TextStore, split: Split) -> Floats:
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        template, length = self._tokenizer.template, self._max_length
        for picks in batches_by_length(lengths(store, template, length, split), TOKEN_BUDGET):
            batch = assemble(store, template, length, [(split, picks)], deduplicate=True)
            found = self._encode(batch, task_output(split.task.name))
            outputs[picks] = found[batch.parts[0].sequences[:, 0]]
        return outputs

    def _of_pairs(self, store: TextStore, split: Split) -> Floats:
        if len(split) == 0:
            return np.empty((0, split.task.outputs), dtype=np.float32)
        texts, places = np.unique(split.text_index.astype(np.int64), return_inverse=True)
        places = places.reshape(split.text_index.shape)
        template, length = self._tokenizer.template, self._max_length
        vectors: Floats | None = None
        for picks in batches_by_length(text_lengths(store, template, length, texts), TOKEN_BUDGET):
            found = self._encode(assemble_texts(store, template, length, texts[picks]), VECTOR)
            if vectors is None:
                vectors = np.empty((len(texts), found.shape[1]), dtype=np.float32)
            vectors[picks] = found
        assert vectors is not None
        return self._graphs.pair(split.task.name, vectors[places[:, 0]], vectors[places[:, 1]])

    def _encode(self, batch: Batch, output: str) -> Floats:
        mask = np.arange(batch.max_length)[None] < np.diff(batch.offsets)[:, None]
        feeds = {"input_ids": _spread(batch.token_ids, mask, self._pad_id), "attention_mask": mask.astype(np.int64)}
        if self._graphs.segments:
            feeds["token_type_ids"] = _spread(batch.segment_ids, mask, 0)
        return self._graphs.encode(feeds, output)


def checked_export(folder: Path, form: str, *needed: str) -> None:
    """Hold a folder to what an export of this form wrote, hash by hash.

    Raises:
        BundleError: it is no export of this form, or a file is missing, changed or foreign.
    """
    manifest = read_manifest(folder)
    if manifest.get("export") != form:
        hint = f"manyheads export RUN --to {form}"
        raise BundleError(f"this is no export to {form}", where=str(folder / MANIFEST), hint=hint)
    check_files(folder, manifest, *needed)


def task_output(task: str) -> str:
    """The encoder graph's output of a task that reads one sequence."""
    return f"task_{task}"


def pair_graph(task: str) -> str:
    """The name, without its ending, of the file of the graph that reads two vectors."""
    return f"pair_{task}"


def _spread(values: NDArray[np.int32], mask: NDArray[np.bool_], fill: int) -> NDArray[np.int64]:
    spread = np.full(mask.shape, fill, dtype=np.int64)
    spread[mask] = values
    return spread
