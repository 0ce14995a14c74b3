"""The texts of pretraining: which are used and why others are not, and tokenised texts as masked batches.

A mask decides which tokens the model must predict, what replaces them, and which tokens form a word. Each batch is a
pure function of its number.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch, batches_by_length
from manyheads.data.batching.shuffle import generator, shuffled
from manyheads.data.dataset import assemble_texts
from manyheads.data.reading import BadRow
from manyheads.data.reading.combined import Several
from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.paths import check_readable, find_files
from manyheads.data.reading.plain import EMPTY_LINE, PlainLines
from manyheads.data.reading.rows import Source
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template, Tokenizer
from manyheads.errors import DataError

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


Ints = NDArray[np.int64]

NAME = "masked"
"""The name of the loss, in place of a task's name."""


@dataclass(frozen=True)
class MaskedBatch:
    """A batch with masked tokens. `targets`: int64[m], the original ids at `positions`: int64[m], ascending."""

    batch: Batch
    positions: Ints
    targets: Ints

    @property
    def tokens(self) -> int:
        """The number of real tokens."""
        return self.batch.tokens

    @property
    def examples(self) -> int:
        """The number of texts."""
        return self.batch.sequences

    @property
    def rows(self) -> int:
        """The number of texts."""
        return self.examples

    @property
    def row_counts(self) -> dict[str, int]:
        """The number of texts, under the name of the loss."""
        return {NAME: self.examples}

    @property
    def label_counts(self) -> dict[str, int]:
        """The number of masked tokens, under the name of the loss."""
        return {NAME: len(self.targets)}


@dataclass(frozen=True)
class Masker:
    """Masks words of a batch.

    A `share` of each sequence's words is chosen, at least one. Of their tokens, a share `replaced` becomes `mask_id`,
    a share `random` becomes one of the `ordinary` ids, and the rest stays.

    Source: Devlin et al., 2019, section 3.1, and their whole-word masking.
    """

    mask_id: int
    ordinary: Ints
    share: float
    replaced: float
    random: float

    def __call__(self, batch: Batch, words: NDArray[np.int32], draws: np.random.Generator) -> MaskedBatch:
        """Mask words. `words`: int32[T]. Neighbours with the same number are one word, and -1 is never masked."""
        positions = np.flatnonzero(_chosen(words, batch.offsets, self.share, draws))
        targets = batch.token_ids[positions].astype(np.int64)
        fate = draws.random(len(positions))
        others = self.ordinary[draws.integers(len(self.ordinary), size=len(positions))]
        shown = np.select([fate < self.replaced, fate < self.replaced + self.random], [self.mask_id, others], targets)
        token_ids = batch.token_ids.copy()
        token_ids[positions] = shown
        return MaskedBatch(replace(batch, token_ids=token_ids), positions, targets)


def _chosen(
    words: NDArray[np.int32], offsets: NDArray[np.int32], share: float, draws: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose words and return which tokens belong to them: bool[T].

    Of w words, share * w are chosen, rounded up or down at random so that the mean is exact, and at least one.
    """
    sequence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    maskable = words != NO_WORD
    first = maskable.copy()
    first[1:] &= (words[1:] != words[:-1]) | (sequence[1:] != sequence[:-1])
    owner = sequence[first]
    counts = np.bincount(owner, minlength=len(offsets) - 1)
    wanted = np.maximum(1, np.floor(share * counts + draws.random(len(counts))).astype(np.int64))
    order = np.lexsort((draws.random(len(owner)), owner))
    rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    taken = np.zeros(len(owner), dtype=bool)
    taken[order] = rank < wanted[owner]
    chosen: NDArray[np.bool_] = maskable & np.append(taken, False)[np.cumsum(first) - 1]
    return chosen


NO_WORD = -1
"""The word number of a token that is never masked: special tokens, including the unknown token."""

STARTS = ("Ġ", "Ċ", "ĉ", "▁")
"""Marks of tokens that begin a word: space, line break or tab in byte-level vocabularies, and SentencePiece's mark."""


def word_numbers(store: TextStore, texts: Sequence[str], tokenizer: Tokenizer, *, whole: bool) -> TextStore:
    """Return the word number of every token, counted over the whole store. It is -1 for tokens that are never masked.

    In a WordPiece vocabulary, tokens with the continuation prefix ("##") continue a word. In byte-level and
    SentencePiece vocabularies, tokens with the space mark begin one. Without such marks, words are those of the
    tokenizer. If not `whole`, every token is a word. The result has the shape of a store and is batched like tokens.
    """
    ids = np.asarray(store.token_ids)
    begins = np.ones(len(ids), dtype=bool)
    if whole:
        marks = _begins(tokenizer)
        begins = _own_words(texts, tokenizer) if marks is None else marks[ids]
        begins[store.offsets[:-1][store.lengths > 0]] = True
    special = np.isin(ids, list(tokenizer.special_ids))
    numbers = np.where(special, NO_WORD, np.cumsum(begins)).astype(np.int32)
    return TextStore(numbers, store.offsets)


def _begins(tokenizer: Tokenizer) -> NDArray[np.bool_] | None:
    """Return for every id whether it begins a word. None if the vocabulary has no marks."""
    pieces = tokenizer.pieces
    if tokenizer.continuation is not None:
        prefix = tokenizer.continuation
        return np.array([not piece.startswith(prefix) for piece in pieces])
    marked = np.array([piece.startswith(STARTS) for piece in pieces])
    return marked if marked.any() else None


def _own_words(texts: Sequence[str], tokenizer: Tokenizer) -> NDArray[np.bool_]:
    begins = [np.diff(words, prepend=-1) != 0 for words in tokenizer.words(texts)]
    return np.concatenate(begins) if begins else np.zeros(0, dtype=bool)
