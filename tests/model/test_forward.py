"""Outputs for a whole split are in the split's order for all batches, and each batch is within its budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import manyheads
from manyheads.data.batch import batches_by_length
from manyheads.data.shared import same_rows
from manyheads.inference.bundle import load_bundle
from manyheads.model.encoder import Encoder
from manyheads.model.flat import FlatTokens
from manyheads.model.forward import forward_split, forward_streams
from manyheads.ragged import flat as flat_of
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks


@given(st.lists(st.integers(1, 60), max_size=80), st.integers(1, 100))
def test_every_example_once_in_batches_within_the_budget(sizes: list[int], budget: int) -> None:
    batches = list(batches_by_length(np.array(sizes, dtype=np.int32), budget))
    assert sorted(int(example) for batch in batches for example in batch) == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or sum(sizes[example] for example in batch) <= budget
    longest = [max(sizes[example] for example in batch) for batch in batches]
    assert longest == sorted(longest, reverse=True)


@pytest.fixture(scope="module")
def prepared(trained: manyheads.Run) -> Prepared:
    bundle = load_bundle(trained.folder.model)
    return tokenise_tasks(read_tasks(load_recipe(trained.folder.recipe), lambda *_, **__: None), bundle.tokenizer)


@pytest.mark.parametrize("task", ["sentiment", "paraphrase", "similarity"])
def test_outputs_do_not_depend_on_the_budget(trained: manyheads.Run, prepared: Prepared, task: str) -> None:
    bundle = load_bundle(trained.folder.model)
    split = prepared.dev[task].take(np.arange(40))

    def outputs(budget: int) -> np.ndarray:
        return forward_split(
            bundle.model,
            prepared.store,
            bundle.tokenizer.template,
            split,
            max_length=bundle.max_length,
            device=torch.device("cpu"),
            token_budget=budget,
        )

    whole, single = outputs(100_000), outputs(1)
    assert whole.shape == (40, split.task.outputs)
    np.testing.assert_allclose(whole, single, atol=1e-5)


def test_the_model_s_mode_is_restored(trained: manyheads.Run, prepared: Prepared) -> None:
    bundle = load_bundle(trained.folder.model)
    for mode in (True, False):
        bundle.model.train(mode)
        forward_split(
            bundle.model,
            prepared.store,
            bundle.tokenizer.template,
            prepared.dev["sentiment"].take(np.arange(3)),
            max_length=bundle.max_length,
            device=torch.device("cpu"),
        )
        assert bundle.model.training is mode


def test_a_task_may_have_any_name(trained: manyheads.Run, tmp_path: Path) -> None:
    """Names of torch's own attributes do not clash with the names of heads."""
    recipe = load_recipe(trained.folder.recipe, ["training.max_steps=1"])
    task = recipe.tasks["sentiment"]
    named = recipe.model_copy(update={"tasks": {"type": task, "train": task, "keys": task}})
    run = manyheads.train(named, tmp_path / "run")
    assert set(manyheads.load(run).tasks) == {"type", "train", "keys"}


def test_a_bi_encoder_reads_each_distinct_text_once(
    trained: manyheads.Run, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(trained.folder.model)
    rows = np.repeat(np.arange(30), 3)
    split = prepared.dev["similarity"].take(rows)
    read: list[int] = []
    encode = Encoder.forward

    def counted(self: Encoder, tokens: FlatTokens) -> torch.Tensor:
        read.append(tokens.layout.sequences)
        return encode(self, tokens)

    monkeypatch.setattr(Encoder, "forward", counted)
    outputs = forward_split(
        bundle.model,
        prepared.store,
        bundle.tokenizer.template,
        split,
        max_length=bundle.max_length,
        device=torch.device("cpu"),
        token_budget=64,
    )
    assert sum(read) == len(np.unique(split.text_index))
    assert np.array_equal(outputs[0::3], outputs[1::3])


STREAM = """
encoder = "{encoder}"
model = {{ max_length = 16 }}
training = {{ max_steps = 1 }}
threads = 1
"""

TASK = """
[tasks.{name}]
kind = "{kind}"
train = "rows.jsonl"
dev = {dev}
label = "{name}"
text = {text}
"""


@pytest.fixture(scope="module")
def stream(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    """Tasks that read one text, of which some are longer than a window, and two bi-encoded ones that read two."""
    folder = tmp_path_factory.mktemp("stream")
    words, random = ["good", "bad", "film", "story", "this", "that"], np.random.default_rng(0)
    rows = []
    for row in range(40):
        text = random.choice(words, size=30 if row % 9 == 0 else 1 + row % 7).tolist()
        label = {"mood": "xy"[row % 2], "score": row % 5, "tags": [word[0] for word in text]}
        label |= {"same": row % 2, "near": row % 3}
        if row % 6 == 0:
            del label["mood"]
        rows.append({"text": text, "other": " ".join(text[:2]), **label})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    one, two = '"text"', '["text", "other"]'
    kinds = {"mood": "classification", "score": "ordinal", "tags": "words", "same": "classification"}
    kinds |= {"near": "classification"}
    recipe = STREAM.format(encoder=tiny_encoder)
    for name, kind in kinds.items():
        recipe += TASK.format(name=name, kind=kind, dev=0.5, text=one if name in ("mood", "score", "tags") else two)
        recipe += 'pair = "bi"\n' if name in ("same", "near") else ""
    (folder / "recipe.toml").write_text(recipe)
    return manyheads.train(folder / "recipe.toml", folder / "run")


def test_rows_that_several_tasks_read_are_encoded_once(stream: manyheads.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = load_bundle(stream.folder.model)
    data = tokenise_tasks(read_tasks(load_recipe(stream.folder.recipe), lambda *_, **__: None), bundle.tokenizer)
    splits = [*data.dev.values()]
    assert [len(group) for group in same_rows(splits)] == [3, 2]
    assert len(data.dev["mood"]) < len(data.dev["tags"])
    read: list[int] = []
    flat = FlatTokens.from_batch
    monkeypatch.setattr(
        FlatTokens, "from_batch", lambda batch, device: read.append(batch.tokens) or flat(batch, device)
    )

    def measured(forward: Any, given: Any, **options: Any) -> tuple[Any, int]:
        read.clear()
        store, template = data.store, bundle.tokenizer.template
        own = {"max_length": bundle.max_length, "device": torch.device("cpu"), "token_budget": 64}
        return forward(bundle.model, store, template, given, **own, **options), sum(read)

    found, together = measured(forward_streams, splits)
    shared, _ = measured(forward_streams, splits, share_texts=True)
    apart, tokens = [], []
    for split in splits:
        outputs, count = measured(forward_split, split)
        apart.append(outputs)
        tokens.append(count)
    for one, other, third in zip(found, apart, shared, strict=True):
        np.testing.assert_allclose(flat_of(one), flat_of(other), atol=1e-5)
        np.testing.assert_allclose(flat_of(third), flat_of(other), atol=1e-5)
    # The rows of all three tasks are those of the task of words, and both bi-encoders read the same texts. Equal rows
    # are read once.
    assert 0.95 * tokens[2] < together - max(tokens[3:]) <= tokens[2]
