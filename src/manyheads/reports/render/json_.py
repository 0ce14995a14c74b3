"""report.json: the numbers of a report."""

from __future__ import annotations

import json

from manyheads.reports.content import Report
from manyheads.reports.keys import plain


def to_json(report: Report) -> str:
    """Return the content of report.json. The predictions themselves are only in the folder `predictions` of the run."""
    content = plain(report)
    for task, entry in zip(report.tasks, content["tasks"], strict=True):
        entry["answers"] = {
            "examples": len(task.predictions),
            "labels": plain(task.predictions.kind.space().get("labels")),
        }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
