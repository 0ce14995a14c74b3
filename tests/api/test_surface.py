"""The public names are those of a file. A change of them is in the changelog, and in the program of all calls."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.api.surface import FILE, surface

import manyheads

ROOT = Path(__file__).parents[2]
RELEASED = Path(__file__).with_name("surface-0.4.0.txt")
"""The names of the last version. A release replaces this file by surface.txt."""


def test_the_public_names_are_those_of_the_file() -> None:
    assert surface() == FILE.read_text(encoding="utf-8"), (
        "the public names have changed: run `python -m tests.api.surface`, and add a line to CHANGELOG.md"
    )


def test_every_change_since_the_last_version_is_in_the_changelog() -> None:
    before, now = set(RELEASED.read_text().splitlines()), set(FILE.read_text().splitlines())
    section = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split("\n## ")[1]
    assert section.startswith(manyheads.__version__)
    changed = {re.match(r"manyheads(?:\.sklearn)?\.(\w+)", line)[1] for line in before ^ now}  # type: ignore[index]
    missing = sorted(name for name in changed if not re.search(rf"\b{name}\b", section))
    assert not missing, f"CHANGELOG.md does not name {', '.join(missing)}"


@pytest.mark.parametrize("name", [name for name in manyheads.__all__ if name != "register"])
def test_the_types_of_every_name_are_checked(name: str) -> None:
    program = (ROOT / "tests" / "types" / "every_call.py").read_text(encoding="utf-8")
    assert re.search(rf"\bmh\.{name}\b", program)
