"""Read the prediction files of runs and check that all runs have the same dev examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.tasks.records import Label, read_records, same_targets

HINT = "remove the folder of this run, and repeat the study"


@dataclass(frozen=True)
class DevExamples:
    """The labelled dev examples of a task, on which every run of a study is evaluated.

    `labels`: the classes, or None for regression. `targets`: float64[n], class indices or values. `source`: the
    prediction file from which the examples were read, for messages. `clusters`: int64[n], the cluster of each example;
    None if the runs do not have them. Tasks share the numbers of clusters.
    """

    task: str
    metric: str
    labels: tuple[Label, ...] | None
    ids: tuple[str, ...]
    targets: NDArray[np.float64]
    source: Path
    clusters: NDArray[np.int64] | None = None

    @cached_property
    def names(self) -> pl.Series:
        """The ids as a polars column."""
        return pl.Series(self.ids, dtype=pl.String)


def read_dev(file: Path, task: str, metric: str, labels: Sequence[Label] | None) -> DevExamples:
    """Read the dev examples of a prediction file, without those that have no target.

    Raises:
        RunError: the file is missing or damaged, or contains a label that the task does not have.
    """
    found = read_records(file, labels, probabilities=False, hint=HINT)
    return DevExamples(task, metric, None if labels is None else tuple(labels), tuple(found.ids), found.targets, file)


def read_values(file: Path, dev: DevExamples) -> NDArray[np.float64]:
    """Read the predictions of a run for these examples: float64[n], class indices or values.

    Raises:
        RunError: the file is missing or damaged, or has other dev examples.
    """
    found = read_records(file, dev.labels, probabilities=False, hint=HINT)
    if not found.ids.equals(dev.names) or not same_targets(found.targets, dev.targets):
        raise RunError(
            f"two runs of the study have different dev examples of {dev.task}, so they cannot be compared",
            where=f"{file} and {dev.source}",
            found=f"{len(found.ids)} and {len(dev.ids)} labelled examples",
            hint="use the same dev file in all rows",
        )
    return found.predictions
