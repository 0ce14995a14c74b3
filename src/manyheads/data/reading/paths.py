"""The files that a path in a recipe names: a file, the shards of a folder, or the files that match a pattern."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from manyheads.data.reading.lines import uncompressed_name
from manyheads.errors import DataError, did_you_mean
from manyheads.run.names import user_path

MARKS = re.compile(r"[*?\[]")
"""The marks of a pattern."""


def find_files(spec: str, folder: Path, endings: Collection[str]) -> list[Path]:
    """Return the files of a path that is relative to `folder` or absolute, sorted by name.

    A path that exists is that file, whatever marks it has. A folder is all its files with one of the `endings`. Any
    other path is a pattern, in which `*`, `?`, `[...]` and `**` have their usual meaning.

    Raises:
        DataError: There is no such file, or nothing matches the pattern.
    """
    path = folder / user_path(spec)
    if path.is_dir():
        files = [each for each in sorted(path.iterdir()) if each.is_file() and _is_data(each, endings)]
        if not files:
            hint = "name a file in it, or a pattern: FOLDER/*"
            what = "the folder has no data files"
            raise DataError(what, where=str(path), allowed=", ".join(endings), hint=hint)
        return files
    if path.exists() or not MARKS.search(spec):
        return [path]
    base = Path(path.anchor) if path.is_absolute() else Path()
    matches = {each for each in _matches(base, path.relative_to(path.anchor).parts) if each.is_file()}
    if not matches:
        hint = "check the pattern, and data_dir if it is relative"
        raise DataError("no file matches the pattern", where=str(path), hint=hint)
    return sorted(matches)


def check_readable(path: Path) -> None:
    """Check that a file exists and is not empty.

    Raises:
        DataError: It is missing, is a folder, or is empty.
    """
    if not path.is_file():
        neighbours = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, neighbours) or "check the file name, and data_dir if the name is relative"
        raise DataError("there is no such file", where=str(path), hint=hint)
    if path.stat().st_size == 0:
        hint = "check that the file was written completely"
        raise DataError("the file is empty", where=str(path), allowed="at least one row", hint=hint)


def _is_data(path: Path, endings: Collection[str]) -> bool:
    """Whether a file of a folder is a shard. Hidden files, and markers such as `_SUCCESS`, are not."""
    return not path.name.startswith((".", "_")) and uncompressed_name(path).suffix.lower() in endings


def _matches(base: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """Yield the paths below `base` that match. A part that exists with its marks is not a pattern."""
    if not parts:
        yield base
        return
    part, *rest = parts
    if part == "**":
        yield from _matches(base, tuple(rest))
        for each in _children(base):
            if each.is_dir() and not each.is_symlink():
                yield from _matches(each, parts)
    elif (base / part).exists():
        yield from _matches(base / part, tuple(rest))
    elif MARKS.search(part):
        for each in _children(base, hidden=part.startswith(".")):
            if fnmatch.fnmatchcase(each.name, part):
                yield from _matches(each, tuple(rest))


def _children(folder: Path, *, hidden: bool = False) -> list[Path]:
    """Return what is in a folder. Names with a leading dot are left out unless `hidden`."""
    if not folder.is_dir():
        return []
    try:
        return [each for each in sorted(folder.iterdir()) if hidden or not each.name.startswith(".")]
    except FileNotFoundError:  # removed in the meantime
        return []
