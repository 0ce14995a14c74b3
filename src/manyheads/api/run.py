"""A run: its folder, and what is in it."""

from __future__ import annotations

import base64
import json
import os
from functools import cached_property
from html import escape
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import polars as pl

from manyheads.api.recipe import Recipe
from manyheads.data.given import index_of
from manyheads.data.reading.paths import find_files
from manyheads.errors import RunError, did_you_mean
from manyheads.inference.load import load
from manyheads.inference.predictor import Predictor
from manyheads.pages.figures import SETTINGS
from manyheads.pages.render import Grid, Heading, Picture, Text
from manyheads.reports.content import build_report
from manyheads.reports.document import document, title, write_report
from manyheads.reports.figures import curves_files, draw_curves
from manyheads.run.folder import RunFolder
from manyheads.shown import data_frame, paragraph, table_html, table_text

if TYPE_CHECKING:
    from collections.abc import Iterator

WHICH = ("best", "last")


class Run(os.PathLike[str]):
    """A run folder. It is a path, and shows its metrics.

    Data frames are those of pandas where it is installed, otherwise of polars.

    Attributes:
        folder: the folder of the run.
    """

    def __init__(self, folder: RunFolder, results: dict[str, Any] | None = None) -> None:
        self.folder, self._results = folder, results

    def __fspath__(self) -> str:
        return os.fspath(self.folder.path)

    @property
    def path(self) -> Path:
        """The path of the folder."""
        return self.folder.path

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return self.folder.finished

    @property
    def results(self) -> dict[str, Any]:
        """The content of results.json.

        Raises:
            RunError: The run is not finished, or the file is damaged.
        """
        if self._results is None:
            self._results = self.folder.read_results()
        return self._results

    @cached_property
    def recipe(self) -> Recipe:
        """The complete recipe of the run."""
        return Recipe.load(self.folder.recipe)

    @property
    def metrics(self) -> Any:
        """The dev metrics at the best and the last epoch, with the 95% interval of the last one, as a DataFrame."""
        best, last = self.results["best"], self.results["last"]
        rows = [(task, metric) for task, values in last["tasks"].items() for metric in values]
        bounds = [last.get("intervals", {}).get(task, {}).get(metric) or (None, None) for task, metric in rows]
        return data_frame(
            {
                "task": [task for task, _ in rows],
                "metric": [metric for _, metric in rows],
                "best": [None if best is None else best["tasks"][task][metric] for task, metric in rows],
                "last": [last["tasks"][task][metric] for task, metric in rows],
                "low": [low for low, _ in bounds],
                "high": [high for _, high in bounds],
            }
        )

    @property
    def history(self) -> Any:
        """The metrics of every evaluation, as in results.csv, as a DataFrame."""
        rows = self.folder.read_curve(self.results, {})
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}
        whole = [None if step is None else int(step) for step in columns.get("step", ())]
        return data_frame({**columns, **({"step": whole} if rows else {})})

    def predictions(self, task: str, split: str = "dev", which: str = "best") -> Any:
        """Return the predictions for a split as a DataFrame, one row per example.

        Its columns are `id`, `prediction`, `p_LABEL` or `value`, and `target`. If the data was a DataFrame of pandas
        with an index of its own, it has that index.

        Args:
            task: The name of a task.
            split: "dev" or "test".
            which: "best" or "last": the epoch. Without a best epoch, the last one.

        Raises:
            RunError: The run has no such predictions, or they are damaged.
        """
        if which not in WHICH:
            raise RunError("there is no such epoch", found=which, allowed=", ".join(WHICH))
        file = self.folder.prediction_file(task, split, which)
        if which == "best" and self.results["best"] is None:
            file = self.folder.prediction_file(task, split, "last")
        if not file.exists():
            names = sorted({each.name.rsplit(".", 2)[0] for each in self.folder.predictions.glob("*.jsonl")})
            wanted = f"{task}.{split}"
            allowed, hint, what = ", ".join(names), did_you_mean(wanted, names), "the run has no such predictions"
            raise RunError(what, where=str(self.path), found=wanted, allowed=allowed, hint=hint)
        self.folder.require_whole(file, self.results)
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return data_frame(_columns(records), self._index(task, split, [record["id"] for record in records]))

    @property
    def model(self) -> Predictor:
        """The model of the run, loaded again each time."""
        return load(self.path)

    def figure(self, name: str = "curves") -> Any:
        """Return a figure of the report as a `matplotlib.figure.Figure`, which can be changed and saved.

        Args:
            name: "curves", the learning curves.

        Raises:
            RunError: There is no such figure, or the run is not finished.
        """
        if name != "curves":
            raise RunError("there is no such figure", where=str(self.path), found=name, allowed="curves")
        with mpl.rc_context(SETTINGS):
            return draw_curves(build_report(self.path))

    def report(self) -> Path:
        """Write the report of the run into its folder, and return the path of the page."""
        return write_report(self.path)

    def _index(self, task: str, split: str, ids: list[str]) -> dict[str, list[Any]] | None:
        """Return the index of the DataFrame that a split was given as. None if it had none, or was not given."""
        options = self.recipe.options.tasks[task]
        spec = options.train if isinstance(getattr(options, split), float) else getattr(options, split)
        if not isinstance(spec, str):
            return None
        folder = Path(self.recipe.options.data_dir)
        file = folder / spec
        index = index_of(file)
        if index is None:
            return None
        names = list(pl.read_parquet_schema(file.with_suffix(".index.parquet")))
        rows = _row_numbers(find_files(spec, folder, ())[0], options.id or "id", ids)
        if rows is None:
            return None
        found = [index[row] for row in rows]
        if len(names) == 1:
            return {names[0]: found}
        return {name: [each[place] for each in found] for place, name in enumerate(names)}

    def __repr__(self) -> str:
        if not self.finished:
            return f"Run({str(self.path)!r}, not finished)"
        texts = []
        for block in self._summary():
            if isinstance(block, Grid):
                texts.append(table_text(block.title, block.columns, block.rows, sorted({0, *block.words})))
            elif isinstance(block, Text) and not block.soft:
                texts.append(block.text)
        return "\n".join([f"Run({str(self.path)!r})", *texts])

    def _repr_html_(self) -> str:
        if not self.finished:
            return paragraph(repr(self))
        report = build_report(self.path)
        parts = [f"<b>{title(report)}</b>"]
        for block in takewhile(lambda block: not isinstance(block, Heading), document(report)):
            if isinstance(block, Grid):
                parts.append(table_html(block.title, block.columns, block.rows, sorted({0, *block.words})))
            elif isinstance(block, Text):
                parts.append(paragraph(block.text))
            elif isinstance(block, Picture) and block.name == "curves":
                # An image of its own, because the figure within a page takes its colours from the page.
                svg = base64.b64encode(curves_files(report)["svg"]).decode("ascii")
                alt = escape(block.alt, quote=True)
                parts.append(f'<img src="data:image/svg+xml;base64,{svg}" alt="{alt}" style="max-width:100%">')
        return "".join(parts)

    def _summary(self) -> Iterator[Any]:
        return takewhile(lambda block: not isinstance(block, Heading), document(build_report(self.path)))


def _columns(records: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the keys of the records of predictions as columns, with a column for each probability."""
    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(key for record in records for key in record):
        cells = [record.get(name) for record in records]
        if name == "probabilities" and all(isinstance(cell, dict) for cell in cells):
            for label in records[0][name]:
                columns[f"p_{label}"] = [record[name][label] for record in records]
        else:
            columns[name] = cells
    return columns


def _row_numbers(file: Path, column: str, ids: list[str]) -> list[int] | None:
    """Return the rows of a table with these ids, from 0. None if ids are repeated."""
    if column not in pl.read_parquet_schema(file):
        return [int(each) - 1 for each in ids]
    own = pl.read_parquet(file, columns=[column])[column].to_list()
    places = {str(row + 1) if each is None or each == "" else str(each): row for row, each in enumerate(own)}
    return [places[each] for each in ids] if len(places) == len(own) else None


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Return the run in a folder, finished or not.

    Raises:
        RunError: The folder is not a run folder.
    """
    run = RunFolder(Path(folder))
    run.require()
    return Run(run)
