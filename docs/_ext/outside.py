"""Pages of the site whose text is a Markdown file outside of docs/ (measured runs, benchmarks).

A line `<!-- include: FILE -->`, with FILE relative to the repository, is replaced by the content of FILE. Links and
pictures are rewritten: a link to a file that is a page becomes a link to that page, another file of the repository is
named in place of the link, and pictures are taken from where they are. The ends of an interval stay on one line.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
INCLUDE = re.compile(r"^<!-- include: (\S+) -->$", re.MULTILINE)
INTERVAL = re.compile(r"\[([-+]?\d*\.\d+), ([-+]?\d*\.\d+)\]")
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<fragment>#[^)\s]*)?\)")


def included(docs: Path) -> dict[str, str]:
    """Each file that a page includes, and the page, both relative to the repository."""
    return {
        file: page.relative_to(ROOT).as_posix()
        for page in sorted(docs.rglob("*.md"))
        if "_build" not in page.parts
        for file in INCLUDE.findall(page.read_text(encoding="utf-8"))
    }


def fill(text: str, page: str, pages: dict[str, str]) -> str:
    """Return the text of `page` (relative to the repository) with every include replaced by the file's content."""

    def content(found: re.Match[str]) -> str:
        file = found[1]
        own = LINK.sub(lambda link: _link(link, file, page, pages), (ROOT / file).read_text(encoding="utf-8"))
        return INTERVAL.sub("[\\1,\N{NO-BREAK SPACE}\\2]", own)

    return INCLUDE.sub(content, text)


def _link(link: re.Match[str], file: str, page: str, pages: dict[str, str]) -> str:
    if re.match(r"[a-z]+:", link["target"]):
        return link[0]
    folder = PurePosixPath(page).parent.as_posix()
    target = os.path.normpath(PurePosixPath(file).parent / link["target"])
    if not (ROOT / target).exists():
        raise FileNotFoundError(f"{file}: the link {link['target']} leads nowhere")
    if link["image"]:
        return f"![{link['text']}]({os.path.relpath(target, folder)})"
    place = pages.get(target) or (target if target.startswith("docs/") else None)
    if place is None:
        return f"{link['text']} (`{target}`)" if link["text"].strip("`") != target else f"`{target}`"
    return f"[{link['text']}]({os.path.relpath(place, folder)}{link['fragment'] or ''})"


def setup(app: Sphinx) -> dict[str, bool]:
    """Include files when a page is read, and read it again when the file has changed."""
    pages = included(Path(app.srcdir))

    def replace(app: Sphinx, name: str, content: list[str]) -> None:
        for file in INCLUDE.findall(content[0]):
            app.env.note_dependency(str(ROOT / file))
        content[0] = fill(content[0], f"docs/{name}.md", pages)

    app.connect("source-read", replace)
    return {"parallel_read_safe": True}
