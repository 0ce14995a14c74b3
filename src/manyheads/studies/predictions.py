"""Read the prediction files of runs and check that all runs have the same examples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.ragged import Rows, Stack, same
from manyheads.run.evaluations import Evaluations
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kind import known as labelled
from manyheads.tasks.records import read_records, same_targets

HINT = "remove the folder of this run, and repeat the study"


@dataclass(frozen=True)
class DevExamples:
    """The labelled examples of a task on which every run of a study is evaluated. `split`: "dev" or "test".

    `kind`: the kind of the task. `targets`: float64[n, ...], such as class indices or values, or ragged. `source`: the
    prediction file from which the examples were read, for messages. `clusters`: int64[n], the cluster of each example;
    None if the runs do not have them. Tasks share the numbers of clusters. `unlabelled`: the number of examples of the
    file without a label. `chosen`: the metric with its options; by default the one of that name, without options.
    """

    task: str
    metric: str
    kind: Kind
    ids: tuple[str, ...]
    targets: Rows
    source: Path
    clusters: NDArray[np.int64] | None = None
    unlabelled: int = 0
    split: str = "dev"
    chosen: Chosen | None = None

    @property
    def measure(self) -> str | Chosen:
        """The metric, from which samples are computed."""
        return self.chosen or self.metric

    @property
    def needs_probabilities(self) -> bool:
        """Whether the metric reads the probabilities of classes."""
        return self.chosen is not None and self.chosen.needs_probabilities

    @cached_property
    def names(self) -> pl.Series:
        """The ids as a polars column."""
        return pl.Series(self.ids, dtype=pl.String)


def read_dev(file: Path, task: str, metric: str | Chosen, kind: Kind, split: str = "dev") -> DevExamples:
    """Read the examples of a prediction file, without those that have no target.

    Raises:
        RunError: the file is missing or damaged, or contains a label that the task does not have.
    """
    found = read_records(file, kind, probabilities=False, hint=HINT)
    chosen = None if isinstance(metric, str) else metric
    return DevExamples(
        task,
        metric if isinstance(metric, str) else metric.name,
        kind,
        tuple(found.ids),
        found.targets,
        file,
        unlabelled=found.unlabelled,
        split=split,
        chosen=chosen,
    )


def read_values(file: Path, dev: DevExamples) -> Predictions:
    """Read the predictions of a run for these examples, with probabilities if the metric needs them.

    Raises:
        RunError: the file is missing or damaged, or has other dev examples.
    """
    found = read_records(file, dev.kind, probabilities=dev.needs_probabilities, hint=HINT)
    if not found.ids.equals(dev.names) or not same_targets(found.targets, dev.targets):
        raise _others(file, len(found.ids), dev)
    return Predictions(found.predictions, found.probabilities)


def values_of(evaluations: Evaluations, file: Path, dev: DevExamples) -> tuple[Stack, Stack | None]:
    """Return the predictions of every evaluation for these examples: float32[E, n], NaN for lost evaluations.

    Also their probabilities, float32[E, n, classes], or None if the metric does not need them.

    Raises:
        RunError: the file has other examples.
    """
    known = labelled(evaluations.targets)
    whole = bool(known.all())
    ids = evaluations.ids if whole else tuple(np.array(evaluations.ids, dtype=object)[known])
    equal = ids == dev.ids
    if not equal or not same(evaluations.targets[known], dev.targets.astype(np.float32)):
        raise _others(file, len(ids), dev)
    shares = evaluations.probabilities if dev.needs_probabilities else None
    if whole:
        return evaluations.values, shares
    return evaluations.values[:, known], None if shares is None else shares[:, known]


def _others(file: Path, count: int, dev: DevExamples) -> RunError:
    return RunError(
        f"two runs of the study have different {dev.split} examples of {dev.task}, so they cannot be compared",
        where=f"{file} and {dev.source}",
        found=f"{count} and {len(dev.ids)} labelled examples",
        hint=f"use the same {dev.split} file in all rows",
    )
