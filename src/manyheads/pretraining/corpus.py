"""The texts for training, the held-out texts, and how many texts were excluded for which reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from manyheads.errors import DataError


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
