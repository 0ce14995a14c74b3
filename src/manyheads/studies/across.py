"""The rows of a study with several tasks, taken over the tasks: counts of improved tasks, summaries, and ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.sample import Sample
from manyheads.evaluation.several_tasks import (
    LEAST_FOR_RANKS,
    LEAST_SEEDS,
    Bounded,
    at_least,
    counted_at,
    profile,
    ranks,
    summaries,
)
from manyheads.pages.words import counted
from manyheads.studies.table import AcrossTasks, Interval, Profile, RowAcross, Table, rounded, rounded_p

LEAST_TASKS = 3

THRESHOLDS = 41
"""Points of a performance profile."""


def across_tasks(
    table: Table, of: Callable[[str, str], Sequence[Sample] | None], adjust: Callable[[float], float] | None = None
) -> AcrossTasks | None:
    """Take the rows with the tasks of the baseline over these tasks. None with fewer than three tasks or two rows.

    `of(row, task)`: the samples of a task in a row. `adjust`: makes a two-sided p value one over several looks at the
    study.
    """
    tasks = _tasks(table)
    known = {row.name: [of(row.name, task) for task in tasks] for row in table.listed if row.same_as is None}
    rows: dict[str, list[Sample]] = {}
    for name, parts in known.items():
        whole = [part[0] for part in parts if part]
        if len(whole) == len(tasks) and set(_row_tasks(table, name)) == set(tasks):
            rows[name] = whole
    baseline = next((row.same_as or row.name for row in table.rows if row.name == table.baseline), "")
    if len(tasks) < LEAST_TASKS or len(rows) < 2 or baseline not in rows:
        return None
    summed = summaries(rows, baseline)
    ranked = ranks({name: [float(part.values.mean()) for part in row] for name, row in rows.items()}, baseline)
    better, worse = (_counts(table, list(rows), tasks, sign, adjust) for sign in (1, -1))
    thresholds = _thresholds(rows)
    return AcrossTasks(
        tasks=tuple(tasks),
        rows=tuple(
            RowAcross(
                row=name,
                better_on=None if name not in better else counted_at(better[name]),
                worse_on=None if name not in worse else counted_at(worse[name]),
                p_better=tuple(rounded_p(p) or 0.0 for p in better.get(name, ())),
                p_worse=tuple(rounded_p(p) or 0.0 for p in worse.get(name, ())),
                iqm=_interval(summed[name].iqm),
                improvement=_interval(summed[name].improvement),
                mean_rank=rounded(ranked.mean[name]),
                p_wilcoxon=rounded_p(ranked.p_wilcoxon[name]),
            )
            for name in rows
        ),
        p_friedman=rounded_p(ranked.p),
        critical_difference=None if ranked.critical is None else rounded(ranked.critical),
        thresholds=tuple(map(rounded, thresholds)),
        profiles=tuple(
            Profile(name, tuple(map(rounded, profile(np.concatenate([part.values for part in row]), thresholds))))
            for name, row in rows.items()
        ),
    )


def across_notes(across: AcrossTasks | None, seeds: int) -> Iterator[str]:
    """Yield how to read the section over tasks, and what it does not cover."""
    if across is None:
        return
    count = counted(len(across.tasks), "task")
    yield (
        f"Over the {count} of the baseline: a row is better on at least u tasks with 95% confidence (Dror et al. "
        "2017, with Bonferroni's bound, because the tasks of a row share its runs), corrected over the rows. IQM: the "
        "mean of the middle half of all scores, over tasks and seeds. P(improvement): the probability that a run has a "
        "higher metric than a run of the baseline, averaged over the tasks (Agarwal et al. 2021). The metrics are not "
        "rescaled, so a task with a wide range of values counts more in the IQM. This section is not part of p (page)."
    )
    if seeds >= LEAST_SEEDS:
        yield (
            "The intervals of IQM and P(improvement) are expanded percentile intervals of a bootstrap over seeds, with "
            "the sampling error of the dev examples. They do not cover other tasks."
        )
    else:
        few = f"a bootstrap over fewer than {LEAST_SEEDS} seeds is too narrow"
        yield f"IQM and P(improvement) have no intervals: {few}."
    if across.critical_difference is None:
        yield f"No critical difference of ranks: it needs at least {LEAST_FOR_RANKS} tasks and three rows."
    else:
        yield (
            f"Mean ranks that differ by less than {across.critical_difference:.2f} cannot be distinguished (Nemenyi's "
            "test, Demsar 2006). Ranks take the tasks as a sample of tasks, and ignore seeds and dev examples."
        )


def _tasks(table: Table) -> list[str]:
    """Return the tasks of the baseline, in the order of the table."""
    own = _row_tasks(table, table.baseline)
    return [task.name for task in table.tasks if task.name in own]


def _row_tasks(table: Table, name: str) -> list[str]:
    return [task for row in table.rows if row.name == name for task in row.differences]


def _counts(
    table: Table,
    rows: Sequence[str],
    tasks: Sequence[str],
    sign: int,
    adjust: Callable[[float], float] | None,
) -> dict[str, list[float]]:
    """Return for each compared row the p values of effects of one sign on at least 1, 2, ... tasks.

    They are corrected over the rows (Bonferroni). The p value of an effect with the other sign is 1, so both counts
    together have the level of a two-sided test.
    """
    found: dict[str, list[float]] = {}
    for row in table.rows:
        differences = [row.differences.get(task) for task in tasks]
        if row.name not in rows or any(each is None or each.p is None for each in differences):
            continue
        known = [(each.mean, each.p or 0.0) for each in differences if each is not None]
        known = known if adjust is None else [(mean, adjust(p)) for mean, p in known]
        signed = [p if mean * sign > 0 else 1.0 for mean, p in known]
        found[row.name] = at_least(signed)
    return {name: [min(1.0, len(found) * p) for p in values] for name, values in found.items()}


def _interval(bounded: Bounded | None) -> Interval | None:
    if bounded is None:
        return None
    low, high = (None if end is None else rounded(end) for end in (bounded.low, bounded.high))
    return Interval(rounded(bounded.value), low, high)


def _thresholds(rows: Mapping[str, Sequence[Sample]]) -> NDArray[np.float64]:
    """Return values over the range of all scores."""
    every = np.concatenate([part.values for row in rows.values() for part in row])
    low, high = float(every.min()), float(every.max())
    room = 0.02 * (high - low)
    return np.linspace(low - room, high + room, THRESHOLDS)
