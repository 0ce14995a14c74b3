"""The tutorials as notebooks: each page of the folder `tutorials` has one, which is made from the page itself.

Blocks that are run become cells of code, blocks that are files become cells that write them, and the text between
becomes cells of text. If a page needs files or a run, the first cell of code makes them. The notebooks have no outputs:
a reader makes them. The tests run the notebooks in a kernel.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from tests.docs.blocks import Block, Page, parse

FOLDER = "tutorials"
WAIT = "!curl -sS -o /dev/null --retry 600 --retry-delay 1 --retry-connrefused {}\n"
"""Waits until a server that an earlier cell started responds."""

SETUPS = {
    "files": "![ -e reviews.csv ] || manyheads demo --files .",
    "run": """%%bash -eu
[ -e reviews.csv ] || manyheads demo --files .
[ -e first.toml ] || manyheads init reviews.csv questions.csv --output first.toml
[ -e runs/first ] || manyheads train first.toml
""",
}
"""The cell that makes what a page needs, by the name of the setup of the tests."""

COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")
DIRECTIVE = re.compile(r"^(:{3,}|`{3,})(\{\w+\}.*)?$", re.MULTILINE)


def cells(text: str, name: str) -> tuple[Page, list[tuple[str, str, Block | None]]]:
    """Return the blocks of a page, and its cells: their types, their sources, and the blocks that they run."""
    page = parse(text, name)
    lines = text.splitlines()
    found: list[tuple[str, str, Block | None]] = []
    start = 0
    for block in page.blocks:
        _add_text(found, lines[start : block.line - 1])
        # The fence, the lines of the block, and the fence that closes it.
        start = block.line + block.code.count("\n") + 1
        if block.role == "not run":
            _add_text(found, lines[block.line - 1 : start])
        elif block.role != "output":
            found += [("code", source, block) for source in _sources(block)]
    _add_text(found, lines[start:])
    if page.setup:
        first = next(place for place, (kind, _, _) in enumerate(found) if kind == "code")
        found.insert(first, ("code", SETUPS[page.setup], None))
    return page, found


def notebook(text: str, name: str) -> dict[str, Any]:
    """Return a page as the content of a notebook, version 4.5."""
    made = []
    for number, (kind, source, _) in enumerate(cells(text, name)[1]):
        own: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": source.rstrip("\n")}
        made.append(own | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _sources(block: Block) -> list[str]:
    """Return the cells of a block."""
    if block.role == "file":
        return [f"%%writefile {block.argument}\n{block.code}"]
    if block.role == "background":
        return [f"%%bash --bg\n{block.code}", WAIT.format(block.argument)]
    return [f"%%bash -eu -o pipefail\n{block.code}" if block.language == "sh" else block.code]


def _add_text(found: list[tuple[str, str, Block | None]], lines: list[str]) -> None:
    text = LINK.sub(r"\1", PICTURE.sub("", COMMENT.sub("", "\n".join(lines))))
    text = DIRECTIVE.sub(lambda fence: "" if fence[2] or fence[1].startswith(":") else fence[0], text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip("\n")
    if text:
        found.append(("markdown", text, None))


def pages(docs: Path) -> list[Path]:
    """Return the pages that have a notebook."""
    return [path for path in sorted((docs / FOLDER).glob("*.md")) if path.stem != "index"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Link to the notebook at the end of each page, and write the notebooks into the site."""
    own = {f"{FOLDER}/{path.stem}" for path in pages(Path(app.srcdir))}

    def link(_app: Sphinx, name: str, content: list[str]) -> None:
        if name in own:
            file = f"{name.rpartition('/')[2]}.ipynb"
            content[0] += f'\n\n<p><a href="{file}" download>Download this page as a notebook</a></p>\n'

    def write(app: Sphinx, error: Exception | None) -> None:
        if error is None and app.builder.format == "html":
            for path in pages(Path(app.srcdir)):
                made = notebook(path.read_text(encoding="utf-8"), path.name)
                text = json.dumps(made, indent=1, ensure_ascii=False)
                Path(app.outdir, FOLDER, f"{path.stem}.ipynb").write_text(f"{text}\n", encoding="utf-8")

    app.connect("source-read", link)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
