"""Many texts in two arrays that can be memory-mapped: their bytes, and the offset of each text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, gather
from manyheads.data.cache import ArrayFile, Arrays
from manyheads.ragged import Ragged

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
