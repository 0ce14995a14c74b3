"""The demo corpus as CSV files, for a first recipe."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from manyheads.demo.generate import CORPUS
from manyheads.errors import DataError
from manyheads.run.atomic import write_text

TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "sentiment": ("reviews", ("id", "text", "stars")),
    "paraphrase": ("questions", ("id", "question1", "question2", "same")),
    "similarity": ("sentences", ("id", "sentence1", "sentence2", "similarity")),
}
"""For each task of the corpus: the name of its CSV files, and their header."""


def write_csv_files(folder: Path) -> dict[Path, int]:
    """Write the training and the dev rows of every task into `folder`, and return the path and row count of each file.

    The folder is created if it is absent. Files that already have the right content are left as they are.

    Raises:
        DataError: a file of that name exists and has other content. Nothing is written in this case.
        RunError: the folder cannot be written.
    """
    contents = {
        folder / f"{name}{ending}.csv": _csv(task, split, header)
        for split, ending in (("train", ""), ("dev", "-dev"))
        for task, (name, header) in TABLES.items()
    }
    present = [path for path in contents if path.exists() or path.is_symlink()]
    for path in present:
        if not path.is_file() or path.read_bytes() != contents[path][0].encode("utf-8"):
            raise DataError(
                "the file already exists and has other content",
                where=str(path),
                hint="choose another folder, or move the file away",
            )
    for path, (content, _) in contents.items():
        if path not in present:
            write_text(path, content)
    return {path: rows for path, (_, rows) in contents.items()}


def _csv(task: str, split: str, header: tuple[str, ...]) -> tuple[str, int]:
    """Return one file of the corpus as CSV text, and its number of rows."""
    lines = (CORPUS / f"{task}-{split}.tsv").read_text(encoding="utf-8").splitlines()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(line.split("\t") for line in lines[1:])
    return text.getvalue(), len(lines) - 1
