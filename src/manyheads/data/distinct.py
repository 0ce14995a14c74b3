"""Which of many texts are equal, told by hashes of 128 bits, in memory that does not grow with them.

Two different texts of 10^9 have equal hashes with a chance below 10^-20: less than that of a wrong bit in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import compress, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import BLOCK, blocks, scratch

BUCKET = 1 << 15
"""Hashes, on average, that are sorted at once."""

Hashes = NDArray[np.uint64]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Distinct:
    """What n texts have in common: `count` of them differ.

    `index`: int64[n], the number of each text, counted by first occurrence; `fresh`: bool[n], whether it stands for
    the first time.
    """

    index: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    count: int

    def once(self, texts: Iterable[Item]) -> Iterator[Item]:
        """Each distinct one of the n texts, in the order of the numbers."""
        marks = (mark for start, stop in blocks(len(self.fresh)) for mark in self.fresh[start:stop].tolist())
        return compress(texts, marks)


def hashes_of(texts: Iterable[str], count: int) -> Hashes:
    """BLAKE2b hashes of `count` texts: uint64[count, 2]."""
    found = scratch(count, np.uint64, 2)
    remaining = iter(texts)
    for start, stop in blocks(count):
        digests = [_digest(text) for text in islice(remaining, BLOCK)]
        found[start:stop] = np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2)
    return found


def row_hashes(columns: Collection[Collection[str]], count: int) -> Hashes:
    """Hashes of `count` rows of one or more texts, outer blanks left out: uint64[count, 2]."""
    rows = ("".join(f"{len(text.strip())}:{text.strip()}" for text in row) for row in zip(*columns, strict=True))
    return hashes_of(rows, count)


def distinct(hashes: Hashes) -> Distinct:
    """Number what was hashed by first occurrence."""
    first = _first_rows(hashes)
    index, fresh = scratch(len(first), np.int64), scratch(len(first), np.bool_)
    count = 0
    for start, stop in blocks(len(first)):
        new = first[start:stop] == np.arange(start, stop)
        fresh[start:stop] = new
        index[start:stop] = count + np.cumsum(new) - 1
        # A first row stands at or before its equals, so that its own number is there already.
        index[start:stop] = index[first[start:stop]]
        count += int(np.count_nonzero(new))
    return Distinct(index, fresh, count)


def _first_rows(hashes: Hashes) -> NDArray[np.int64]:
    """For every row the first one with an equal hash: int64[n]."""
    first = scratch(len(hashes), np.int64)
    rows, ends = _buckets(hashes)
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        own = rows[start:stop]
        keys = hashes[own]
        order = np.lexsort((keys[:, 1], keys[:, 0]))  # stable: equal hashes stay in the order of their rows
        own, keys = own[order], keys[order]
        new = np.ones(len(own), dtype=bool)
        new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
        first[own] = own[new][np.cumsum(new) - 1]
    return first


def _buckets(hashes: Hashes) -> tuple[NDArray[np.int64], list[int]]:
    """The rows by the first bits of their hashes, in order within each bucket, and where each bucket ends."""
    bits = max(1, (len(hashes) // BUCKET).bit_length())

    def bucket(start: int, stop: int) -> NDArray[np.int64]:
        return (hashes[start:stop, 0] >> np.uint64(64 - bits)).astype(np.int64)

    sizes = np.zeros(2**bits, dtype=np.int64)
    for start, stop in blocks(len(hashes)):
        sizes += np.bincount(bucket(start, stop), minlength=2**bits)
    ends = np.cumsum(sizes)
    cursor = ends - sizes
    rows = scratch(len(hashes), np.int64)
    for start, stop in blocks(len(hashes)):
        which = bucket(start, stop)
        order = np.argsort(which, kind="stable")
        amounts = np.bincount(which, minlength=2**bits)
        within = np.arange(stop - start) - np.repeat(np.cumsum(amounts) - amounts, amounts)
        rows[cursor[which[order]] + within] = start + order
        cursor += amounts
    return rows, ends.tolist()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
