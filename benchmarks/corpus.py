"""Time and memory for corpora of any size: `python -m benchmarks.corpus --rows 1000,100000,10000000`.

A synthetic file has sentences of ten words and two labels. One text in ten is repeated, and one row in a thousand has
no label. The stages are reading, tokenising (without duplicates) and batching. Each stage runs in a process of its own
and finds the results of the earlier stages in the cache. The peak is the largest anonymous memory (RssAnon of
/proc/self/status), sampled every 5 ms. It excludes pages of mapped files, which the system can reclaim.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from manyheads.data.batching import BATCHING
from manyheads.data.cache import cache_folder
from manyheads.data.dataset import Split, assemble
from manyheads.data.examples import Examples, examples_warnings, read_examples
from manyheads.data.reading import open_source
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.data.tokenizer import Tokenizer
from manyheads.model.weights import resolve
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Task

WORDS_PER_SENTENCE, REPEATED, EVERY_BAD = 10, 1000, 1000
BATCHES, BATCH_SIZE = 200, 32
BLOCK = 10_000

TASK = Task(
    name="synthetic",
    kind=Classification([0, 1]),
    text=("text",),
    label="label",
    id=None,
    pair=None,
    head="linear",
    dropout=0.0,
    loss="cross_entropy",
    metric="accuracy",
)


class Peak(threading.Thread):
    """Measures the peak of this process's anonymous memory, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.start_mb = self.peak_mb = anonymous_mb()
        self._over = threading.Event()

    def run(self) -> None:
        """Measure every 5 ms."""
        while not self._over.wait(0.005):
            self.peak_mb = max(self.peak_mb, anonymous_mb())

    def stop(self) -> None:
        """Measure a last time and stop."""
        self._over.set()
        self.join()
        self.peak_mb = max(self.peak_mb, anonymous_mb())


def anonymous_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def write_corpus(path: Path, rows: int) -> None:
    """Write the synthetic file in blocks."""
    pieces = Tokenizer.load(resolve("minilm-offline", Path.cwd()).folder).pieces
    words = np.array(sorted(piece for piece in pieces if piece.isascii() and piece.isalpha() and len(piece) > 2))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["text", "label"])
        often = sentences(words, 0, REPEATED)
        for start in range(0, rows, BLOCK):
            texts = sentences(words, start + 1, min(BLOCK, rows - start))
            for row, text in enumerate(texts, start=start):
                label = "" if row % EVERY_BAD == EVERY_BAD - 1 else row % 2
                writer.writerow([often[row // 10 % REPEATED] if row % 10 == 0 else text, label])


def sentences(words: np.ndarray, seed: int, count: int) -> list[str]:
    picks = np.random.default_rng(seed).integers(0, len(words), (count, WORDS_PER_SENTENCE))
    return [" ".join(row) for row in words[picks].tolist()]


def read(file: Path) -> Examples:
    source = open_source(str(file), file.parent)
    examples, bad = read_examples(TASK, source, on_bad_rows="skip", labelled=True, cache=cache_folder())
    print(f"  {len(examples):,} examples, {len(bad):,} bad rows, {examples_warnings(examples, TASK)}", file=sys.stderr)
    return examples


def tokenise(file: Path) -> tuple[TextStore, Split, Tokenizer]:
    tokenizer = Tokenizer.load(resolve("minilm-offline", Path.cwd()).folder)
    store, (split,) = tokenise_examples([read(file)], {TASK.name: TASK}, tokenizer, cache_folder())
    print(f"  {len(store):,} distinct texts, {len(store.token_ids):,} tokens", file=sys.stderr)
    return store, split, tokenizer


def batches(file: Path) -> None:
    store, split, tokenizer = tokenise(file)
    batching = BATCHING["even"].build({TASK.name: len(split)}, BATCH_SIZE, seed=0)
    for k in range(BATCHES):
        picks = [(split, rows) for _, rows in batching.batch(k)]
        assemble(store, tokenizer.template, 256, picks)


STAGES: dict[str, Callable[[Path], object]] = {"read": read, "tokenise": tokenise, "batches": batches}


def measure(folder: Path, file: Path, stage: str) -> dict[str, float]:
    """Run a stage in a process of its own. Return its seconds and its anonymous memory at the start and at the peak."""
    command = [sys.executable, "-m", "benchmarks.corpus", "--stage", stage, "--file", str(file)]
    environment = {**os.environ, "MANYHEADS_CACHE": str(folder / "cache"), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def run_stage(stage: str, file: Path) -> None:
    """Run a stage in this process and print its result."""
    peak = Peak()
    peak.start()
    started = time.perf_counter()
    STAGES[stage](file)
    seconds = time.perf_counter() - started
    peak.stop()
    print(json.dumps({"seconds": seconds, "start_mb": peak.start_mb, "peak_mb": peak.peak_mb}))


def measured(folder: Path, sizes: list[int], stages: list[str]) -> Iterator[tuple[int, str, dict[str, float]]]:
    for rows in sizes:
        file = folder / f"corpus-{rows}.csv"
        if not file.is_file():
            write_corpus(file.with_suffix(".partial"), rows)
            file.with_suffix(".partial").rename(file)
        for stage in stages:
            yield rows, stage, measure(folder, file, stage)


def main() -> None:
    """Measure, and print a table or JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000,10000,100000,1000000")
    parser.add_argument(
        "--stages", default=",".join(STAGES), help="stages to run; with --folder they can be run separately"
    )
    parser.add_argument("--folder", type=Path, help="folder for the files and the cache (default: a temporary one)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="write measured/corpus.json")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stage:
        run_stage(arguments.stage, arguments.file)
        return
    kept: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not arguments.json:
            print("| rows | stage | seconds | rows/s | anonymous memory at start, MB | peak, MB |")
            print("|---|---|---|---|---|---|")
        for rows, stage, result in measured(
            folder, [*map(int, arguments.rows.split(","))], arguments.stages.split(",")
        ):
            kept.append({"rows": rows, "stage": stage, **{name: round(value, 2) for name, value in result.items()}})
            if arguments.json:
                print(json.dumps(kept[-1]), flush=True)
                continue
            rate = "" if stage == "batches" else f"{rows / result['seconds']:,.0f}"
            memory = f"{result['start_mb']:.1f} | {result['peak_mb']:.1f}"
            print(f"| {rows:,} | {stage} | {result['seconds']:.2f} | {rate} | {memory} |", flush=True)
    if arguments.keep:
        # Recording imports torch. The stages are processes of this module and must not import it.
        from benchmarks.record import save

        save("corpus", kept)


if __name__ == "__main__":
    main()
