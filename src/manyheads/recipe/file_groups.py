"""Group data files by task, by their names: sst-train.csv, sst-dev.csv and sst-test.csv belong to one task."""

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
"""The words in the name of a file, or of its folder, that mark its split."""

SPLITS = {word: split for split, words in WORDS.items() for word in words}


@dataclass(frozen=True)
class FileGroup:
    """The files of one task. `dev` and `test` are None if there is no such file."""

    name: str
    train: Path
    dev: Path | None = None
    test: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files of the task, the training file first."""
        return tuple(file for file in (self.train, self.dev, self.test) if file is not None)


def group_files(files: Sequence[Path]) -> list[FileGroup]:
    """Return the tasks of these files, in the order of their first files.

    A file without a word for its split in its name is a training file.

    Raises:
        DataError: a task has no training file, or two files for one split.
    """
    groups: dict[str, dict[str, Path]] = {}
    for file in dict.fromkeys(files):
        name, split = _name_and_split(file)
        group = groups.setdefault(name, {})
        if split in group:
            raise DataError(
                f"two files look like the {split} file of the task {name!r}",
                found=f"{group[split]} and {file}",
                hint="give the files of different tasks different names",
            )
        group[split] = file
    return [_group(name, splits) for name, splits in groups.items()]


def _group(name: str, splits: dict[str, Path]) -> FileGroup:
    if "train" not in splits:
        raise DataError(
            f"the task {name!r} has no training file",
            found=", ".join(map(str, splits.values())),
            allowed=f"a file with a similar name that contains the word {' or '.join(WORDS['train'][:2])}",
            hint="add the training file to the command",
        )
    return FileGroup(name, **splits)


def _name_and_split(file: Path) -> tuple[str, str]:
    """Return the name of the task and the split ("train", "dev", "test") of a file."""
    words, folder = _words(file.stem), file.absolute().parent
    for position, word in enumerate(words):
        if word.lower() in SPLITS:
            around = words[:position] or words[position + 1 :] or _words(folder.name)
            return _task_name(around), SPLITS[word.lower()]
    return _task_name(words), SPLITS.get(folder.name.lower(), "train")


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]+", text) if word]


def _task_name(words: Sequence[str]) -> str:
    return "-".join(words).lower() or "task"
