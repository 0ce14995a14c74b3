"""Cache entries: folders of arrays that are written atomically and then memory-mapped."""

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
    """Return the cache folder: `$MANYHEADS_CACHE`, or "manyheads" in the user's cache folder."""
    folder = os.environ.get("MANYHEADS_CACHE")
    return Path(folder) if folder else platformdirs.user_cache_path("manyheads")


class ArrayFile:
    """A one-dimensional .npy file that is written in pieces. Its length is written when it is closed."""

    def __init__(self, folder: Path, name: str, dtype: DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._file = (folder / f"{name}.npy").open("wb")
        self._count = 0
        self._write_header()

    def append(self, values: Any) -> None:
        """Append values: an array or a sequence of numbers."""
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
        """Write the header. numpy pads it, so that its length does not depend on the number of values."""
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._count,)}
        np.lib.format.write_array_header_1_0(self._file, header)


def entry(folder: Path | None, fill: Callable[[Path], None]) -> Arrays:
    """Return the arrays of an entry, read-only. If the entry is missing or damaged, `fill` writes it first.

    `fill` writes .npy files into the folder that it is called with. If `folder` is None or not writable, the arrays
    are in unnamed temporary files.
    """
    arrays = None if folder is None else load(folder)
    if arrays is None and folder is not None:
        save(folder, fill)
        arrays = load(folder)
    if arrays is None:
        with tempfile.TemporaryDirectory(prefix="manyheads-") as name:
            fill(Path(name))
            _write_sizes(Path(name))
            arrays = load(Path(name))
    if arrays is None:
        raise AssertionError("an entry that was just written can be read")
    return arrays


def save(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write an entry atomically. If another process wrote the same entry in the meantime, that one is kept.

    A run does not need its cache, so a failure to write is only a warning.
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
                f"cannot write the cache of tokenised texts to {folder.parent}: {error.strerror}; "
                "set MANYHEADS_CACHE to a writable folder",
                stacklevel=2,
            )
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def load(folder: Path) -> Arrays | None:
    """Return the arrays of an entry by name, or None if it is missing or damaged. A damaged entry is removed."""
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
