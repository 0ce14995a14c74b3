"""A tiny BERT encoder for tests."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

import manyheads.demo
from manyheads.model.encoder import quiet

CORPUS = Path(manyheads.demo.__file__).parent / "corpus"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_tiny_encoder(folder: Path) -> Path:
    """Write an encoder into an empty folder: 2 layers of width 32, random weights, a pooler, the corpus's words."""
    words = {word for file in CORPUS.glob("*.tsv") for word in file.read_text().lower().replace("\t", " ").split()}
    pieces = sorted(
        {piece for word in words for piece in BertPreTokenizer().pre_tokenize_str(word) for piece in piece[:1]}
    )
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *pieces])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    torch.manual_seed(0)
    with quiet():
        BertModel(config).save_pretrained(folder)
    return folder
