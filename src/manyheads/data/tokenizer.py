"""Tokenizer: texts to token ids without special tokens, and the template that says where special tokens go."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece

from manyheads.errors import EncoderError

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")
"""What a tokenizer consists of on the hub; whichever of them stand there are shipped with a bundle."""

CHUNK = 4096
"""Texts encoded at a time, which bounds the memory of the encodings."""


@dataclass(frozen=True)
class Form:
    """One form of sequence: special tokens around and between texts.

    `special`: for one text (before, after), for two (before, between, after), each a tuple of token ids;
    `special_segments`: their segment ids; `text_segments`: the segment id of each text.
    """

    special: tuple[tuple[int, ...], ...]
    special_segments: tuple[tuple[int, ...], ...]
    text_segments: tuple[int, ...]

    @property
    def specials(self) -> int:
        """How many special tokens a sequence of this form has."""
        return sum(len(tokens) for tokens in self.special)


@dataclass(frozen=True)
class Template:
    """How a sequence is made of one text (`single`) or of two (`pair`): `[CLS] a [SEP]`, `[CLS] a [SEP] b [SEP]`."""

    single: Form
    pair: Form


class Tokenizer:
    """A tokenizer of the tokenizers library, read from a folder in the hub's layout."""

    def __init__(self, folder: Path, fast: FastTokenizer) -> None:
        fast.no_truncation()
        fast.no_padding()
        self._folder = folder
        self._fast = fast
        self.fingerprint = hashlib.sha256(fast.to_str().encode()).hexdigest()
        self.vocab_size: int = fast.get_vocab_size(with_added_tokens=True)
        self.template = Template(single=_probe(fast.encode("a")), pair=_probe(fast.encode("a", "a")))
        if (len(self.template.single.text_segments), len(self.template.pair.text_segments)) != (1, 2):
            found = "'a' and ('a', 'a') do not come out as one text and as two"
            raise EncoderError("the tokenizer's sequences cannot be understood", where=str(folder), found=found)
        names = _special_names(folder)
        self.pad_id = self._id(names.get("pad_token"), ("[PAD]", "<pad>"))
        self.mask_id = self._id(names.get("mask_token"), ("[MASK]", "<mask>"))
        added = fast.get_added_tokens_decoder()
        self.special_ids = frozenset(number for number, token in added.items() if token.special)

    @classmethod
    def load(cls, folder: Path) -> Tokenizer:
        """Read the tokenizer in `folder`.

        Raises:
            EncoderError: there is no tokenizer.json, or it cannot be read.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            hint = "save it with transformers' AutoTokenizer (a fast tokenizer writes tokenizer.json)"
            raise EncoderError("the encoder's folder has no tokenizer.json", where=str(folder), hint=hint)
        try:
            fast = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises Exception itself
            raise EncoderError("the tokenizer cannot be read", where=str(path), found=str(error)) from error
        return cls(folder, fast)

    def encode(self, texts: Sequence[str]) -> Iterator[NDArray[np.int32]]:
        """Token ids of each text, without special tokens: int32 arrays, in order."""
        for start in range(0, len(texts), CHUNK):
            for encoding in self._fast.encode_batch_fast(list(texts[start : start + CHUNK]), add_special_tokens=False):
                yield np.array(encoding.ids, dtype=np.int32)

    def encode_flat(self, texts: Iterable[str]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """The same, some texts at a time: their token ids one after another, and how many each has (int64)."""
        remaining = iter(texts)
        while some := list(islice(remaining, CHUNK)):
            encoded = [each.ids for each in self._fast.encode_batch_fast(some, add_special_tokens=False)]
            lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
            yield np.fromiter(chain.from_iterable(encoded), dtype=np.int32, count=int(lengths.sum())), lengths

    def words(self, texts: Sequence[str]) -> Iterator[NDArray[np.int64]]:
        """For each token of each text the number of its word within the text, as the tokenizer itself splits it."""
        for start in range(0, len(texts), CHUNK):
            for encoding in self._fast.encode_batch(list(texts[start : start + CHUNK]), add_special_tokens=False):
                yield np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)

    @property
    def pieces(self) -> list[str]:
        """The vocabulary: the piece of every id, "" where an id has none."""
        vocabulary = self._fast.get_vocab(with_added_tokens=True)
        pieces = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            pieces[number] = piece
        return pieces

    @property
    def continuation(self) -> str | None:
        """How a piece begins that goes on with a word, in a WordPiece vocabulary ("##"); None in any other."""
        prefix = getattr(self._fast.model, "continuing_subword_prefix", None)
        return prefix if isinstance(prefix, str) and prefix and isinstance(self._fast.model, WordPiece) else None

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, special tokens left out."""
        return str(self._fast.decode(list(token_ids)))

    def save(self, folder: Path) -> None:
        """Copy the tokenizer's files, as they were read, into a folder."""
        for name in FILES:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, folder / name)

    def _id(self, named: str | None, usual: tuple[str, ...]) -> int | None:
        for name in (named, *usual):
            found = None if name is None else self._fast.token_to_id(name)
            if found is not None:
                return int(found)
        return None


def _probe(encoding: Encoding) -> Form:
    """Read a form off the encoding of one-word texts: runs of special tokens, runs of text between them."""
    special: list[list[int]] = [[]]
    segments: list[list[int]] = [[]]
    texts: list[int] = []
    previous: int | None = None
    for token, segment, is_special, sequence in zip(
        encoding.ids, encoding.type_ids, encoding.special_tokens_mask, encoding.sequence_ids, strict=True
    ):
        if is_special:
            special[-1].append(token)
            segments[-1].append(segment)
        elif sequence != previous:
            previous = sequence
            texts.append(segment)
            special.append([])
            segments.append([])
    return Form(tuple(map(tuple, special)), tuple(map(tuple, segments)), tuple(texts))


def _special_names(folder: Path) -> dict[str, str]:
    """The names of special tokens as the tokenizer's configuration gives them (a text, or a table with `content`)."""
    names: dict[str, str] = {}
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        path = folder / file
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise EncoderError("the tokenizer cannot be read", where=str(path), found=str(error)) from error
        for key in ("pad_token", "mask_token"):
            value = content.get(key)
            value = value.get("content") if isinstance(value, dict) else value
            if isinstance(value, str):
                names[key] = value
    return names
