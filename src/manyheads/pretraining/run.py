"""Pretraining as a whole: corpus, masks, head, both phases, and the resulting folder.

The folder is an encoder in the hub's layout, with results, a log and a figure of perplexity.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyheads.data.texts import tokenise
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import DataError, EncoderError
from manyheads.model.agreement import check_agreement
from manyheads.model.encoder import load_encoder
from manyheads.model.weights import EncoderSource
from manyheads.pretraining.cache import SUMMARY, Entry, Pretrained, make_key, sha256
from manyheads.pretraining.head import HEAD_FILE, MaskedModel, head_files, load_head, save_head
from manyheads.pretraining.options import PretrainingOptions
from manyheads.pretraining.phase import Phase
from manyheads.pretraining.texts import Corpus, MaskedTexts, Masker, word_numbers
from manyheads.process_state import borrowing
from manyheads.run.atomic import replace_folder, write_json, write_text
from manyheads.run.checksum import OWN_SUM, checksum, own_checksum
from manyheads.training.checkpoint import CheckpointError
from manyheads.training.listener import Listener
from manyheads.training.stop import StopFlag

NOT_IN_KEY = {"files", "checkpoint_every"}
"""Options that change no result. The content of the files is in the key, so their names need not be."""


@dataclass(frozen=True)
class Pretraining:
    """Everything that determines a pretrained encoder. `threads` is included because sums depend on it."""

    source: EncoderSource
    tokenizer: Tokenizer
    corpus: Corpus
    options: PretrainingOptions
    device: str
    precision: str
    threads: int

    @property
    def key(self) -> str:
        """The key in the cache."""
        folder = self.source.folder
        parts = {
            "encoder": {path.name: sha256(path) for path in [folder / "config.json", *head_files(folder)]},
            "tokenizer": self.tokenizer.fingerprint,
            "train": self.corpus.train,
            "held_out": self.corpus.held_out,
            "options": self.options.model_dump(exclude=NOT_IN_KEY),
            "run": [self.device, self.precision, self.threads],
        }
        return make_key(parts)

    def get(self, cache: Path, *, stop: StopFlag, notify: Listener) -> Pretrained:
        """Return the encoder from the cache, or train it now. If another process trains it, wait for that process.

        Raises:
            ManyheadsError: the encoder or the texts cannot be used, or a loss is not finite.
            Interrupted: a signal asked to stop. The next call resumes.
        """
        entry = Entry(cache, self.key)
        pretrained = entry.read()
        if pretrained is None:
            with entry.alone(stop, notify):
                pretrained = entry.read() or self._make_again(entry, stop, notify)
        else:
            notify("note", text=f"using the pretrained encoder in {pretrained.folder}")
            entry.drop_leftovers()
        return pretrained

    def _make_again(self, entry: Entry, stop: StopFlag, notify: Listener) -> Pretrained:
        """Make the encoder from its checkpoints if there are some. If they are damaged, start from the beginning."""
        try:
            return self._make(entry, stop, notify)
        except CheckpointError as error:
            text = (
                f"pretraining starts from the beginning, because a checkpoint is damaged: {error.where}: {error.found}"
            )
            notify("note", text=text)
            entry.drop_work()
            return self._make(entry, stop, notify)

    def _make(self, entry: Entry, stop: StopFlag, notify: Listener) -> Pretrained:
        started = time.perf_counter()
        with borrowing():
            torch.manual_seed(self.options.seed)
            # The recipe that asks for pretraining has checked the architecture.
            encoder = load_encoder(self.source.folder, first_token_only=False, untested=True)
            check_agreement(encoder, self.tokenizer, self.source.name, pairs=False)
            head, own = load_head(self.source.folder, encoder)
        train, held_out = self._texts(min(self.options.max_length, encoder.max_length))
        if not own:
            head.start_from(train.token_counts(len(head.bias)))
        model = MaskedModel(encoder, head).to(torch.device(self.device))
        self._report(train, own, notify)
        phases = [self._phase(name, entry, model, train, held_out, stop, notify) for name in ("head", "encoder")]
        first, main = phases
        head_evaluations: list[dict[str, Any]] = []
        if not own:
            model.encoder.requires_grad_(False)
            head_evaluations = first.run().evaluations
        model.train_all()
        progress = main.run(_measured(head_evaluations[-1]) if head_evaluations else None)
        summary = {
            "key": entry.key,
            "encoder": {"name": self.source.name, "revision": self.source.revision, "sha256": self.source.sha256},
            "head": "checkpoint" if own else "new",
            "options": self.options.model_dump(),
            "threads": self.threads,
            "device": self.device,
            "precision": self.precision,
            "corpus": self._counts(train, held_out),
            "before": _measured(progress.evaluations[0]),
            "after": _measured(progress.evaluations[-1]),
            "head_evaluations": head_evaluations,
            "evaluations": progress.evaluations,
            "steps": progress.step,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
            "seconds_of_last_start": round(time.perf_counter() - started, 3),
        }
        content = _write_pretrained(entry.folder, model, self.tokenizer, summary, [phase.log for phase in phases])
        entry.drop_work()
        return Pretrained(entry.key, entry.folder, content)

    def _texts(self, max_length: int) -> tuple[MaskedTexts, MaskedTexts]:
        corpus, options, tokenizer = self.corpus, self.options, self.tokenizer
        if tokenizer.mask_id is None:
            raise EncoderError("the tokenizer has no mask token", where=str(self.source.folder), found="mask_token")
        distinct = list(dict.fromkeys([*corpus.train, *corpus.held_out]))
        store, index = tokenise([*distinct, *corpus.train, *corpus.held_out], tokenizer, None)
        words = word_numbers(store, distinct, tokenizer, whole=options.masking == "whole_word")
        masker = Masker(
            mask_id=tokenizer.mask_id,
            ordinary=np.setdiff1d(np.arange(tokenizer.vocab_size), np.array(sorted(tokenizer.special_ids))),
            share=options.mask_share,
            replaced=options.replace_share,
            random=options.random_share,
        )
        middle = len(distinct) + len(corpus.train)
        train, held_out = (
            MaskedTexts(
                store,
                words,
                texts,
                template=tokenizer.template,
                max_length=max_length,
                masker=masker,
                seed=options.seed,
            )
            for texts in (index[len(distinct) : middle], index[middle:])
        )
        if not len(train) or not len(held_out):
            hint = "use an encoder whose tokenizer fits the language of the texts"
            raise DataError("no text has a token that can be masked", where="pretraining", hint=hint)
        return train, held_out

    def _phase(
        self,
        name: str,
        entry: Entry,
        model: MaskedModel,
        train: MaskedTexts,
        held_out: MaskedTexts,
        stop: StopFlag,
        notify: Listener,
    ) -> Phase:
        return Phase(
            name=name,
            folder=entry.work / name,
            model=model,
            train=train,
            held_out=held_out,
            options=self.options,
            device=torch.device(self.device),
            precision=self.precision,
            notify=notify,
            stop=stop,
        )

    def _report(self, train: MaskedTexts, own: bool, notify: Listener) -> None:
        counts = self.corpus.counts
        excluded = [(counts.duplicates, "duplicates"), (counts.short, "short"), (counts.in_dev, "in a dev file")]
        excluded += [(counts.in_test, "in a test file"), (train.empty, "without words")]
        reasons = ", ".join(f"{count:,} {what}" for count, what in excluded if count) or "none"
        notify("note", text=f"pretraining on {len(train):,} of {counts.texts:,} texts (excluded: {reasons})")
        if not own:
            text = "the checkpoint has no head for masked language modelling, so a new one is trained first"
            notify("note", text=text)

    def _counts(self, train: MaskedTexts, held_out: MaskedTexts) -> dict[str, dict[str, int]]:
        report = {}
        for name, counts, texts in (
            ("train", self.corpus.counts, train),
            ("held_out", self.corpus.held_out_counts, held_out),
        ):
            report[name] = {**counts.as_dict(), "empty": texts.empty, "kept": len(texts), "cut": texts.cut}
        return report


def _measured(evaluation: dict[str, Any]) -> dict[str, float]:
    return {name: evaluation[name] for name in ("loss", "perplexity")}


def texts_of(columns: Sequence[Sequence[str]]) -> list[str]:
    """Return the texts of several columns, one column after another."""
    return [text for column in columns for text in column]


def _write_pretrained(
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
