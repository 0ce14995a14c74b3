"""Arrays with one entry per row. Small arrays are in memory, large ones in unnamed files that end with the process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from manyheads.data.cache import cache_folder
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
