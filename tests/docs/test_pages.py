"""Every code block of the documentation and of the README works as printed. Tutorials run as notebooks in a kernel."""

from __future__ import annotations

import fcntl
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.docs.blocks import read_page
from tests.docs.runner import ROOT, PageRun, Server, extension

notebooks = extension("notebooks")

PAGES = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "_build" not in path.parts
]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", PAGES)
def test_the_blocks_run(name: str, shared: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    page = read_page(ROOT / name, name)
    if not any(block.role in ("run", "background") for block in page.blocks):
        return
    server: Server = request.getfixturevalue("server")
    folder, home = tmp_path / "page", tmp_path / "home"
    home.mkdir()
    if page.setup:
        shutil.copytree(request.getfixturevalue(page.setup), folder)
    else:
        folder.mkdir()
    with ExitStack() as stack:
        if any(block.role == "background" for block in page.blocks):
            # Pages print the server's default port: one page at a time may use it.
            lock = stack.enter_context((shared / "port.lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        pages = stack.enter_context(PageRun(page, folder, home, server))
        if name.startswith("docs/tutorials/"):
            _, cells = notebooks.cells((ROOT / name).read_text(encoding="utf-8"), name)
            pages.run_in_a_kernel([(source, block) for _, source, block in cells if block is not None])
        else:
            pages.run()
