"""Reports: the numbers are those of the run, the page is self-contained, and the formats agree."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.older import without_checksums
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import RunError
from manyheads.reports.content import build_report
from manyheads.reports.document import text_of, write_report


@pytest.fixture(scope="module")
def run(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    shutil.copytree(trained.folder.path, folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


def test_the_metrics_are_those_of_the_run(run: Path, trained: manyheads.Run) -> None:
    report = build_report(run)
    best = trained.results["best"]
    for task in report.tasks:
        values = {each.name: each.value for each in task.measures}
        assert values == pytest.approx(best["tasks"][task.name], abs=1e-5)
        for each in task.measures:
            assert each.low is not None
            assert each.high is not None
            assert each.value is not None
            assert each.low < each.value < each.high
    assert report.average.value == pytest.approx(best["average"], abs=1e-6)


class _Page(HTMLParser):
    """Collects the files that a page would load, its tags and ids, and pictures without a description."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.tags: list[str] = []
        self.unnamed = 0
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        for name in ("src", "href", "xlink:href"):
            value = values.get(name)
            if value and not value.startswith("#"):
                self.fetched.append(value)
        if tag == "svg" and not values.get("aria-label"):
            self.unnamed += 1
        if "id" in values:
            self.ids.append(str(values["id"]))


def test_the_page_is_self_contained_and_its_pictures_have_descriptions(page: str) -> None:
    parsed = _Page()
    parsed.feed(page)
    assert parsed.fetched == []
    assert "script" not in parsed.tags
    assert parsed.tags.count("svg") == 6
    assert parsed.unnamed == 0
    assert len(parsed.ids) == len(set(parsed.ids))
    assert "url(http" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_the_page_has_every_section(run: Path, page: str) -> None:
    for words in (
        "95% confidence interval",
        "Expected calibration error",
        "Confident errors",
        "Largest errors",
        "Label conflicts",
        "By length of the text",
        "prediction =",
        "Truncated texts and rejected rows",
        "Times and rates",
        "Provenance",
        "Complete recipe of the run",
    ):
        assert words in page, words
    assert (
        html.escape((run / "recipe.toml").read_text().splitlines()[0][:30], quote=False).replace('"', "&#34;") in page
    )
    figures = sorted(path.name for path in (run / "report" / "figures").iterdir())
    assert len(figures) == 12
    for name in figures:
        if name.endswith(".svg"):
            ElementTree.parse(run / "report" / "figures" / name)


def test_texts_are_shown_as_texts(run: Path, tmp_path: Path) -> None:
    """No text of a data file is interpreted as markup."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    file = without_checksums(copy) / "provenance.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "note": "<script>alert(1)</script> | a *b*"}))
    assert "<script>alert" not in text_of(build_report(copy), "html")
    assert r"\<script\>alert(1)\</script\> \| a \*b\*" in text_of(build_report(copy), "md")


@pytest.mark.usefixtures("page")
def test_markdown_and_json_agree(run: Path) -> None:
    report = build_report(run)
    content = json.loads(text_of(report, "json"))
    markdown = text_of(report, "md")
    for task in content["tasks"]:
        first = task["measures"][0]
        assert f"{first['value']:.3f}" in markdown
        assert f"[{first['low']:.3f}, {first['high']:.3f}]" in markdown
    for link in re.findall(r"\]\((figures/[^)]+)\)", markdown):
        assert (run / "report" / link).is_file()


def test_a_run_without_its_data_files_has_a_report(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    recipe = copy / "recipe.toml"
    recipe.write_text(re.sub(r'data_dir = ".*"', 'data_dir = "/nowhere"', recipe.read_text()))
    page = text_of(build_report(copy), "html")
    assert "The texts cannot be shown" in page
    assert "Confident errors" in page


def test_confusion_counts_are_those_of_the_predictions(run: Path) -> None:
    report = build_report(run)
    (task,) = (each for each in report.tasks if each.name == "sentiment")
    assert task.confusion is not None
    records = [json.loads(line) for line in (run / "predictions" / "sentiment.dev.best.jsonl").read_text().splitlines()]
    for true, row in enumerate(task.confusion.counts):
        for given, count in enumerate(row):
            assert count == sum(each["target"] == true and each["prediction"] == given for each in records)


def test_the_command_writes_and_prints(run: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(run), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert (tmp_path / "out" / "report.md").is_file()
    printed = CliRunner().invoke(app, ["report", str(run), "--format", "json"])
    assert json.loads(printed.stdout)["name"] == "run"


def test_other_folders_are_not_overwritten(run: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    with pytest.raises(RunError, match="something other than a report"):
        write_report(run, tmp_path / "precious")
    with pytest.raises(RunError):
        write_report(tmp_path)
    assert (tmp_path / "precious" / "file").read_text() == "x"


def test_the_curve_is_results_csv(run: Path) -> None:
    with (run / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    report = build_report(run)
    for task in report.tasks:
        assert len(task.curve) == len(rows)


def test_json_has_the_documented_keys(run: Path) -> None:
    content = json.loads(text_of(build_report(run), "json"))
    assert set(content) == {
        *("name", "which", "epoch", "average", "last_average", "tasks", "log", "results", "provenance", "recipe"),
        *("whole_rows", "whole_test_rows"),
    }
    task = next(each for each in content["tasks"] if each["name"] == "sentiment")
    assert set(task) == {
        *(
            "name",
            "kind",
            "metric",
            "value_range",
            "answers",
            "measures",
            "last",
            "test",
            "commonest",
            "curve",
            "losses",
            "decoding",
        ),
        *("confusion", "calibration", "fit", "by_label", "by_length", "mistakes", "clashes", "texts_missing"),
    }
    assert set(task["answers"]) == {"examples", "labels"}
    assert set(task["calibration"]) == {"bins", "error", "chance", "count"}
    assert set(task["mistakes"][0]) == {"id", "texts", "target", "prediction", "chance", "true_chance"}
    assert set(task["clashes"]) == {"shown", "found", "dev_examples", "train_examples"}
    assert {"cut", "rejected", "rejected_count", "warnings", "notes", "resumed"} <= set(content["log"])


def test_a_report_shows_no_course_score(page: str, run: Path) -> None:
    markdown = text_of(build_report(run), "md")
    assert not any("course score" in text or "course_score" in text for text in (page, markdown))


def test_page_tables_scroll_and_mark_the_hidden_part(page: str) -> None:
    style = page.split("<style>")[1].split("</style>", maxsplit=1)[0]
    assert re.search(r"\.scroll \{[^}]*overflow-x: auto[^}]*var\(--shadow\)", style)
    assert page.count('<div class="scroll" tabindex="0" role="region"') == page.count("<table>")
