"""Which texts are learnt from, which are held out, and how many were left out for which reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from manyheads.errors import DataError


@dataclass
class Counts:
    """What became of the texts given: each is `kept`, or left out for one of the other reasons, in their order.

    `short`: under the least number of characters; `in_dev`, `in_test`: stands in a dev or a test file too;
    `duplicates`: stood before (counted, and left out where duplicates are removed); `empty`: without a token that
    could be masked.
    """

    texts: int = 0
    short: int = 0
    in_dev: int = 0
    in_test: int = 0
    duplicates: int = 0
    empty: int = 0
    kept: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class Corpus:
    """`train`: the texts to learn from; `held_out`: the dev texts, each once; what was left out of either."""

    train: list[str]
    held_out: list[str]
    counts: Counts
    held_out_counts: Counts


def build_corpus(
    train: Iterable[str], dev: Iterable[str], test: Iterable[str], *, min_characters: int, deduplicate: bool
) -> Corpus:
    """Sort texts into learnt from, held out, and left out. Case and spacing make no difference between texts.

    Raises:
        DataError: nothing is left to learn from, or nothing to measure on.
    """
    dev = list(dev)
    dev_keys, test_keys = set(map(same, dev)), set(map(same, test))
    counts, held_out_counts = Counts(), Counts()
    learnt = _select(train, counts, min_characters, deduplicate, dev_keys, test_keys)
    held_out = _select(dev, held_out_counts, min_characters, True, (), ())
    for texts, which in ((learnt, "training"), (held_out, "dev")):
        if not texts:
            hint = "lower pretraining.min_characters, or leave out [pretraining]"
            raise DataError(f"no {which} text is left for pretraining", where="pretraining", hint=hint)
    return Corpus(learnt, held_out, counts, held_out_counts)


def same(text: str) -> str:
    """What two texts have in common that count as the same one."""
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
