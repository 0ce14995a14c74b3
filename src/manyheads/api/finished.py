"""What works on finished runs: `evaluate`, `report`, `compare` and `export`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from manyheads.api.progress import warn
from manyheads.api.values import Files, Rows, plain
from manyheads.data.frames import data_frame
from manyheads.data.given import given_table, is_table, write_given
from manyheads.errors import RunError
from manyheads.pages.blocks import Block, Grid, Heading, Items, Text
from manyheads.pages.words import counted
from manyheads.process_state import left_as_found
from manyheads.recipe.given import LIMIT
from manyheads.reports.build import build_report
from manyheads.reports.compare import Comparison as RunComparison
from manyheads.reports.compare import compare as compare_runs
from manyheads.reports.compare_groups import GroupComparison, compare_groups
from manyheads.reports.compared import comparison_blocks, comparison_text
from manyheads.reports.keys import plain as plain_json
from manyheads.reports.write import text_of, write_report
from manyheads.run.atomic import writing_to
from manyheads.runs.export import Export, export_run
from manyheads.runs.measure import Measurement, measure_run
from manyheads.shown import paragraph, table_html, table_text

AnyRun = str | os.PathLike[str]
"""A run, or the path of its folder."""

Form = Literal["html", "md", "json"]


def evaluate(
    run: AnyRun,
    split: Literal["dev", "test"] = "dev",
    *,
    task: str | None = None,
    data: Files | Rows | None = None,
    text_format: Mapping[str, Any] | None = None,
    int8: bool = False,
) -> Measurement:
    """Measure the model of a finished run on its dev or test data, or on other labelled data.

    Args:
        run: A run, or the path of its folder.
        split: The data of the recipe to use.
        task: Measure only this task.
        data: Labelled data of `task` to use instead: a table in memory, or files as in a recipe.
        text_format: How the files are written, as the keys of a task: `{"delimiter": ";"}`. Default: as in the recipe.
        int8: Also measure the model in 8-bit integers.

    Returns:
        The metrics with their intervals, the number of examples, and the rows that were skipped.

    Raises:
        ManyheadsError: The run is not finished, or the data cannot be used.
        TypeError: `data` is given without `task`.

    Warns:
        ManyheadsWarning: Rows were skipped, or something in the files is suspicious.
    """
    if data is not None and task is None:
        raise TypeError("evaluate() requires `task`, the task that `data` is for")
    own = Path(run)
    if not is_table(data):
        return _warned(measure_run(own, split=split, task=task, file=plain(data), text=text_format, int8=int8))
    with tempfile.TemporaryDirectory(prefix="manyheads-") as home:
        write_given({"data": given_table(data, "data")}, Path(home), LIMIT)
        return _warned(measure_run(own, split=split, task=task, file=Path(home, "data.parquet"), int8=int8))


def _warned(found: Measurement) -> Measurement:
    """Warn of what a measurement did not use, and of what was suspicious."""
    for text in found.warnings:
        warn(text)
    for name, bad in found.bad_rows.items():
        if len(bad):
            warn(f"{name}: {counted(len(bad), 'row')} without a usable text and label, not measured")
    return found


def report(run: AnyRun, out: str | os.PathLike[str] | None = None) -> Path:
    """Write the report of a finished run, and return the path of its page.

    Args:
        run: A run, or the path of its folder.
        out: The folder of the report. Default: RUN/report.

    Raises:
        RunError: The run is not finished or is damaged, or `out` has something other than a report.
    """
    with left_as_found():
        return write_report(Path(run), None if out is None else Path(out))


def report_text(run: AnyRun, form: Form = "md") -> str:
    """Return the report of a finished run as text in one format: "html", "md" or "json".

    Raises:
        RunError: The run is not finished or is damaged.
    """
    with left_as_found():
        return text_of(build_report(Path(run)), form)


class Comparison:
    """The comparison of finished runs, or of two groups of them. It shows itself as `manyheads compare` prints it.

    Attributes:
        result: the numbers.
    """

    def __init__(self, result: RunComparison | GroupComparison) -> None:
        self.result = result

    def text(self, form: Form = "md") -> str:
        """Return the comparison in one format."""
        return comparison_text(self.result, form)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the comparison to a file, whose ending is the format: .html, .md or .json.

        Raises:
            RunError: The file has another ending.
        """
        file = Path(path)
        form = file.suffix.lstrip(".")
        if form not in ("html", "md", "json"):
            raise RunError("the file has no format of a comparison", where=str(file), allowed=".html, .md, .json")
        with writing_to(file) as new:
            new.write_text(comparison_text(self.result, form), encoding="utf-8", newline="")
        return file

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain values, as in its JSON form."""
        return dict(plain_json(self.result))

    @property
    def frame(self) -> Any:
        """The differences as a DataFrame of pandas where it is installed, otherwise of polars."""
        if isinstance(self.result, GroupComparison):
            rows = [plain_json(each) for each in self.result.differences]
        else:
            rows = [{"task": task.name, **plain_json(each)} for task in self.result.tasks for each in task.differences]
        names = dict.fromkeys(name for row in rows for name in row)
        return data_frame({name: [row.get(name) for row in rows] for name in names})

    def __repr__(self) -> str:
        return "\n".join(map(_plain, comparison_blocks(self.result)[1]))

    def _repr_html_(self) -> str:
        return "".join(map(_html, comparison_blocks(self.result)[1]))


def _plain(block: Block) -> str:
    if isinstance(block, Grid):
        return table_text(block.title, block.columns, block.rows, sorted({0, *block.words}))
    if isinstance(block, Items):
        return "\n".join(f"- {item}" for item in block.items)
    return f"\n{block.text}" if isinstance(block, Heading) else getattr(block, "text", "")


def _html(block: Block) -> str:
    if isinstance(block, Grid):
        return table_html(block.title, block.columns, block.rows, sorted({0, *block.words}))
    if isinstance(block, Items):
        return "".join(paragraph(f"- {item}") for item in block.items)
    return paragraph(block.text) if isinstance(block, Heading | Text) else ""


def compare(runs: Sequence[AnyRun], others: Sequence[AnyRun] = ()) -> Comparison:
    """Compare finished runs: metrics, paired differences with intervals, and different predictions.

    Args:
        runs: Two or more runs, or paths of their folders. Differences are from the first one.
        others: A second group of runs. Each group is one recipe with several seeds. Differences are the second group
            minus the first, with intervals that cover the seeds.

    Raises:
        RunError: A run is not finished or is damaged, or the runs share no task with the same dev examples.
    """
    first, second = [Path(each) for each in runs], [Path(each) for each in others]
    with left_as_found():
        return Comparison(compare_groups(first, second) if second else compare_runs(first))


def export(
    run: AnyRun,
    to: str,
    out: str | os.PathLike[str] | None = None,
    *,
    int8: bool = False,
    check: bool = True,
) -> Export:
    """Export the model of a finished run.

    Args:
        run: A run, or the path of its folder.
        to: "onnx" for ONNX graphs, "hub" for a repository for the hub, "torch-export" for torch.export programs, or the
            name of a registered exporter.
        out: The folder to write. Default: RUN/TARGET.
        int8: With "onnx", also write and measure an encoder in 8-bit integers.
        check: Check the export against the model on the dev data. An export that differs is not written.

    Returns:
        The export, with its folder and the largest difference from the model.

    Raises:
        ManyheadsError: The run is not finished, or its model cannot be exported.
    """
    return export_run(Path(run), to, None if out is None else Path(out), int8=int8, check=check)
