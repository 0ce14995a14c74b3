"""The check of the built site finds links that lead nowhere and everything that is loaded from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.links import markdown_problems, problems

ROOT = Path(__file__).parents[2]

PAGE = (
    '<a href="#here">a</a><h2 id="here"></h2><a href="b.html#there">b</a><img src="a.png"><a href="https://x.org">x</a>'
)


def site(folder: Path, page: str, css: str = "") -> Path:
    (folder / "a.html").write_text(page)
    (folder / "b.html").write_text('<h2 id="there"></h2>')
    (folder / "a.png").touch()
    (folder / "a.css").write_text(css)
    return folder


def test_a_site_whose_links_lead_somewhere_has_no_problems(tmp_path: Path) -> None:
    assert list(problems(site(tmp_path, PAGE, "a { background: url(a.png) url('data:image/png;base64,') }"))) == []


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ('<a href="c.html">c</a>', "a.html: c.html: there is no such file"),
        ('<a href="b.html#here">b</a>', "a.html: b.html#here: there is no such place on the page"),
        ('<a href="../c.html">c</a>', "a.html: ../c.html: leads out of the site"),
        ('<img src="b.png">', "a.html: b.png: there is no such file"),
        ('<img src="https://x.org/a.png">', "a.html: https://x.org/a.png: is loaded from elsewhere"),
        ('<script src="//x.org/a.js"></script>', "a.html: //x.org/a.js: is loaded from elsewhere"),
        ('<link rel="stylesheet" href="https://x.org/a.css">', "a.html: https://x.org/a.css: is loaded from elsewhere"),
    ],
)
def test_a_broken_link_is_named_with_its_page(tmp_path: Path, page: str, reason: str) -> None:
    assert list(problems(site(tmp_path, page))) == [reason]


def test_a_font_from_elsewhere_is_named(tmp_path: Path) -> None:
    found = list(problems(site(tmp_path, "", "@font-face { src: url('https://x.org/f.woff2') }")))
    assert found == ["a.css: https://x.org/f.woff2: is loaded from elsewhere"]


def test_links_of_a_markdown_file_are_checked(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("# A heading\n")
    file = tmp_path / "a.md"
    file.write_text("[b](b.md#a-heading) [x](https://x.org) ![c](c.png) [d](b.md#no)\n```\n[not](a-link)\n```\n")
    assert [line.partition(": ")[2] for line in markdown_problems(file)] == [
        "c.png: there is no such file",
        "b.md#no: there is no such heading",
    ]


def test_the_links_of_the_readme_lead_somewhere() -> None:
    assert list(markdown_problems(ROOT / "README.md")) == []
