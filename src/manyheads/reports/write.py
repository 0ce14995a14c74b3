"""Write the report of a run."""

from __future__ import annotations

from pathlib import Path

from manyheads.errors import RunError
from manyheads.pages.render import to_html, to_markdown
from manyheads.reports.build import build_report
from manyheads.reports.content import Report, to_json
from manyheads.reports.document import document, title
from manyheads.reports.figures import draw_all
from manyheads.run.atomic import replace_folder

FORMATS = ("html", "md", "json")


def write_report(run: Path, out: Path | None = None) -> Path:
    """Write report.html, report.md, report.json and figures/ into `out`. Default: the folder `report` of the run.

    Raises:
        RunError: the folder is not a finished run, one of its files is missing or damaged, or `out` contains something
            other than a report.
    """
    folder = run / "report" if out is None else out
    if folder.exists() and not (folder / "report.html").is_file():
        hint = "choose a new folder, or one that contains a report"
        raise RunError("the folder exists and contains something other than a report", where=str(folder), hint=hint)
    report = build_report(run)
    figures = draw_all(report)

    def fill(fresh: Path) -> None:
        (fresh / "figures").mkdir()
        for name, files in figures.items():
            for ending, content in files.items():
                (fresh / "figures" / f"{name}.{ending}").write_bytes(content)
        for form in FORMATS:
            (fresh / f"report.{form}").write_text(text_of(report, form, figures), encoding="utf-8")

    replace_folder(folder, fill)
    return folder / "report.html"


def text_of(report: Report, form: str, figures: dict[str, dict[str, bytes]] | None = None) -> str:
    """Return a report in one format: "html", "md" or "json"."""
    if form == "json":
        return to_json(report)
    if form == "md":
        return to_markdown(title(report), document(report))
    return to_html(title(report), document(report), draw_all(report) if figures is None else figures)
