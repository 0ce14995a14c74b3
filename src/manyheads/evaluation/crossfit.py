"""Cross-fitting: the epoch of a run is chosen on one half of the dev examples and measured on the other half.

The halves are then swapped. No example takes part in the choice of the epoch that is measured on it, so the choice does
not make the figures optimistic (sample splitting with swapped roles: Chernozhukov et al. 2018, definition 3.2). The
price is that an epoch is chosen on half of the examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from manyheads.evaluation.metrics.resolve import Chosen, resolve
from manyheads.evaluation.sample import Floats, Integers
from manyheads.ragged import Rows, Stack, flat, offsets, with_offsets
from manyheads.tasks.kind import Predictions

Half = NDArray[np.bool_]
"""bool[n]: which examples are in the first half."""


def halves_of(
    ids: Mapping[str, Sequence[str]],
    clusters: Mapping[str, Integers | None],
    strata: Mapping[str, Floats | None],
) -> dict[str, Half]:
    """Divide the examples of all tasks into two halves of about equal size, each with half of every task.

    The examples of a cluster are in one half. The halves depend on the ids and the clusters, and not on the order of
    the examples. `ids`: by task. `clusters`: int64[n] of each task, which share their numbers; None if the examples of
    a task are independent. `strata`: values of which each half gets about the same number, for example classes; None
    for tasks without.
    """
    tasks = list(ids)
    sizes = [len(ids[task]) for task in tasks]
    place = np.repeat(np.arange(len(tasks)), sizes)
    hashes = np.fromiter(
        (
            xxhash.xxh3_64_intdigest(f"{task}\0{name}".encode("utf-8", "surrogatepass"))
            for task in tasks
            for name in ids[task]
        ),
        dtype=np.uint64,
        count=sum(sizes),
    )
    names = _numbers([clusters[task] for task in tasks], sizes)
    order = np.lexsort((hashes, names))
    _, starts, counts = np.unique(names[order], return_index=True, return_counts=True)
    first = np.zeros(len(place), dtype=bool)
    surplus = np.zeros(len(tasks))
    groups = [order[start : start + count] for start, count in zip(starts, counts, strict=True) if count > 1]
    # Large clusters first, so that the small ones can balance the halves.
    for members in sorted(groups, key=lambda each: (-len(each), hashes[each[0]])):
        added = np.bincount(place[members], minlength=len(tasks))
        towards = float((surplus * added / np.maximum(sizes, 1)).sum())
        goes = towards < 0 if towards else bool(hashes[members[0]] & np.uint64(1))
        first[members] = goes
        surplus += added if goes else -added
    single = order[starts[counts == 1]]
    for number, task in enumerate(tasks):
        own = single[place[single] == number]
        values = strata[task]
        classes = np.zeros(len(own)) if values is None else values[own - sum(sizes[:number])]
        first[_chosen(own, hashes[own], classes, surplus[number])] = True
    return dict(zip(tasks, np.split(first, np.cumsum(sizes)[:-1]), strict=True))


def _numbers(clusters: Sequence[Integers | None], sizes: Sequence[int]) -> Integers:
    """Return the cluster of each example of all tasks. Independent examples get numbers of their own."""
    free = 1 + max((int(each.max(initial=0)) for each in clusters if each is not None), default=0)
    parts: list[Integers] = []
    for each, size in zip(clusters, sizes, strict=True):
        parts.append(np.arange(free, free + size, dtype=np.int64) if each is None else each)
        free += size
    joined: Integers = np.concatenate(parts)
    return joined


def _chosen(examples: Integers, hashes: NDArray[np.uint64], strata: Floats, surplus: float) -> Integers:
    """Return the examples of the first half: the same share of every stratum, in the order of the hashes.

    `surplus`: how many more examples of the task the first half has already.
    """
    count = len(examples)
    if not count:
        return examples
    share = min(1.0, max(0.0, (count - surplus) / (2 * count)))
    order = np.lexsort((hashes, strata))
    taken = np.floor(share * np.arange(count + 1) + 0.5)
    # The number taken rises by `share` per example, so every run of equal strata gives about its share. Within the run
    # the hashes decide, because its order is random.
    found: Integers = examples[order[np.diff(taken) > 0]]
    return found


def half_scores(
    metric: str | Chosen, evaluations: Stack, targets: Rows, first: Half, probabilities: Stack | None = None
) -> Floats:
    """Return a metric on both halves for each evaluation: float64[2, E], NaN where it is undefined.

    `evaluations`: float[E, n, ...] or a ragged stack, the predictions of each evaluation. `targets`: float64[n, ...],
    or ragged. `probabilities`: float[E, n, classes], for metrics that need them.
    """
    chosen = resolve(metric)
    scores = np.full((2, len(evaluations)), np.nan)
    for half, part in enumerate((first, ~first)):
        kept = targets[part]
        for place, values in enumerate(evaluations):
            predicted = values[part].astype(np.float64)
            own = None if probabilities is None else probabilities[place][part].astype(np.float64)
            whole = np.isfinite(flat(predicted)).all() and (own is None or np.isfinite(flat(own)).all())
            score = chosen.value(Predictions(predicted, own), kept) if whole else None
            scores[half, place] = np.nan if score is None else score
    return scores


def best_evaluations(averages: Floats) -> tuple[int, int] | None:
    """Return the evaluations with the highest average on the first and on the second half, the earliest of equal ones.

    `averages`: float64[2, E], the mean over tasks of `half_scores`. None if no evaluation has an average on a half.
    """
    if np.isnan(averages).all(axis=1).any():
        return None
    on_first, on_second = np.nanargmax(averages, axis=1)
    return int(on_first), int(on_second)


def swapped(evaluations: Stack, first: Half, chosen: tuple[int, int]) -> Rows:
    """Return for each example the prediction of the evaluation that was chosen on the other half: float64[n].

    `evaluations`: float[E, n, ...], and then the result is float64[n, ...], or a ragged stack.
    """
    on_first, on_second = chosen
    values, bounds = flat(evaluations), offsets(evaluations)
    of_values = first if bounds is None else np.repeat(first, np.diff(bounds))
    halves = of_values.reshape(-1, *[1] * (values.ndim - 2))
    predictions: Floats = np.where(halves, values[on_second], values[on_first]).astype(np.float64)
    return with_offsets(predictions, bounds)
