"""What `predict` accepts in Python: one item or many, from lists, Series, arrays and tables. Wrong items are named."""

from __future__ import annotations

from collections import UserDict, deque
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pytest

import manyheads
from manyheads.errors import DataError
from manyheads.inference.items import read_items
from manyheads.inference.predictions import Prediction, Predictions
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.words import WordTags
from manyheads.tasks.task import Task

TEXTS = ["A fine film.", "The soup was bad.", "I liked the room."]
PAIRS = [("a dog runs", "a cat sleeps"), ("the soup is cold", "cold soup"), ("a film", "a film")]
INDEX = ["r0", "r1", "r2"]


@pytest.fixture(scope="module")
def model(trained: manyheads.Run) -> manyheads.Predictor:
    return manyheads.load(trained.folder.path)


def test_one_item_gives_one_prediction(model: manyheads.Predictor) -> None:
    one = model.predict("sentiment", TEXTS[0])
    assert isinstance(one, Prediction)
    assert model.predict("sentiment", [TEXTS[0]]) == [one]
    assert model.predict("sentiment", np.str_(TEXTS[0])) == one
    pair = model.predict("similarity", PAIRS[0])
    assert isinstance(pair, Prediction)
    assert model.predict("similarity", [PAIRS[0]]) == [pair]
    assert list(model.stream("sentiment", TEXTS[0])) == [one]


@pytest.mark.parametrize(
    "form",
    [
        list,
        deque,
        iter,
        np.array,
        pd.Series,
        pd.Index,
        pl.Series,
        lambda texts: pd.Series(texts, dtype="string", index=INDEX),
        lambda texts: pd.Series(texts, dtype="category"),
        lambda texts: np.array(texts, dtype=object),
        lambda texts: np.array(texts)[:, None],
        lambda texts: dict(enumerate(texts)).values(),
        lambda texts: datasets.Dataset.from_dict({"sentence": texts})["sentence"],
        lambda texts: pd.DataFrame({"sentence": texts}),
        lambda texts: pd.DataFrame({"other": [1, 2, 3], "sentence": texts}),
        lambda texts: pl.DataFrame({"other": [1, 2, 3], "sentence": texts}),
        lambda texts: datasets.Dataset.from_dict({"sentence": texts, "label": [0, 1, 2]}),
        lambda texts: datasets.Dataset.from_dict({"sentence": texts}).to_iterable_dataset(),
        lambda texts: [{"sentence": text, "n": 1} for text in texts],
        lambda texts: [UserDict(sentence=text) for text in texts],
        lambda texts: [[text] for text in texts],
    ],
)
def test_many_items_give_one_prediction_each(model: manyheads.Predictor, form: Any) -> None:
    expected = [model.predict("sentiment", text) for text in TEXTS]
    found = model.predict("sentiment", form(TEXTS))
    assert isinstance(found, Predictions)
    assert found.labels == [each.prediction for each in expected]
    assert found.probabilities is not None
    assert found.probabilities == pytest.approx(np.array([list(each.probabilities.values()) for each in expected]))
    assert found[0].probabilities == dict(zip("01234", found.probabilities[0], strict=True))
    assert len(found.frame) == len(found) == 3
    assert list(found.frame["prediction"]) == found.labels
    assert [each.prediction for each in model.stream("sentiment", form(TEXTS))] == found.labels


@pytest.mark.parametrize(
    "form",
    [
        list,
        np.array,
        pd.Series,
        lambda pairs: [list(pair) for pair in pairs],
        lambda pairs: pd.DataFrame(pairs, columns=["sentence1", "sentence2"]),
        lambda pairs: pl.DataFrame(pairs, schema=["sentence1", "sentence2"], orient="row"),
        lambda pairs: [{"sentence2": second, "sentence1": first} for first, second in pairs],
        lambda pairs: datasets.Dataset.from_list([{"sentence1": a, "sentence2": b} for a, b in pairs]),
    ],
)
def test_pairs_give_one_prediction_each(model: manyheads.Predictor, form: Any) -> None:
    found = model.predict("similarity", form(PAIRS))
    assert found.labels == pytest.approx([model.predict("similarity", pair).prediction for pair in PAIRS], abs=1e-5)
    assert found.probabilities is None
    assert list(found.frame["prediction"]) == found.labels


def test_a_list_is_always_a_list_of_items(model: manyheads.Predictor) -> None:
    assert len(model.predict("sentiment", TEXTS[:2])) == 2
    with pytest.raises(DataError, match="item 0"):
        model.predict("similarity", list(PAIRS[0]))


def test_a_frame_has_the_index_and_the_columns_of_the_input(model: manyheads.Predictor) -> None:
    table = pd.DataFrame({"sentence": TEXTS, "prediction": [1.5, 2.5, 3.5], "p_0": list("xyz")}, index=INDEX)
    before = table.copy()
    frame = model.predict("sentiment", table).frame
    assert list(frame.index) == INDEX
    assert frame[list(table.columns)].equals(table)
    assert table.equals(before)
    assert list(frame.columns[3:]) == ["prediction_", "p_0_", "p_1", "p_2", "p_3", "p_4"]
    series = model.predict("sentiment", table["sentence"]).frame
    assert list(series.index) == INDEX
    assert list(series.columns[:2]) == ["sentence", "prediction"]
    unnamed = model.predict("sentiment", pd.Series(TEXTS, index=[7, 7, 8])).frame
    assert list(unnamed.index) == [7, 7, 8]
    other = pl.DataFrame({"n": [1, 2, 3], "sentence": TEXTS})
    assert model.predict("sentiment", other).frame.select(other.columns).equals(other)
    records = [{"sentence": TEXTS[0], "n": 1}, {"sentence": TEXTS[1], "late": [1, 2]}]
    assert model.predict("sentiment", records).frame["late"].to_list() == [None, [1, 2]]
    listed = model.predict("similarity", PAIRS).frame
    assert list(zip(listed["sentence1"], listed["sentence2"], strict=True)) == PAIRS


@pytest.mark.parametrize(
    "empty", [[], np.array([], dtype=str), pd.Series([], dtype=str), pd.DataFrame({"sentence": []})]
)
def test_nothing_gives_no_predictions(model: manyheads.Predictor, empty: Any) -> None:
    found = model.predict("sentiment", empty)
    assert found == []
    assert found.labels == []
    assert found.probabilities is not None
    assert found.probabilities.shape == (0, 5)
    assert list(found.frame["prediction"]) == []


@pytest.mark.parametrize(
    ("texts", "place"),
    [
        ([3], "item 0"),
        (["a", None], "item 1"),
        (["a", "b", float("nan")], "item 2"),
        (["a", b"b"], "item 1"),
        (["a", ("b", "c")], "item 1"),
        (["a", []], "item 1"),
        (["a", {"text": "b"}], "item 1"),
        (["a", {"sentence": {"a": 3}}], "item 1"),
        (["a", " \n"], "item 1"),
        (["a", "\ud800"], "item 1"),
        (np.array([1.5]), "item 0"),
        (range(2), "item 0"),
        (pd.Series(["a", None], index=["x", "y"]), "item 1, index 'y'"),
        (pd.Series(["a", pd.NA], dtype="string"), "item 1"),
        (pl.Series(["a", None]), "item 1"),
        (pd.DataFrame({"sentence": ["a", np.nan]}, index=["x", "y"]), "item 1, index 'y'"),
        (pl.DataFrame({"sentence": ["a", None]}), "item 1"),
        (datasets.Dataset.from_dict({"sentence": ["a", None]}), "item 1"),
        (" ", "the input"),
    ],
)
def test_a_wrong_item_is_named_with_its_position(model: manyheads.Predictor, texts: Any, place: str) -> None:
    with pytest.raises(DataError, match="where") as caught:
        model.predict("sentiment", texts)
    assert caught.value.where == place


@pytest.mark.parametrize(
    "texts",
    [
        None,
        3,
        2.5,
        b"bytes",
        {"sentence": TEXTS},
        set(TEXTS),
        ("a",),
        ("a", "b"),
        tuple(TEXTS),
        np.array("a"),
        object(),
    ],
)
def test_another_type_is_refused(model: manyheads.Predictor, texts: Any) -> None:
    with pytest.raises(DataError, match="sentiment cannot read texts from a"):
        model.predict("sentiment", texts)


def test_a_pair_that_is_not_two_texts_is_named(model: manyheads.Predictor) -> None:
    for wrong in ("one text", ("a", None), ("a", " ")):
        with pytest.raises(DataError) as caught:
            model.predict("similarity", wrong)
        assert caught.value.where == "the input"
    with pytest.raises(DataError) as caught:
        model.predict("similarity", [("a", "b"), ("a", "b", "c")])
    assert caught.value.where == "item 1"


def test_a_table_with_a_word_per_row_is_a_text_per_group() -> None:
    kind = WordTags(["O", "B-x", "I-x"], scheme="bio", group_by="s")
    task = Task("t", kind, ("w",), ("y",), None, None, "", 0.0, "cross_entropy", "span_f1")
    frame = pd.DataFrame({"s": [1, 1, 2], "w": ["New", "York", "we"], "n": [5, 6, 7]})
    for table in (frame, pl.from_pandas(frame), datasets.Dataset.from_pandas(frame), frame.to_dict("records")):
        assert list(read_items(task, table).rows) == [("New York",), ("we",)]
    assert list(read_items(task, frame[["w"]]).rows) == [("New",), ("York",), ("we",)]
    lists = pd.DataFrame({"s": [1, 2], "w": [["New", "York"], ["we"]]})
    assert list(read_items(task, lists).rows) == [("New York",), ("we",)]
    frame.loc[1, "w"] = None
    with pytest.raises(DataError, match="'w' is missing in line 2 of the lines with 's' '1'"):
        read_items(task, frame)


def test_words_that_are_written_as_a_list_are_read_as_in_files() -> None:
    kind = WordTags(["O", "B-x", "I-x"], scheme="bio")
    for each in (kind, Multilabel(["a"])):
        task = Task("t", each, ("w",), ("y",), None, None, "", 0.0, "cross_entropy", each.metrics[0])
        for items in (pd.DataFrame({"w": ["['New York' 'we']", "[1]"]}), ["['New York', 'we']", "[1]"]):
            (first,), (second,) = list(read_items(task, items).rows)
            assert (first, second) == ("New York we", "[1]")
            assert len(kind.words(first)) == 2


def test_a_table_without_the_text_column_is_refused(model: manyheads.Predictor) -> None:
    for table in (pd.DataFrame({"sentense": TEXTS}), pl.DataFrame({"sentense": TEXTS})):
        with pytest.raises(DataError, match="did you mean 'sentense'"):
            model.predict("sentiment", table)
    repeated = pd.DataFrame([["a", "b"]], columns=["sentence", "sentence"])
    with pytest.raises(DataError, match="more than once"):
        model.predict("sentiment", repeated)


def test_the_cells_of_a_table_are_read_as_those_of_a_file(model: manyheads.Predictor) -> None:
    words = ["a", "fine", "film", 7]
    texts = ["a fine film 7", "7", "1.5"]
    cells: list[Any] = [words, 7, 1.5]
    expected = model.predict("sentiment", texts)
    assert model.predict("sentiment", pd.DataFrame({"sentence": pd.Series(cells, dtype=object)})) == expected
    assert model.predict("sentiment", [{"sentence": cell} for cell in cells]) == expected
    arrays = pd.DataFrame({"sentence": [np.array(["a", "fine", "film", "7"])]})
    assert model.predict("sentiment", arrays) == model.predict("sentiment", texts[:1])
    with pytest.raises(DataError):
        model.predict("sentiment", pd.DataFrame({"sentence": [1.0, float("nan")]}))


NESTED = [
    {"example": {"premise": "a dog runs", "hypothesis": "a cat"}, "choices": [{"text": "one"}, {"text": "two"}]},
    {"example": {"premise": "we eat", "hypothesis": "we sleep"}, "choices": [{"text": "three"}]},
]


@pytest.mark.parametrize(
    "form",
    [list, pd.DataFrame, pl.DataFrame, datasets.Dataset.from_list, lambda rows: pl.DataFrame(rows).to_arrow()],
    ids=["records", "pandas", "polars", "datasets", "pyarrow"],
)
def test_paths_into_the_cells_of_a_table_are_read_as_in_files(form: Any) -> None:
    rest = {"id": None, "head": "", "dropout": 0.0, "loss": "", "metric": "accuracy", "label": "y"}
    paths = ("example.premise", "example.hypothesis")
    pairs = Task(name="t", kind=Classification(["no", "yes"]), text=paths, pair="cross", **rest)
    assert list(read_items(pairs, form(NESTED)).rows) == [("a dog runs", "a cat"), ("we eat", "we sleep")]
    choice = Task(name="t", kind=Choice(["choices[].text"]), text=paths[:1], pair="cross", **rest)
    assert list(read_items(choice, form(NESTED)).rows) == [("a dog runs", "one", "two"), ("we eat", "three")]
    with pytest.raises(DataError, match="sample"):
        list(
            read_items(Task(name="t", kind=pairs.kind, text=("sample.premise",), pair=None, **rest), form(NESTED)).rows
        )


def test_the_arrays_of_a_parquet_file_in_pandas_are_lists() -> None:
    rest = {"id": None, "head": "", "dropout": 0.0, "loss": "", "metric": "accuracy", "label": "y"}
    task = Task(name="t", kind=Choice(["choices[].text"]), text=("q",), pair="cross", **rest)
    frame = pd.DataFrame({"q": ["a"], "choices": [np.array([{"text": "one"}, {"text": "two"}])]})
    assert list(read_items(task, frame).rows) == [("a", "one", "two")]
