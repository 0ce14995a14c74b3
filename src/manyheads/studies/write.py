"""Write the table of a study in all formats, with its figures."""

from __future__ import annotations

from pathlib import Path

from manyheads.pages.render import Drawn
from manyheads.process_state import left_as_found
from manyheads.run.atomic import write_bytes, write_text
from manyheads.studies.figures import FIGURES
from manyheads.studies.figures.drawing import render
from manyheads.studies.looks import keep_plan
from manyheads.studies.render.documents import to_html, to_latex, to_markdown
from manyheads.studies.render.numbers import to_csv, to_json
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate


@left_as_found()
def write_table(plan: StudyPlan, out: Path) -> Table:
    """Write `OUT/table.{json,csv,md,tex,html}` and `OUT/figures/<name>.{svg,png}`, and return the table.

    The table is computed from the run folders. Figures that this table does not have are removed.

    Raises:
        RunError: no run is finished, runs cannot be compared, or the folder cannot be written.
    """
    table = tabulate(plan, out)
    pictures = _write_figures(table, out / "figures")
    keep_plan(plan, out)
    write_text(out / "table.json", to_json(table))
    write_text(out / "table.csv", to_csv(table))
    write_text(out / "table.md", to_markdown(table))
    write_text(out / "table.tex", to_latex(table))
    write_text(out / "table.html", to_html(table, pictures))
    return table


def _write_figures(table: Table, folder: Path) -> list[Drawn]:
    pictures = []
    for name, drawing in FIGURES.items():
        alt = drawing.describe(table)
        if alt is None:
            for ending in ("svg", "png"):
                (folder / f"{name}.{ending}").unlink(missing_ok=True)
            continue
        files = render(name, drawing, table)
        for ending, content in files.items():
            write_bytes(folder / f"{name}.{ending}", content)
        pictures.append(Drawn(name, drawing.title, alt, files["svg"].decode("utf-8")))
    return pictures
