"""TextStore: each distinct text is tokenised once, stored flat, and cached on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks
from manyheads.data.cache import ArrayFile, discard, entry, load
from manyheads.data.distinct import Distinct, Hashes, distinct, hashes_of
from manyheads.data.tokenizer import Tokenizer

VERSION = "2"
"""Part of every cache key. It changes when the stored format changes."""


@dataclass(frozen=True)
class TextStore:
    """M distinct texts as token ids.

    `token_ids`: int32[N], without special tokens. `offsets`: int64[M+1], text m is offsets[m]:offsets[m+1].
    """

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of tokens of each text: int64[M]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> NDArray[np.int32]:
        return self.token_ids[self.offsets[text] : self.offsets[text + 1]]


def tokenise(texts: Sequence[str], tokenizer: Tokenizer, cache: Path | None) -> tuple[TextStore, NDArray[np.int64]]:
    """Tokenise each distinct text once. Return the store, and the index of every text in it (int64[n]).

    With a `cache` folder, the store is saved under a key of the texts and the tokenizer and memory-mapped from there.
    The texts are read twice and not kept in memory.
    """
    hashes = hashes_of(texts, len(texts))
    numbered = distinct(hashes)
    if cache is None:
        return _in_memory(numbered.once(texts), tokenizer), numbered.index
    return _stored(texts, hashes, numbered, tokenizer, cache)[0], numbered.index


def tokenise_named(
    texts: Sequence[str], names: Sequence[str], tokenizer: Tokenizer, cache: Path
) -> tuple[TextStore, NDArray[np.int32]]:
    """Tokenise texts whose content is identified by `names` (hashes). Cached texts are not read again.

    Return the store, and the index of every text in it (int32[n]).
    """
    folder = cache / "indices" / _sha256(VERSION, tokenizer.fingerprint, *names)
    known = load(folder)
    if known is not None and (store := _load(cache, known["store"].tobytes().hex())) is not None:
        return store, known["index"]
    discard(folder)
    hashes = hashes_of(texts, len(texts))
    numbered = distinct(hashes)
    store, key = _stored(texts, hashes, numbered, tokenizer, cache)

    def fill(folder: Path) -> None:
        with ArrayFile(folder, "index", np.int32) as index, ArrayFile(folder, "store", np.uint8) as name:
            name.append(list(bytes.fromhex(key)))
            for start, stop in blocks(len(numbered.index)):
                index.append(numbered.index[start:stop])

    return store, entry(folder, fill)["index"]


def _stored(
    texts: Iterable[str], hashes: Hashes, numbered: Distinct, tokenizer: Tokenizer, cache: Path
) -> tuple[TextStore, str]:
    """Return the store of the distinct texts and its key. The store is loaded from the cache or written to it."""
    key = _key(hashes, numbered, tokenizer)

    def fill(folder: Path) -> None:
        with ArrayFile(folder, "token_ids", np.int32) as token_ids, ArrayFile(folder, "offsets", np.int64) as offsets:
            offsets.append([0])
            end = 0
            for ids, lengths in tokenizer.encode_flat(numbered.once(texts)):
                token_ids.append(ids)
                offsets.append(end + np.cumsum(lengths))
                end += len(ids)

    store = _load(cache, key)
    return (_of(entry(cache / "tokens" / key, fill)) if store is None else store), key


def _in_memory(texts: Iterable[str], tokenizer: Tokenizer) -> TextStore:
    ids, lengths = [np.zeros(0, dtype=np.int32)], [np.zeros(1, dtype=np.int64)]
    for some_ids, some_lengths in tokenizer.encode_flat(texts):
        ids.append(some_ids)
        lengths.append(some_lengths)
    return TextStore(np.concatenate(ids), np.cumsum(np.concatenate(lengths)))


def _load(cache: Path, key: str) -> TextStore | None:
    """Return the store with this key, or None. A store whose arrays do not match is damaged and is removed."""
    folder = cache / "tokens" / key
    arrays = load(folder)
    if arrays is None:
        return None
    if {"token_ids", "offsets"} <= arrays.keys():
        store = _of(arrays)
        if len(store.offsets) and int(store.offsets[-1]) == len(store.token_ids):
            return store
    discard(folder)
    return None


def _of(arrays: Any) -> TextStore:
    return TextStore(arrays["token_ids"], arrays["offsets"])


def _key(hashes: Hashes, numbered: Distinct, tokenizer: Tokenizer) -> str:
    """Return the SHA-256 of the version, the tokenizer and the hashes of the distinct texts in order."""
    digest = hashlib.sha256(f"{VERSION}/{tokenizer.fingerprint}/".encode())
    for start, stop in blocks(len(hashes)):
        digest.update(hashes[start:stop][numbered.fresh[start:stop]].tobytes())
    return digest.hexdigest()


def _sha256(*words: str) -> str:
    return hashlib.sha256("/".join(words).encode()).hexdigest()
