"""Write the page and the figure of all measurements: `python -m benchmarks.page` reads `measured/*.json`."""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.record import FOLDER, table

PAGE = FOLDER.parent / "RESULTS.md"

SECTIONS = {
    "training": "Comparison with other programs",
    "gpu": "Training on a GPU",
    "stages": "Time per stage of a run",
    "operations": "Operations of a training step with batches of 8",
    "growth": "Training rate by length of texts and number of tasks",
    "streams": "Rows with two labels: one stream against two, synthetic rows",
    "streams-atis": "Rows with two labels: ATIS",
    "streams-snips": "Rows with two labels: SNIPS",
    "corpus": "Time and memory for corpora of any size",
    "startup": "Start-up",
    "serving": "The server under load",
    "runtimes": "Prediction in other runtimes",
    "table": "The table of a study of 30 rows, 3 tasks and 20,000 dev examples each",
}
HIDDEN = ("rounds", "reference")
"""Columns that are in the files and not on the page."""

COLOURS = {
    "manyheads": "#b35000",
    "plain padded loop, same batches": "#8a8a8a",
    "transformers Trainer, random batches": "#5b84b1",
    "transformers Trainer, length-grouped batches": "#27496d",
}


def page(contents: dict[str, dict[str, Any]]) -> str:
    """Return the page. It has one section per file, with the command, the machine and the rows."""
    parts = ["# Benchmark results", "[README.md](README.md) explains the programs and the columns."]
    if "training" in contents:
        parts.append("![Examples per second and share of the machine's rate, by batch size](measured/training.svg)")
    for name, title in SECTIONS.items():
        if name not in contents:
            continue
        content = contents[name]
        threads = f"{content['threads']} thread{'s' if content['threads'] > 1 else ''}"
        machine = f"{content['cores']} cores of {content['processor']}, {threads}"
        parts.append(f"## {title}")
        parts.append(f"`{content['command']}`: {machine}, torch {content['torch']}.")
        if "note" in content:
            parts.append(content["note"])
        columns = [key for key in content["rows"][0] if key not in HIDDEN]
        parts.append(table(content["rows"], columns))
    return "\n\n".join(parts) + "\n"


def draw(rows: list[dict[str, Any]]) -> None:
    """Draw the examples per second and the share of the machine's rate in training, by batch size."""
    mpl.rcParams["svg.hashsalt"] = "manyheads"
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, colour in COLOURS.items():
        own = [row for row in rows if row["program"] == name]
        sizes = [row["batch"] for row in own]
        axes[0].plot(sizes, [row["examples/s"] for row in own], "o-", color=colour, label=name)
        axes[1].plot(sizes, [100 * row["share"] for row in own], "o-", color=colour)
    axes[0].set_ylabel("examples per second")
    axes[1].set_ylabel("share of the machine's matrix-product rate, %")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_xticks(sorted({row["batch"] for row in rows}), sorted({row["batch"] for row in rows}))
        axis.set_xlabel("batch size")
        axis.set_ylim(bottom=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    for ending in ("svg", "png"):
        figure.savefig(FOLDER / f"training.{ending}", dpi=150, metadata={"Date": None} if ending == "svg" else None)


def main() -> None:
    """Write the page and the figure."""
    contents = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in FOLDER.glob("*.json")
        if path.stem in SECTIONS
    }
    if "training" in contents:
        rows = contents["training"]["rows"]
        draw([row for row in rows if row["form"] == "cross" and row["work"] == "training"])
    PAGE.write_text(page(contents), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
