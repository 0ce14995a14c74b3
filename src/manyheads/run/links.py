"""Links: none is followed inside a folder that may come from someone else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path


def strangers(path: Path) -> Iterator[Path]:
    """Yield `path` itself or what is below it, if it is neither a file nor a folder: a link, a device, a pipe.

    No link is followed. A missing path yields nothing.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        yield from strangers_below(path)
    elif not stat.S_ISREG(mode):
        yield path


def strangers_below(folder: Path) -> Iterator[Path]:
    """Yield what is below a folder and is neither a file nor a folder. The folder itself may be a link."""
    for parent, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            place = Path(parent) / name
            mode = place.lstat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                yield place
