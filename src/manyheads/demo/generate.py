"""Generate the demo corpus: `python -m manyheads.demo.generate [--out FOLDER]`. The bytes are always the same.

Training and dev share the frames (the words between content words) but no content words. Labels depend on properties
that a bag of words cannot represent: negation, contrast, who does what to whom, and synonyms.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from manyheads.demo.lexicon import DEV, TRAIN, Lexicon
from manyheads.demo.opinions import sentiment
from manyheads.demo.questions import paraphrase
from manyheads.demo.scenes import similarity

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
