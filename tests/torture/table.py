"""The table of the trials, and its page under results/."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.torture.ledger import OUTCOMES, Ledger

PACKAGES = ("manyheads", "torch", "transformers", "tokenizers", "polars", "safetensors", "uvicorn", "hypothesis")

PAGE = """# Damage, kills and wrong input

`make torture` kills, damages and misuses the program, and compares what is then printed and written with what an
undisturbed program prints and writes. Each trial runs the real commands on a tiny encoder (2 layers, width 32).
A trial that found a fault is repeated after the change, and the table has its last end. `LOG.md` says what was found.

{table}

*planned*: the trials of a complete run. *same*: the bytes, or the printed figures, of an undisturbed command, if it is
repeated as a user would repeat it.
*clear error*: an error or a note that says what is wrong. *traceback*: also an end by a signal that the trial did not
send, or a status without a message. *hang*: no end within {patience} seconds. *silently wrong*: other output without a
note. A request counts as one trial.

- **kill**: the command is killed (SIGKILL) before a file-system event: a file is opened for writing, written, flushed
  (fsync), renamed or removed, a folder is made or removed, a file is locked. A kill at a write leaves half of what is
  written. The command is then repeated, with `--resume` for `train`. Each event of each command is one trial; of
  `train` with `[pretraining]`, each fourth.
- **full disk**: half of the sizes are those of a small disk, and half are limits of the size of a file. The command is
  repeated with room.
- **damage**: each file of a finished run, an unfinished run, a bundle, an ONNX export, the cache of tokenised texts and
  the cache of pretrained encoders: one bit changed, half of the file missing, an empty file, bytes appended, the
  content of another file of the folder, the file missing. Then each command that reads it.
- **generated**: recipes with valid and invalid keys, values and texts, and encoders with changed configurations, for
  `check` and `train`; data files in CSV, TSV, JSON, JSON lines and Parquet for the reader and for `predict`.
- **requests**: valid and invalid requests to a server process from three clients at once, 250 per server.

The drawing of figures and the tracing of ONNX graphs are replaced by stored bytes.

| | |
|---|---|
| command | `{command}` |
| date | {date} |
| processor | {processor} |
| system | {system} |
| Python | {python} |
| packages | {packages} |
| seeds | order of trials: {seed}; recipes and data files: {generated} and the next number; batches of requests: 0 to \
19; damage: the SHA-256 of the name of the trial |

`counts.json` has the same numbers. One trial is repeated with `python -m tests.torture --again ID`.
"""


def table(totals: Mapping[str, Counter[str]], planned: Mapping[str, int]) -> str:
    """Return the number of planned trials, of trials and of each outcome by group, as Markdown."""
    head = ["trials", "planned", "tried", *OUTCOMES]
    rows: list[tuple[str, list[int]]] = []
    for name in sorted({*totals, *planned}):
        counts = totals.get(name, Counter())
        rows.append((name, [planned.get(name, 0), counts.total(), *(counts[outcome] for outcome in OUTCOMES)]))
    rows.append(("all", [sum(numbers) for numbers in zip(*(row for _, row in rows), strict=True)]))
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *(f"| {name} | " + " | ".join(f"{each:,}" for each in row) + " |" for name, row in rows)])


def write_results(
    out: Path,
    ledger: Ledger,
    planned: Mapping[str, int],
    *,
    seed: int,
    generated: int,
    patience: float,
    words: Iterable[str],
) -> None:
    """Write README.md and counts.json."""
    totals = ledger.totals()
    out.mkdir(parents=True, exist_ok=True)
    counts = {
        name: {
            "planned": planned.get(name, 0),
            "tried": each.total(),
            **{outcome: each[outcome] for outcome in OUTCOMES},
        }
        for name, each in totals.items()
    }
    (out / "counts.json").write_text(json.dumps(dict(sorted(counts.items())), indent=1) + "\n", encoding="utf-8")
    page = PAGE.format(
        table=table(totals, planned),
        patience=f"{patience:.0f}",
        command=" ".join(["python -m tests.torture", *words]),
        date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        processor=_processor(),
        system=f"{platform.system()} {platform.release()}, {_cores()} cores",
        python=platform.python_version(),
        packages=", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES),
        seed=seed,
        generated=generated,
    )
    (out / "README.md").write_text(page, encoding="utf-8")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0))
