"""The content of results.json, whose parts are checked before a reader uses them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from manyheads.run.checksum import OWN_SUM, own_checksum

KNOWN = frozenset(
    {
        *("best", "last", "steps", "stopped_early", "stop_reason", "untested", "examples", "tokens", "seconds"),
        *("examples_per_second", "tokens_per_second", "checksums", OWN_SUM),
    }
)
"""Keys that this version writes."""

CHECKSUM = re.compile(r"[0-9a-f]{32}")

NEEDED = ("best", "last", "seconds", "examples")
"""Keys that every finished run has."""

COUNTS = ("seconds", "examples", "tokens", "steps")
RATES = ("examples_per_second", "tokens_per_second")


def fault_in(content: object, *, complete: bool) -> str | None:
    """Return what is wrong with the content of a results.json, or None.

    Keys that are absent are a fault only if `complete` is true and every finished run has them.
    """
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__} and not an object"
    return next(_faults(content, complete), None)


def _faults(content: Mapping[str, Any], complete: bool) -> Iterator[str]:
    if OWN_SUM in content:
        if content[OWN_SUM] != own_checksum(content):
            yield "the content does not have its own checksum"
    elif any(key not in KNOWN and _is_checksum(value) for key, value in content.items()):
        yield "an unknown key has the checksum of the content"
    for key in NEEDED if complete else ():
        if key not in content:
            yield f"no `{key}`"
    if "checksums" in content and not isinstance(content["checksums"], Mapping):
        yield "`checksums` is not a table"
    for key in COUNTS:
        if key in content and not _is_number(content[key]):
            yield f"`{key}` is not a number"
    for key in RATES:
        if content.get(key) is not None and not _is_number(content[key]):
            yield f"`{key}` is not a number"
    for key in ("best", "last"):
        if content.get(key) is not None:
            yield from (f"`{key}` {fault}" for fault in _faults_of_evaluation(content[key]))


def _faults_of_evaluation(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield "is not an object"
        return
    tasks, intervals = entry.get("tasks"), entry.get("intervals", {})
    if not _is_number(entry.get("epoch")):
        yield "has no number as its `epoch`"
    if not isinstance(tasks, Mapping) or not all(map(_are_metrics, tasks.values())):
        yield "has no table of metrics as its `tasks`"
    if not isinstance(intervals, Mapping) or not all(map(_are_intervals, intervals.values())):
        yield "has no table of intervals as its `intervals`"
    whole = entry.get("whole_rows", {})
    if not isinstance(whole, Mapping) or not all(map(_is_share, whole.values())):
        yield "has no table of shares as its `whole_rows`"
    for key in ("average", "course_score"):
        if entry.get(key) is not None and not _is_number(entry[key]):
            yield f"has no number as its `{key}`"


def _are_metrics(metrics: object) -> bool:
    return isinstance(metrics, Mapping) and all(value is None or _is_number(value) for value in metrics.values())


def _is_share(share: object) -> bool:
    return (
        isinstance(share, Mapping)
        and share.keys() >= {"accuracy", "interval", "rows"}
        and all(map(_is_number, (share["accuracy"], share["rows"])))
        and _are_intervals({"interval": share["interval"]})
    )


def _are_intervals(intervals: object) -> bool:
    return isinstance(intervals, Mapping) and all(
        bounds is None or (isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_number, bounds)))
        for bounds in intervals.values()
    )


def _is_checksum(value: object) -> bool:
    return isinstance(value, str) and CHECKSUM.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
