"""Arrays with an entry a row: small ones in memory, large ones in files that have no name and go with their process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from manyheads.data.cache import cache_folder

BLOCK = 1 << 14
"""Rows that are worked on at once wherever all rows are gone through."""

IN_MEMORY = 1 << 20
"""Bytes up to which an array stays in memory: the memory of a process must not grow with its rows."""


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """The ranges (start, stop) that cut `count` rows into blocks."""
    return ((start, min(start + BLOCK, count)) for start in range(0, count, BLOCK))


def scratch(count: int, dtype: DTypeLike, width: int | None = None) -> NDArray[Any]:
    """Zeros [count], or [count, width]: beyond IN_MEMORY bytes a mapped file in the cache folder, without a name.

    The file's space is reserved first, for a mapped page that finds the disk full would end the process. Where there
    is no space, or no folder to write to, the array is in memory after all.
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
            # A plain view: numpy shuffles and sorts plain arrays in place, and copies those of other classes.
            return np.asarray(np.memmap(file, dtype=dtype, mode="r+", shape=shape))
    except OSError:
        return np.zeros(shape, dtype=dtype)


def _reserve(file: int, size: int) -> None:
    """Make a file so large; with its space on the disk where the system can promise that."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.ftruncate(file, size)


def gather(array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
    """array[rows], in scratch space."""
    taken = scratch(len(rows), array.dtype, None if array.ndim == 1 else array.shape[1])
    for start, stop in blocks(len(rows)):
        taken[start:stop] = array[rows[start:stop]]
    return taken


def converted(array: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    """The array in another type, in scratch space."""
    result = scratch(len(array), dtype)
    for start, stop in blocks(len(array)):
        result[start:stop] = array[start:stop]
    return result


def where(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places where a mask is true, in scratch space: int64[number of them]."""
    found = scratch(int(np.count_nonzero(mask)), np.int64)
    end = 0
    for start, stop in blocks(len(mask)):
        places = np.flatnonzero(mask[start:stop]) + start
        found[end : end + len(places)] = places
        end += len(places)
    return found


def permutation(count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """What `generator.permutation(count)` gives, in scratch space."""
    order = scratch(count, np.int64)
    for start, stop in blocks(count):
        order[start:stop] = np.arange(start, stop)
    generator.shuffle(order)
    return order
