"""Averages of the tasks' primary metrics."""

from __future__ import annotations

from collections.abc import Mapping

from manyheads.evaluation.metrics.resolve import record_of


def average(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """Return the plain mean of the scores. `primary` maps each task to (metric, score).

    None if one score is None or there are no tasks.
    """
    scores = [score for _, score in primary.values()]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def course_score(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """Return the mean in which a correlation r counts (r + 1) / 2, as on the course's leaderboard.

    None if one score is None or there are no tasks.
    """
    mapped = {
        task: (metric, (score + 1) / 2 if score is not None and rescaled_by_course(metric) else score)
        for task, (metric, score) in primary.items()
    }
    return average(mapped)


def rescaled_by_course(metric: str) -> bool:
    """Return whether the leaderboard of the reference course maps a metric to 0..1 by (r + 1) / 2."""
    record = record_of(metric)
    return record is not None and record.rescaled_by_course
