"""An export for the hub gives the predictions of the model to those who open it with transformers."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.recipe.test_encoders import SHAPE
from transformers import (
    AutoModel,
    AutoModelForMultipleChoice,
    AutoTokenizer,
    CamembertConfig,
    ElectraConfig,
    pipeline,
)
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.inference.export.hub import TaskSample, _reason, check_pipeline, check_sentences
from manyheads.inference.torch_engine import TorchEngine
from manyheads.model.encoder import quiet
from manyheads.run.folder import RunFolder
from manyheads.runs.export import Export, dev_data, export_run
from manyheads.tasks.kinds import KINDS

CHANGES = (
    "model.max_length=40",
    'tasks.similarity.pair="cross"',
    "tasks.similarity.range=[-1, 5]",
    (
        'tasks.alone={kind="regression", train="similarity-train.tsv", dev="similarity-dev.tsv", pair="bi", head="b1", '
        'text=["sentence1", "sentence2"], label="similarity", range=[0, 5]}'
    ),
    "training.max_steps=8",
)
"""The tiny recipe with a cross-encoded regression, and a task that no stock class of transformers can predict."""

WORDS = "the film is a fine and long one that everyone should see"
PAIRS = [
    ("a fine film", "a dull film"),
    (WORDS, "not bad"),
    ("not bad", " ".join([WORDS] * 6)),
    (" ".join([WORDS] * 6), "not bad"),
]
"""The last two are truncated: 72 words of one letter pieces do not fit into 40 tokens."""


@pytest.fixture(scope="module")
def cross(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("hub") / "run", changes=CHANGES).folder


@pytest.fixture(scope="module")
def export(cross: RunFolder) -> Export:
    return export_run(cross.path, "hub")


def test_the_pipeline_of_a_regression_gives_the_share_of_its_range(cross: RunFolder, export: Export) -> None:
    with quiet():
        model = pipeline("text-classification", model=str(export.folder / "pipelines" / "similarity"))
        found = model([{"text": one, "text_pair": two} for one, two in PAIRS], truncation=True)
    expected = manyheads.load(cross.path).predict("similarity", PAIRS)
    assert [each["label"] for each in found] == ["similarity"] * len(PAIRS)
    for theirs, mine in zip(found, expected, strict=True):
        assert 0 < theirs["score"] < 1
        assert -1 + (5 - -1) * theirs["score"] == pytest.approx(mine.prediction, abs=1e-4)
    config = json.loads((export.folder / "pipelines" / "similarity" / "config.json").read_text())
    assert config.get("problem_type") is None


def test_the_model_card_gives_the_line_from_the_share_to_the_value(export: Export) -> None:
    card = (export.folder / "README.md").read_text()
    assert "low + (high - low) * u" in card
    (line,) = re.findall(r"^value = (.*)$", card, flags=re.MULTILINE)
    assert eval(line, {"score": 0.25}) == pytest.approx(0.5)


def test_the_pipeline_of_a_classification_gives_the_probabilities(cross: RunFolder, export: Export) -> None:
    model = manyheads.load(cross.path)
    for task, texts in (("sentiment", [one for pair in PAIRS for one in pair]), ("paraphrase", PAIRS)):
        with quiet():
            classify = pipeline("text-classification", model=str(export.folder / "pipelines" / task), top_k=None)
            requests = [{"text": x} if isinstance(x, str) else {"text": x[0], "text_pair": x[1]} for x in texts]
            found = classify(requests, truncation=True)
        for theirs, mine in zip(found, model.predict(task, texts), strict=True):
            assert mine.probabilities is not None
            scores = {each["label"]: each["score"] for each in theirs}
            assert scores == pytest.approx({str(k): v for k, v in mine.probabilities.items()}, abs=1e-5)


@pytest.mark.parametrize("place", [".", "pipelines/similarity"])
def test_the_tokenizer_truncates_to_the_length_of_the_training(cross: RunFolder, export: Export, place: str) -> None:
    for folder in (export.folder / place, cross.model):
        read = AutoTokenizer.from_pretrained(folder)
        assert read.model_max_length == 40
        assert read.model_input_names == ["input_ids", "token_type_ids", "attention_mask"]
        encoded = read(WORDS * 9, "not bad", truncation=True)
        assert len(encoded["input_ids"]) == 40
        assert 1 in encoded["token_type_ids"]
        assert read.pad_token == "[PAD]"


def test_a_task_without_a_stock_class_is_named_and_left_out(cross: RunFolder, export: Export, tmp_path: Path) -> None:
    assert list(export.compared) == ["sentiment", "paraphrase", "similarity"]
    assert set(export.left_out) == {"alone"}
    assert not (export.folder / "pipelines" / "alone").exists()
    assert "Task alone has no pipeline" in (export.folder / "README.md").read_text()
    assert json.loads((export.folder / "manyheads.json").read_text())["left_out"].keys() == {"alone"}
    shown = CliRunner().invoke(app, ["export", str(cross.path), "--to", "hub", "--out", str(tmp_path / "out")])
    assert "task alone has no pipeline in transformers: " in shown.output


@pytest.mark.parametrize("kind", ["ordinal", "embedding"])
def test_the_reason_names_the_kind_with_its_article(cross: RunFolder, kind: str) -> None:
    bundle = load_bundle(cross.model)
    task = replace(bundle.model.tasks["sentiment"], kind=KINDS[kind].sample())
    assert _reason(bundle, task) == f"no stock class of transformers predicts an {kind} task"


def samples(cross: RunFolder) -> tuple[Bundle, object, dict[str, TaskSample]]:
    bundle = load_bundle(cross.model)
    data = dev_data(cross, bundle)
    engine = TorchEngine(bundle)
    found = {
        split.task.name: TaskSample(split, examples.all_texts, engine.outputs(data.store, split))
        for split, examples in zip(data.splits, data.examples, strict=True)
    }
    return bundle, data.store, found


@pytest.mark.parametrize(
    ("file", "keys", "message"),
    [
        ("config.json", {"problem_type": "regression"}, "other predictions"),
        ("config.json", {"layer_norm_eps": 0.1}, "other predictions"),
        ("tokenizer_config.json", {"model_max_length": 20}, "other tokens"),
        ("tokenizer_config.json", {"model_input_names": ["input_ids", "attention_mask"]}, "other predictions"),
    ],
)
def test_what_users_would_get_is_compared_with_the_model(
    cross: RunFolder, export: Export, tmp_path: Path, file: str, keys: dict[str, object], message: str
) -> None:
    bundle, store, found = samples(cross)
    copy = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    assert check_pipeline(copy, bundle, store, found["similarity"]).largest <= 1e-5  # type: ignore[arg-type]
    path = copy / "pipelines" / "similarity" / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    with pytest.raises(BundleError, match=message):
        check_pipeline(copy, bundle, store, found["similarity"])  # type: ignore[arg-type]


def test_the_vectors_of_sentence_transformers_are_compared(cross: RunFolder, export: Export, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the extra bench is not installed")
    assert export.sentences is not None
    assert export.sentences <= 1e-4
    bundle, store, found = samples(cross)
    copy = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    path = copy / "1_Pooling" / "config.json"
    config = json.loads(path.read_text())
    config |= {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True, "pooling_mode": "mean"}
    path.write_text(json.dumps(config))
    with pytest.raises(BundleError, match="other vectors"):
        check_sentences(copy, bundle, store, list(found.values()))  # type: ignore[arg-type]


def test_the_folder_is_a_bundle(cross: RunFolder, export: Export) -> None:
    mine, theirs = manyheads.load(cross.path), manyheads.load(export.folder)
    for task in ("similarity", "alone"):
        values = [[each.prediction for each in model.predict(task, PAIRS)] for model in (mine, theirs)]
        assert np.array_equal(*values)


def test_an_export_leaves_the_environment_as_it_was(
    trained: manyheads.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    before = dict(os.environ)
    export_run(trained.folder.path, "hub", tmp_path / "hub")
    assert dict(os.environ) == before


@pytest.fixture(scope="module")
def tagged(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, Export]:
    """A run with plain tags and with spans, on texts of which some have several windows."""
    folder = tmp_path_factory.mktemp("tagged")
    words, random = ["good", "bad", "film", "story", "isn't", "that"], np.random.default_rng(0)
    texts = [random.choice(words, size=30 if row % 9 == 0 else 1 + row % 7).tolist() for row in range(40)]
    spans = {"good": "B-x", "bad": "B-y", "film": "I-x"}
    rows = [
        {"text": text, "kind": [word[0] for word in text], "span": [spans.get(word, "O") for word in text]}
        for text in texts
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tasks = "".join(
        f'[tasks.{name}]\nkind = "words"\ntrain = "rows.jsonl"\ndev = 0.5\ntext = "text"\nlabel = "{name}"\n'
        for name in ("kind", "span")
    )
    options = "model = { max_length = 24 }\ntraining = { max_steps = 3, learning_rate = 3e-3 }\nthreads = 1\n"
    (folder / "recipe.toml").write_text(f'encoder = "{tiny_encoder}"\n{options}{tasks}')
    run = manyheads.train(folder / "recipe.toml", folder / "run").folder
    return run, export_run(run.path, "hub")


def test_the_pipeline_of_a_task_of_words_gives_its_tags(tagged: tuple[RunFolder, Export]) -> None:
    run, export = tagged
    assert list(export.compared) == ["kind", "span"]
    assert export.left_out == {}
    model = manyheads.load(run.path)
    for text in ("good isn't bad", "that film", "story good film bad"):
        mine = model.predict("kind", text)
        with quiet():
            tag = pipeline("token-classification", model=str(export.folder / "pipelines" / "kind"), ignore_labels=[])
            found = {each["start"]: each for each in tag(text)}
        starts = [text.index(word) for word in text.split()]
        assert [found[start]["entity"] for start in starts] == mine.prediction
        assert [found[start]["score"] for start in starts] == pytest.approx(mine.probabilities, abs=1e-5)
    card = (export.folder / "README.md").read_text()
    assert 'pipeline("token-classification", model="FOLDER/pipelines/span", aggregation_strategy="first")' in card
    assert "manyheads reads a long text in overlapping windows" in card


def test_the_tags_that_users_would_get_are_compared(tagged: tuple[RunFolder, Export], tmp_path: Path) -> None:
    run, export = tagged
    bundle, store, found = samples(run)
    copy = Path(shutil.copytree(export.folder, tmp_path / "copy"))
    compared = check_pipeline(copy, bundle, store, found["span"])  # type: ignore[arg-type]
    assert compared.largest <= 1e-5
    assert 0 < compared.cut < len(found["span"].split)
    path = copy / "pipelines" / "span" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "layer_norm_eps": 0.1}))
    with pytest.raises(BundleError, match="other tags"):
        check_pipeline(copy, bundle, store, found["span"])  # type: ignore[arg-type]


WIDE = {**SHAPE, "initializer_range": 0.2}

ENCODERS = {
    "electra": lambda words: ElectraConfig(**WIDE, embedding_size=16, vocab_size=words, max_position_embeddings=64),
    "camembert": lambda words: CamembertConfig(
        **WIDE, vocab_size=words, max_position_embeddings=66, type_vocab_size=1, pad_token_id=0
    ),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_the_stock_class_for_multiple_choice_scores_the_candidates(
    name: str, tiny_encoder: Path, tmp_path: Path
) -> None:
    encoder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    (encoder / "model.safetensors").unlink()
    torch.manual_seed(1)
    with quiet():
        AutoModel.from_config(ENCODERS[name](Tokenizer.load(encoder).highest_id + 1)).save_pretrained(encoder)
    rows = [
        {"text": one, "options": [two, one, "bad"][: 2 + place % 2], "right": place % 2}
        for place, (one, two) in enumerate(PAIRS * 6)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = 'kind = "choice"\ntrain = "rows.jsonl"\ndev = 0.5\ntext = "text"\ncandidates = "options"\nlabel = "right"\n'
    (tmp_path / "r.toml").write_text(
        f'encoder = "encoder"\nthreads = 1\n[tasks.pick]\n{task}[training]\nmax_steps = 1\n[model]\nmax_length = 40\n'
    )
    run = manyheads.train(tmp_path / "r.toml", tmp_path / "run").folder
    export = export_run(run.path, "hub")
    assert list(export.compared) == ["pick"]
    assert export.largest is not None
    assert export.largest <= 1e-6
    place = export.folder / "pipelines" / "pick"
    with quiet(), torch.inference_mode():
        read, model = AutoTokenizer.from_pretrained(place), AutoModelForMultipleChoice.from_pretrained(place)
        given = read(["a fine film"] * 3, ["good", "bad story", "long"], padding=True, return_tensors="pt")
        shares = model(**{key: each[None] for key, each in given.items()}).logits[0].softmax(0).tolist()
    mine = manyheads.load(run.path).predict("pick", ("a fine film", ["good", "bad story", "long"]))
    assert shares == pytest.approx(mine.probabilities, abs=1e-6)
    assert np.ptp(shares) > 1e-4
