"""The input of every program: the same encoder, recipe and examples, in blocks of batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manyheads.data.batch import Batch
from manyheads.data.batching import build_batching
from manyheads.data.dataset import Split, assemble, lengths
from manyheads.data.tokenizer import Tokenizer
from manyheads.model.weights import EncoderSource, resolve
from manyheads.recipe.build import keep_freed_memory, resolve_recipe, use_threads
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MANYHEADS_DATA", ROOT.parent / "shared" / "data"))

Pick = tuple[str, int]
"""One example: its task and its row in the task's split."""


@dataclass(frozen=True)
class Work:
    """A recipe with its tokenised splits, encoder and tokenizer."""

    recipe: Recipe
    prepared: Prepared
    source: EncoderSource
    tokenizer: Tokenizer

    def assemble(self, picks: Sequence[Pick], split: str = "train") -> Batch:
        """Make a flat batch of some examples, grouped by task."""
        splits: Mapping[str, Split] = self.prepared.train if split == "train" else self.prepared.dev
        chosen = [(splits[task], np.array(each, dtype=np.int64)) for task, each in by_task(picks).items()]
        return assemble(self.prepared.store, self.tokenizer.template, self.recipe.model.max_length, chosen)

    def tokens(self, picks: Sequence[Pick], split: str = "train") -> list[int]:
        """Return the number of real tokens of each example."""
        splits = self.prepared.train if split == "train" else self.prepared.dev
        sizes = {
            name: lengths(self.prepared.store, self.tokenizer.template, self.recipe.model.max_length, each)
            for name, each in splits.items()
        }
        return [int(sizes[task][row]) for task, row in picks]

    def dev_texts(self, picks: Sequence[Pick]) -> list[tuple[str, ...]]:
        """Return the texts of dev examples."""
        columns = {each.task.name: each.dev.texts for each in self.prepared.data}
        return [tuple(column[row] for column in columns[task]) for task, row in picks]

    def alone(self, recipe: Recipe) -> Work:
        """Return the same work with the tasks of another recipe, a subset."""
        data = tuple(each for each in self.prepared.data if each.task.name in recipe.tasks)
        return Work(recipe, tokenise_tasks(data, self.tokenizer), self.source, self.tokenizer)

    def blocks(self, batches: int) -> Iterator[list[list[Pick]]]:
        """Yield the recipe's own batches in blocks of `batches`."""
        sizes = {name: len(split) for name, split in self.prepared.train.items()}
        batching = build_batching(
            self.recipe.batching.strategy, sizes, self.recipe.batching.batch_size, self.recipe.seed
        )
        k = 0
        while True:
            block = [[(task, int(row)) for task, rows in batching.batch(k + i) for row in rows] for i in range(batches)]
            k += batches
            yield block


def by_task(picks: Sequence[Pick]) -> dict[str, list[int]]:
    """Return the rows of each task."""
    rows: dict[str, list[int]] = {}
    for task, row in picks:
        rows.setdefault(task, []).append(row)
    return rows


def load_work(recipe: Path, changes: Sequence[str]) -> Work:
    """Read and tokenise the files of a recipe."""
    if not DATA.is_dir():
        raise SystemExit(f"the data folder {DATA} is missing; set MANYHEADS_DATA to the folder of the course's files")
    loaded = load_recipe(recipe, [f"data_dir={DATA}", "device=cpu", *changes])
    data = read_tasks(loaded, lambda *_, **__: None)
    keep_freed_memory()
    settled = resolve_recipe(loaded, [each.task for each in data], use_threads(loaded))
    source = resolve(settled.encoder, Path.cwd())
    tokenizer = Tokenizer.load(source.folder)
    return Work(settled, tokenise_tasks(data, tokenizer), source, tokenizer)


def shuffled_batches(block: Sequence[Sequence[Pick]], seed: int) -> list[list[Pick]]:
    """Return the block's examples in random batches with mixed tasks, like a trainer's own sampler."""
    picks = [pick for batch in block for pick in batch]
    order = np.random.default_rng(seed).permutation(len(picks))
    size = max(map(len, block))
    return [[picks[i] for i in order[start : start + size]] for start in range(0, len(picks), size)]


def grouped_batches(block: Sequence[Sequence[Pick]], work: Work, seed: int) -> list[list[Pick]]:
    """Return batches of the block's examples sorted by length, in random order: the best case of length grouping."""
    picks = [pick for batch in block for pick in batch]
    order = np.argsort(work.tokens(picks), kind="stable")
    size = max(map(len, block))
    batches = [[picks[i] for i in order[start : start + size]] for start in range(0, len(picks), size)]
    return [batches[i] for i in np.random.default_rng(seed).permutation(len(batches))]
