"""A run on triplets: its model in sentence-transformers, its vectors, several processes, and refused recipes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.training.test_distributed import ended, steps_of, torchrun

import manyheads
from manyheads.cli.main import main
from manyheads.errors import DataError, RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.runs.export import export_run
from manyheads.wizard.suggest import suggest

RECIPE = """
encoder = "{encoder}"
threads = 1

[model]
pooling = "mean"
dropout = 0.0
attention_dropout = 0.0

[tasks.near]
kind = "embedding"
train = "rows.jsonl"
dev = "dev.jsonl"
text = ["anchor", "positive", "negative"]
head = {{ kind = "vector", size = 16 }}
loss = {{ kind = "multiple_negatives", matryoshka = [16, 8], guard_margin = 0.5 }}

[training]
epochs = 2
learning_rate = 1e-3

[batching]
batch_size = 8
"""

WORDS = ("good", "bad", "film", "story", "actor", "slow", "red", "dog", "house", "car")


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("near")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(44):
        one, two = rng.choice(WORDS, size=2, replace=False).tolist()
        rows.append(
            {"anchor": f"{one} {two} {number}", "positive": f"{two} {one} {number}", "negative": f"{one} {number + 1}"}
        )
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:32]))
    dev = [{key: row[key] for key in ("anchor", "positive")} for row in rows[32:]]
    (folder / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in dev))
    (folder / "r.toml").write_text(RECIPE.format(encoder=tiny_encoder))
    return folder / "r.toml"


@pytest.fixture(scope="module")
def run(recipe: Path) -> manyheads.Run:
    return manyheads.train(recipe, recipe.parent / "run")


def pairs_of(recipe: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (recipe.parent / "dev.jsonl").read_text().splitlines()]
    return [(row["anchor"], row["positive"]) for row in rows]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    return exact / np.linalg.norm(exact, axis=1, keepdims=True)


def test_the_metrics_are_those_of_the_vectors_of_the_model(recipe: Path, run: manyheads.Run) -> None:
    model, pairs = manyheads.load(run.folder.path), pairs_of(recipe)
    assert model.tasks["near"].text == ("anchor", "positive")
    anchors, positives = (unit(model.embed("near", texts)) for texts in zip(*pairs, strict=True))
    cosines = anchors @ positives.T
    assert model.predict("near", pairs).labels == pytest.approx(np.diag(cosines).tolist(), abs=1e-5)
    ranks = (cosines >= np.diag(cosines)[:, None] - 1e-6).sum(axis=1)
    shipped = (run.results["best"] or run.results["last"])["tasks"]["near"]
    assert shipped["mrr"] == pytest.approx(float(np.mean(1 / ranks)))
    assert shipped["recall_at_5"] == pytest.approx(float(np.mean(ranks <= 5)))
    assert shipped["mrr"] > 0.3, "random ranks among 12 candidates give about 0.26"
    records = [
        json.loads(line) for line in (run.folder.path / "predictions/near.dev.best.jsonl").read_text().splitlines()
    ]
    assert [record["prediction"] for record in records] == ranks.tolist()
    assert all(record["target"] == 1 for record in records)


def test_vectors_can_be_truncated_and_have_length_1_again(run: manyheads.Run) -> None:
    model = manyheads.load(run.folder.path)
    whole, short = model.embed("near", ["a dog", "a car"]), model.embed("near", ["a dog", "a car"], size=8)
    assert (whole.shape, short.shape) == ((2, 16), (2, 8))
    np.testing.assert_allclose(unit(whole[:, :8]), short, atol=1e-6)
    np.testing.assert_allclose(model.embed("near", "a dog"), whole[:1], atol=1e-6)
    assert model.embed("near", []).shape == (0, 0)
    with pytest.raises(DataError, match="do not have this size"):
        model.embed("near", ["a dog"], size=17)


def test_sentence_transformers_opens_the_bundle_to_the_same_vectors(run: manyheads.Run, tmp_path: Path) -> None:
    sentences = pytest.importorskip("sentence_transformers", reason="the extra bench is not installed")
    texts = ["a good film", "the dog", "a slow story of an actor"]
    model = sentences.SentenceTransformer(str(run.folder.model), device="cpu")
    found = model.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(found, manyheads.load(run.folder.path).embed("near", texts), atol=1e-5)
    export = export_run(run.folder.path, "hub", tmp_path / "hub")
    assert export.sentences is not None
    assert export.sentences <= 1e-5
    assert "vectors whose cosine is the prediction of near" in (run.folder.model / "README.md").read_text()


def test_a_file_of_pairs_is_predicted(recipe: Path, run: manyheads.Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["predict", str(run.folder.path), "--task", "near", "--input", str(recipe.parent / "dev.jsonl")])
    assert not end.value.code
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = manyheads.load(run.folder.path).predict("near", pairs_of(recipe))
    assert [each["prediction"] for each in found] == pytest.approx(expected.labels, abs=1e-6)


def test_columns_that_are_named_so_give_a_recipe_of_triplets(recipe: Path) -> None:
    text = suggest([recipe.parent / "rows.jsonl"], folder=recipe.parent)
    assert 'text = ["anchor", "positive", "negative"]' in text
    assert 'rows = "triplets"' in text
    assert "label" not in text.replace("negative", "").split("[batching]")[0].replace("labels", "")
    (recipe.parent / "init.toml").write_text(text)
    assert load_recipe(recipe.parent / "init.toml").tasks["rows"].label is None


def test_lists_of_several_texts_are_not_joined_to_one(recipe: Path, tmp_path: Path) -> None:
    rows = [
        {"query": f"a good film {n}", "pos": [f"the film {n} is good"], "neg": ["a red house", f"a slow dog {n}"]}
        for n in range(12)
    ]
    (tmp_path / "lists.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    changes = [f"tasks.near.train={tmp_path}/lists.jsonl", 'tasks.near.text=["query", "pos", "neg"]']
    with pytest.raises(DataError, match="text 'neg' is a list of 2 texts") as caught:
        manyheads.train(recipe, tmp_path / "run", changes=[*changes, "tasks.near.dev=0.3"])
    assert "name the first text as 'neg[0]'" in str(caught.value.hint)
    text = suggest([tmp_path / "lists.jsonl"], folder=tmp_path)
    assert 'text = ["query", "pos", "neg[0]"]' in text
    assert "12 rows" in text
    assert "# Warning: 'neg' has lists of several texts, of which only the first is read" in text


def test_the_first_of_several_columns_of_negatives_is_suggested(tmp_path: Path) -> None:
    rows = [
        {"anchor": f"a film {n}", "positive": f"film {n}", **{f"negative_{k}": f"house {n + k}" for k in (1, 2)}}
        for n in range(12)
    ]
    (tmp_path / "several.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert 'text = ["anchor", "positive", "negative_1"]' in suggest([tmp_path / "several.jsonl"], folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batching.batch_size=1", "a batch needs several rows"),
        ("tasks.near.loss.matryoshka=[32]", "a size is larger than the vectors"),
        ("tasks.near.loss=cosent", "unknown loss"),
        ("tasks.near.head=b2", "the head does not fit an embedding task"),
        ("tasks.near.pair=cross", "encodes each text in its own sequence"),
        ("tasks.near.text=anchor", "reads 2 or 3 text columns"),
        ("tasks.near.metric=accuracy", "does not fit the task"),
        ("tasks.near.kind=regression", "the key 'label' is missing"),
    ],
)
def test_what_does_not_fit_is_refused(change: str, message: str, recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        manyheads.train(recipe, tmp_path / "run", changes=[change])


@pytest.mark.usefixtures("forked_commands")
def test_two_processes_have_the_losses_of_one(recipe: Path, run: manyheads.Run, tmp_path: Path) -> None:
    process = torchrun(2, recipe, tmp_path / "run")
    output = ended(process)
    assert process.returncode == 0, output
    for then, now in zip(steps_of(run.folder.path), steps_of(tmp_path / "run"), strict=True):
        assert now["losses"] == pytest.approx(then["losses"], rel=1e-4)
    assert json.loads((tmp_path / "run/results.json").read_text())["last"]["tasks"]["near"]["mrr"] == pytest.approx(
        run.results["last"]["tasks"]["near"]["mrr"], abs=1e-6
    )
