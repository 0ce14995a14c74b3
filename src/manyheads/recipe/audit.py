"""The audit of a recipe: what its files hold, what will be rejected or cut, and which texts stand on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split, count_cut, lengths
from manyheads.data.examples import Examples
from manyheads.data.reading import BadRow
from manyheads.data.tokenizer import Template
from manyheads.recipe.prepare import Prepared, TaskData
from manyheads.tasks.task import Task

BINS = 5
"""Parts into which a range is divided to show how its values spread."""


@dataclass(frozen=True)
class FileAudit:
    """One split of one task.

    `labels`: share of each label (or fifth of the range); `tokens`: mean, 99th percentile and maximum of an example's
    tokens before nothing but the cut; `cut`: examples that lose tokens; `duplicates`: rows whose texts stood before.
    """

    task: str
    split: str
    source: str
    rows: int
    rejected: tuple[BadRow, ...]
    labels: Mapping[str, float]
    tokens: tuple[float, float, int]
    cut: int
    duplicates: int


@dataclass(frozen=True)
class Overlap:
    """Texts of a training file that also stand in a dev file, of the same task or of another."""

    train: str
    dev: str
    texts: int


def audit_files(prepared: Prepared, template: Template, max_length: int) -> list[FileAudit]:
    """Every split of every task."""
    found = []
    for data in prepared.data:
        name = data.task.name
        for split, examples in (("train", data.train), ("dev", data.dev), ("test", data.test)):
            if examples is not None:
                tokenised = {"train": prepared.train, "dev": prepared.dev, "test": prepared.test}[split][name]
                found.append(_audit(prepared, template, max_length, data, split, examples, tokenised))
    return found


def audit_overlaps(data: Sequence[TaskData]) -> list[Overlap]:
    """What stands in a training file and a dev file: examples within a task, single texts across tasks."""
    found = []
    for left in data:
        for right in data:
            if left.task.name == right.task.name:
                shared = len(set(_rows(left.train)) & set(_rows(right.dev)))
            else:
                shared = len(_texts(left.train) & _texts(right.dev))
            if shared:
                found.append(Overlap(left.task.name, right.task.name, shared))
    return found


def _audit(
    prepared: Prepared,
    template: Template,
    max_length: int,
    data: TaskData,
    split: str,
    examples: Examples,
    tokenised: Split,
) -> FileAudit:
    sizes = lengths(prepared.store, template, max_length, tokenised)
    return FileAudit(
        task=data.task.name,
        split=split,
        source=examples.source,
        rows=len(examples),
        rejected=tuple(row for row in data.rejected if row.source == examples.source),
        labels=_label_shares(data.task, examples.targets),
        tokens=(float(sizes.mean()), float(np.percentile(sizes, 99)), int(sizes.max())),
        cut=count_cut(prepared.store, template, max_length, tokenised),
        duplicates=len(examples) - len(set(_rows(examples))),
    )


def _label_shares(task: Task, targets: NDArray[np.float64]) -> dict[str, float]:
    known = targets[~np.isnan(targets)]
    if not len(known):
        return {}
    if task.kind.labels is not None:
        counts = Counter(int(target) for target in known)
        return {str(label): counts[index] / len(known) for index, label in enumerate(task.kind.labels)}
    low, high = task.kind.value_range or (0.0, 1.0)
    amounts, edges = np.histogram(known, bins=BINS, range=(low, high))
    return {f"{edges[i]:g}-{edges[i + 1]:g}": float(amounts[i] / len(known)) for i in range(BINS)}


def _rows(examples: Examples) -> list[tuple[str, ...]]:
    return [tuple(text.strip() for text in texts) for texts in zip(*examples.texts, strict=True)]


def _texts(examples: Examples) -> set[str]:
    return {text.strip() for column in examples.texts for text in column}
