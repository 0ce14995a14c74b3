"""Tokenizer: texts to token ids without special tokens, and the template with the positions of special tokens."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordPiece
from tokenizers.processors import Sequence as Processors
from tokenizers.processors import TemplateProcessing

from manyheads.errors import EncoderError

FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt")
"""The files of a tokenizer on the hub. A bundle contains those that exist."""

USUAL = {
    "pad_token": ("[PAD]", "<pad>"),
    "mask_token": ("[MASK]", "<mask>"),
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "unk_token": ("[UNK]", "<unk>"),
}
"""The special tokens of a tokenizer that does not name its own."""

SPECIAL = (*USUAL, "bos_token", "eos_token")
"""The keys with which the files of a tokenizer name its special tokens."""

CHUNK = 4096
"""Texts that are encoded at once. This limits the memory of the encodings."""


@dataclass(frozen=True)
class Form:
    """One form of sequence: the special tokens around and between its texts.

    `special`: tuples of token ids, (before, after) for one text and (before, between, after) for two texts.
    `special_segments`: their segment ids. `text_segments`: the segment id of each text.
    """

    special: tuple[tuple[int, ...], ...]
    special_segments: tuple[tuple[int, ...], ...]
    text_segments: tuple[int, ...]

    @property
    def specials(self) -> int:
        """The number of special tokens in a sequence of this form."""
        return sum(len(tokens) for tokens in self.special)


@dataclass(frozen=True)
class Template:
    """The forms of a sequence of one text (`single`) and two texts (`pair`), as `[CLS] a [SEP] b [SEP]`."""

    single: Form
    pair: Form


class Tokenizer:
    """A tokenizer of the tokenizers library, loaded from a folder in the layout of the hub."""

    def __init__(self, folder: Path, fast: FastTokenizer, *, complete: bool = False) -> None:
        fast.no_truncation()
        fast.no_padding()
        self._folder = folder
        self._fast = fast
        self._settings = _settings(folder)
        self._names = _special_names(self._settings)
        self.completed = complete and not _probe(fast.encode("a")).specials
        if self.completed:
            self._add_special_tokens()
        self.fingerprint = hashlib.sha256(fast.to_str().encode()).hexdigest()
        self.vocab_size: int = fast.get_vocab_size(with_added_tokens=True)
        self.template = Template(single=_probe(fast.encode("a")), pair=_probe(fast.encode("a", "a")))
        if (len(self.template.single.text_segments), len(self.template.pair.text_segments)) != (1, 2):
            found = "the encodings of 'a' and ('a', 'a') do not have one and two texts"
            hint = "use an encoder whose tokenizer puts each text of a pair into the sequence once"
            what = "the form of the tokenizer's sequences is not supported"
            raise EncoderError(what, where=str(folder), found=found, hint=hint)
        self.pad_id, self.mask_id = self._id("pad_token"), self._id("mask_token")
        self.unknown_id = self._id("unk_token")
        added = fast.get_added_tokens_decoder()
        self.special_ids = frozenset(number for number, token in added.items() if token.special)

    @classmethod
    def load(cls, folder: Path, *, complete: bool = False) -> Tokenizer:
        """Load the tokenizer in `folder`.

        `complete`: if it adds no special tokens to a text, add those that its configuration names, as transformers
        does. `save` then writes the completed tokenizer.

        Raises:
            EncoderError: tokenizer.json is missing or cannot be read, or there are no special tokens to add.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            hint = "load the tokenizer with transformers' AutoTokenizer and save it to this folder with save_pretrained"
            raise EncoderError("the encoder's folder has no tokenizer.json", where=str(folder), hint=hint)
        try:
            fast = FastTokenizer.from_file(str(path))
        except Exception as error:  # the library raises Exception itself
            hint = "the file may be damaged: download or save the tokenizer again"
            raise EncoderError("the tokenizer cannot be read", where=str(path), found=str(error), hint=hint) from error
        return cls(folder, fast, complete=complete)

    def encode(self, texts: Sequence[str]) -> Iterator[NDArray[np.int32]]:
        """Yield the token ids of each text, without special tokens: int32 arrays, in order."""
        for start in range(0, len(texts), CHUNK):
            for encoding in self._encode(texts[start : start + CHUNK]):
                yield np.array(encoding.ids, dtype=np.int32)

    def encode_flat(self, texts: Iterable[str]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Yield the token ids of several texts at once, one text after another, and their numbers of tokens (int64)."""
        remaining = iter(texts)
        while some := list(islice(remaining, CHUNK)):
            encoded = [each.ids for each in self._encode(some)]
            lengths = np.array([len(ids) for ids in encoded], dtype=np.int64)
            yield np.fromiter(chain.from_iterable(encoded), dtype=np.int32, count=int(lengths.sum())), lengths

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the encodings of texts without special tokens.

        Raises:
            EncoderError: the tokenizer panics, for example because an expression of its normaliser is too slow.
        """
        try:
            encodings: list[Encoding] = self._fast.encode_batch_fast(list(texts), add_special_tokens=False)
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # the class of panics in Rust cannot be imported
                raise
            hint = "shorten the text, or use an encoder with another tokenizer"
            raise EncoderError("the tokenizer fails on a text", where=str(self._folder), hint=hint) from error
        return encodings

    def first_tokens(self, texts: Iterable[str], words: Iterable[NDArray[np.int64]]) -> Iterator[NDArray[np.int32]]:
        """Yield for each text the first token of each of its words, -1 for a word without tokens: int32[w].

        `words`: int64[w, 2], the first character of each word and the one after it. The tokens are those of `encode`.
        A word has no tokens if the tokenizer removes all its characters, such as control characters.
        """
        pairs = zip(texts, words, strict=True)
        while some := list(islice(pairs, CHUNK)):
            encodings = self._fast.encode_batch([str(text) for text, _ in some], add_special_tokens=False)
            for encoding, (_, places) in zip(encodings, some, strict=True):
                tokens = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
                found = np.searchsorted(tokens[:, 1], places[:, 0], side="right")
                starts = np.append(tokens[:, 0], np.iinfo(np.int64).max)[found]
                yield np.where(starts < places[:, 1], found, -1).astype(np.int32)

    def words(self, texts: Sequence[str]) -> Iterator[NDArray[np.int64]]:
        """Yield for each text the word number of each token, as the tokenizer splits the text. -1: not in a word."""
        for start in range(0, len(texts), CHUNK):
            for encoding in self._fast.encode_batch(list(texts[start : start + CHUNK]), add_special_tokens=False):
                yield np.array([-1 if word is None else word for word in encoding.word_ids], dtype=np.int64)

    @property
    def special_names(self) -> dict[str, str]:
        """The special tokens by their role ("pad_token"): those that the files name, and those in use."""
        pieces, special = self.pieces, self.template.single.special
        used = {
            "cls_token": special[0][0] if special[0] else None,
            "sep_token": special[-1][-1] if special[-1] else None,
            "pad_token": self.pad_id,
            "mask_token": self.mask_id,
        }
        found = {role: pieces[number] for role, number in used.items() if number is not None}
        unknown = getattr(self._fast.model, "unk_token", None)
        if isinstance(unknown, str):
            found["unk_token"] = unknown
        named = {role: name for role, name in self._names.items() if self._fast.token_to_id(name) is not None}
        return {**found, **named}

    @property
    def pieces(self) -> list[str]:
        """The vocabulary: the piece of every id, "" if an id has none."""
        vocabulary = self._fast.get_vocab(with_added_tokens=True)
        pieces = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            pieces[number] = piece
        return pieces

    @property
    def continuation(self) -> str | None:
        """The prefix of pieces that continue a word ("##") in a WordPiece vocabulary, None in any other."""
        prefix = getattr(self._fast.model, "continuing_subword_prefix", None)
        return prefix if isinstance(prefix, str) and prefix and isinstance(self._fast.model, WordPiece) else None

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of token ids, without special tokens."""
        return str(self._fast.decode(list(token_ids)))

    def spelled(self, form: Form) -> str:
        """Return a form with its special tokens spelled out: "[CLS] text [SEP]"."""
        parts = [[str(self._fast.id_to_token(number)) for number in ids] for ids in form.special]
        return " ".join([word for part in parts[:-1] for word in (*part, "text")] + parts[-1])

    def save(self, folder: Path) -> None:
        """Copy the tokenizer's original files into a folder. A completed tokenizer is written with what was added."""
        for name in FILES:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, folder / name)
        if self.completed:
            self._fast.save(str(folder / "tokenizer.json"))

    @property
    def highest_id(self) -> int:
        """The highest id of its vocabulary and of the special tokens that it adds."""
        added = (
            number for form in (self.template.single, self.template.pair) for ids in form.special for number in ids
        )
        return max([*self._fast.get_vocab(with_added_tokens=True).values(), *added])

    @property
    def contradiction(self) -> str | None:
        """What the tokenizer's files say differently from one another, or None."""
        wanted = self._settings.get("do_lower_case")
        lowers = self._fast.normalizer is not None and self._fast.normalizer.normalize_str("A") == "a"
        if isinstance(wanted, bool) and wanted != lowers:
            does = "lowercases texts" if lowers else "does not lowercase texts"
            return f"do_lower_case is {str(wanted).lower()} in tokenizer_config.json, and tokenizer.json {does}"
        for token, number in _added_by(json.loads(self._fast.to_str()).get("post_processor")):
            own = self._fast.token_to_id(token)
            if own is not None and own != number:
                return f"the post-processor adds {token} as id {number}, and the vocabulary has it as id {own}"
        return None

    def _add_special_tokens(self) -> None:
        """Add the first and the separating token around texts: as in BERT, or as in RoBERTa if they are <s> and </s>.

        Raises:
            EncoderError: the vocabulary does not have them.
        """
        (first, first_id), (end, end_id) = self._named("cls_token"), self._named("sep_token")
        if first_id is None or end_id is None:
            raise EncoderError(
                "the tokenizer adds no special tokens to a text, and its vocabulary has none that could be added",
                where=str(self._folder),
                found="no post-processor in tokenizer.json",
                allowed="cls_token and sep_token in tokenizer_config.json",
                hint="save the tokenizer again with transformers' save_pretrained",
            )
        pair = f"{first} $A {end} {end} $B {end}" if first == "<s>" else f"{first} $A {end} $B:1 {end}:1"
        form = TemplateProcessing(
            single=f"{first} $A {end}", pair=pair, special_tokens=[(first, first_id), (end, end_id)]
        )
        before = self._fast.post_processor
        self._fast.post_processor = form if before is None else Processors([before, form])

    def _id(self, key: str) -> int | None:
        return self._named(key)[1]

    def _named(self, key: str) -> tuple[str, int | None]:
        """Return a special token and its id: the one that the configuration names, or the usual one."""
        named = self._names.get(key)
        for name in (*(() if named is None else (named,)), *USUAL[key]):
            number = self._fast.token_to_id(name)
            if number is not None:
                return name, int(number)
        return str(named), None


def _probe(encoding: Encoding) -> Form:
    """Derive the form of a sequence from the encoding of one-word texts."""
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


def _settings(folder: Path) -> dict[str, Any]:
    """Return the content of the tokenizer's configuration. The special tokens of the older file are added."""
    settings: dict[str, Any] = {}
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        path = folder / file
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except (ValueError, RecursionError) as error:
            hint = "the file may be damaged: download or save the tokenizer again"
            raise EncoderError("the tokenizer cannot be read", where=str(path), found=str(error), hint=hint) from error
        if not isinstance(content, dict):
            raise EncoderError("the tokenizer cannot be read", where=str(path), found="JSON that is not an object")
        wanted = content if file == "tokenizer_config.json" else [key for key in SPECIAL if key in content]
        settings.update({key: content[key] for key in wanted})
    return settings


def _special_names(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens that the configuration names, by their keys."""
    values = {key: settings[key] for key in SPECIAL if key in settings}
    names = {key: value.get("content") if isinstance(value, dict) else value for key, value in values.items()}
    return {key: name for key, name in names.items() if isinstance(name, str)}


def _added_by(processor: Any) -> Iterator[tuple[str, int]]:
    """Yield the special tokens that a post-processor of tokenizer.json adds, with their ids."""
    if not isinstance(processor, dict):
        return
    for part in processor.get("processors") or ():
        yield from _added_by(part)
    for key in ("cls", "sep"):
        if isinstance(processor.get(key), list):
            token, number = processor[key]
            yield token, number
    for special in (processor.get("special_tokens") or {}).values():
        yield from zip(special["tokens"], special["ids"], strict=True)
