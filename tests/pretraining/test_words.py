"""Words of each kind of tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer as Fast
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from manyheads.data.texts import tokenise
from manyheads.data.tokenizer import Tokenizer
from manyheads.pretraining.texts import NO_WORD, word_numbers

SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = ["unbelievable things happen", "happen things", "unbelievable"]


def wordpiece() -> Fast:
    pieces = ["un", "##believ", "##able", "thing", "##s", "happen"]
    fast = Fast(models.WordPiece({piece: n for n, piece in enumerate([*SPECIAL, *pieces])}, unk_token="[UNK]"))
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return fast


def byte_level() -> Fast:
    fast = Fast(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    fast.train_from_iterator(["thing"], trainers.BpeTrainer(initial_alphabet=alphabet, vocab_size=258))
    return fast


def metaspace() -> Fast:
    vocabulary = [
        ("<unk>", 0.0),
        *((piece, -2.0) for piece in ["▁", *"abcdefghijklmnopqrstuvwxyz", "▁un", "▁th", "▁hap"]),
    ]
    fast = Fast(models.Unigram(vocabulary, unk_id=0))
    fast.pre_tokenizer = pre_tokenizers.Metaspace()
    return fast


def unmarked() -> Fast:
    """A vocabulary without marks: only the tokenizer knows its words."""
    fast = Fast(models.BPE({letter: n for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}, []))
    fast.pre_tokenizer = pre_tokenizers.Whitespace()
    return fast


def load(fast: Fast, folder: Path) -> Tokenizer:
    fast.add_special_tokens(SPECIAL)
    ends = [(name, fast.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    fast.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    fast.save(str(folder / "tokenizer.json"))
    return Tokenizer.load(folder)


@pytest.mark.parametrize("make", [wordpiece, byte_level, metaspace, unmarked])
def test_words_are_separated_by_spaces(make: object, tmp_path: Path) -> None:
    tokenizer = load(make(), tmp_path)  # type: ignore[operator]
    store, _ = tokenise(TEXTS, tokenizer, None)
    words = word_numbers(store, TEXTS, tokenizer, whole=True)
    counts = [len(np.unique(words[text])) for text in range(len(TEXTS))]
    assert counts == [3, 2, 1]
    assert (np.diff(words.token_ids) >= 0).all()
    single = word_numbers(store, TEXTS, tokenizer, whole=False)
    assert len(np.unique(single.token_ids)) == len(store.token_ids) > 6


def test_unknown_tokens_are_never_masked(tmp_path: Path) -> None:
    tokenizer = load(wordpiece(), tmp_path)
    texts = ["things zzz happen"]
    store, _ = tokenise(texts, tokenizer, None)
    words = word_numbers(store, texts, tokenizer, whole=True)[0]
    assert [word == NO_WORD for word in words] == [False, False, True, False]
    assert words[0] == words[1]
