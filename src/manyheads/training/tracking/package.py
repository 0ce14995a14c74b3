"""Importing a tracker's package."""

from __future__ import annotations

import importlib
from typing import Any

from manyheads.errors import RunError


def require(*modules: str, tracker: str) -> Any:
    """Import all `modules` and return the first one.

    Raises:
        RunError: one of them is not installed. The hint names the extra that installs it.
    """
    try:
        for module in modules:
            importlib.import_module(module)
        return importlib.import_module(modules[0])
    except ImportError as error:
        raise RunError(
            f"the packages of the tracker {tracker} are not installed",
            where=f"--track {tracker}",
            found=str(error),
            hint=f"pip install 'manyheads[{tracker}]'",
        ) from error
