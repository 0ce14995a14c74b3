"""The figure of what was measured: `python -m benchmarks.figure` reads `measured/training.json`."""

from __future__ import annotations

import json
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from benchmarks.record import FOLDER

COLOURS = {
    "manyheads": "#b35000",
    "plain padded loop, same batches": "#8a8a8a",
    "transformers Trainer, random batches": "#5b84b1",
    "transformers Trainer, length-grouped batches": "#27496d",
}


def main() -> None:
    """Draw examples a second and the share of the machine's rate by batch size."""
    content: dict[str, Any] = json.loads((FOLDER / "training.json").read_text(encoding="utf-8"))
    rows = [row for row in content["rows"] if row["form"] == "cross"]
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


if __name__ == "__main__":
    main()
