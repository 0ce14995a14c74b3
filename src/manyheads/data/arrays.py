"""Arrays with one entry per row, and texts in two arrays: their bytes, and the offset of each text.

Small arrays are in memory, large ones in unnamed files that end with the process. Texts can be memory-mapped.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from manyheads.data.cache import ArrayFile, Arrays, cache_folder
from manyheads.ragged import Ragged, Rows, offsets_of

BLOCK = 1 << 14
"""Rows that are processed at once in loops over all rows."""

IN_MEMORY = 1 << 20
"""Bytes up to which an array is kept in memory. Larger ones are files, so that memory does not grow with the rows."""


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """Return the ranges (start, stop) that divide `count` rows into blocks."""
    return ((start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def scratch(count: int, dtype: DTypeLike, width: int | None = None) -> NDArray[Any]:
    """Return zeros of shape [count] or [count, width].

    An array of more than IN_MEMORY bytes is a memory-mapped, unnamed file in the cache folder. Its space is reserved
    first, because writing to a mapped page on a full disk would kill the process. If there is no space or the folder
    is not writable, the array is in memory.
    """
    shape = (count,) if width is None else (count, width)
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size <= IN_MEMORY:
        return np.zeros(shape, dtype=dtype)
    folder = cache_folder() / "scratch"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file.fileno(), size)
            # A plain ndarray: numpy shuffles and sorts it in place, but copies subclasses such as memmap.
            return np.asarray(np.memmap(file, dtype=dtype, mode="r+", shape=shape))
    except OSError:
        return np.zeros(shape, dtype=dtype)


def _reserve(file: int, size: int) -> None:
    """Set the size of a file, and reserve its space on the disk if the system supports that."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


def gather(array: Rows, rows: NDArray[np.int64]) -> Any:
    """Return array[rows], in scratch space."""
    if isinstance(array, Ragged):
        lengths = gather(array.lengths, rows)
        values = array.values
        result = scratch(int(lengths.sum()), values.dtype, None if values.ndim == 1 else values.shape[1])
        end = 0
        for start, stop in blocks(len(rows)):
            some = array[rows[start:stop]].values
            result[end : end + len(some)] = some
            end += len(some)
        return Ragged(result, offsets_of(lengths))
    result = scratch(len(rows), array.dtype, None if array.ndim == 1 else array.shape[1])
    for start, stop in blocks(len(rows)):
        result[start:stop] = array[rows[start:stop]]
    return result


def converted(array: Rows, dtype: DTypeLike) -> Any:
    """Return the array converted to another type, in scratch space."""
    if isinstance(array, Ragged):
        return Ragged(converted(array.values, dtype), array.offsets)
    result = scratch(len(array), dtype, None if array.ndim == 1 else array.shape[1])
    for start, stop in blocks(len(array)):
        result[start:stop] = array[start:stop]
    return result


def where(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the positions at which a mask is true, in scratch space: int64[number of true values]."""
    result = scratch(int(np.count_nonzero(mask)), np.int64)
    end = 0
    for start, stop in blocks(len(mask)):
        positions = np.flatnonzero(mask[start:stop]) + start
        result[end : end + len(positions)] = positions
        end += len(positions)
    return result


def permutation(count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the result of `generator.permutation(count)`, in scratch space."""
    order = scratch(count, np.int64)
    for start, stop in blocks(count):
        order[start:stop] = np.arange(start, stop)
    generator.shuffle(order)
    return order


Item_co = TypeVar("Item_co", covariant=True)


class Strings(Sequence[str]):
    """A sequence of n texts.

    `content`: uint8, UTF-8. `offsets`: text m is content[offsets[m]:offsets[m+1]]. `rows`: the texts of the sequence,
    in order. Default: all.
    """

    def __init__(
        self, content: NDArray[np.uint8], offsets: NDArray[np.int64], rows: NDArray[np.int64] | None = None
    ) -> None:
        self._content, self._offsets, self._rows = content, offsets, rows

    @classmethod
    def of(cls, arrays: Arrays, name: str) -> Strings:
        """Return the texts that a `StringsFile` of this name wrote."""
        return cls(arrays[name], arrays[f"{name}_offsets"])

    def __len__(self) -> int:
        return len(self._offsets) - 1 if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return list(self.take(np.arange(len(self), dtype=np.int64)[place]))
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        (text,) = self.take(np.array([place % len(self)], dtype=np.int64))
        return text

    def __iter__(self) -> Iterator[str]:
        content = np.asarray(self._content).data
        for start, stop in blocks(len(self)):
            rows = np.arange(start, stop) if self._rows is None else self._rows[start:stop]
            begins, ends = self._offsets[rows].tolist(), self._offsets[rows + 1].tolist()
            for begin, end in zip(begins, ends, strict=True):
                yield str(content[begin:end], "utf-8", "surrogatepass")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def take(self, rows: NDArray[np.int64]) -> Strings:
        """Return the texts with these indices, in that order. The bytes are not copied."""
        return Strings(self._content, self._offsets, rows if self._rows is None else gather(self._rows, rows))


@dataclass(frozen=True)
class TextLists(Sequence[list[str]]):
    """A sequence of n lists of texts. `texts`: all texts, one list after another. `lists`: the place of each text."""

    texts: Strings
    lists: Ragged

    @classmethod
    def of(cls, texts: Strings, offsets: NDArray[np.int64]) -> TextLists:
        """Return lists of texts that follow one another. `offsets`: int64[n+1]."""
        return cls(texts, Ragged(np.arange(len(texts), dtype=np.int64), offsets))

    def __len__(self) -> int:
        return len(self.lists)

    @overload
    def __getitem__(self, place: int) -> list[str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[str]]: ...
    def __getitem__(self, place: int | slice) -> list[str] | list[list[str]]:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        return list(self.texts.take(self.lists[place]))

    def take(self, rows: NDArray[np.int64]) -> TextLists:
        """Return the lists with these indices, in that order."""
        return TextLists(self.texts, gather(self.lists, rows))

    @property
    def flat(self) -> Strings:
        """The texts of the lists, one list after another."""
        return self.texts.take(self.lists.values)


class StringsFile:
    """Write texts into the folder of a cache entry, one block at a time."""

    def __init__(self, folder: Path, name: str) -> None:
        self._content = ArrayFile(folder, name, np.uint8)
        self._offsets = ArrayFile(folder, f"{name}_offsets", np.int64)
        self._end = 0
        self._offsets.append([0])

    def append(self, texts: Iterable[str]) -> None:
        """Append texts."""
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        ends = np.cumsum([len(content) for content in encoded], dtype=np.int64) + self._end
        self._content.append(np.frombuffer(b"".join(encoded), dtype=np.uint8))
        self._offsets.append(ends)
        self._end = int(ends[-1]) if len(ends) else self._end

    def __enter__(self) -> StringsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._content, self._offsets:
            pass


class Joined(Sequence[Item_co]):
    """Several sequences as one, without copying them."""

    def __init__(self, parts: Iterable[Sequence[Item_co]]) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[Item_co]:
        for part in self._parts:
            yield from part

    @overload
    def __getitem__(self, place: int) -> Item_co: ...
    @overload
    def __getitem__(self, place: slice) -> list[Item_co]: ...
    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return [self[each] for each in range(len(self))[place]]
        place = range(len(self))[place]
        for part in self._parts:
            if place < len(part):
                return part[place]
            place -= len(part)
        raise AssertionError("the parts have as many items as the whole")
