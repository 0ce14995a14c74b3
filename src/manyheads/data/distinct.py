"""Find equal texts by their 128-bit hashes, with memory that does not grow with the number of texts.

Among 10^9 different texts, the probability that any two have the same hash is below 10^-20.
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
"""Average number of hashes that are sorted at once."""

Hashes = NDArray[np.uint64]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Distinct:
    """The distinct texts among n texts.

    `index`: int64[n], the number of each text, in the order of first occurrence. `fresh`: bool[n], whether this is the
    first occurrence of the text. `count`: the number of distinct texts.
    """

    index: NDArray[np.int64]
    fresh: NDArray[np.bool_]
    count: int

    def once(self, texts: Iterable[Item]) -> Iterator[Item]:
        """Yield each distinct one of the n texts, in the order of the numbers."""
        marks = (mark for start, stop in blocks(len(self.fresh)) for mark in self.fresh[start:stop].tolist())
        return compress(texts, marks)


def hashes_of(texts: Iterable[str], count: int) -> Hashes:
    """Return the BLAKE2b hashes of `count` texts: uint64[count, 2]."""
    hashes = scratch(count, np.uint64, 2)
    remaining = iter(texts)
    for start, stop in blocks(count):
        digests = [_digest(text) for text in islice(remaining, BLOCK)]
        hashes[start:stop] = np.frombuffer(b"".join(digests), dtype="<u8").reshape(-1, 2)
    return hashes


def row_hashes(columns: Collection[Collection[str]], count: int) -> Hashes:
    """Return the hashes of `count` rows of one or more texts without their outer blanks: uint64[count, 2]."""
    rows = ("".join(f"{len(text.strip())}:{text.strip()}" for text in row) for row in zip(*columns, strict=True))
    return hashes_of(rows, count)


def distinct(hashes: Hashes) -> Distinct:
    """Number the distinct hashes in the order of first occurrence."""
    first = _first_rows(hashes)
    index, fresh = scratch(len(first), np.int64), scratch(len(first), np.bool_)
    count = 0
    for start, stop in blocks(len(first)):
        new = first[start:stop] == np.arange(start, stop)
        fresh[start:stop] = new
        index[start:stop] = count + np.cumsum(new) - 1
        # The first row of equal ones comes before the others, so its number is already known.
        index[start:stop] = index[first[start:stop]]
        count += int(np.count_nonzero(new))
    return Distinct(index, fresh, count)


def _first_rows(hashes: Hashes) -> NDArray[np.int64]:
    """Return for every row the first row with an equal hash: int64[n]."""
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
    """Return the rows sorted by the first bits of their hashes, in order within each bucket, and the bucket ends."""
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
