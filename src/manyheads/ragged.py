"""Ragged: arrays whose rows have lengths of their own, as flat values with offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

Ints = NDArray[np.int64]

Rows = Any
"""An array with one entry per example, float[n, ...], or a `Ragged`: both have a length, and rows[numbers or mask]."""

Stack = Any
"""Rows of several runs or evaluations of the same examples: an array, float[E, n, ...], or a `RaggedStack`."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """n rows of different lengths.

    `values`: [N, ...], the rows one after another. `offsets`: int64[n+1], row i is values[offsets[i]:offsets[i+1]].
    """

    values: NDArray[Any]
    offsets: Ints

    @classmethod
    def of(cls, rows: Sequence[Any], dtype: DTypeLike = np.float64) -> Ragged:
        """Return rows as one value. Each is an array or a sequence of numbers."""
        parts = [np.asarray(row, dtype=dtype) for row in rows]
        values = np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)
        return cls(values, offsets_of(np.array([len(part) for part in parts], dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, rows: slice | NDArray[Any]) -> Ragged: ...
    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, int | np.integer):
            row = range(len(self))[rows]
            return self.values[self.offsets[row] : self.offsets[row + 1]]
        places, lengths = self.places(rows)
        return Ragged(self.values[places], offsets_of(lengths))

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for row in range(len(self)):
            yield self[row]

    @property
    def lengths(self) -> Ints:
        """The length of each row: int64[n]."""
        lengths: Ints = np.diff(self.offsets).astype(np.int64)
        return lengths

    @property
    def owners(self) -> Ints:
        """The row of each value: int64[N]."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.lengths)

    def places(self, rows: slice | NDArray[Any]) -> tuple[Ints, Ints]:
        """Return the places of the values of some rows, in their order, and the lengths of the rows."""
        numbers = np.arange(len(self))[rows]
        starts, lengths = np.asarray(self.offsets)[numbers], self.lengths[numbers]
        return ranges(starts, lengths), lengths

    def astype(self, dtype: DTypeLike) -> Ragged:
        """Return the rows with another type of values."""
        return Ragged(self.values.astype(dtype), self.offsets)

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the sum over each row of [N] values: float64[n]."""
        return np.bincount(self.owners, weights=values, minlength=len(self)).astype(np.float64)


@dataclass(frozen=True, eq=False)
class RaggedStack:
    """Ragged rows of E runs or evaluations, with the same lengths in each: `values` [E, N, ...] and `offsets`."""

    values: NDArray[Any]
    offsets: Ints

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int | np.integer[Any]) -> Ragged: ...
    @overload
    def __getitem__(self, place: tuple[slice, NDArray[Any]] | NDArray[Any] | slice) -> RaggedStack: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, tuple):
            runs, rows = place
            places, lengths = Ragged(self.values[:0], self.offsets).places(rows)
            return RaggedStack(self.values[runs][:, places], offsets_of(lengths))
        if isinstance(place, int | np.integer):
            return Ragged(self.values[place], self.offsets)
        return RaggedStack(self.values[place], self.offsets)

    def __iter__(self) -> Iterator[Ragged]:
        for place in range(len(self)):
            yield self[place]

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of runs and of rows."""
        return len(self.values), len(self.offsets) - 1

    def astype(self, dtype: DTypeLike) -> RaggedStack:
        """Return the rows with another type of values."""
        return RaggedStack(self.values.astype(dtype), self.offsets)


def offsets_of(lengths: Ints) -> Ints:
    """Return the offsets of rows with these lengths: int64[n+1]."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: Ints, counts: Ints) -> Ints:
    """Return the ranges start, start + 1, ... of `counts` numbers for every start, one after another."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total)


def flat(rows: Rows | Stack) -> NDArray[Any]:
    """Return the values of rows or of a stack without their offsets."""
    values: NDArray[Any] = rows.values if isinstance(rows, Ragged | RaggedStack) else np.asarray(rows)
    return values


def offsets(rows: Rows | Stack) -> Ints | None:
    """Return the offsets of ragged rows or of a stack of them. None for an array."""
    return rows.offsets if isinstance(rows, Ragged | RaggedStack) else None


def with_offsets(values: NDArray[Any], bounds: Ints | None, *, stacked: bool = False) -> Any:
    """Return what `flat` and `offsets` came from."""
    if bounds is None:
        return values
    return RaggedStack(values, bounds) if stacked else Ragged(values, bounds)


def same(one: Rows, other: Rows, *, equal_nan: bool = False) -> bool:
    """Return whether two sets of rows have equal lengths and values."""
    return same_offsets(one, other) and np.array_equal(flat(one), flat(other), equal_nan=equal_nan)


def same_offsets(one: Rows | Stack, other: Rows | Stack) -> bool:
    """Return whether two sets of rows are both arrays, or have rows of equal lengths."""
    own, others = offsets(one), offsets(other)
    if own is None or others is None:
        return own is others
    return np.array_equal(own, others)


def stack(runs: Sequence[Rows]) -> Stack:
    """Return the rows of several runs as one.

    Raises:
        ValueError: The runs have rows of different lengths.
    """
    if not all(same_offsets(runs[0], each) for each in runs):
        raise ValueError("the rows of the runs have different lengths")
    return with_offsets(np.stack([flat(each) for each in runs]), offsets(runs[0]), stacked=True)


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, of which there is at least one."""
    values = np.concatenate([flat(part) for part in parts])
    if not isinstance(parts[0], Ragged):
        return values
    return Ragged(values, offsets_of(np.concatenate([part.lengths for part in parts])))


def differing(one: Rows, other: Rows) -> NDArray[np.float64]:
    """Return for each example how far two sets of rows differ: float64[n].

    It is the sum of the absolute differences of an array, and the number of different values of a ragged row.
    """
    if isinstance(one, Ragged) and isinstance(other, Ragged):
        return one.sums((one.values != other.values).reshape(len(one.values), -1).any(axis=1))
    distances: NDArray[np.float64] = np.abs(one - other).reshape(len(one), -1).sum(axis=1)
    return distances
