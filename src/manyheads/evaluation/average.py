"""Averages over tasks, of their primary metrics."""

from __future__ import annotations

from collections.abc import Mapping

CORRELATIONS = ("pearson", "spearman")
"""Metrics that the course's leaderboard maps to 0..1 by (r + 1) / 2."""


def average(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """The plain mean over tasks of (metric, score); None where one score is, or without tasks."""
    scores = [score for _, score in primary.values()]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def course_score(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """The mean in which a correlation r counts (r + 1) / 2, as on the course's leaderboard."""
    mapped = {
        task: (metric, (score + 1) / 2 if score is not None and metric in CORRELATIONS else score)
        for task, (metric, score) in primary.items()
    }
    return average(mapped)
