"""The texts of pretraining: which are used and why others are not, and tokenised texts as masked batches.

Each batch is a pure function of its number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import generator, shuffled
from manyheads.data.by_length import batches_by_length
from manyheads.data.dataset import assemble_texts
from manyheads.data.reading import BadRow
from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.paths import check_readable, find_files
from manyheads.data.reading.plain import EMPTY_LINE, PlainLines
from manyheads.data.reading.rows import Source
from manyheads.data.reading.several import Several
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template
from manyheads.errors import DataError
from manyheads.pretraining.mask import NO_WORD, MaskedBatch, Masker

ORDER, MASKS, HELD_OUT = 0, 1, 2
"""The keys of shuffles, masks and held-out masks in the stream of random numbers."""


class MaskedTexts:
    """Some texts of a store. `words`: the word of each token, in the shape of the store. `texts`: int64[n]."""

    def __init__(
        self,
        store: TextStore,
        words: TextStore,
        texts: NDArray[np.int64],
        *,
        template: Template,
        max_length: int,
        masker: Masker,
        seed: int,
    ) -> None:
        self._store, self._words, self._template = store, words, template
        self._blank = Template(_blank(template.single), template.pair)
        self._max_length, self._masker, self._seed = max_length, masker, seed
        room = max_length - template.single.specials
        maskable = np.array([bool((words[text][:room] != NO_WORD).any()) for text in texts], dtype=bool)
        self.texts = texts[maskable]
        self.empty = int((~maskable).sum())
        self.cut = int((store.lengths[self.texts] > room).sum())
        self._order = lru_cache(maxsize=1)(self._shuffle)

    def __len__(self) -> int:
        return len(self.texts)

    def token_counts(self, vocabulary: int) -> NDArray[np.int64]:
        """Count each id in the texts at places that can be masked: int64[vocabulary]."""
        counts = np.zeros(vocabulary, dtype=np.int64)
        for text in self.texts:
            ids = self._store[text]
            np.add.at(counts, ids[self._words[text] != NO_WORD], 1)
        return counts

    def batches_per_epoch(self, batch_size: int) -> int:
        """Return the number of batches per epoch, including a short last one."""
        return math.ceil(len(self) / batch_size)

    def batch(self, k: int, *, batch_size: int, phase: int) -> MaskedBatch:
        """Return batch k of a phase. Every epoch has a new order of the texts, and every batch new masks."""
        epoch, position = divmod(k, self.batches_per_epoch(batch_size))
        picks = self._order(phase, epoch)[position * batch_size : (position + 1) * batch_size]
        return self._masked(self.texts[picks], generator(self._seed, MASKS, phase, k))

    def fixed(self) -> Iterator[MaskedBatch]:
        """Yield all texts once, by length, with fixed masks, for measuring on held-out texts."""
        room = self._max_length - self._template.single.specials
        sizes = np.minimum(self._store.lengths[self.texts], room) + self._template.single.specials
        for number, picks in enumerate(batches_by_length(sizes)):
            yield self._masked(self.texts[picks], generator(self._seed, HELD_OUT, number))

    def _masked(self, texts: NDArray[np.int64], draws: np.random.Generator) -> MaskedBatch:
        batch = assemble_texts(self._store, self._template, self._max_length, texts)
        words = assemble_texts(self._words, self._blank, self._max_length, texts).token_ids
        return self._masker(batch, words, draws)

    def _shuffle(self, phase: int, epoch: int) -> NDArray[np.int64]:
        return shuffled(len(self), self._seed, ORDER, phase, epoch)


def _blank(form: Form) -> Form:
    """Return the form with "no word" at the places of its special tokens."""
    special = tuple(tuple(NO_WORD for _ in tokens) for tokens in form.special)
    return Form(special, form.special_segments, form.text_segments)


ENDINGS = (".txt",)
"""The ending of the files that are read in a folder. It may be followed by the ending of a compression."""


def pretraining_texts(folder: Path, name: str) -> list[str]:
    """Return the texts of a file, a folder or a pattern, which is relative to `folder` or absolute.

    Empty lines, which separate paragraphs, are left out.

    Raises:
        DataError: There is no such file, or a line cannot be read.
    """
    texts = []
    for row in _open(folder, name).rows():
        if isinstance(row, BadRow):
            if row.reason == EMPTY_LINE:
                continue
            raise DataError("a line cannot be read", where=f"{row.source}:{row.line}", found=row.reason)
        texts.append(str(row.values["text"]))
    return texts


def pretraining_fingerprint(folder: Path, name: str) -> str:
    """Return the SHA-256 of a file of texts for pretraining, or of the fingerprints of several files in order.

    Raises:
        DataError: There is no such file.
    """
    return _open(folder, name).fingerprint()


def _open(folder: Path, name: str) -> Source:
    """Open the file or files that one entry of `pretraining.files` names."""
    if name.startswith(PREFIX):
        hint = "write the texts of the data set to a file, one per line"
        raise DataError("a data set on the hub cannot be named here", where="pretraining.files", found=name, hint=hint)
    paths = find_files(name, folder, ENDINGS)
    for path in paths:
        check_readable(path)
    sources: list[Source] = [PlainLines(path, ("text",)) for path in paths]
    return sources[0] if len(sources) == 1 else Several(sources)


@dataclass
class Counts:
    """Counts of texts. Each text is `kept` or excluded for one of the other reasons, which are checked in this order.

    `short`: shorter than the minimum number of characters. `in_dev`, `in_test`: also in a dev or test file.
    `duplicates`: seen before (always counted, but excluded only if duplicates are removed). `empty`: without a token
    that can be masked.
    """

    texts: int = 0
    short: int = 0
    in_dev: int = 0
    in_test: int = 0
    duplicates: int = 0
    empty: int = 0
    kept: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class Corpus:
    """Texts for pretraining. `train`: training texts. `held_out`: the dev texts without duplicates. Counts of both."""

    train: list[str]
    held_out: list[str]
    counts: Counts
    held_out_counts: Counts


def build_corpus(
    train: Iterable[str], dev: Iterable[str], test: Iterable[str], *, min_characters: int, deduplicate: bool
) -> Corpus:
    """Divide texts into training and held-out texts, and count excluded ones. Case and spacing are ignored.

    Raises:
        DataError: no training text or no dev text is left.
    """
    dev = list(dev)
    dev_keys, test_keys = set(map(same, dev)), set(map(same, test))
    counts, held_out_counts = Counts(), Counts()
    training = _select(train, counts, min_characters, deduplicate, dev_keys, test_keys)
    held_out = _select(dev, held_out_counts, min_characters, True, (), ())
    for texts, which in ((training, "training"), (held_out, "dev")):
        if not texts:
            hint = "lower pretraining.min_characters, or remove [pretraining]"
            raise DataError(f"no {which} text is left for pretraining", where="pretraining", hint=hint)
    return Corpus(training, held_out, counts, held_out_counts)


def same(text: str) -> str:
    """Return a key that is equal for texts that differ only in case and spacing."""
    return " ".join(text.split()).casefold()


def _select(
    texts: Iterable[str],
    counts: Counts,
    min_characters: int,
    deduplicate: bool,
    dev: Collection[str],
    test: Collection[str],
) -> list[str]:
    kept, seen = [], set[str]()
    for text in texts:
        key = same(text)
        counts.texts += 1
        if len(key) < min_characters or not key:
            counts.short += 1
        elif key in dev:
            counts.in_dev += 1
        elif key in test:
            counts.in_test += 1
        elif key in seen:
            counts.duplicates += 1
            if not deduplicate:
                kept.append(text)
        else:
            seen.add(key)
            kept.append(text)
    counts.kept = len(kept)
    return kept
