"""TextStore: every distinct text tokenised once, flat, and cached on disk."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from manyheads.data.tokenizer import Tokenizer
from manyheads.run.atomic import sync

VERSION = "1"
"""Part of every cache key: changes with the meaning of what is stored."""


@dataclass(frozen=True)
class TextStore:
    """M distinct texts: `token_ids` int32[N] without special tokens, text m is offsets[m]:offsets[m+1] (int64[M+1])."""

    token_ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each text, int64[M]."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> NDArray[np.int32]:
        return self.token_ids[self.offsets[text] : self.offsets[text + 1]]


def tokenise(texts: Iterable[str], tokenizer: Tokenizer, cache: Path | None) -> tuple[TextStore, NDArray[np.int64]]:
    """Tokenise each distinct text once: the store, and for every text given its index in it (int64[n]).

    With a `cache` folder the store is kept under a key of the texts and the tokenizer, and memory-mapped from there.
    """
    numbers: dict[str, int] = {}
    index = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), dtype=np.int64)
    distinct = list(numbers)
    if cache is None:
        return _encode(distinct, tokenizer), index
    folder = cache / "tokens" / _key(distinct, tokenizer)
    store = _load(folder)
    if store is None:
        store = _encode(distinct, tokenizer)
        _save(folder, store)
        store = _load(folder) or store
    return store, index


def cache_folder() -> Path:
    """Where caches lie: `$MANYHEADS_CACHE`, or the user's cache folder."""
    named = os.environ.get("MANYHEADS_CACHE")
    return Path(named) if named else platformdirs.user_cache_path("manyheads")


def _encode(texts: Sequence[str], tokenizer: Tokenizer) -> TextStore:
    encoded = list(tokenizer.encode(texts))
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(ids) for ids in encoded], out=offsets[1:])
    token_ids = np.concatenate(encoded) if encoded else np.zeros(0, dtype=np.int32)
    return TextStore(token_ids, offsets)


def _key(texts: Sequence[str], tokenizer: Tokenizer) -> str:
    """SHA-256 over version, tokenizer and texts; each text with its length before it, so that borders count."""
    digest = hashlib.sha256(f"{VERSION}/{tokenizer.fingerprint}/".encode())
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def _save(folder: Path, store: TextStore) -> None:
    """Fill a cache folder in one step. What another process put there meanwhile is the same and stays."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}.", suffix=".partial", dir=folder.parent))
    except OSError as error:
        _warn(folder, error)
        return
    try:
        np.save(temporary / "token_ids.npy", store.token_ids)
        np.save(temporary / "offsets.npy", store.offsets)
        sizes = {"tokens": len(store.token_ids), "texts": len(store)}
        (temporary / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")
        for file in sorted(temporary.iterdir()):
            sync(file)
        temporary.rename(folder)
        sync(folder.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            _warn(folder, error)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _warn(folder: Path, error: OSError) -> None:
    """A run does not need its cache: without one, it tokenises again next time."""
    warnings.warn(
        f"tokenised texts cannot be cached in {folder.parent}: {error.strerror}; "
        "set MANYHEADS_CACHE to a folder that can be written",
        stacklevel=4,
    )


def _load(folder: Path) -> TextStore | None:
    """The store in a cache folder, or None where it is absent or damaged; what is damaged is removed."""
    if not folder.is_dir():
        return None
    try:
        sizes = json.loads((folder / "sizes.json").read_text(encoding="utf-8"))
        token_ids = np.load(folder / "token_ids.npy", mmap_mode="r")
        offsets = np.load(folder / "offsets.npy")
        if (len(token_ids), len(offsets) - 1, int(offsets[-1])) == (sizes["tokens"], sizes["texts"], sizes["tokens"]):
            return TextStore(token_ids, offsets)
    except (OSError, EOFError, ValueError, KeyError, TypeError, IndexError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return None
