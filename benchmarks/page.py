"""What was measured, as a page and a figure: `python -m benchmarks.page` reads `measured/*.json`."""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.record import FOLDER, table

PAGE = FOLDER.parent / "RESULTS.md"

SECTIONS = {
    "training": "Program against program",
    "gpu": "On a GPU",
    "stages": "Where the time goes",
    "operations": "What a step at the smallest batches is made of",
    "growth": "How the rate changes with the length of texts and the number of tasks",
    "corpus": "Corpora of any size",
    "startup": "Start-up",
    "serving": "The server under load",
    "runtimes": "Answers in other runtimes",
}
HIDDEN = ("rounds", "reference")
"""Kept in the files, left out of the page."""

COLOURS = {
    "manyheads": "#b35000",
    "plain padded loop, same batches": "#8a8a8a",
    "transformers Trainer, random batches": "#5b84b1",
    "transformers Trainer, length-grouped batches": "#27496d",
}


def page(contents: dict[str, dict[str, Any]]) -> str:
    """The page: a section a file, each with its command, its machine and its rows."""
    parts = ["# Results of the benchmarks", "What each figure means stands in [README.md](README.md)."]
    if "training" in contents:
        parts.append("![Examples a second and share of the machine's rate, by batch size](measured/training.svg)")
    for name, title in SECTIONS.items():
        if name not in contents:
            continue
        content = contents[name]
        machine = f"{content['cores']} cores of {content['processor']}, {content['threads']} threads"
        parts.append(f"## {title}")
        parts.append(f"`{content['command']}`: {machine}, torch {content['torch']}.")
        if "note" in content:
            parts.append(content["note"])
        columns = [key for key in content["rows"][0] if key not in HIDDEN]
        parts.append(table(content["rows"], columns))
    return "\n\n".join(parts) + "\n"


def draw(rows: list[dict[str, Any]]) -> None:
    """Examples a second and the share of the machine's rate in training, by batch size."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name, colour in COLOURS.items():
        own = [row for row in rows if row["program"] == name]
        sizes = [row["batch"] for row in own]
        axes[0].plot(sizes, [row["examples/s"] for row in own], "o-", color=colour, label=name)
        axes[1].plot(sizes, [100 * row["share"] for row in own], "o-", color=colour)
    axes[0].set_ylabel("examples a second")
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
