"""The figure of pretraining: held-out perplexity per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def draw_perplexity(path: Path, evaluations: Sequence[Mapping[str, Any]]) -> None:
    """Write `<path>.svg` and `<path>.png`. The same evaluations give the same bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "manyheads", "font.size": 9}):
        figure = Figure(figsize=(4.8, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        epochs = [entry["epoch"] for entry in evaluations]
        values = [entry["perplexity"] for entry in evaluations]
        axes.plot(epochs, values, marker="o", color="#0072b2")
        for epoch, value in zip(epochs, values, strict=True):
            axes.annotate(f"{value:.3g}", (epoch, value), textcoords="offset points", xytext=(0, 7), ha="center")
        axes.set_xlabel("epoch (0: before)")
        axes.set_ylabel("held-out perplexity")
        axes.set_xticks(sorted({round(epoch) for epoch in epochs}))
        axes.margins(x=0.08, y=0.18)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
        figure.savefig(path.with_suffix(".png"), dpi=160, metadata={"Software": None})
