"""Open a file as bytes. Files that end in .gz or .zst are decompressed while they are read."""

from __future__ import annotations

import gzip
import importlib
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from manyheads.errors import DataError

COMPRESSIONS = (".gz", ".zst")
"""The endings of compressed files. The ending before them names the format: `train.csv.gz`."""

ZSTD_MODULES = ("compression.zstd", "backports.zstd")
"""Modules with the interface of Python 3.14 for Zstandard."""


def uncompressed_name(path: Path) -> Path:
    """Return the path without the ending of its compression."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


@contextmanager
def open_binary(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading. Its bytes are decompressed if the file's ending says that they are compressed.

    Raises:
        DataError: The compressed content is damaged, or its format cannot be read here.
    """
    ending = path.suffix.lower()
    if ending not in COMPRESSIONS:
        with path.open("rb") as plain:
            yield plain
        return
    with path.open("rb") as packed:
        unpacked: Any = gzip.GzipFile(fileobj=packed) if ending == ".gz" else _zstd(path, packed)
        try:
            yield _Checked(path, unpacked)
        finally:
            unpacked.close()


class _Checked(io.BufferedReader):
    """A decompressed file. An error of the decompression names the file."""

    def __init__(self, path: Path, unpacked: Any) -> None:
        super().__init__(_Raw(path, unpacked), 1 << 16)


class _Raw(io.RawIOBase):
    def __init__(self, path: Path, unpacked: Any) -> None:
        self._path, self._unpacked = path, unpacked

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Read decompressed bytes into a buffer.

        Raises:
            DataError: the file is damaged.
        """
        damage: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, ValueError, *_zstd_errors())
        try:
            content = self._unpacked.read(len(buffer))
        except damage as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            hint = "the file may be damaged or not complete: write or download it again"
            what = "the file cannot be decompressed"
            raise DataError(what, where=str(self._path), found=reason, hint=hint) from error
        buffer[: len(content)] = content
        return len(content)


def _zstd(path: Path, packed: BinaryIO) -> Any:
    """Return a reader of Zstandard, from Python itself or from a package that is installed."""
    for name in ZSTD_MODULES:
        try:
            return importlib.import_module(name).ZstdFile(packed)
        except ImportError:
            continue
    try:
        import pyarrow
    except ImportError as error:
        hint = "install it with: pip install 'manyheads[zstd]'"
        raise DataError("reading .zst files needs the extra `zstd`", where=str(path), hint=hint) from error
    return pyarrow.CompressedInputStream(pyarrow.PythonFile(packed, mode="r"), "zstd")


def _zstd_errors() -> tuple[type[Exception], ...]:
    """Return the errors of the readers of Zstandard that are in use."""
    modules = [sys.modules[name] for name in ZSTD_MODULES if name in sys.modules]
    return tuple(module.ZstdError for module in modules)
