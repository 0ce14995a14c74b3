"""A file as bytes, decompressed while they are read, and as lines of text that are checked one by one.

A byte that cannot be decoded makes only its own line bad. Files that end in .gz or .zst are compressed.
"""

from __future__ import annotations

import codecs
import gzip
import importlib
import io
import json
import sys
import tempfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

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


BOM = "\ufeff"

WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks of encodings with more bytes per character. UTF-32 is first: its mark begins with that of UTF-16."""

UNDECODABLE = "\udcff"
"""What replaces bytes that cannot be decoded, in encodings that are not decoded line by line."""

KEPT = 1 << 16
"""Characters of lines that were read ahead and are kept in memory. The others are kept in a temporary file."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Replace bytes that cannot be decoded."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return UNDECODABLE, error.end


codecs.register_error("manyheads", _mark)


@dataclass(frozen=True)
class Line:
    """A physical line: its number (from 1), its text with the line end, and the reason if it cannot be used.

    `hint`: what to do about the reason, if that is known.
    """

    number: int
    text: str
    fault: str | None
    hint: str | None = None


def read_lines(path: Path, encoding: str | None = None) -> Iterator[Line]:
    """Yield the lines of a file in order. Only a newline ends a line. A byte-order mark at the start is skipped.

    `encoding`: None is UTF-8, or the encoding that a byte-order mark names.

    Raises:
        DataError: The file begins with the byte-order mark of another encoding than `encoding`.
    """
    with open_binary(path) as file:
        start = _beginning(file)
        marked = next((name for mark, name in WIDE_MARKS.items() if start.startswith(mark)), None)
        if start.startswith(codecs.BOM_UTF8):
            marked = "utf-8"
        if marked is not None and encoding is not None and not _agrees(encoding, marked):
            raise DataError(
                "the byte-order mark at the start of the file does not fit the encoding",
                where=str(path),
                found=f"the mark of {marked.upper()}, and encoding = {encoding!r}",
                hint=f'set encoding = "{marked}", or remove the key encoding',
            )
        chosen = encoding or marked or "utf-8"
        yield from _by_line(file, start, chosen) if _ends_in_newline(chosen) else _by_stream(file, start, chosen)


class Lookahead:
    """Lines of a file, some of which are read before they are taken. Most of them are not in memory."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._near: deque[Line] = deque()
        self._size = 0
        self._far: BinaryIO | None = None
        self._taken = self._written = 0  # positions in the temporary file

    def __enter__(self) -> Lookahead:
        return self

    def __exit__(self, *_: object) -> None:
        if self._far is not None:
            self._far.close()

    def take(self) -> Line | None:
        """Remove and return the next line, or None at the end of the file."""
        if self._near:
            line = self._near.popleft()
            self._size -= len(line.text)
            return line
        if self._far is not None and self._taken < self._written:
            self._far.seek(self._taken)
            line = _load(self._far.readline())
            self._taken = self._far.tell()
            return line
        return next(self._lines, None)

    def drop(self, count: int) -> None:
        """Remove the next lines."""
        for _ in range(count):
            self.take()

    def ahead(self) -> Iterator[Line]:
        """Yield the next lines without removing them. No line may be taken in the meantime."""
        yield from tuple(self._near)
        place = self._taken
        while place < self._written and self._far is not None:
            self._far.seek(place)
            content = self._far.readline()
            place = self._far.tell()
            yield _load(content)
        for line in self._lines:
            self._keep(line)
            yield line

    def _keep(self, line: Line) -> None:
        if self._size < KEPT and self._taken == self._written:
            self._near.append(line)
            self._size += len(line.text)
            return
        if self._far is None:
            self._far = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the exit
        self._far.seek(self._written)
        content = [line.number, line.text, line.fault, line.hint]
        self._far.write(json.dumps(content).encode("ascii") + b"\n")
        self._written = self._far.tell()


def _load(content: bytes) -> Line:
    return Line(*json.loads(content))


def _beginning(file: BinaryIO) -> bytes:
    """Read the first bytes of a file: those that decide its encoding."""
    content = b""
    while len(content) < 4 and (some := file.read(4 - len(content))):
        content += some
    return content


def _agrees(encoding: str, marked: str) -> bool:
    return codecs.lookup(encoding).name.startswith(marked)


def _ends_in_newline(encoding: str) -> bool:
    """Whether the byte of a newline ends a line in this encoding, so that lines can be decoded one by one."""
    return "\n".encode(encoding) == b"\n"


def _by_line(file: BinaryIO, start: bytes, encoding: str) -> Iterator[Line]:
    name = "UTF-8" if codecs.lookup(encoding).name == "utf-8" else encoding
    for number, content in enumerate(_byte_lines(file, start), start=1):
        try:
            text = content.decode(encoding)
        except UnicodeError as error:
            column = error.start if isinstance(error, UnicodeDecodeError) else 0
            fault = f"not {name} (byte 0x{content[column]:02x} at column {column + 1})"
            yield Line(number, content.decode(encoding, errors="replace"), fault, _encoding_hint(content, name))
            continue
        if number == 1:
            text = text.removeprefix(BOM)
        yield Line(number, text, "a NUL byte" if "\0" in text else None, _nul_hint(content, text))


def _byte_lines(file: BinaryIO, start: bytes) -> Iterator[bytes]:
    """Yield the lines of a file whose first bytes were already read."""
    while (end := start.find(b"\n")) >= 0:
        yield start[: end + 1]
        start = start[end + 1 :]
    first = start + file.readline()
    if first:
        yield first
    yield from file


def _by_stream(file: BinaryIO, start: bytes, encoding: str) -> Iterator[Line]:
    content = io.BufferedReader(cast(Any, _Resumed(start, file)))
    stream = io.TextIOWrapper(content, encoding=encoding, errors="manyheads", newline="\n")
    for number, text in enumerate(stream, start=1):
        if UNDECODABLE in text:
            column = text.index(UNDECODABLE) + 1
            yield Line(number, text.replace(UNDECODABLE, "\ufffd"), f"not {encoding} (character {column})")
        else:
            yield Line(number, text.removeprefix(BOM) if number == 1 else text, "a NUL byte" if "\0" in text else None)


class _Resumed(io.RawIOBase):
    """A file of which the first bytes were already read."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start, self._file = start, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        content = self._start[: len(buffer)] or self._file.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(content)] = content
        return len(content)


def _encoding_hint(content: bytes, name: str) -> str:
    if name != "UTF-8":
        return "name the encoding of the file with the key encoding"
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:
        return "if the file has another encoding, name it with the key encoding"
    return 'the encoding is probably cp1252: set encoding = "cp1252"'


def _nul_hint(content: bytes, text: str) -> str | None:
    if "\0" not in text:
        return None
    if content[1::2].count(0) > len(content) // 4:
        return 'the file looks like UTF-16 without its mark: set encoding = "utf-16-le"'
    if content[::2].count(0) > len(content) // 4:
        return 'the file looks like UTF-16 without its mark: set encoding = "utf-16-be"'
    return None
