"""Shared fixtures: a tiny BERT encoder, a small recipe on the demo corpus, and a trained run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.forked.start import ForkServer, made_once, shared_folder
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

import manyheads
import manyheads.demo
from manyheads.model.encoder import quiet

CORPUS = Path(manyheads.demo.__file__).parent / "corpus"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

RECIPE = """
encoder = "{encoder}"
threads = 1
data_dir = "{corpus}"

[tasks.sentiment]
kind = "classification"
train = "sentiment-train.tsv"
dev = "sentiment-dev.tsv"
text = "sentence"
label = "sentiment"
labels = [0, 1, 2, 3, 4]

[tasks.paraphrase]
kind = "classification"
train = "paraphrase-train.tsv"
dev = "paraphrase-dev.tsv"
text = ["sentence1", "sentence2"]
label = "is_paraphrase"
labels = [0, 1]

[tasks.similarity]
kind = "regression"
train = "similarity-train.tsv"
dev = "similarity-dev.tsv"
test = "similarity-dev.tsv"
text = ["sentence1", "sentence2"]
pair = "bi"
label = "similarity"
range = [0, 5]

[batching]
batch_size = 16

[training]
epochs = 1
max_steps = 24
evaluate_every = 12
learning_rate = 1e-3
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-golden", action="store_true", help="write the golden losses instead of comparing them")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a temporary cache instead of the user's, also in subprocesses."""
    os.environ["MANYHEADS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """The fork server, which runs commands without importing torch again. `forked.bin` has `manyheads` and `python`."""
    folder = shared_folder(tmp_path_factory.getbasetemp()) / "forked"
    found = ForkServer(folder)
    with made_once(folder) as first:
        if first:
            found.start({**os.environ, "OMP_NUM_THREADS": "1"})
        lease = found.lease()
    yield found
    lease.close()


@pytest.fixture
def forked_commands(forked: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fork server run the commands that a test, or the program, starts with `sys.executable`."""
    monkeypatch.setattr(sys, "executable", str(forked.bin / "python"))
    for name, value in forked.variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder folder: 2 layers of width 32, random weights, a pooler, the words of the demo corpus."""
    folder = tmp_path_factory.mktemp("tiny-encoder")
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


@pytest.fixture(scope="session")
def tiny_recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of three tasks (one text, a cross-encoded pair, a bi-encoded pair), 24 steps and two evaluations."""
    file = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    file.write_text(RECIPE.format(encoder=tiny_encoder, corpus=CORPUS))
    return file


@pytest.fixture(scope="session")
def trained(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    """A finished run of the tiny recipe. Tests must not change it."""
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("runs") / "trained")
