"""table.json: every number of a table. `rows` hold no time and no path, and do not depend on how the study was run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from manyheads.study.table import Figures, Table, TableRow


def to_json(table: Table) -> str:
    """The content of table.json."""
    return json.dumps(content_of(table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def content_of(table: Table) -> dict[str, Any]:
    """The table as plain values."""
    return {
        "title": table.title,
        "caption": table.caption,
        "setting": table.setting,
        "metric": table.metric,
        "baseline": table.baseline,
        "seeds": list(table.seeds),
        "factors": list(table.factors),
        "tasks": [asdict(task) for task in table.tasks],
        "rows": [_row(row) for row in table.rows],
        "twins": [asdict(twin) for twin in table.twins],
        "effects": [asdict(effect) for effect in table.effects],
        "aliases": list(table.aliases),
        "smallest_difference": table.smallest_difference,
        "notes": list(table.notes),
        "failures": [asdict(failure) for failure in table.failures],
        "curves": [asdict(curve) for curve in table.curves],
        "timings": [asdict(timing) for timing in table.timings],
    }


def _row(row: TableRow) -> dict[str, Any]:
    """A row: the best epoch's figures on the row itself, the last epoch's under `last`."""
    return {
        "name": row.name,
        "same_as": row.same_as,
        "twin_of": None if row.twin_of is None else {"row": row.twin_of[0], "task": row.twin_of[1]},
        "levels": dict(row.levels),
        "provenance": row.provenance,
        "seeds": list(row.seeds),
        "failed": list(row.failed),
        "missing": list(row.missing),
        "chosen": "best epoch by dev average",
        **_figures(row.best),
        "difference": None if row.difference is None else asdict(row.difference),
        "differences": {task: None if found is None else asdict(found) for task, found in row.differences.items()},
        "may_be_best": row.may_be_best,
        "last": _figures(row.last),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "tasks": {task: None if found is None else asdict(found) for task, found in figures.tasks.items()},
        "average": None if figures.average is None else asdict(figures.average),
        "course_score": None if figures.course_score is None else asdict(figures.course_score),
        "epochs": list(figures.epochs),
    }
