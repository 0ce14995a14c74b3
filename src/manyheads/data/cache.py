"""Entries of the cache: folders of arrays, written in one step, then mapped from the disk and not read into memory."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import DTypeLike, NDArray

from manyheads.run.atomic import sync

Arrays = Mapping[str, NDArray[Any]]

SIZES = "sizes.json"


def cache_folder() -> Path:
    """Where caches lie: `$MANYHEADS_CACHE`, or the user's cache folder."""
    named = os.environ.get("MANYHEADS_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("manyheads")


class ArrayFile:
    """A one-dimensional .npy file that is written a piece at a time; its length is known when it is closed."""

    def __init__(self, folder: Path, name: str, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._file = (folder / f"{name}.npy").open("wb")
        self._count = 0
        self._write_header()

    def append(self, values: Any) -> None:
        """Write some more values: an array, or anything that makes one."""
        content = np.asarray(values, dtype=self._dtype)
        self._file.write(content.tobytes())
        self._count += len(content)

    def __enter__(self) -> ArrayFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.seek(0)
            self._write_header()
        finally:
            self._file.close()

    def _write_header(self) -> None:
        """numpy pads the header so that it has one length, whatever the number in it."""
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._count,)}
        np.lib.format.write_array_header_1_0(self._file, header)


def entry(folder: Path | None, fill: Callable[[Path], None]) -> Arrays:
    """The arrays of an entry, read-only, made by `fill` where they are not there or damaged.

    `fill` writes .npy files into the folder given to it. Without a folder, or where it cannot be written, the arrays
    lie in temporary files that have no name any more.
    """
    found = None if folder is None else load(folder)
    if found is None and folder is not None:
        save(folder, fill)
        found = load(folder)
    if found is None:
        with tempfile.TemporaryDirectory(prefix="manyheads-") as name:
            fill(Path(name))
            _write_sizes(Path(name))
            found = load(Path(name))
    if found is None:
        raise AssertionError("an entry that was just written can be read")
    return found


def save(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make an entry in one step. What another process put there meanwhile is the same and stays.

    A run does not need its cache: what the system refuses is a warning.
    """
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", suffix=".partial", dir=folder.parent))
        fill(temporary)
        _write_sizes(temporary)
        for file in sorted(temporary.iterdir()):
            sync(file)
        temporary.rename(folder)
        sync(folder.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            warnings.warn(
                f"what was read and tokenised cannot be cached in {folder.parent}: {error.strerror}; "
                "set MANYHEADS_CACHE to a folder that can be written",
                stacklevel=2,
            )
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def load(folder: Path) -> Arrays | None:
    """The arrays of an entry by name, or None where it is absent or damaged; what is damaged is removed."""
    if not folder.is_dir():
        return None
    try:
        sizes = json.loads((folder / SIZES).read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sizes}
        if sizes and {name: len(array) for name, array in arrays.items()} == sizes:
            return arrays
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
        pass
    discard(folder)
    return None


def discard(folder: Path) -> None:
    """Remove an entry."""
    shutil.rmtree(folder, ignore_errors=True)


def _write_sizes(folder: Path) -> None:
    sizes = {file.stem: len(np.load(file, mmap_mode="r")) for file in sorted(folder.glob("*.npy"))}
    (folder / SIZES).write_text(json.dumps(sizes), encoding="utf-8")
