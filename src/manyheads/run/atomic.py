"""Atomic writes. A process that is killed at any moment leaves the old file or the new one, never a partial one."""

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
    """Replace the file at `path` atomically.

    Raises:
        RunError: The disk is full or the folder is not writable.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Replace the text file at `path` atomically. The encoding is UTF-8; line endings are not changed."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Replace the JSON file at `path` atomically.

    Raises:
        ValueError: `content` has a value that JSON does not support (NaN, infinity).
    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder. It replaces `path` if the block succeeds and is removed otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Its name can be guessed. A link that was put there would be followed.
        temporary.unlink(missing_ok=True)
        try:
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder at `path`. `fill` writes into a temporary folder, which is then renamed to `path`.

    All files are made readable by everyone (mode 644), because a bundle is meant to be shipped. The folder is absent
    for a moment between the removal of the old one and the rename.
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
    """Flush a file, or the list of names of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a full disk and missing permissions into a RunError with a hint."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = "free disk space, then run the command again; files that were already written are kept"
            raise RunError("the disk is full", where=str(path), hint=hint) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            hint = "choose a folder that you can write to, or change the permissions of this one"
            raise RunError("no permission to write", where=str(path), hint=hint) from error
        raise
