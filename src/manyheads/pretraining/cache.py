"""The cache of pretrained encoders. One process trains each encoder once, and all others read it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.errors import RunError
from manyheads.run.atomic import SUFFIX, remove, sweep
from manyheads.run.checksum import OWN_SUM, is_unchanged, own_checksum
from manyheads.run.folder import only_writer
from manyheads.shown import paragraph, table_html, table_text
from manyheads.training.listener import Listener
from manyheads.training.stop import Interrupted, StopFlag

VERSION = "1"
"""Part of every key. It changes when the stored content changes its meaning."""

SUMMARY = "pretraining.json"

POLL_SECONDS = 0.2
"""Time between two tries to take a lock that another process has."""


TITLE = "held-out masked language modelling (dev texts, fixed masks)"
COLUMNS = ("epoch", "loss", "perplexity")


@dataclass(frozen=True, repr=False)
class Pretrained:
    """A pretrained encoder: its key, its folder in the hub's layout, and the content of its pretraining.json.

    It shows the held-out loss, as `manyheads pretrain` prints it.
    """

    key: str
    folder: Path
    summary: Mapping[str, Any]

    @property
    def evaluations(self) -> list[tuple[str, str, str]]:
        """The held-out loss and perplexity before pretraining and after each epoch, as text."""
        return [
            (
                "before" if each["epoch"] == 0 else f"{each['epoch']:g}",
                f"{each['loss']:.4f}",
                f"{each['perplexity']:.2f}",
            )
            for each in self.summary["evaluations"]
        ]

    @property
    def corpus(self) -> list[str]:
        """The size of the corpus, the texts that were excluded and why, and the time of pretraining, as lines."""
        summary = self.summary
        train, held_out = summary["corpus"]["train"], summary["corpus"]["held_out"]
        excluded = [
            f"{train['duplicates']:,} repeated",
            f"{train['short']:,} short",
            f"{train['in_dev']:,} in a dev file",
            f"{train['in_test']:,} in a test file",
        ]
        steps = f"{summary['steps']:,} step{'s' if summary['steps'] != 1 else ''}"
        lines = [
            f"texts: {train['kept']:,} of {train['texts']:,} used for training, {held_out['kept']:,} held out",
            f"excluded: {', '.join(excluded)}",
            f"{steps} in {summary['seconds']:.0f} s of training; key {self.key[:16]}",
        ]
        if summary["head"] == "new":
            lines.append('The checkpoint had no head. "before" is with a new head, trained with the encoder frozen.')
        return lines

    def __repr__(self) -> str:
        where = f"The encoder is in {self.folder}."
        return "\n".join([table_text(TITLE, COLUMNS, self.evaluations, ()), *self.corpus, where])

    def _repr_html_(self) -> str:
        lines = [*self.corpus, f"The encoder is in {self.folder}."]
        return table_html(TITLE, COLUMNS, self.evaluations, ()) + "".join(map(paragraph, lines))


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
        """Return the finished encoder. None if there is none, or one of its files is damaged or has no checksum."""
        try:
            summary = json.loads((self.folder / SUMMARY).read_bytes())
            sums = summary["checksums"]
            whole = summary[OWN_SUM] == own_checksum(summary) and summary["key"] == self.key
            whole = whole and all(is_unchanged(self.folder / name, value) for name, value in sums.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
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
            sweep(self.folder.parent)
            if not self.work.is_dir():
                remove(self.work)
            for partial in list(self.work.rglob(f".*{SUFFIX}")):
                remove(partial)
            yield

    def drop_work(self) -> None:
        """Remove the checkpoints when the encoder is finished, or when they are damaged."""
        remove(self.work)

    def drop_leftovers(self) -> None:
        """Remove the checkpoints that a process left that was killed after it had finished the encoder."""
        if self.work.exists():
            with suppress(RunError), only_writer(self._lock, "another process trains this encoder", self.folder):
                remove(self.work)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
