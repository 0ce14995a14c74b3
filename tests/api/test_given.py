"""Data in memory: tables in place of files, kept by the run, with the results of files."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.tiny import CORPUS

import manyheads as mh
from manyheads.data.given import given_table
from manyheads.errors import DataError, RunError

TASK = {"kind": "classification", "text": "sentence", "label": "sentiment"}
SHORT = {"max_steps": 2, "epochs": 1}


def frame(rows: int = 60) -> pd.DataFrame:
    """Rows of the demo corpus."""
    return pd.read_csv(CORPUS / "sentiment-train.tsv", sep="\t").head(rows)


def recipe(encoder: Path, train: Any, dev: Any = 0.25, **keys: Any) -> mh.Recipe:
    task = mh.Task(**{**TASK, **keys}, train=train, dev=dev)
    return mh.Recipe(encoder=encoder, threads=1, tasks={"sentiment": task}, training=SHORT, batching={"batch_size": 8})


def same_files(one: Path, other: Path) -> None:
    """Compare the predictions and the models of two runs byte for byte. The card names the files of the data."""
    names = {file.relative_to(one) for place in ("model", "predictions") for file in (one / place).rglob("*")}
    assert names == {
        file.relative_to(other) for place in ("model", "predictions") for file in (other / place).rglob("*")
    }
    assert len(names) > 5
    for name in names:
        if (one / name).is_file() and name.name != "README.md":
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_frame_gives_the_bytes_of_a_file(tiny_encoder: Path, tmp_path: Path) -> None:
    rows, dev = frame(), frame(100).tail(40)
    rows.to_csv(tmp_path / "train.csv", index=False)
    dev.to_csv(tmp_path / "dev.csv", index=False)
    for number, (file, table) in enumerate(((0.25, 0.25), (tmp_path / "dev.csv", dev))):
        from_files = mh.train(recipe(tiny_encoder, tmp_path / "train.csv", file), tmp_path / f"files{number}")
        given = recipe(tiny_encoder, rows, table)
        run = mh.train(given, tmp_path / f"frames{number}")
        same_files(from_files.folder.path, run.folder.path)
        saved = mh.train(given.save(tmp_path / "saved.toml"), tmp_path / f"saved{number}")
        same_files(saved.folder.path, run.folder.path)
    assert sorted(file.name for file in (tmp_path / "saved.data").glob("*.parquet")) == [
        "sentiment.dev.index.parquet",
        "sentiment.dev.parquet",
        "sentiment.train.parquet",
    ]


def test_the_folder_of_a_run_is_enough(tiny_encoder: Path, tmp_path: Path) -> None:
    made = recipe(tiny_encoder, frame())
    run = mh.train(made, tmp_path / "run")
    moved = run.folder.path.rename(tmp_path / "moved")
    again = mh.train(moved / "recipe.toml", tmp_path / "again")
    same_files(moved, again.folder.path)
    assert mh.train(made, moved, resume=True).results == run.results
    with pytest.raises(RunError, match="the data has changed") as caught:
        mh.train(recipe(tiny_encoder, frame(59)), moved, resume=True)
    assert caught.value.where == 'tasks["sentiment"].train'
    assert not [path for path in (moved / "model").rglob("*") if path.suffix == ".parquet"]


def test_every_kind_of_table_has_the_same_rows() -> None:
    rows = frame(5)
    records = rows.to_dict("records")
    forms = [
        pl.from_pandas(rows),
        pl.from_pandas(rows).lazy(),
        pa.Table.from_pandas(rows),
        datasets.Dataset.from_pandas(rows),
        records,
        tuple(records),
        rows.to_dict("list"),
    ]
    digest = given_table(rows, "key").digest
    assert [given_table(form, "key").digest for form in forms] == [digest] * len(forms)
    assert given_table(rows.astype({"sentence": "category"}), "key").digest == digest


class Grade(enum.Enum):
    BAD = "bad"
    GOOD = "good"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (lambda n: pd.Categorical(["bad", "good"] * (n // 2), categories=["good", "bad"]), ["bad", "good"]),
        (lambda n: np.array([True, False] * (n // 2)), [False, True]),
        (lambda n: [Grade.BAD, Grade.GOOD] * (n // 2), ["bad", "good"]),
        (lambda n: pd.array([0, 1] * (n // 2), dtype="Int8"), [0, 1]),
        (lambda n: pl.Series(["bad", "good"] * (n // 2), dtype=pl.Enum(["good", "bad"])).to_list(), ["bad", "good"]),
        (lambda n: ["1.1", "1.10"] * (n // 2), ["1.1", "1.10"]),
        (lambda n: ["0123", "123"] * (n // 2), ["0123", "123"]),
    ],
)
def test_labels_of_every_type(
    tiny_encoder: Path, tmp_path: Path, labels: Callable[[int], Any], expected: list[Any]
) -> None:
    rows = frame(20).assign(sentiment=labels(20))
    run = mh.train(recipe(tiny_encoder, rows, 0.5), tmp_path / "run", changes={"training.max_steps": 1})
    assert list(mh.load(run).tasks["sentiment"].kind.labels) == expected


def test_named_classes(tiny_encoder: Path, tmp_path: Path) -> None:
    names = datasets.ClassLabel(names=["bad", "good"])
    data = datasets.Dataset.from_dict(
        {"sentence": [f"film {number}" for number in range(20)], "sentiment": [1, 0] * 10},
        features=datasets.Features(sentence=datasets.Value("string"), sentiment=names),
    )
    run = mh.train(recipe(tiny_encoder, data), tmp_path / "run", changes={"training.max_steps": 1})
    assert list(mh.load(run).tasks["sentiment"].kind.labels) == ["bad", "good"]


def test_lists_of_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = frame(20).assign(sentiment=[["a", "b"], ["b"], [], ["a"]] * 5)
    made = recipe(tiny_encoder, rows, 0.5, kind="multilabel")
    assert list(mh.load(mh.train(made, tmp_path / "run")).tasks["sentiment"].kind.labels) == ["a", "b"]


def test_training_and_dev_data_that_are_the_same_are_warned_about(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = frame(60).set_index(pd.Index([f"r{number}" for number in range(60)]))
    with pytest.warns(mh.ManyheadsWarning, match="the dev data is the training data") as caught:
        run = mh.train(recipe(tiny_encoder, rows, rows), tmp_path / "run", changes={"training.max_steps": 1})
    assert {warning.filename for warning in caught} == {__file__}
    assert list(run.predictions("sentiment").index) == list(rows.index)


def test_warnings_and_progress_name_tables_by_their_keys(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = frame(40)
    same = rows[rows["sentiment"] == rows["sentiment"].iloc[0]]
    with pytest.warns(mh.ManyheadsWarning) as caught:
        mh.train(recipe(tiny_encoder, rows, same), tmp_path / "run", progress=True)
    texts = [str(each.message) for each in caught]
    assert any('sentiment: tasks["sentiment"].dev: every example has the same class' in each for each in texts)
    shown = capsys.readouterr().err
    assert 'labels found in tasks["sentiment"].train' in shown
    assert str(tmp_path) not in "".join([*texts, shown])


def test_changed_files_of_tables_are_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = frame(60).set_index(pd.Index([f"r{number}" for number in range(60)]))
    made = recipe(tiny_encoder, rows)
    run = mh.train(made, tmp_path / "run", changes={"training.max_steps": 1})
    index = run.folder.data / "sentiment.train.index.parquet"
    before = index.read_bytes()
    index.write_bytes((run.folder.data / "sentiment.train.parquet").read_bytes())
    with pytest.raises(RunError, match="was changed or is missing"):
        run.predictions("sentiment")
    with pytest.raises(RunError, match="was changed or is missing"):
        mh.train(made, run, changes={"training.max_steps": 1}, resume=True)
    index.write_bytes(before)
    listed = run.folder.data / "given.json"
    listed.write_text(listed.read_text().replace('"rows": 60', '"rows": 61'))
    with pytest.raises(RunError, match="the list of the tables was changed"):
        run.predictions("sentiment")


def test_missing_values_are_named_by_their_index(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = frame(20).set_index(pd.Index([f"r{number}" for number in range(20)]))
    rows.loc["r3", "sentence"] = None
    rows["sentiment"] = rows["sentiment"].astype(float)
    rows.loc["r7", "sentiment"] = np.nan
    with pytest.raises(DataError, match=r'tasks\["sentiment"\]\.train, index \'r3\': text') as caught:
        mh.train(recipe(tiny_encoder, rows), tmp_path / "run")
    assert "index 'r7': label" in str(caught.value)
    assert not (tmp_path / "run" / "data").exists()
    with pytest.raises(DataError, match="index 3: text"):
        mh.train(recipe(tiny_encoder, rows.reset_index(drop=True)), tmp_path / "run")
    mh.train(recipe(tiny_encoder, rows, on_bad_rows="skip"), tmp_path / "run")
    with pytest.raises(DataError, match="no usable rows") as caught:
        recipe(tiny_encoder, rows, labels=["a", "b"], on_bad_rows="skip").check()
    assert "index 'r0': label" in str(caught.value.found)


def test_what_is_not_a_table_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows") as caught:
        recipe(tiny_encoder, frame().head(0))
    assert caught.value.where == 'tasks["sentiment"].train'
    with pytest.raises(DataError, match="cannot be stored") as caught:
        recipe(tiny_encoder, frame(4).assign(other=[object()] * 4))
    assert caught.value.found == "a object"
    for odd, found in ((b"a", "bytes"), ([{"a": [b"a"]}], "bytes"), ({}, "an object without keys")):
        for table in (frame(4).assign(other=[odd] * 4), datasets.Dataset.from_list([{"other": odd}])):
            with pytest.raises(DataError, match="'other' cannot be stored") as caught:
                recipe(tiny_encoder, table)
            assert caught.value.found == found
    with pytest.raises(DataError, match="two columns have the same name"):
        recipe(tiny_encoder, pa.table([pa.array(["a"])] * 2, names=["sentence", "sentence"]))
    with pytest.raises(DataError, match="different lengths"):
        recipe(tiny_encoder, {"sentence": ["a"], "sentiment": [1, 2]})
    with pytest.raises(DataError, match="not a dict"):
        recipe(tiny_encoder, [{"sentence": "a"}, "b"])
    with pytest.raises(DataError, match="not a table") as caught:
        recipe(tiny_encoder, datasets.DatasetDict(train=datasets.Dataset.from_pandas(frame(4))))
    assert caught.value.hint == "pass one of its splits"
    rows = datasets.Dataset.from_pandas(frame(4)).to_iterable_dataset()
    for given in (rows, iter([{"sentence": "a"}]), {"a.csv"}):
        with pytest.raises(DataError, match=r"not a table[\s\S]*list\(") as caught:
            recipe(tiny_encoder, given)
        assert caught.value.where == 'tasks["sentiment"].train'
    for empty in ([], {}):
        with pytest.raises(DataError, match="no rows"):
            recipe(tiny_encoder, empty)
    with pytest.raises(DataError, match="too large") as caught:
        mh.train(recipe(tiny_encoder, frame()), tmp_path / "run", data_limit=100)
    assert caught.value.where == 'tasks["sentiment"].train'
    assert "Parquet file" in str(caught.value.hint)


@pytest.mark.parametrize(
    "given",
    [
        pd.Series(["a film", "b"] * 500),
        pl.Series(["a film", "b"] * 500),
        pa.chunked_array([["a film", "b"] * 500]),
        np.array(["a film", "b"] * 500),
        np.zeros((1000, 3)),
        np.zeros((1000, 3)).tolist(),
        ["a film", "b"] * 500,
        "a film\nb\n" * 500,
    ],
)
def test_what_has_no_named_columns_is_refused_without_its_data(tiny_encoder: Path, given: Any) -> None:
    with pytest.raises(DataError, match=r"1000|1,000|index 0|4,500") as caught:
        recipe(tiny_encoder, "train.csv", given)
    assert str(caught.value.where).startswith('tasks["sentiment"].dev')
    assert "series.to_frame()" in str(caught.value)
    assert "film" not in str(caught.value)
    assert len(str(caught.value)) < 500
    files = recipe(tiny_encoder, ["a film.csv", Path("part 2/b")], ["dev*"]).to_dict()["tasks"]["sentiment"]
    assert (files["train"], files["dev"]) == (["a film.csv", "part 2/b"], ["dev*"])


def test_a_table_is_a_copy_and_is_shared(tiny_encoder: Path, tmp_path: Path) -> None:
    rows = frame()
    made = mh.Recipe(
        encoder=tiny_encoder,
        tasks={name: mh.Task(**TASK, train=rows, dev=0.25) for name in ("one", "two")},
        threads=1,
        training=SHORT,
    )
    before = made.to_dict()
    rows["sentence"] = "changed"
    assert mh.Recipe.of(before) == made
    assert made.with_({"tasks.two.train": rows}) != made
    run = mh.train(made, tmp_path / "run")
    assert [file.name for file in run.folder.data.glob("*.parquet")] == ["one.train.parquet"]
    assert "changed" not in pl.read_parquet(run.folder.data / "one.train.parquet")["sentence"].to_list()
