"""Writing so that a kill at any moment leaves the old file or the new one, never half of either."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.errors import RunError


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at `path` in one step.

    Raises:
        RunError: the disk is full or the folder may not be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace the text file at `path` (UTF-8, line endings as given) in one step."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Replace the JSON file at `path` in one step; values that JSON lacks (NaN, infinity) are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`, renamed over it when the block ends well and removed when it does not."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder at `path` anew: `fill` writes into a temporary folder, which then takes its place.

    Files come out readable by all, whatever the libraries that wrote them think: a bundle is there to be shipped.
    Between the two renames of a replacement the folder is absent for an instant; readers take the run's lock.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with explained(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            fill(temporary)
            for file in sorted(temporary.rglob("*")):
                if file.is_file():
                    file.chmod(0o644)
                sync(file)
            sync(temporary)
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
            sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sync(path: Path) -> None:
    """Ask the disk to hold what was written to a file, or a folder's list of names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free some space, then go on with --resume: nothing that was written before is lost"
            raise RunError("the disk is full", where=str(path), hint=hint) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "choose another folder with --out"
            raise RunError("the folder may not be written", where=str(path), hint=hint) from error
        raise
