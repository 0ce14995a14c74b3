"""Generate the demo corpus: `python -m manyheads.demo.generate [--out FOLDER]`. The bytes are always the same.

Training and dev share the frames (the words between content words) but no content words. Labels depend on properties
that a bag of words cannot represent: negation, contrast, who does what to whom, and synonyms.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from manyheads.demo.lexicon import DEV, TRAIN, Lexicon
from manyheads.demo.texts import paraphrase, sentiment, similarity
from manyheads.errors import DataError
from manyheads.run.atomic import write_text

SEED = 20
SIZES = {"train": 800, "dev": 250}
CORPUS = Path(__file__).parent / "corpus"

Row = tuple[str, ...]
Maker = Callable[[random.Random, Lexicon], tuple[Row, str]]


TASKS: dict[str, tuple[tuple[str, ...], str, Maker]] = {
    "sentiment": (("sentence",), "sentiment", sentiment),
    "paraphrase": (("sentence1", "sentence2"), "is_paraphrase", paraphrase),
    "similarity": (("sentence1", "sentence2"), "similarity", similarity),
}


def rows(task: str, split: str) -> Iterator[str]:
    """Yield the lines of one file, header first. No text occurs twice, and no pair in either order."""
    texts, label, make = TASKS[task]
    yield "\t".join(("id", *texts, label)) + "\n"
    rng = random.Random(f"{SEED}/{task}/{split}")
    lexicon = TRAIN if split == "train" else DEV
    seen: set[frozenset[str]] = set()
    while len(seen) < SIZES[split]:
        row, target = make(rng, lexicon)
        if frozenset(row) not in seen:
            seen.add(frozenset(row))
            yield "\t".join((f"{task[:4]}-{split}-{len(seen):04d}", *row, target)) + "\n"


def write(folder: Path) -> None:
    """Write all six files."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        for split in SIZES:
            (folder / f"{task}-{split}.tsv").write_text("".join(rows(task, split)), encoding="utf-8", newline="")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the demo corpus.")
    parser.add_argument("--out", type=Path, default=CORPUS, help="folder for the six files")
    write(parser.parse_args().out)


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
