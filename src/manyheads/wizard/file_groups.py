"""Group data files by task, by their names: sst-train.csv, sst-dev.csv and sst-test.csv belong to one task.

The shards of one file, such as train-00000-of-00002.parquet, are one entry: the pattern that matches all of them. A
folder that is named after a split, such as train/, is one entry, too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.lines import uncompressed_name
from manyheads.data.reading.paths import MARKS
from manyheads.errors import DataError

WORDS = {
    "train": ("train", "training", "trn"),
    "dev": ("dev", "devel", "development", "val", "valid", "validation", "eval"),
    "test": ("test", "testing", "tst"),
}
"""The words in the name of a file, or of its folder, that mark its split."""

SPLITS = {
    word + end: split
    for split, words in WORDS.items()
    for word in words
    for end in ("", "set", "data", "file", "split")
}

SHARD = re.compile(r"(?P<start>.+)-(?P<number>\d+)-of-(?P<count>\d+)(?P<hash>-[0-9a-f]{16})?")
"""The name of a shard without its ending, as the datasets library writes it."""


@dataclass(frozen=True)
class FileGroup:
    """The files of one task: each a file, a pattern or a folder. `dev` and `test` are None if there is no such file."""

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

    A file without a word for its split in its name is a training file. The name of a task has letters and digits of
    ASCII; the files of one task have equal names in any alphabet.

    Raises:
        DataError: a task has no training file, or two files for one split.
    """
    groups: dict[str, dict[str, Path]] = {}
    for file in dict.fromkeys(files):
        key, split = _key_and_split(file)
        group = groups.setdefault(key, {})
        if split in group:
            raise DataError(
                f"two files look like the {split} file of the task {key!r}",
                found=f"{group[split]} and {file}",
                hint="give the files of different tasks different names",
            )
        group[split] = file
    names: dict[str, str] = {}
    for key in groups:
        name, count = task_name(key), 1
        while name in names.values():
            count += 1
            name = f"{task_name(key)}-{count}"
        names[key] = name
    return [_group(names[key], splits) for key, splits in groups.items()]


def join_shards(files: Sequence[Path]) -> list[Path]:
    """Return the files with one pattern in the place of all shards of a file.

    Raises:
        DataError: some shards of a file are missing.
    """
    shards: dict[Path, list[Path]] = {}
    for file in dict.fromkeys(files):
        shards.setdefault(_shard_pattern(file) or file, []).append(file)
    return [_joined(pattern, members) for pattern, members in shards.items()]


def _joined(pattern: Path, members: list[Path]) -> Path:
    named = SHARD.fullmatch(uncompressed_name(members[0]).stem)
    if named is None or pattern == members[0]:
        return members[0]
    count = int(named["count"])
    if len(members) != count:
        what = f"{len(members)} of {count} shards are given"
        hint = f"add the other shards, or give their folder: {pattern.parent}"
        raise DataError(what, where=str(pattern), found=", ".join(member.name for member in members), hint=hint)
    return pattern if count > 1 and not MARKS.search(named["start"]) else members[0]


def _shard_pattern(file: Path) -> Path | None:
    """Return the pattern of all shards of a file, or None if the file is no shard."""
    stem = uncompressed_name(file).stem
    named = SHARD.fullmatch(stem)
    if named is None or str(file).startswith(PREFIX):
        return None
    ending = file.name.removeprefix(stem)
    return file.with_name(f"{named['start']}-*-of-{named['count']}{'-*' if named['hash'] else ''}{ending}")


def is_split_folder(folder: Path) -> bool:
    """Return whether a folder is named after a split, so that its files are the shards of one file."""
    return folder.absolute().name.lower() in SPLITS


def task_name(text: str) -> str:
    """Return a text as the name of a task: letters and digits of ASCII in lower case, joined by -."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "task"


def _group(name: str, splits: dict[str, Path]) -> FileGroup:
    if "train" not in splits:
        raise DataError(
            f"the task {name!r} has no training file",
            found=", ".join(map(str, splits.values())),
            allowed=f"a file with a similar name that contains the word {' or '.join(WORDS['train'][:2])}",
            hint="add the training file to the command",
        )
    return FileGroup(name, **splits)


def _key_and_split(file: Path) -> tuple[str, str]:
    """Return what the files of a task have in common, and the split ("train", "dev", "test") of a file."""
    if str(file).startswith(PREFIX):
        name, _, split = str(file).removeprefix(PREFIX).partition("@")
        words = _words(name)[1:] or _words(name)
        return _key(words), SPLITS.get(split.lower(), "train")
    stem, folder = uncompressed_name(file).stem, file.absolute().parent
    shard = re.match(r"(.+)-(?:\d+|\*)-of-\d+", stem)
    stem = shard[1] if shard else stem
    for words in (_words(stem), _words(_spaced(stem))):
        for position, word in enumerate(words):
            if word.lower() in SPLITS:
                around = words[:position] or words[position + 1 :] or _words(folder.name)
                return _key(around), SPLITS[word.lower()]
    return _key(_words(stem)), SPLITS.get(folder.name.lower(), "train")


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text))


def _spaced(text: str) -> str:
    """Return `reviewsTrain2` as `reviews Train 2`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[^\W\d_])(?=\d)", " ", text)


def _key(words: Sequence[str]) -> str:
    return "-".join(words).lower() or "task"
