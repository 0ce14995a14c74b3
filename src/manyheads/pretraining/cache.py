"""The cache of pretrained encoders. One process trains each encoder once, and all others read it."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.errors import RunError
from manyheads.run.lock import only_writer
from manyheads.training.listener import Listener
from manyheads.training.stop import Interrupted, StopFlag

VERSION = "1"
"""Part of every key. It changes when the stored content changes its meaning."""

SUMMARY = "pretraining.json"

POLL_SECONDS = 0.2
"""Time between two tries to take a lock that another process has."""


@dataclass(frozen=True)
class Pretrained:
    """A pretrained encoder: its key, its folder in the hub's layout, and the content of its pretraining.json."""

    key: str
    folder: Path
    summary: Mapping[str, Any]


def make_key(parts: Mapping[str, object]) -> str:
    """Return the SHA-256 of everything that determines a pretrained encoder."""
    content = json.dumps({"version": VERSION, **parts}, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


class Entry:
    """The cache entry of one pretrained encoder: `<key>/` when it is finished, `<key>.work/` until then."""

    def __init__(self, cache: Path, key: str) -> None:
        self.key = key
        self.folder = cache / "pretrained" / key
        self.work = self.folder.with_name(f"{key}.work")
        self._lock = self.folder.with_name(f"{key}.lock")

    def read(self) -> Pretrained | None:
        """Return the finished encoder. None if there is none or its weights are damaged."""
        path = self.folder / SUMMARY
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
            whole = all(sha256(self.folder / name) == digest for name, digest in summary["files"].items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Pretrained(self.key, self.folder, summary) if whole else None

    @contextmanager
    def alone(self, stop: StopFlag, notify: Listener) -> Iterator[None]:
        """Lock the entry while the block runs. Wait for another process that trains this encoder.

        Raises:
            Interrupted: a signal asked to stop while waiting.
        """
        with ExitStack() as stack:
            notified = False
            while True:
                try:
                    stack.enter_context(only_writer(self._lock, "another process trains this encoder", self.folder))
                    break
                except RunError:
                    if not self._lock.exists():
                        raise
                if not notified:
                    notify("note", text="waiting for another process that is pretraining this encoder")
                    notified = True
                if stop:
                    raise Interrupted(0, stop.signal_number or 0)
                time.sleep(POLL_SECONDS)
            yield

    def drop_work(self) -> None:
        """Remove the checkpoints when the encoder is finished."""
        shutil.rmtree(self.work, ignore_errors=True)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
