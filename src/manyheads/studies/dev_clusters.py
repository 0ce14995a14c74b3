"""Clusters of dev examples in a study: examples that share texts or groups in a run, joined over the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads.evaluation.sample import FEW
from manyheads.pages.words import counted
from manyheads.run.evaluations import Known
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder
from manyheads.studies.finished import DevExamples
from manyheads.studies.schema import StudyPlan

Labels = Mapping[str, NDArray[np.int64]]


def with_clusters(
    plan: StudyPlan, out: Path, dev: Mapping[str, DevExamples], split: str = "dev"
) -> dict[str, DevExamples]:
    """Return the examples of a split with their clusters, from the first finished run of each row.

    Examples that share a text or a group in any row are in one cluster. A task keeps its examples on their own if a row
    has no clusters for it.

    Raises:
        RunError: a file of a run was changed.
    """
    found = [labels for labels in _found(plan, out, dev, split) if labels]
    tasks = [task for task in dev if any(task in labels for labels in found)]
    if not tasks:
        return dict(dev)
    first: dict[str, int] = {}
    size = 0
    for task in tasks:
        first[task], size = size, size + len(dev[task].ids)
    examples, groups, names = [], [], size
    for labels in found:
        highest = max(int(each.max(initial=0)) for each in labels.values())
        for task, each in labels.items():
            examples.append(first[task] + np.arange(len(each)))
            groups.append(names + each)
        names += highest + 1
    ends = (np.concatenate(examples), np.concatenate(groups))
    links = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(names, names))
    _, component = connected_components(links, directed=False)
    kept = {}
    for task, examples_of in dev.items():
        clusters = None
        if task in first:
            clusters = component[first[task] : first[task] + len(examples_of.ids)].astype(np.int64)
            clusters = clusters if len(np.unique(clusters)) > 1 else None
        kept[task] = replace(examples_of, clusters=clusters)
    return kept


def cluster_notes(dev: Mapping[str, DevExamples]) -> Iterator[str]:
    """Yield what the intervals assume about the examples of a split that belong together."""
    split = next((examples.split for examples in dev.values()), "dev")
    unknown = [task for task, examples in dev.items() if examples.clusters is None]
    if unknown:
        yield (
            f"The {split} examples of {', '.join(unknown)} are taken as independent, because the runs do not say which "
            "of them share texts or groups, or all of them do. If some belong together, the intervals are too narrow."
        )
    for task, examples in dev.items():
        count = 0 if examples.clusters is None else len(np.unique(examples.clusters))
        if 0 < count < len(examples.ids):
            few = f" The t quantile of the sampling variance has {count - 1} degrees of freedom." if count < FEW else ""
            yield (
                f"{len(examples.ids):,} {split} examples of {task} are in {counted(count, 'cluster')} with texts or "
                f"groups in common, which the intervals take as units.{few}"
            )


def _found(plan: StudyPlan, out: Path, dev: Mapping[str, DevExamples], split: str) -> Iterator[Labels]:
    known: Known = {}
    for row in plan.rows:
        if row.twin_of is not None or row.same_as is not None:
            continue
        folders = (RunFolder(cell_folder(out, row.name, seed)) for seed in plan.seeds)
        folder = next((each for each in folders if each.finished), None)
        if folder is None:
            continue
        results = folder.read_results(complete=True)
        labels = {}
        for task in row.recipe.tasks:
            evaluations = folder.read_evaluations(results, task, split, known, removed=True)
            clusters = None if evaluations is None else evaluations.clusters_of(dev[task].ids)
            if clusters is not None:
                labels[task] = clusters
        yield labels
