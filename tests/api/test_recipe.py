"""Recipes that are made in Python: by keywords, from dicts, from files, with changes."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.tiny import CORPUS

import manyheads as mh
from manyheads.errors import RecipeError
from manyheads.studies.json_schema import FILE, keys_file


def task(**keys: Any) -> mh.Task:
    """A task on the demo corpus."""
    own = {
        "kind": "classification",
        "train": CORPUS / "sentiment-train.tsv",
        "dev": "sentiment-dev.tsv",
        "text": "sentence",
        "label": "sentiment",
        "labels": range(5),
    }
    return mh.Task(**{**own, **keys})


def recipe(encoder: Path, **keys: Any) -> mh.Recipe:
    """A recipe of one task."""
    own = {"encoder": encoder, "tasks": {"sentiment": task()}, "data_dir": CORPUS, "threads": 1}
    return mh.Recipe(**{**own, **keys})


def test_a_recipe_by_keywords_is_that_of_a_file(tiny_recipe: Path, tiny_encoder: Path) -> None:
    pair = {"text": ("sentence1", "sentence2")}
    similarity = mh.Task(
        kind="regression",
        train="similarity-train.tsv",
        dev="similarity-dev.tsv",
        test=Path("similarity-dev.tsv"),
        pair="bi",
        label="similarity",
        range=(np.int64(0), 5),
        **pair,
    )
    paraphrase = {
        "kind": "classification",
        "train": "paraphrase-train.tsv",
        "dev": "paraphrase-dev.tsv",
        "label": "is_paraphrase",
        "labels": np.array([0, 1]),
        **pair,
    }
    made = recipe(
        tiny_encoder,
        tasks={"sentiment": task(train="sentiment-train.tsv"), "paraphrase": paraphrase, "similarity": similarity},
        batching=mh.BatchingOptions(batch_size=np.int32(16)),
        training={"epochs": 1, "max_steps": 24, "evaluate_every": 12, "learning_rate": np.float64(1e-3)},
    )
    assert made == mh.Recipe.load(tiny_recipe)
    assert mh.Recipe.of(made.to_dict()) == made


def test_errors_name_the_key(tiny_encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r'where:   tasks\["sentiment"\]\.label\n') as caught:
        recipe(tiny_encoder, tasks={"sentiment": task(label=3)})
    assert caught.value.found == 3
    with pytest.raises(RecipeError, match=r'tasks\["sentiment"\]\.lable') as caught:
        recipe(tiny_encoder, tasks={"sentiment": task(lable="x")})
    assert caught.value.hint == "did you mean 'label'?"
    with pytest.raises(RecipeError, match=r"training\.epoch\n") as caught:
        recipe(tiny_encoder, training=mh.TrainingOptions(epoch=3))  # type: ignore[call-arg]
    assert caught.value.hint == "did you mean 'epochs'?"
    with pytest.raises(RecipeError, match="unknown key 'trainin'") as caught:
        recipe(tiny_encoder, trainin={})
    assert caught.value.hint == "did you mean 'training'?"


def test_the_errors_are_those_of_a_file(tiny_encoder: Path, tmp_path: Path) -> None:
    for keys, name in (
        ({"class_weights": [1, 2, 3], "labels": [0, 1]}, "class_weights"),
        ({"metric": "accurac"}, "metric"),
    ):
        with pytest.raises(RecipeError) as made:
            recipe(tiny_encoder, tasks={"sentiment": task(**keys)})
        file = tmp_path / "recipe.toml"
        recipe(tiny_encoder).save(file)
        with pytest.raises(RecipeError) as read:
            mh.Recipe.load(file, {f"tasks.sentiment.{key}": value for key, value in keys.items()})
        assert str(made.value).replace(str(made.value.where), "") == str(read.value).replace(str(read.value.where), "")
        assert made.value.where == f'tasks["sentiment"].{name}'
        assert read.value.where == f'changes["tasks.sentiment.{name}"], key tasks["sentiment"].{name}'


def test_changes_work_on_every_form(tiny_recipe: Path) -> None:
    made = mh.Recipe.load(tiny_recipe)
    for changed in (
        made.with_({"training.epochs": 7, "tasks.sentiment.head": {"dropout": 0.5}}),
        made.with_(["training.epochs=7", "tasks.sentiment.head.dropout=0.5"]),
        mh.Recipe.load(tiny_recipe, ["training.epochs=7", "tasks.sentiment.head.dropout=0.5"]),
        mh.Recipe.load(tiny_recipe, {"training": {"epochs": 7}, "tasks": {"sentiment": {"head": {"dropout": 0.5}}}}),
    ):
        assert changed.options.training.epochs == 7
        assert changed.options.training.max_steps == 24
        assert changed.options.tasks["sentiment"].head.dropout == 0.5
        assert changed != made
    assert made.with_("seed=3").options.seed == 3
    with pytest.raises(RecipeError, match=r'changes "training\.epoch=3", key training\.epoch'):
        made.with_("training.epoch=3")
    with pytest.raises(RecipeError, match='changes "epochs 3"'):
        made.with_(["epochs 3"])
    with pytest.raises(RecipeError, match="is not a dotted TOML key") as caught:
        made.with_({"training epochs": 3})
    assert "KEY=VALUE" not in str(caught.value)
    with pytest.raises(RecipeError, match=r'write "tasks\.sentiment\.label"'):
        made.with_({'tasks["sentiment"].label': "stars"})
    with pytest.raises(RecipeError, match=r'of the type int[\s\S]*{"training\.epochs": 3}'):
        made.with_(3)  # type: ignore[arg-type]


def test_what_was_found_is_named_without_the_data(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = pd.DataFrame({"sentence": ["a film", "b"], "sentiment": [0, 1]})
    with pytest.raises(RecipeError, match="of the type DataFrame") as caught:
        recipe(tiny_encoder, tasks={"sentiment": rows})
    assert "film" not in str(caught.value)
    with pytest.raises(RecipeError, match=r"None is not a value\n  where:   training\.epochs"):
        recipe(tiny_encoder, training={"epochs": None})
    for made in (recipe(tiny_encoder), mh.Study(base=recipe(tiny_encoder), seeds=[1], rows={"even": {}}, twins=[])):
        with pytest.raises(RecipeError, match="is a folder"):
            made.save(tmp_path)


def test_relative_paths_are_resolved_when_the_recipe_is_made(
    tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CORPUS)
    made = recipe(tiny_encoder, data_dir=".", tasks={"sentiment": task(train="sentiment-train.tsv")})
    monkeypatch.chdir(tmp_path)
    assert made.options.data_dir == str(CORPUS)
    assert mh.Recipe.load(made.save("saved.toml")) == made


def test_one_step_by_changes_of_a_recipe(tiny_encoder: Path, tmp_path: Path) -> None:
    run = mh.train(recipe(tiny_encoder), tmp_path / "run", changes=["training.max_steps=1"])
    assert run.results["last"]["step"] == 1
    again = recipe(tiny_encoder).with_({"training.max_steps": 1}).save(tmp_path / "saved.toml")
    saved = mh.train(again, tmp_path / "saved")
    for file in (*run.folder.model.iterdir(), *run.folder.predictions.glob("*.jsonl")):
        assert file.read_bytes() == (saved.folder.path / file.relative_to(run.folder.path)).read_bytes()
    with pytest.raises(mh.ManyheadsError, match="another recipe") as caught:
        mh.train(recipe(tiny_encoder).to_dict(), tmp_path / "run", changes={"training.max_steps": 2}, resume=True)
    assert "training.max_steps" in str(caught.value.found)


def test_a_recipe_without_a_file_has_no_default_folder(tiny_encoder: Path) -> None:
    with pytest.raises(TypeError, match="`out`"):
        mh.train(recipe(tiny_encoder))
    with pytest.raises(TypeError, match="not a int"):
        mh.train(3)  # type: ignore[arg-type]


def test_copies_are_equal(tiny_encoder: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    rows = [{"sentence": f"a film {number}", "sentiment": number % 2} for number in range(8)]
    given = task(train=rows, dev=0.25, labels=[0, 1])
    made = recipe(tiny_encoder, tasks={"sentiment": given})
    assert made.tables
    for each in (made, mh.Recipe.load(tiny_recipe)):
        for copied in (pickle.loads(pickle.dumps(each)), copy.deepcopy(each)):
            assert copied == each
            assert copied.tables == each.tables
    study = mh.Study(base=made, seeds=[1], rows={"even": {}}, twins=[])
    for planned in (study, mh.Study.load(study.save(tmp_path / "study.toml"))):
        assert pickle.loads(pickle.dumps(planned)).to_dict() == planned.to_dict()
    study.keep(tmp_path)
    assert pickle.loads(pickle.dumps(mh.open_study(tmp_path))).plan.seeds == (1,)
    assert copy.deepcopy(given) == given


def test_an_attribute_that_would_change_nothing_is_refused(tiny_encoder: Path) -> None:
    made = recipe(tiny_encoder)
    with pytest.raises(AttributeError, match=r"recipe\.with_\(\{'seed': VALUE\}\)"):
        made.seed = 3  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match=r"Task\(\*\*\{\*\*before, 'label': VALUE\}\)"):
        task().label = "stars"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="seeds=VALUE"):
        mh.Study(base=made, seeds=[1], rows={"even": {}}, twins=[]).seeds = [1, 2]  # type: ignore[attr-defined]


def test_representations(tiny_encoder: Path) -> None:
    made = recipe(tiny_encoder, tasks={"sentiment": task()})
    assert repr(made).startswith(
        f"Recipe(\n    encoder='{tiny_encoder}',\n    tasks={{\n        'sentiment': Task(kind='cl"
    )
    assert repr(mh.TrainingOptions(epochs=3)) == "TrainingOptions(epochs=3)"


def test_the_types_of_the_keys_are_written() -> None:
    """`python -m manyheads.studies.json_schema` writes the file."""
    assert FILE.read_text(encoding="utf-8") == keys_file()


def test_public_names() -> None:
    assert set(mh.__all__) <= set(dir(mh))
    assert all(getattr(mh, name) is not None for name in mh.__all__)
    with pytest.raises(AttributeError, match="trian"):
        getattr(mh, "trian")  # noqa: B009


def test_an_error_has_no_error_of_pydantic_before_it() -> None:
    with pytest.raises(RecipeError) as caught:
        mh.Recipe(encoder="minilm-offline", tasks={}, trainig={})  # type: ignore[call-arg]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_misspelt_task_in_changes_is_one_fault(tiny_encoder: Path) -> None:
    before = recipe(tiny_encoder)
    with pytest.raises(RecipeError, match="there is no task 'sentimnt'") as caught:
        before.with_({"tasks.sentimnt.label": "x"})
    assert caught.value.hint == "did you mean 'sentiment'?"
    assert "missing" not in str(caught.value)
