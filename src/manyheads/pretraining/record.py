"""The files of pretraining: an encoder folder in the hub's layout, with results, a log and a figure of perplexity."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.data.tokenizer import Tokenizer
from manyheads.pretraining.cache import SUMMARY, sha256
from manyheads.pretraining.head import HEAD_FILE, MaskedModel, save_head
from manyheads.run.atomic import replace_folder, write_json, write_text
from manyheads.run.checksum import OWN_SUM, checksum, own_checksum


def write_pretrained(
    folder: Path, model: MaskedModel, tokenizer: Tokenizer, summary: Mapping[str, Any], logs: Sequence[Path]
) -> dict[str, Any]:
    """Write the folder atomically. Return the content of pretraining.json: `summary` and the checksums of all files.

    The encoder (with its original pooler) and the tokenizer are in the hub's format. The head is in
    mlm_head.safetensors.
    """
    content = dict(summary)

    def fill(target: Path) -> None:
        """Write the encoder, the head and the summary, which has the checksums of both."""
        model.encoder.save(target)
        tokenizer.save(target)
        save_head(target, model)
        weights = sorted(path for path in target.glob("model*.safetensors"))
        content["files"] = {path.name: sha256(path) for path in [*weights, target / HEAD_FILE]}
        write_text(target / "pretraining.csv", _csv(summary))
        write_text(target / "events.jsonl", "".join(log.read_text(encoding="utf-8") for log in logs if log.exists()))
        draw_perplexity(target / "perplexity", summary["evaluations"])
        content["checksums"] = {path.name: checksum(path) for path in sorted(target.iterdir())}
        content[OWN_SUM] = own_checksum(content)
        write_json(target / SUMMARY, content)

    replace_folder(folder, fill)
    return content


def _csv(summary: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["phase", "epoch", "step", "loss", "perplexity"])
    for phase, entries in (("head", summary["head_evaluations"]), ("encoder", summary["evaluations"])):
        for entry in entries:
            writer.writerow([phase, *(repr(entry[name]) for name in ("epoch", "step", "loss", "perplexity"))])
    return text.getvalue()


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
