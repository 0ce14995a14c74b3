"""Training on words: joint streams with holes, windows over long texts, processes, resuming, and the vectors read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.test_distributed import ended, torchrun
from tests.training.test_resume import contents
from tests.training.test_streams import CPU, Setting, interrupted
from tests.training.test_update import assert_same_update
from transformers import BertModel, PreTrainedTokenizerFast

import manyheads
from manyheads.data.dataset import assemble, count_cut
from manyheads.inference.bundle import load_bundle
from manyheads.ragged import Ragged
from manyheads.recipe.build import make_losses
from manyheads.training.distributed import share
from manyheads.training.step import TaskLosses

WORDS = ["the", "a", "of", "and", "good", "bad", "film", "story", "this", "that"]

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.spans]
kind = "words"
train = "train.jsonl"
dev = "dev.jsonl"
text = "words"
label = "tags"

[tasks.mood]
kind = "classification"
train = "train.jsonl"
dev = "dev.jsonl"
text = "words"
label = "mood"

[model]
max_length = 16

[batching]
batch_size = 4

[training]
epochs = 2
learning_rate = 1e-3
"""


def row(number: int, *, holes: bool) -> dict[str, Any]:
    """A row of a few words, or of more than fit into a window."""
    count = 40 if number % 5 == 0 else 2 + number % 7
    words = [WORDS[(number * 3 + place * place) % 10] for place in range(count)]
    things = [word in ("film", "story", "bad") for word in words]
    before = [False, *things[:-1]]
    tags = ["I-x" if own and other else "B-x" if own else "O" for own, other in zip(things, before, strict=True)]
    mood = None if holes and number % 4 == 1 else f"m{number % 3}"
    return {"words": words, "tags": None if holes and number % 4 == 2 else tags, "mood": mood}


def write(folder: Path, encoder: Path, *, rows: int = 20, holes: bool = True) -> Path:
    for name, count, empty in (("train", rows, holes), ("dev", 8, False)):
        lines = [json.dumps(row(number, holes=empty)) for number in range(count)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "recipe.toml").write_text(RECIPE.format(encoder=encoder))
    return folder / "recipe.toml"


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("words"), tiny_encoder)


@pytest.fixture(scope="module")
def run(recipe: Path) -> Path:
    return manyheads.train(recipe, recipe.parent / "run").folder.path


@pytest.fixture(scope="module")
def setting(recipe: Path) -> Setting:
    return Setting(recipe)


def batch_of(setting: Setting, rows: list[int]) -> Any:
    picks = [(setting.stream, np.array(rows))]
    return assemble(setting.prepared.store, setting.tokenizer.template, 16, picks)


def test_a_batch_has_the_windows_of_each_row_once_and_every_word_with_a_tag(setting: Setting) -> None:
    batch = batch_of(setting, [0, 1, 2, 3])
    spans, mood = batch.parts
    assert spans.windows is mood.windows
    assert spans.words is not None
    assert spans.windows is not None
    # Row 0 has 40 words, of which 14 fit into a window. Row 2 has no tags.
    assert spans.windows.lengths.tolist() == [4, 1, 1, 1]
    assert spans.words.lengths.tolist() == [40, 3, 0, 5]
    assert batch.sequences == 7
    assert batch.label_counts == {"spans": 48, "mood": 3}
    ids = setting.tokenizer
    for example, words in zip(spans.examples.tolist(), spans.words, strict=True):
        wanted = row(example, holes=False)["words"]
        at = batch.offsets[words[:, 0]] + words[:, 1]
        found = [ids.pieces[token] for token in batch.token_ids[at]]
        assert all(piece in (word, "[UNK]") for piece, word in zip(found, wanted, strict=bool(found)))
        assert (words[:, 1] > 0).all()


def test_nothing_of_a_text_is_truncated_for_its_words(setting: Setting) -> None:
    train = setting.prepared.train
    counts = [
        count_cut(setting.prepared.store, setting.tokenizer.template, 16, train[task]) for task in ("spans", "mood")
    ]
    assert counts == [0, 4]


def test_losses_of_processes_add_up_to_those_of_the_batch(setting: Setting) -> None:
    losses = TaskLosses(setting.model.eval(), make_losses(setting.recipe, setting.model), device=CPU)
    batch = batch_of(setting, list(range(9)))
    whole, counts = losses(batch), batch.label_counts
    parts = [losses(share(batch, process, 2), counts) for process in range(2)]
    for task, loss in whole.items():
        assert sum(part[task].item() for part in parts if task in part) == pytest.approx(loss.item(), rel=1e-5)
    assert sum(share(batch, process, 2).tokens for process in range(2)) == batch.tokens


def test_an_update_does_not_depend_on_its_batches(tiny_encoder: Path, tmp_path: Path) -> None:
    """With dropout, whose masks belong to the rows, their windows and their words."""
    recipe = write(tmp_path, tiny_encoder, rows=7)
    runs = []
    for size, accumulation in ((7, 1), (2, 4)):
        changes = ["training.epochs=1", f"training.accumulation={accumulation}", f"batching.batch_size={size}"]
        runs.append(manyheads.train(recipe, tmp_path / f"size{size}", changes=changes).folder.path)
    assert_same_update(*runs)


@pytest.mark.usefixtures("forked_commands")
def test_processes_make_the_same_update_and_evaluate_every_word(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, rows=7)
    changes = ["training.epochs=1", "batching.batch_size=7"]
    alone = manyheads.train(recipe, tmp_path / "alone", changes=changes)
    output = ended(process := torchrun(2, recipe, tmp_path / "two", *changes))
    assert process.returncode == 0, output
    assert_same_update(alone.folder.path, tmp_path / "two")
    found = json.loads((tmp_path / "two" / "results.json").read_text())["last"]["tasks"]
    assert found["spans"] == pytest.approx(alone.results["last"]["tasks"]["spans"], abs=1e-6)


def test_a_resumed_run_ends_with_the_same_bytes(recipe: Path, run: Path, tmp_path: Path) -> None:
    interrupted(recipe, tmp_path / "run")
    manyheads.train(recipe, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(run)


def test_the_model_card_says_how_long_texts_are_read(run: Path) -> None:
    assert "they are read in overlapping windows" in (run / "model" / "README.md").read_text()


def test_the_outputs_are_those_of_transformers_for_the_first_token_of_each_word(run: Path) -> None:
    words = ["good", "film-of-the-bad", "the", "(this)", "a"]
    (found,) = manyheads.load(run).predict("spans", [words]).probabilities
    bundle = load_bundle(run / "model")
    encoder = BertModel.from_pretrained(run / "model").eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(run / "model" / "tokenizer.json"))
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    of_words = encoded.word_ids()
    first = [of_words.index(word) for word in range(len(words))]
    assert len(of_words) > len(words) + 2
    with torch.inference_mode():
        inputs = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        states = encoder(**inputs).last_hidden_state[0, first]
        outputs = bundle.model.head("spans").eval()(states)
    decoded = bundle.model.tasks["spans"].kind.decode(Ragged(outputs.numpy(), np.array([0, len(words)])))
    np.testing.assert_allclose(found, decoded.probabilities.values, atol=1e-5)


def test_windows_give_every_word_of_a_long_text_a_tag_in_each_form_of_input(run: Path) -> None:
    model = manyheads.load(run)
    words = row(0, holes=False)["words"] * 3
    as_list, as_text = model.predict("spans", [words]), model.predict("spans", [" ".join(words)])
    assert as_list[0] == as_text[0]
    assert as_list[0].words == words
    assert len(as_list[0].prediction) == len(words)
    (prediction,) = model.stream("spans", [" ".join(words)])
    assert prediction == as_list[0]
    frame = model.predict("spans", [{"words": words}]).frame
    assert list(frame.columns) == ["words", "prediction", "spans"]
    for span in as_list[0].spans or ():
        assert " ".join(words)[span["start"] : span["end"]] == span["text"]
