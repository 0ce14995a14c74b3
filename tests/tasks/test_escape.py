"""Text of users has no effect in a terminal, in Markdown, in LaTeX and in a spreadsheet."""

from __future__ import annotations

import io
import json

import pytest
from markdown_it import MarkdownIt
from rich.table import Table as Grid

from manyheads.cli.main import main
from manyheads.cli.terminal import make_console
from manyheads.pages.render import Grid as Block
from manyheads.pages.render import Heading, Items, Text, to_markdown
from manyheads.studies.render.formats import escape
from manyheads.tasks.written import markdown, markdown_block, markdown_code, visible, without_formula

ATTACK = "a\x1b[31mred\x1b]0;title\x07\x9b2J\r\u202eback\x00\x7f"


def test_control_characters_are_shown() -> None:
    shown = visible(f"{ATTACK}\ttab\nline é")
    assert shown.startswith(r"a\u001b[31mred\u001b]0;title\u0007\u009b2J\u000d\u202eback\u0000\u007f")
    assert shown.endswith("\ttab\nline é")
    assert json.loads(f'"{visible(ATTACK)}"') == ATTACK


def test_a_console_shows_control_characters_and_keeps_its_own() -> None:
    for terminal in (False, True):
        file = io.StringIO()
        console = make_console(
            file=file, force_terminal=terminal, width=200, color_system="standard" if terminal else None
        )
        table = Grid(title=ATTACK)
        table.add_column("name", style="red")
        table.add_row(ATTACK)
        console.print(table)
        console.print(ATTACK, markup=False, highlight=False)
        text = file.getvalue()
        for raw in ("\x1b]0;", "\x07", "\x9b", "\r", "\u202e", "\x00"):
            assert raw not in text
        assert text.count(r"\u001b]0;title") == 3
        assert ("\x1b[31m" in text) == terminal


def test_an_error_shows_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "no\x1b]0;such\x07.toml"])
    found = capsys.readouterr().err
    assert "\x1b]" not in found
    assert r"no\u001b]0;such\u0007.toml" in found


MARKS = [
    "<script>alert(1)</script>",
    "[link](http://example.org)",
    "![image](x)",
    "**bold** _em_ ~~gone~~",
    "`code`",
    "&lt;b&gt;",
    "# heading",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "> quote",
    "===",
    "---",
    "~~~",
    "a | b",
    "back\\slash",
    "two\n\nparagraphs",
    "$x$",
]


@pytest.mark.parametrize("text", MARKS)
def test_markdown_shows_the_text(text: str) -> None:
    plain = " ".join(text.split())
    page = MarkdownIt("gfm-like", {"linkify": False})
    blocks = [Text(text), Items((text,)), Heading(text), Block(text, ("x", text), (("y", text), (text, "z")))]
    tokens = page.parse(to_markdown(text, blocks))
    inline = [token for token in tokens if token.type == "inline"]
    found = ["".join(child.content for child in token.children or []) for token in inline]
    assert found == [plain, plain, plain, plain, f"{plain}:", "x", plain, "y", plain, plain, "z"]
    assert {child.type for token in inline for child in token.children or []} == {"text"}
    code = page.parse(f"| a |\n|---|\n| {markdown_code(text)} |\n")
    (cell,) = [token for token in code if token.type == "inline" and token.content != "a"]
    assert [child.type for child in cell.children or []] == ["code_inline"]
    assert cell.children is not None
    assert cell.children[0].content == plain


def test_markdown_is_one_line() -> None:
    assert markdown("a\r\nb\x1b") == r"a b\\u001b"
    assert markdown_block("2024. year") == r"2024\. year"


def test_latex_shows_the_text() -> None:
    assert escape("[2pt] * #1 \x1b") == r"{[}2pt{]} {*} \#1 \textbackslash{}u001b"


@pytest.mark.parametrize("cell", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", "\r=1", "\uff1d1", "-1+1", "+1;2"])
def test_formulas_begin_with_a_quote(cell: str) -> None:
    assert without_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-1", "+1.5", "-1e-05", "-.5", "-3,5", "a=1", "", "name"])
def test_numbers_and_other_texts_do_not_change(cell: str) -> None:
    assert without_formula(cell) == cell
