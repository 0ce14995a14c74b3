"""A check of the built site and of Markdown files: every link, picture, script and style leads somewhere.

    python -m tests.docs.links SITE FILE.md ...

Links of the site to its own pages, their fragments, and everything that a page loads must be files of the site. Nothing
may be loaded from elsewhere. Relative links and pictures of the Markdown files must exist. Nothing uses the network.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "img": ("src", "srcset"),
    "script": ("src",),
    "link": ("href",),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "object": ("data",),
}
STYLE = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")
MARKDOWN = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


class _Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes that matter."""
        found = {name: value or "" for name, value in attrs}
        self.ids.update(found[name] for name in ("id", "name") if name in found)
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        is_page = tag == "link" and set(found.get("rel", "").split()) & {"next", "prev", "index", "search", "canonical"}
        for name in LOADED.get(tag, ()):
            if name in found:
                (self.links if is_page else self.loaded).append(found[name])


def problems(site: Path) -> Iterator[str]:
    """What is wrong with the pages of a site."""
    for path in sorted(site.rglob("*.html")):
        page = _read(path)
        for link in page.links:
            reason = _broken(site, path, link)
            if reason and not urlsplit(link).scheme:
                yield f"{path.relative_to(site)}: {link}: {reason}"
        for link in page.loaded:
            reason = "is loaded from elsewhere" if _is_elsewhere(link) else _broken(site, path, link)
            if reason:
                yield f"{path.relative_to(site)}: {link}: {reason}"
    for path in sorted(site.rglob("*.css")):
        for first, second in STYLE.findall(path.read_text(encoding="utf-8")):
            link = first or second
            reason = "is loaded from elsewhere" if _is_elsewhere(link) else _broken(site, path, link)
            if reason:
                yield f"{path.relative_to(site)}: {link}: {reason}"


def markdown_problems(file: Path) -> Iterator[str]:
    """The relative links and pictures of a Markdown file that lead nowhere."""
    text = re.sub(r"^```.*?^```", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in MARKDOWN.findall(text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = file if not parts.path else file.parent / unquote(parts.path)
        if not target.exists():
            yield f"{file}: {link}: there is no such file"
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in _anchors(target):
            yield f"{file}: {link}: there is no such heading"


@cache
def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_elsewhere(link: str) -> bool:
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def _broken(site: Path, page: Path, link: str) -> str | None:
    parts = urlsplit(link)
    if parts.scheme:
        return None
    target = page if not parts.path else (page.parent / unquote(parts.path)).resolve()
    if not target.is_relative_to(site.resolve()) and target != page:
        return "leads out of the site"
    if not target.is_file():
        return "there is no such file"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _read(target).ids:
        return "there is no such place on the page"
    return None


def _anchors(file: Path) -> set[str]:
    headings = HEADING.findall(file.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def main() -> None:
    """Print what is wrong; exit with status 1 if anything is."""
    site, *files = map(Path, sys.argv[1:])
    found = [*problems(site), *(each for file in files for each in markdown_problems(file))]
    for line in found:
        sys.stderr.write(f"{line}\n")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
