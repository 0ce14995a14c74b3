"""The formats of a table: they are complete and well formed, and show the content of the table."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.study.conftest import SyntheticStudy

from manyheads.pages.render import Drawn
from manyheads.pages.words import p_value
from manyheads.studies.figures import FIGURES, render
from manyheads.studies.render import words
from manyheads.studies.render.formats import escape, to_csv, to_html, to_json, to_latex, to_markdown
from manyheads.studies.render.sections import sections
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate

VOID = {"meta", "br", "link"}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """A table with a failed run, a missing run, a remark, and two rows with the same recipe."""
    synthetic = SyntheticStudy(tmp_path_factory.mktemp("study"))
    synthetic.fail("plain_rescale0.1", 2, "boom & <bust>")
    plan = synthetic.run({"even": 0.2}, skip={("plain_rescale0.1", 2), ("even_rescale0.1", 3)})
    return tabulate(plan, synthetic.out)


class Nesting(HTMLParser):
    """Checks that tags are nested, and collects what a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key == "id":
                self.ids.append(value or "")
            if key in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.fetched.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_json_has_the_documented_keys(table: Table) -> None:
    content = json.loads(to_json(table))
    row = next(row for row in content["rows"] if row["name"] == "even")
    assert {"name", "seeds", "failed", "tasks", "average", "course_score", "difference", "last"} <= set(row)
    assert set(row["tasks"]["sts"]) == set(row["average"]) == {"mean", "low", "high"}
    tested = {"mean", "low", "high", "p", "p_holm", "p_looks", "p_page", "exploratory"}
    assert set(row["difference"]) == tested
    assert {"tasks", "average", "course_score"} <= set(row["last"])
    assert "seconds" not in json.dumps(content["rows"])
    assert "/" not in json.dumps(content["rows"])
    numbers = re.findall(r"-?\d+\.(\d+)", json.dumps(content["rows"]))
    assert max(map(len, numbers)) <= 6


def test_csv_has_one_line_per_row_and_the_same_numbers(table: Table) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [line["row"] for line in lines] == [row.name for row in table.rows]
    even = next(line for line in lines if line["row"] == "even")
    figure = next(row for row in table.rows if row.name == "even").best.average
    assert figure is not None
    assert float(even["best.average.mean"]) == figure.mean
    assert even["factor.EB"] == "yes"
    assert None not in even


def test_markdown_rows_have_as_many_cells_as_the_header(table: Table) -> None:
    text = to_markdown(table)
    widths: list[int] = []
    for line in text.splitlines():
        if line.startswith("|"):
            widths.append(len(re.findall(r"(?<!\\)\|", line)))
        else:
            assert len(set(widths)) <= 1
            widths = []
    assert "again (same runs as even)" in text
    assert "one of four; " not in text.split("failed: seed 2")[0].splitlines()[-1]
    assert "boom & <bust>" in text
    assert r"Small \& \<synthetic\>" in text


def test_latex_is_balanced_and_escaped(table: Table) -> None:
    text = to_latex(table)
    for block in re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns, body = block
        lines = [line for line in body.splitlines() if "&" in line]
        assert lines
        for line in lines:
            assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    plain = text.replace("\\{", "").replace("\\}", "")
    assert plain.count("{") == plain.count("}")
    assert text.count(r"\begin{table*}") == text.count(r"\end{table*}") >= 4
    assert r"even\_rescale0.1" in text
    assert r"Small \& $<$synthetic$>$" in text
    assert not re.search(r"(?<!\\)_", re.sub(r"\\(label|usepackage)\{[^}]*\}", "", text))


def test_the_special_characters_of_latex_are_escaped() -> None:
    assert escape("a_b%c&d#e$f{g}h~i^j\\k") == (
        r"a\_b\%c\&d\#e\$f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k"
    )


def test_html_is_one_well_formed_file_that_fetches_nothing(table: Table) -> None:
    pictures = []
    for name, drawing in FIGURES.items():
        if drawing.describe(table) is None:
            continue
        svg = render(name, drawing, table)["svg"].decode()
        pictures.append(Drawn(name, drawing.title, drawing.describe(table) or "", svg))
    page = to_html(table, pictures)
    nesting = Nesting()
    nesting.feed(page)
    assert nesting.open == []
    assert nesting.fetched == []
    assert len(set(nesting.ids)) == len(nesting.ids)
    assert page.count("<svg") == page.count('role="img"') == len(pictures) == 5
    assert "url(http" not in page
    assert "@import" not in page
    assert "Small &amp; &lt;synthetic&gt;" in page
    assert "boom &amp; &lt;bust&gt;" in page
    assert "<synthetic>" not in page
    assert "var(--ink)" in page.split("<svg", 1)[1]
    assert "3 seeds per row" in page.split("<figcaption>", 1)[1].split("</figcaption>")[0]


def test_html_ticks_factors(table: Table) -> None:
    body = to_html(table).split("<tbody>")[1].split("</tbody>")[0]
    assert "✓" in body


@pytest.mark.parametrize(
    ("value", "shown"), [(0.485, ".4850"), (1.0, "1.0000"), (-0.02, "-.0200"), (0.0, ".0000"), (None, "")]
)
def test_scores_are_written_as_in_the_reference(value: float | None, shown: str) -> None:
    assert words.score(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0123, "+.0123"), (-0.5, "-.5000"), (0.0, ".0000"), (-0.00001, ".0000")]
)
def test_differences_have_signs(value: float, shown: str) -> None:
    assert words.signed(value) == shown


def test_levels_p_values_and_epochs() -> None:
    assert [words.level(name) for name in ("yes", "no", "0.1", "")] == ["x", "", "0.1", ""]
    assert [p_value(p) for p in (None, 0.00004, 0.0312, 1.0)] == ["", "<.001", ".031", "1.000"]
    assert [words.epochs(of_runs) for of_runs in ((), (None,), (3.0, 3.0), (1.0, 2.5, None))] == [
        "",
        "",
        "3",
        "1 to 2.5",
    ]


def test_html_tables_scroll_under_a_sticky_first_column(table: Table) -> None:
    page = to_html(table)
    style = page.split("<style>")[1].split("</style>")[0]
    assert re.search(r"\.scroll \{[^}]*overflow-x: auto", style)
    first_column = re.search(r"\n(tr > :first-child) \{([^}]*)\}", style)
    assert first_column is not None
    assert "position: sticky; left: 0" in first_column[2]
    assert "background: var(--paper)" in first_column[2]
    assert re.search(r"@media print \{.*tr > :first-child \{ position: static", style, re.DOTALL)
    regions = page.split('<div class="scroll" tabindex="0" role="region" aria-label="')[1:]
    assert len(regions) == page.count("<table>") == len(sections(table))
    for region in regions:
        for row in re.findall(r"<tr>(.*?)</tr>", region.split("</table>")[0], re.DOTALL):
            assert row.strip().startswith(('<th scope="col"', '<th scope="row"'))


def test_a_small_p_value_is_shown_as_a_bound_and_kept_as_a_number(table: Table) -> None:
    rows = tuple(
        replace(row, difference=row.difference and replace(row.difference, p=0.0, p_holm=0.000001))
        for row in table.rows
    )
    small = replace(table, rows=rows)
    for text in (to_markdown(small), to_latex(small), to_html(small)):
        assert re.search(r"(<|&lt;|\$<\$)\.001", text)
        assert not re.search(
            r"(?<![\d.])\.000(?!\d)|(?<![\d.])0\.0(?!\d)", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
        )
    found = [row["difference"]["p"] for row in json.loads(to_json(small))["rows"] if row["difference"]]
    assert set(found) == {0.0}
