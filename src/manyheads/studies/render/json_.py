"""table.json: every number of a table. `rows` contain no times and no paths, so they do not depend on the machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from manyheads.studies.table import Figures, Table, TableRow, rounded_p


def to_json(table: Table) -> str:
    """Return the content of table.json."""
    return json.dumps(content_of(table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def content_of(table: Table) -> dict[str, Any]:
    """Return the table as plain values."""
    return {
        "title": table.title,
        "caption": table.caption,
        "setting": table.setting,
        "metric": table.metric,
        "select": table.select,
        "chosen": table.chosen,
        "baseline": table.baseline,
        "primary": table.primary,
        "margins": dict(table.margins),
        "seeds": list(table.seeds),
        "factors": list(table.factors),
        "tasks": [asdict(task) for task in table.tasks],
        "rows": [_row(table, row) for row in table.rows],
        "twins": [asdict(twin) for twin in table.twins],
        "effects": [asdict(effect) for effect in table.effects],
        "across_tasks": None if table.across_tasks is None else asdict(table.across_tasks),
        "aliases": list(table.aliases),
        "smallest_difference": table.smallest_difference,
        "power": None if table.power is None else asdict(table.power),
        "looks": None if table.looks is None else asdict(table.looks),
        "lack_of_fit": None
        if table.lack_of_fit is None
        else {"df": table.lack_of_fit.df, "p": rounded_p(table.lack_of_fit.p)},
        "notes": list(table.notes),
        "failures": [asdict(failure) for failure in table.failures],
        "curves": [asdict(curve) for curve in table.curves],
        "timings": [asdict(timing) for timing in table.timings],
    }


def _row(table: Table, row: TableRow) -> dict[str, Any]:
    """Return a row: the figures of the selection as its own keys, others under `best` and `last`."""
    return {
        "name": row.name,
        "same_as": row.same_as,
        "twin_of": None if row.twin_of is None else {"row": row.twin_of[0], "task": row.twin_of[1]},
        "levels": dict(row.levels),
        "provenance": row.provenance,
        "seeds": list(row.seeds),
        "failed": list(row.failed),
        "missing": list(row.missing),
        "chosen": table.chosen,
        **_figures(row.figures),
        "difference": None if row.difference is None else asdict(row.difference),
        "differences": {task: None if value is None else asdict(value) for task, value in row.differences.items()},
        "may_be_best": row.may_be_best,
        "optimism": row.optimism,
        "best": _figures(row.best),
        "margins": {metric: asdict(test) for metric, test in row.margins.items()},
        "verdict": table.verdict(row),
        "last": _figures(row.last),
        "points": {metric: list(values) for metric, values in row.points.items()},
        "collapses": None if row.collapses is None else asdict(row.collapses),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "tasks": {task: None if value is None else asdict(value) for task, value in figures.tasks.items()},
        "average": None if figures.average is None else asdict(figures.average),
        "course_score": None if figures.course_score is None else asdict(figures.course_score),
        "epochs": list(figures.epochs),
        "half_epochs": None
        if figures.half_epochs is None
        else [None if pair is None else list(pair) for pair in figures.half_epochs],
    }
