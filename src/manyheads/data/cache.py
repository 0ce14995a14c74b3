"""Cache entries: folders of arrays that are written atomically and then memory-mapped."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
import platformdirs
from numpy.typing import DTypeLike, NDArray

from manyheads.run.atomic import SUFFIX, explained, held, remove, sweep, sync
from manyheads.run.checksum import checksum, is_unchanged

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
        """Append values: an array, or a sequence of numbers or of equal shapes."""
        content = np.asarray(values, dtype=self._dtype).reshape(-1)
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


class ValuesFile(Protocol):
    """A file that values are appended to."""

    def append(self, values: Any, /) -> None:
        """Append values."""

    def __enter__(self) -> Any:
        """Return the file."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""


class RaggedFile:
    """Two files in a cache entry: rows of different lengths, one after another, and the offset of each row.

    `file`: an open file for values that are not numbers of type `dtype`.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        dtype: DTypeLike,
        *,
        offsets: str | None = None,
        file: ValuesFile | None = None,
    ) -> None:
        self._values = ArrayFile(folder, name, dtype) if file is None else file
        self._offsets = ArrayFile(folder, offsets or f"{name}_offsets", np.int64)
        self._end = 0
        self._offsets.append([0])

    def append(self, rows: Sequence[Any]) -> None:
        """Append rows: arrays or sequences of numbers."""
        for row in rows:
            self._values.append(row)
        ends = np.cumsum([len(row) for row in rows], dtype=np.int64) + self._end
        self._offsets.append(ends)
        self._end = int(ends[-1]) if len(ends) else self._end

    def __enter__(self) -> RaggedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._values, self._offsets:
            pass


def entry(folder: Path | None, fill: Callable[[Path], None]) -> Arrays:
    """Return the arrays of an entry, read-only. If the entry is missing or damaged, `fill` writes it first.

    `fill` writes .npy files into the folder that it is called with. If `folder` is None or not writable, the arrays
    are in unnamed temporary files.
    """
    if folder is not None:
        _sweep_once(folder.parent)
    arrays = None if folder is None else load(folder)
    if arrays is None and folder is not None:
        save(folder, fill)
        arrays = load(folder)
    if arrays is None:
        # The temporary folder has a name that means nothing to a user.
        with tempfile.TemporaryDirectory(prefix="manyheads-") as name, explained(folder or Path(name).parent):
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
    temporary: list[Path] = []

    def make() -> Path:
        prefix = f".{folder.name[:16]}."
        temporary.append(Path(tempfile.mkdtemp(prefix=prefix, suffix=SUFFIX, dir=folder.parent)))
        return temporary[-1]

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with held(make) as new:
            fill(new)
            _write_sizes(new)
            for file in sorted(new.iterdir()):
                sync(file)
            new.rename(folder)
        sync(folder.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            warnings.warn(
                f"cannot write the cache of tokenised texts to {folder.parent}: {error.strerror}; "
                "set MANYHEADS_CACHE to a writable folder",
                stacklevel=2,
            )
    finally:
        for each in temporary:
            remove(each)


def load(folder: Path) -> Arrays | None:
    """Return the arrays of an entry by name, or None if it is missing or damaged. A damaged entry is removed.

    The checksum of each file is verified once per process. An entry without checksums counts as damaged.
    """
    if not folder.exists():
        return None
    try:
        sizes = json.loads((folder / SIZES).read_bytes())
        names = {file.stem for file in folder.glob("*.npy")}
        if (
            sizes
            and sizes.keys() == names
            and all(is_unchanged(folder / f"{name}.npy", size["checksum"]) for name, size in sizes.items())
        ):
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in sizes}
            if all(len(array) == sizes[name]["length"] for name, array in arrays.items()):
                return arrays
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        pass
    discard(folder)
    return None


def discard(folder: Path) -> None:
    """Remove an entry, or a file in its place."""
    remove(folder)


def _write_sizes(folder: Path) -> None:
    """Write the length and the checksum of every array."""
    sizes = {
        file.stem: {"length": len(np.load(file, mmap_mode="r")), "checksum": checksum(file)}
        for file in sorted(folder.glob("*.npy"))
    }
    (folder / SIZES).write_text(json.dumps(sizes), encoding="utf-8")


_swept: set[Path] = set()


def _sweep_once(folder: Path) -> None:
    """Remove the temporary folders that killed processes left, once per process."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)
