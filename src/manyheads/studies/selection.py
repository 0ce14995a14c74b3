"""The selection of a study: which evaluation of each run its primary figures are from, and on which examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Select = Literal["test", "crossfit", "last", "best"]

SELECT: tuple[Select, ...] = get_args(Select)


@dataclass(frozen=True)
class Selection:
    """How the evaluation of each run is chosen. `reason`: why it is not the one that was asked for, or is the default.

    `chosen` is "test" (the best dev epoch, measured on the test file), "crossfit" (the epoch chosen on one half of the
    dev examples, measured on the other), "last" or "best" (the best dev epoch, measured on the same dev examples).
    """

    chosen: Select
    reason: str = ""


MEANING: Mapping[Select, str] = {
    "test": (
        "The values are those on the labelled test files, of the best epoch of each run by dev average. The test "
        "examples took no part in the choice of the epoch."
    ),
    "crossfit": (
        "The values are cross-fitted: the epoch of each run is chosen by the average on one half of the dev examples "
        "and measured on the other half, the halves are swapped, and a value is the mean of both. No example takes "
        "part in the choice of the epoch that is measured on it."
    ),
    "last": "The values are those of the last epoch of each run. No epoch is chosen.",
    "best": (
        "The values are those of the best epoch of each run by dev average. The epoch was chosen on the same dev "
        "examples, so the values are optimistic, and the intervals do not cover the choice. A row with more "
        "evaluations or noisier runs gains more from it."
    ),
}
"""What each selection means, for the notes of a table."""

TITLES: Mapping[str, str] = {
    "test": "test",
    "crossfit": "cross-fitted",
    "last": "last epoch",
    "best": "best epoch",
}
"""Short names of the selections, for titles of columns."""


def without_files(folders: Sequence[str]) -> Selection:
    """Return the selection of a study in which some runs lack the predictions of every evaluation."""
    named = ", ".join(folders[:3]) + (f" and {len(folders) - 3:,} more" if len(folders) > 3 else "")
    return Selection(
        "last",
        f"Cross-fitting is not possible, because runs lack usable predictions of every evaluation (predictions/"
        f"TASK.dev.all.npz): {named}. So all rows show the last epoch.",
    )


def undefined_halves(rows: Sequence[str]) -> Selection:
    """Return the selection of a study in which the metrics of some rows are undefined on a half of the dev examples."""
    return Selection(
        "last",
        f"Cross-fitting is not possible, because a metric of {', '.join(rows)} is undefined on a half of the dev "
        "examples (for example, too few examples). So all rows show the last epoch.",
    )


BEST = Selection("best")

ONE_EVALUATION = Selection(
    "last", "Every run has one evaluation, so there is nothing to choose and cross-fitting is not needed."
)
