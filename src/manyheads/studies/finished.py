"""The predictions of the finished runs of one row at the evaluations that a study uses, and clusters of their examples.

Examples that share texts or groups in a run are in one cluster. The clusters of all rows are joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads.errors import RunError
from manyheads.evaluation.crossfit import Half, best_evaluations, half_scores, swapped
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.evaluation.sample import FEW
from manyheads.pages.words import counted
from manyheads.ragged import Rows, Stack, flat, same, stack
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import kind_of
from manyheads.run.evaluations import Evaluations, Known
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder
from manyheads.studies.schema import Row, StudyPlan
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kind import known as labelled
from manyheads.tasks.records import read_records, same_targets

WHICH = ("best", "last")
"""The evaluations that results.json has."""

Floats = NDArray[np.float64]

Epoch = float | tuple[float, float] | None

Shares = Stack | None


@dataclass(frozen=True)
class Finished:
    """The finished runs of a row, in the order of its seeds, with the recipe of the last one."""

    row: Row
    recipe: Recipe
    seeds: tuple[int, ...]
    folders: tuple[RunFolder, ...]
    results: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Predicted:
    """The predictions of a row; see `collect.RowRuns`."""

    values: dict[str, dict[str, Stack | None]]
    probabilities: dict[str, dict[str, Shares]]
    epochs: dict[str, tuple[Epoch, ...]]


def read_row(
    row: Finished,
    dev: Mapping[str, DevExamples],
    test: Mapping[str, DevExamples],
    chosen: str,
    halves: Mapping[str, Half],
    known: Known,
) -> Predicted:
    """Read the predictions of the best and the last evaluation of each run, and of the selected one.

    Files with every evaluation are read instead of JSON lines, in a fraction of the time. `known`: arrays that the runs
    of a study share.

    Raises:
        RunError: a file is missing or damaged, or has other examples.
    """
    names = dict.fromkeys((*WHICH, chosen))
    tasks = list(row.recipe.tasks)
    runs = [_Run(row.recipe, folder, results, known) for folder, results in zip(row.folders, row.results, strict=True)]
    values: dict[str, dict[str, Stack | None]] = {}
    probabilities: dict[str, dict[str, Shares]] = {}
    found: dict[str, list[Mapping[str, Predictions] | None]] = {name: [] for name in names}
    epochs: dict[str, list[Epoch]] = {name: [] for name in names}
    for run in runs:
        every = run.every(dev)
        for name in names:
            if name == "crossfit":
                own, epoch = crossfitted(every, dev, halves)
            elif name == "test":
                own, epoch = run.at("best", test, run.every(test)), run.epoch("best")
            elif name == "last" and every is None and run.ends_with_best:
                own, epoch = found["best"][-1], run.epoch(name)
            else:
                own, epoch = run.at(name, dev, every), run.epoch(name)
            found[name].append(own)
            epochs[name].append(epoch)
    for name, of_runs in found.items():
        defined = [each for each in of_runs if each is not None]
        whole = bool(defined) and len(defined) == len(of_runs)
        values[name] = {task: stack([each[task].values for each in defined]) if whole else None for task in tasks}
        probabilities[name] = {task: _shares([each[task] for each in defined]) for task in tasks} if whole else {}
    return Predicted(values, probabilities, {name: tuple(each) for name, each in epochs.items()})


def _shares(runs: Sequence[Predictions]) -> Shares:
    """Return the probabilities of several runs in the precision of files: float32[S, n, classes]. Empty if not read."""
    known = [each.probabilities for each in runs if each.probabilities is not None]
    return stack(known).astype(np.float32) if known else None


@dataclass(frozen=True)
class _Every:
    """The predictions of every evaluation of a run: `values[task]`, float32[E, n].

    `probabilities[task]`: float32[E, n, classes], or None if the metric of the task does not need them.
    """

    epochs: Floats
    steps: NDArray[np.int64]
    values: Mapping[str, Stack]
    probabilities: Mapping[str, Shares]

    def at(self, place: int) -> dict[str, Predictions] | None:
        """Return the predictions of one evaluation, by task. None if they were lost."""
        found = {}
        for task, values in self.values.items():
            shares = self.probabilities[task]
            own = None if shares is None else shares[place].astype(np.float64)
            if not np.isfinite(flat(values[place])).all() or (own is not None and not np.isfinite(flat(own)).all()):
                return None
            found[task] = Predictions(values[place].astype(np.float64), own)
        return found


@dataclass(frozen=True)
class _Run:
    """One finished run."""

    recipe: Recipe
    folder: RunFolder
    results: Mapping[str, Any]
    known: Known

    def epoch(self, which: str) -> float | None:
        """Return the epoch of the best or the last evaluation. None if there is none."""
        entry = self.results[which]
        return None if entry is None else float(entry["epoch"])

    def every(self, examples: Mapping[str, DevExamples]) -> _Every | None:
        """Read the predictions of every evaluation. None if a task has no such file, or float32 is too coarse.

        Also None if the metric of a task needs probabilities and the file has none.
        """
        values: dict[str, Stack] = {}
        probabilities: dict[str, Shares] = {}
        first: Evaluations | None = None
        for task in self.recipe.tasks:
            split = examples[task].split
            if not has_every_evaluation(self.recipe, task, self.folder, split):
                return None
            found = self.folder.read_evaluations(self.results, task, split, self.known, removed=True)
            if found is None or (first is not None and not np.array_equal(found.steps, first.steps)):
                return None
            first = first or found
            if examples[task].needs_probabilities and found.probabilities is None:
                return None
            file = self.folder.evaluations_file(task, split)
            values[task], probabilities[task] = values_of(found, file, examples[task])
        return None if first is None else _Every(first.epochs, first.steps, values, probabilities)

    def at(
        self, which: str, examples: Mapping[str, DevExamples], every: _Every | None
    ) -> Mapping[str, Predictions] | None:
        """Return the predictions of the best or the last evaluation, by task. None if there is none."""
        entry = self.results[which]
        if entry is None:
            return None
        if every is not None:
            (places,) = np.nonzero(every.steps == entry.get("step"))
            kept = every.at(int(places[0])) if len(places) else None
            if kept is not None:
                return kept
        found = {}
        for task in self.recipe.tasks:
            file = self.folder.prediction_file(task, examples[task].split, which)
            found[task] = read_values(self.folder.require_whole(file, self.results), examples[task])
        return found

    @property
    def ends_with_best(self) -> bool:
        """Whether the checksums say that the last evaluation is the best one."""
        sums = self.results.get("checksums")
        files = [
            [self.folder.prediction_file(task, "dev", which).name for which in WHICH] for task in self.recipe.tasks
        ]
        return isinstance(sums, Mapping) and all(best in sums and sums[best] == sums.get(last) for best, last in files)


def crossfitted(
    every: _Every | None, dev: Mapping[str, DevExamples], halves: Mapping[str, Half]
) -> tuple[Mapping[str, Predictions] | None, Epoch]:
    """Return the cross-fitted dev predictions by task, and the epochs that were chosen on each half."""
    if every is None:
        return None, None
    scores = [
        half_scores(dev[task].measure, values, dev[task].targets, halves[task], every.probabilities[task])
        for task, values in every.values.items()
    ]
    chosen = best_evaluations(np.mean(scores, axis=0))
    if chosen is None:
        return None, None
    epochs = float(every.epochs[chosen[0]]), float(every.epochs[chosen[1]])
    found = {}
    for task, values in every.values.items():
        shares = every.probabilities[task]
        own = None if shares is None else swapped(shares, halves[task], chosen)
        found[task] = Predictions(swapped(values, halves[task], chosen), own)
    return found, epochs


def has_every_evaluation(recipe: Recipe, task: str, folder: RunFolder, split: str = "dev") -> bool:
    """Return whether a run has the predictions of every evaluation of a task, with the precision of its labels."""
    return kind_of(recipe.tasks[task]).resolved and folder.evaluations_file(task, split).exists()


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

    @cached_property
    def _equal(self) -> list[tuple[str, ...]]:
        """Tuples that were found to equal the ids. The runs of a study share one, which is then compared once."""
        return [self.ids]

    def has_ids(self, ids: tuple[str, ...]) -> bool:
        """Return whether these are the ids, in their order."""
        if any(ids is each for each in self._equal):
            return True
        equal = ids == self.ids
        if equal:
            self._equal.append(ids)
        return equal


def read_examples(
    folder: RunFolder, results: Mapping[str, Any], task: str, which: str, metric: Chosen, kind: Kind, split: str
) -> DevExamples:
    """Read the labelled examples of a finished run from the predictions of its best or last evaluation.

    If these JSON lines are not there, the examples are read from the file with every evaluation.

    Raises:
        RunError: Both files are missing, or the one that is read is damaged or has a label that the task does not have.
    """
    file = folder.prediction_file(task, split, which)
    if not file.exists() and kind.resolved:
        found = folder.read_evaluations(results, task, split, removed=True)
        if found is not None:
            known = labelled(found.targets)
            ids = tuple(np.array(found.ids, dtype=object)[known])
            return DevExamples(
                task,
                metric.name,
                kind,
                ids,
                # Through the shortest decimals, as JSON lines have them.
                found.targets[known].astype(np.str_).astype(np.float64),
                folder.evaluations_file(task, split),
                unlabelled=len(known) - len(ids),
                split=split,
                chosen=metric,
            )
    return read_dev(folder.require_whole(file, results), task, metric, kind, split)


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
    if not dev.has_ids(ids) or not same(evaluations.targets[known], dev.targets.astype(np.float32)):
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
