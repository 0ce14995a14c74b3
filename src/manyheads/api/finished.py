"""What works on finished runs: `evaluate`, `predict`, `report`, `compare` and `export`."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal

from manyheads.api.progress import shown, warn
from manyheads.api.values import Files, Rows, files_of, text_format_of
from manyheads.data.given import given_table, is_table, naming_tables, write_given
from manyheads.data.reading import TextFormat
from manyheads.data.reading.text_format import as_argument, naming_arguments
from manyheads.errors import DataError, RunError
from manyheads.inference.load import load
from manyheads.inference.predict_file import PredictedFile, predict_file
from manyheads.inference.predictor import Predictor
from manyheads.pages.render import Block, Grid, Heading, Items, Text
from manyheads.pages.words import counted
from manyheads.process_state import left_as_found
from manyheads.recipe.given import LIMIT
from manyheads.reports.compare import Comparison as RunComparison
from manyheads.reports.compare import compare as compare_runs
from manyheads.reports.compare_groups import GroupComparison, compare_groups
from manyheads.reports.content import build_report
from manyheads.reports.document import comparison_blocks, comparison_text, text_of, write_report
from manyheads.reports.keys import plain as plain_json
from manyheads.run.atomic import writing_to
from manyheads.runs.export import Export, export_run
from manyheads.runs.measure import Measurement, measure_run
from manyheads.shown import data_frame, paragraph, table_html, table_text

AnyRun = str | os.PathLike[str]
"""A run, or the path of its folder."""

Form = Literal["html", "md", "json"]

FORMS: tuple[Form, ...] = ("html", "md", "json")

OutputFormat = Literal["same", "csv", "tsv", "jsonl", "parquet", "lines", "course"]


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
    own, text = Path(run), text_format_of(text_format)
    if data is None:
        return _warned(measure_run(own, split=split, task=task, int8=int8))
    if not is_table(data):
        with naming_arguments():
            found = measure_run(own, split=split, task=task, file=files_of(data, "data"), text=text, int8=int8)
            return _warned(found, as_argument)
    with tempfile.TemporaryDirectory(prefix="manyheads-") as home, naming_tables():
        write_given({"data": given_table(data, "data")}, Path(home), LIMIT)
        return _warned(measure_run(own, split=split, task=task, file=Path(home, "data.parquet"), int8=int8))


def _warned(found: Measurement, worded: Callable[[str], str] = str) -> Measurement:
    """Warn of what a measurement did not use, and of what was suspicious. `worded`: how a warning is written."""
    for text in found.warnings:
        warn(worded(text))
    for name, bad in found.bad_rows.items():
        if len(bad):
            warn(f"{name}: {counted(len(bad), 'row')} without a usable text and label, not measured")
    return found


def predict(
    model: Predictor | AnyRun,
    task: str,
    data: Files | BinaryIO,
    out: str | os.PathLike[str] | IO[Any],
    *,
    form: OutputFormat | None = None,
    text_format: Mapping[str, Any] | None = None,
    escape_formulas: bool = False,
    notify: Callable[[str], None] | None = None,
    progress: bool | None = None,
) -> PredictedFile:
    """Predict a task for every row of a file, and write the rows with their predictions to another file.

    The output has every row of the input in its order, with all cells. A row without a prediction has the reason. A few
    thousand rows are in memory at a time. For tables and texts in memory, use `Predictor.predict`.

    Args:
        model: A model such as `manyheads.load(run, int8=True)`, a run, or the path of a folder that `load` accepts.
        task: The task.
        data: The file, as in a recipe: also a folder, a pattern, several files, or the file of each column. Or a binary
            stream, such as `sys.stdin.buffer`.
        out: The file to write, or a stream, such as `sys.stdout`. A file is replaced when all rows are predicted.
        form: The format of the output: "csv", "tsv", "jsonl", "parquet", "lines" (only the predictions), "course" (as
            in the reference course), or "same" for that of the input. Default: from the ending of `out`, otherwise
            "same".
        text_format: How the input is written, as the keys of a task: `{"delimiter": ";"}`. Its format may also be
            "lines". Default: found from the name and the first bytes. The decimal mark is also that of the numbers that
            are added to CSV.
        escape_formulas: Put a quote before text in CSV and TSV that a spreadsheet reads as a formula.
        notify: A function that is called with each message about the input and with the reason for each row without a
            prediction. Default: the first of them are warnings.
        progress: Show the number of rows, as in `train`.

    Returns:
        The path of the file, with the number of rows and the rows without a prediction.

    Raises:
        ManyheadsError: The model has no such task, or the input or the output cannot be used.

    Warns:
        ManyheadsWarning: Rows have no prediction, or something in the file is suspicious.
    """
    if is_table(data):
        hint = "use manyheads.load(run).predict(task, table).frame"
        raise DataError("data is a table in memory, and not a file", where="data", found=type(data).__name__, hint=hint)
    if isinstance(data, io.TextIOBase):
        hint = "give a binary stream, such as sys.stdin.buffer"
        raise DataError("data is a stream of text", where="data", found=type(data).__name__, hint=hint)
    if not isinstance(out, str | os.PathLike) and not hasattr(out, "write"):
        found, allowed = f"a value of the type {type(out).__name__}", "the path of a file, or a stream"
        raise DataError("this cannot be written to", where="out", found=found, allowed=allowed)
    text = TextFormat(**text_format_of(text_format))
    predictor = model if isinstance(model, Predictor) else load(model)
    source: Any = data if hasattr(data, "read") else files_of(data, "data")
    to = Path(out) if isinstance(out, str | os.PathLike) else out
    own = _FirstWarnings()
    tell = own if notify is None else notify
    with shown(progress) as output, naming_arguments():
        done = predict_file(
            predictor,
            task,
            source,
            to,
            form=form,
            text=text,
            escape_formulas=escape_formulas,
            notify=lambda message: tell(as_argument(message)),
            progress=None if output is None else output.say,
        )
        if output is not None:
            output.say(f"{done.rows:,} rows")
    if own.count > own.SHOWN:
        more = counted(own.count - own.SHOWN, "more message")
        warn(f"{more}; rows without a prediction: {done.failed:,} of {done.rows:,}")
    return done


class _FirstWarnings:
    """A notifier that warns of the first messages, and counts the others."""

    SHOWN = 5

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, text: str) -> None:
        self.count += 1
        if self.count <= self.SHOWN:
            warn(text.removeprefix("warning: "))


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
        RunError: The run is not finished or is damaged, or there is no such format.
    """
    _check_form(form)
    with left_as_found():
        return text_of(build_report(Path(run)), form)


def _check_form(form: object) -> None:
    if form not in FORMS:
        raise RunError("there is no such format", where="form=", found=form, allowed=", ".join(FORMS))


class Comparison:
    """The comparison of finished runs, or of two groups of them. It shows itself as `manyheads compare` prints it.

    Attributes:
        result: the numbers.
        folders: the folders of the runs.
    """

    def __init__(self, result: RunComparison | GroupComparison, folders: Sequence[Path] = ()) -> None:
        self.result, self.folders = result, tuple(folders)

    def text(self, form: Form = "md") -> str:
        """Return the comparison in one format.

        Raises:
            RunError: There is no such format.
        """
        _check_form(form)
        return comparison_text(self.result, form)

    def save(self, path: str | os.PathLike[str], form: Form | None = None) -> Path:
        """Write the comparison to a file.

        Args:
            path: The file.
            form: The format: "html", "md" or "json". Default: from the ending of the file.

        Raises:
            RunError: The ending of the file is not that of a format.
        """
        file = Path(path)
        ending = form or file.suffix.lstrip(".")
        if ending not in FORMS:
            raise RunError("the file has no format of a comparison", where=str(file), allowed=".html, .md, .json")
        with writing_to(file) as new:
            new.write_text(comparison_text(self.result, ending), encoding="utf-8", newline="")
        return file

    def figure(self) -> Any:
        """Return the differences with their intervals as a `matplotlib.figure.Figure`, which can be changed and saved.

        Filled points are significant after the correction for the number of differences.
        """
        import matplotlib as mpl

        from manyheads.pages.figures import SETTINGS
        from manyheads.reports.figures import draw_comparison

        with mpl.rc_context(SETTINGS):
            return draw_comparison(self.result)

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
    if isinstance(block, Heading):
        return f"<h4>{escape(block.text)}</h4>"
    return paragraph(block.text) if isinstance(block, Text) else ""


def compare(runs: Sequence[AnyRun], others: Sequence[AnyRun] = ()) -> Comparison:
    """Compare finished runs: metrics, paired differences with intervals, and different predictions.

    Args:
        runs: Two or more runs, or paths of their folders. Differences are from the first one.
        others: A second group of runs. Each group is one recipe with several seeds. Differences are the second group
            minus the first, with intervals that cover the seeds.

    Raises:
        RunError: A run is not finished or is damaged, or the runs share no task with the same dev examples.
    """
    runs = [runs] if isinstance(runs, str | os.PathLike) else runs
    first, second = [Path(each) for each in runs], [Path(each) for each in others]
    with left_as_found():
        return Comparison(compare_groups(first, second) if second else compare_runs(first), [*first, *second])


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

    Warns:
        ManyheadsWarning: The files of this target need attention, such as archives that may execute code.
    """
    done = export_run(Path(run), to, None if out is None else Path(out), int8=int8, check=check)
    if done.warning is not None:
        warn(done.warning)
    return done
