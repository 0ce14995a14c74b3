"""Plug-ins of tests are forgotten afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads import plugins

MEMBERS = Path(__file__).parent / "members"


def forget() -> None:
    """Remove all members from outside the package, as in a new process."""
    for key in plugins._PLACES:
        menu = plugins.menu_of(key)
        for name in list(menu.origins):
            menu.remove(name)
    plugins._STATE = plugins._State()


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(plugins.VARIABLE, raising=False)
    forget()
    yield
    forget()
