"""The audit of a recipe: the content of its files, rejected and truncated rows, and texts in both train and dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from manyheads.data.arrays import scratch
from manyheads.data.dataset import Split, count_cut, lengths
from manyheads.data.distinct import Hashes, distinct, hashes_of, row_hashes
from manyheads.data.examples import Examples, known_targets, labelled_rows
from manyheads.data.reading import BadRow
from manyheads.data.tokenizer import Template
from manyheads.recipe.prepare import Prepared, TaskData

UNLIMITED = 2**31
"""A length to which no example is truncated."""

BINS = 5
"""Number of bins for the distribution of the values of a regression task."""


@dataclass(frozen=True)
class FileAudit:
    """The audit of one split of one task.

    `labels`: share of each label, or of each fifth of the range.
    `tokens`: mean, 99th percentile and maximum number of tokens per example, before truncation.
    `cut`: number of truncated examples.
    `duplicates`: number of rows whose texts already occurred in the file.
    `groups`: number of groups that the rows belong to, None if they have none.
    """

    task: str
    split: str
    source: str
    rows: int
    rejected: Sequence[BadRow]
    labels: Mapping[str, float]
    tokens: tuple[float, float, int]
    cut: int
    duplicates: int
    groups: int | None = None


@dataclass(frozen=True)
class Overlap:
    """The number of texts of a training file that are also in a dev file, of the same task or of another task."""

    train: str
    dev: str
    texts: int


def audit_files(prepared: Prepared, template: Template, max_length: int) -> list[FileAudit]:
    """Audit every split of every task."""
    audits = []
    for data in prepared.data:
        name = data.task.name
        for split, examples in (("train", data.train), ("dev", data.dev), ("test", data.test)):
            if examples is not None:
                tokenised = {"train": prepared.train, "dev": prepared.dev, "test": prepared.test}[split][name]
                own = (labelled_rows(examples), tokenised.labelled) if split == "train" else (examples, tokenised)
                audits.append(_audit(prepared, template, max_length, data, split, *own))
    return audits


def audit_overlaps(data: Sequence[TaskData]) -> list[Overlap]:
    """Find what is in both a training file and a dev file.

    Within a task, whole examples are compared. Across tasks, single texts are compared.
    """
    overlaps = []
    trains = [(_rows(each), _texts(each)) for each in (labelled_rows(each.train) for each in data)]
    devs = [(_rows(each.dev), _texts(each.dev)) for each in data]
    for left, train in zip(data, trains, strict=True):
        for right, dev in zip(data, devs, strict=True):
            across = int(left.task.name != right.task.name)
            shared = _shared(train[across], dev[across])
            if shared:
                overlaps.append(Overlap(left.task.name, right.task.name, shared))
    return overlaps


def _audit(
    prepared: Prepared,
    template: Template,
    max_length: int,
    data: TaskData,
    split: str,
    examples: Examples,
    tokenised: Split,
) -> FileAudit:
    sizes = lengths(prepared.store, template, UNLIMITED, tokenised)
    return FileAudit(
        task=data.task.name,
        split=split,
        source=examples.source,
        rows=len(examples),
        rejected=data.rejected.get(examples.source, ()),
        labels=data.task.kind.shares(known_targets(examples)),
        tokens=(float(sizes.mean()), float(np.percentile(sizes, 99)), int(sizes.max())),
        cut=count_cut(prepared.store, template, max_length, tokenised),
        duplicates=len(examples) - distinct(_rows(examples)).count,
        groups=None if examples.groups is None else len(np.unique(examples.groups)),
    )


def _rows(examples: Examples) -> Hashes:
    return row_hashes(examples.columns, len(examples))


def _texts(examples: Examples) -> Hashes:
    texts = (text.strip() for column in examples.texts for text in column)
    return hashes_of(texts, len(examples) * len(examples.texts))


def _shared(left: Hashes, right: Hashes) -> int:
    """Return the number of distinct texts that are on both sides."""
    both = scratch(len(left) + len(right), np.uint64, 2)
    both[: len(left)], both[len(left) :] = left, right
    return distinct(left).count + distinct(right).count - distinct(both).count
