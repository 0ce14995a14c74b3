"""Which files belong to one task, told by their names: sst-train.csv, sst-dev.csv and sst-test.csv are one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import DataError

WORDS = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "devel", "development", "val", "valid", "validation", "eval"),
    "test": ("test", "testing", "tst"),
}
"""The words of a file's name, or of its folder's, that tell its part."""

PARTS = {word: part for part, words in WORDS.items() for word in words}


@dataclass(frozen=True)
class FileGroup:
    """One task's files; `dev` and `test` where there are such."""

    name: str
    train: Path
    dev: Path | None = None
    test: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them, training first."""
        return tuple(file for file in (self.train, self.dev, self.test) if file is not None)


def group_files(files: Sequence[Path]) -> list[FileGroup]:
    """The tasks that these files make, in order of their first files. A name without such a word is a training file's.

    Raises:
        DataError: a task has no training file, or two files for one part.
    """
    groups: dict[str, dict[str, Path]] = {}
    for file in dict.fromkeys(files):
        name, part = _name_and_part(file)
        group = groups.setdefault(name, {})
        if part in group:
            raise DataError(
                f"two files look like the {part} file of the task {name!r}",
                found=f"{group[part]} and {file}",
                hint="give the files of different tasks different names",
            )
        group[part] = file
    return [_group(name, parts) for name, parts in groups.items()]


def _group(name: str, parts: dict[str, Path]) -> FileGroup:
    if "train" not in parts:
        raise DataError(
            f"the task {name!r} has no training file",
            found=", ".join(map(str, parts.values())),
            allowed=f"a file whose name is like that, with the word {' or '.join(WORDS['train'][:2])}",
            hint="name the training file as well",
        )
    return FileGroup(name, **parts)


def _name_and_part(file: Path) -> tuple[str, str]:
    """The task's name and the part ("train", "dev", "test") that a file is of it."""
    words, folder = _words(file.stem), file.absolute().parent
    for position, word in enumerate(words):
        if word.lower() in PARTS:
            around = words[:position] or words[position + 1 :] or _words(folder.name)
            return _task_name(around), PARTS[word.lower()]
    return _task_name(words), PARTS.get(folder.name.lower(), "train")


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]+", text) if word]


def _task_name(words: Sequence[str]) -> str:
    return "-".join(words).lower() or "task"
