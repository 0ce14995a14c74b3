"""Atomic writes through temporary files. A kill at any moment leaves the old file or the new one."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.errors import ManyheadsError, RunError

OS_ERROR = re.compile(r"\(os error (\d+)\)|\[Errno (\d+)\]")
"""How libraries written in Rust, and the error of `shutil.copytree`, name an error of the system."""

UNWRITABLE = frozenset(
    {
        *(errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG),
        *(errno.ELOOP, errno.EIO, errno.ENXIO, errno.EBUSY, errno.ETXTBSY),
    }
)
"""Errors of the system that concern the place of a file, other than a full disk and missing permissions."""


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
    """Yield a temporary path in the same folder. It replaces `path` if the block succeeds and is removed otherwise.

    Temporary files for `path` that a killed process left are removed.

    Raises:
        RunError: The disk is full, or the file cannot be written for another reason that the system names.
    """
    temporary = partial_name(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f"{path.name}.")
        try:
            with held(lambda: _new_file(temporary)):
                yield temporary
                sync(temporary)
                temporary.replace(path)
            sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing_to(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose content becomes the content of a path that a user named.

    A file is replaced, or the file that a link leads to. A pipe or a device gets a copy of the content.

    Raises:
        RunError: As `replacing`.
    """
    if not path.exists() or path.is_file():
        with replacing(path.resolve()) as temporary:
            yield temporary
        return
    with tempfile.TemporaryDirectory(prefix="manyheads-") as scratch:
        temporary = Path(scratch) / "output"
        with explained(temporary):
            yield temporary
        with explained(path), path.open("wb") as target, temporary.open("rb") as file:
            shutil.copyfileobj(file, target)


def replace_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Replace the folder at `path`. `fill` writes into a temporary folder, which is then renamed to `path`.

    All files are made readable by everyone (mode 644), because a bundle is meant to be shipped. The folder is absent
    for a moment between two renames, but it never has a part of its files. Temporary folders for `path` that a killed
    process left are removed.

    Raises:
        RunError: The disk is full, or the folder cannot be written for another reason that the system names.
    """
    temporary = partial_name(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f"{path.name}.")
        try:
            with held(lambda: _new_folder(temporary)):
                fill(temporary)
                for file in sorted(temporary.rglob("*")):
                    if file.is_file():
                        file.chmod(0o644)
                    sync(file)
                sync(temporary)
                remove_folder(path)
                temporary.replace(path)
            sync(path.parent)
        finally:
            remove(temporary)


def remove_folder(path: Path) -> None:
    """Remove a folder, or a file in its place. A kill leaves all of it under its own name, or nothing."""
    aside = path.with_name(f".{path.name}.old.{os.getpid()}{SUFFIX}")
    remove(aside)
    if path.exists() or path.is_symlink():
        path.replace(aside)
        remove(aside)


def _new_file(path: Path) -> Path:
    # The name can be guessed. A link that was put there would be followed.
    remove(path)
    path.touch(exist_ok=False)
    return path


def _new_folder(path: Path) -> Path:
    remove(path)
    path.mkdir()
    return path


def sync(path: Path) -> None:
    """Flush a file, or the list of names of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn a full disk, missing permissions and other errors of the system into a RunError with a hint.

    safetensors and polars raise their own errors for a full disk. Their texts have the number of the system's error.
    """
    try:
        yield
    except ManyheadsError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number is None and (found := OS_ERROR.search(str(error))):
            number = int(found[1] or found[2])
        explanation = None if number is None else _explanation(path, number)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(path: Path, number: int) -> RunError | None:
    if number in (errno.ENOSPC, errno.EDQUOT):
        hint = "free disk space, then run the command again; files that were already written are kept"
        return RunError("the disk is full", where=str(path), hint=hint)
    if number == errno.EFBIG:
        hint = "raise the limit of the file size (`ulimit -f unlimited`), then run the command again"
        return RunError("the file is larger than the system allows", where=str(path), hint=hint)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "choose a folder that you can write to, or change the permissions of this one"
        return RunError("no permission to write", where=str(path), hint=hint)
    if number in UNWRITABLE:
        hint = "remove what is in its place, or choose another folder"
        return RunError("the file or folder cannot be written", where=str(path), found=os.strerror(number), hint=hint)
    return None


SUFFIX = ".partial"


def partial_name(path: Path) -> Path:
    """Return the temporary path of this process for `path`, in the same folder."""
    return path.with_name(f".{path.name}.{os.getpid()}{SUFFIX}")


def is_partial(path: Path) -> bool:
    """Return whether a path has the name of a temporary file or folder."""
    return path.name.startswith(".") and path.name.endswith(SUFFIX)


@contextmanager
def held(make: Callable[[], Path]) -> Iterator[Path]:
    """Yield the temporary file or folder that `make` makes, with its lock, so that no other process removes it.

    `make` is called again if another process removed the entry before it was locked.

    Raises:
        OSError: The entry cannot be made.
    """
    handle, path = _made(make)
    try:
        yield path
    finally:
        os.close(handle)


def _made(make: Callable[[], Path]) -> tuple[int, Path]:
    while True:
        path = make()
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        _lock(handle, fcntl.LOCK_SH)
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle, path
        except FileNotFoundError:
            pass
        os.close(handle)


def sweep(folder: Path, name: str = "") -> None:
    """Remove the temporary entries of a folder that no process writes. `name`: only those that begin with it."""
    try:
        found = [path for path in folder.iterdir() if is_partial(path) and path.name.startswith(f".{name}")]
    except OSError:
        return
    for path in found:
        _remove_if_free(path)


def remove(path: Path) -> None:
    """Remove a file or folder, if it exists. Errors are ignored."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def _remove_if_free(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            remove(path)
    finally:
        os.close(handle)


def _lock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except OSError:
        return False
    return True
