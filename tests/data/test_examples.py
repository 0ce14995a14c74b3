"""Examples: usable rows as columns, and every bad row with file, line and reason."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.examples import Examples, examples_warnings, read_examples
from manyheads.data.reading import BadRow, Row, Source, open_source
from manyheads.data.table import text_of
from manyheads.errors import DataError
from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.tags import spans_of
from manyheads.tasks.task import Task

SINGLE = Task(
    name="mood",
    kind=Classification(["bad", "good"]),
    text=("text",),
    label="label",
    id=None,
    pair=None,
    head="linear",
    dropout=0.0,
    loss="cross_entropy",
    metric="accuracy",
)
PAIR = dataclasses.replace(SINGLE, text=("left", "right"), pair="cross")
SCORE = dataclasses.replace(SINGLE, kind=Regression(0, 5), loss="mse", metric="pearson")

MIXED = 'id,text,label\na,fine,good\nb,,bad\nc,  ,good\nd,dull,\ne,odd,goood\nf,"open,bad\ng,short\nh,awful,bad\n'
"""Two usable rows, the first and the last. The rows between them have one fault each."""


def write(folder: Path, content: str, name: str = "file.csv") -> Source:
    (folder / name).write_text(content)
    return open_source(name, folder)


def read(task: Task, source: Source, *, labelled: bool = True) -> Examples:
    return read_examples(task, source, on_bad_rows="error", labelled=labelled)[0]


def test_rows_become_columns(tmp_path: Path) -> None:
    source = write(tmp_path, "left,right,label\na,b,good\n\nc,d,bad\n")
    examples = read(PAIR, source)
    assert (examples.task, examples.source, len(examples)) == ("mood", source.name, 2)
    assert examples.texts == (["a", "c"], ["b", "d"])
    assert (examples.targets.dtype, examples.targets.tolist()) == (np.float64, [1.0, 0.0])
    assert (examples.lines.dtype, examples.lines.tolist()) == (np.int64, [2, 4])
    assert examples.ids == ["1", "2"]


def test_texts_are_not_changed(tmp_path: Path) -> None:
    text = '  two  spaces,\n"quotes" and an end '
    source = write(tmp_path, json.dumps({"text": text, "label": "good"}), "file.jsonl")
    assert read(SINGLE, source).texts == ([text],)


def test_every_fault_is_reported_with_its_line(tmp_path: Path) -> None:
    source = write(tmp_path, MIXED)
    examples, bad = read_examples(SINGLE, source, on_bad_rows="skip", labelled=True)
    assert examples.ids == ["a", "h"]
    assert examples.lines.tolist() == [2, 9]
    assert {row.source for row in bad} == {source.name}
    reasons = {row.line: row.reason for row in bad}
    assert list(reasons) == [3, 4, 5, 6, 7, 8]
    assert reasons[3] == reasons[4] == "text 'text' is missing"
    assert reasons[5] == "label is missing"
    assert "'goood'" in reasons[6]
    assert "did you mean 'good'?" in reasons[6]
    assert reasons[7].startswith("broken quoting")
    assert reasons[8] == "2 fields where the header has 3"


def test_an_error_lists_all_of_a_few_bad_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(SINGLE, write(tmp_path, MIXED))
    message = str(caught.value)
    assert message.startswith("6 rows cannot be used")
    assert f"{tmp_path / 'file.csv'}:5: label is missing" in message
    assert 'on_bad_rows = "skip"' in message
    assert "more" not in message


def test_an_error_lists_the_first_ten_bad_rows_and_counts_all(tmp_path: Path) -> None:
    source = write(tmp_path, "text,label\nfine,good\n" + "x,\n" * 13)
    with pytest.raises(DataError) as caught:
        read(SINGLE, source)
    message = str(caught.value)
    assert message.startswith("13 rows cannot be used")
    assert "... and 3 more" in message
    assert [line for line in range(1, 20) if f"file.csv:{line}:" in message] == list(range(3, 13))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["fine,good", "fine,", ",good", "fine", 'fine,"good', "fine,5"]), min_size=1))
def test_each_row_is_an_example_or_a_bad_row(tmp_path_factory: pytest.TempPathFactory, rows: list[str]) -> None:
    source = write(tmp_path_factory.getbasetemp(), "text,label\nfine,bad\n" + "\n".join(rows))
    examples, bad = read_examples(SINGLE, source, on_bad_rows="skip", labelled=True)
    assert len(examples) == 1 + rows.count("fine,good")
    assert sorted([*examples.lines.tolist(), *(row.line for row in bad)]) == list(range(2, len(rows) + 3))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("six", "not a number"), ("5.5", "outside the range"), ("nan", "not a number"), ("", "missing")],
)
def test_values_outside_the_range_are_bad(tmp_path: Path, cell: str, reason: str) -> None:
    source = write(tmp_path, f"text,label\nfine,2.5\nodd,{cell}\n")
    examples, (bad,) = read_examples(SCORE, source, on_bad_rows="skip", labelled=True)
    assert examples.targets.tolist() == [2.5]
    assert bad.line == 3
    assert reason in bad.reason


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "is missing"),
        ("NaN", "is missing"),
        ([], "is missing"),
        ([" ", ""], "is missing"),
        (["a", None], "is a list and not text or a number"),
        (["a", True], "is a list and not text or a number"),
        ([["a"]], "is a list and not text or a number"),
        ({"a": 1}, "is a dict and not text or a number"),
    ],
)
def test_cells_that_are_not_text_are_bad(tmp_path: Path, cell: object, reason: str) -> None:
    line = json.dumps({"text": math.nan if cell == "NaN" else cell, "label": "bad"})
    source = write(tmp_path, '{"text": "fine", "label": "good"}\n' + line, "file.jsonl")
    examples, bad = read_examples(SINGLE, source, on_bad_rows="skip", labelled=True)
    assert examples.ids == ["1"]
    assert bad == [BadRow(source.name, 2, f"text 'text' {reason}")]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.integers(), max_size=5))
def test_the_words_of_a_list_are_joined_by_a_blank(words: list[str | int]) -> None:
    row, text = Row(1, {"text": words}), " ".join(map(str, words))
    if not text.strip():
        with pytest.raises(LabelError, match="text 'text' is missing"):
            text_of(row, "text")
        return
    assert text_of(row, "text") == text
    places = spans_of(text_of(row, "text"), "blanks").tolist()
    assert [text[start:end] for start, end in places] == [str(word) for word in words]
    plain = spans_of(text_of(Row(1, {"text": text}), "text"), "blanks").tolist()
    assert [text[start:end] for start, end in plain] == text.split()


def test_a_list_of_words_is_a_text_of_every_kind(tmp_path: Path) -> None:
    source = write(tmp_path, '{"text": ["so", "good", 7], "label": "good"}\n', "file.jsonl")
    assert read(SINGLE, source).texts == (["so good 7"],)


def test_a_number_is_read_as_text(tmp_path: Path) -> None:
    source = write(tmp_path, '{"text": 42, "label": "good"}', "file.jsonl")
    assert read(SINGLE, source).texts == (["42"],)


def test_without_labels_every_text_is_an_example(tmp_path: Path) -> None:
    absent = read(SINGLE, write(tmp_path, "text\none\ntwo\n"), labelled=False)
    assert np.isnan(absent.targets).tolist() == [True, True]
    mixed = read(SINGLE, write(tmp_path, "text,label\none,\ntwo,good\n"), labelled=False)
    assert np.isnan(mixed.targets).tolist() == [True, False]
    empty = read(SINGLE, write(tmp_path, '{"text": "one", "label": NaN}', "file.jsonl"), labelled=False)
    assert np.isnan(empty.targets).tolist() == [True]


def test_an_optional_label_that_is_unknown_is_missing_with_a_warning(tmp_path: Path) -> None:
    examples = read(SINGLE, write(tmp_path, "text,label\none,nonsense\n"), labelled=False)
    assert (len(examples), np.isnan(examples.targets).all()) == (1, True)
    (warning,) = examples.warnings
    assert ":2: label 'nonsense' is not one of" in warning


@pytest.mark.parametrize(
    ("task", "missing", "hint"),
    [
        (dataclasses.replace(SINGLE, text=("txt",)), "txt", "did you mean 'text'?"),
        (dataclasses.replace(SINGLE, label="Label "), "Label ", "did you mean 'label'?"),
        (dataclasses.replace(SINGLE, id="key"), "key", None),
    ],
)
def test_a_missing_column_is_reported_with_the_existing_ones(
    tmp_path: Path, task: Task, missing: str, hint: str | None
) -> None:
    source = write(tmp_path, "text,label\nfine,good\n")
    with pytest.raises(DataError, match=f"no column '{missing}'") as caught:
        read(task, source)
    assert source.name in str(caught.value)
    assert caught.value.allowed == "text, label"
    assert caught.value.hint == hint


@pytest.mark.parametrize("on_bad_rows", ["error", "skip"])
def test_a_file_with_only_a_header_is_an_error(tmp_path: Path, on_bad_rows: str) -> None:
    with pytest.raises(DataError, match="no usable rows"):
        read_examples(SINGLE, write(tmp_path, "text,label\n"), on_bad_rows=on_bad_rows, labelled=True)


def test_a_file_with_only_bad_rows_is_an_error_with_their_reasons(tmp_path: Path) -> None:
    source = write(tmp_path, "text,label\nfine,\n,good\n")
    with pytest.raises(DataError, match="line 2: label is missing; line 3: text 'text' is missing"):
        read_examples(SINGLE, source, on_bad_rows="skip", labelled=True)


def test_ids_are_read_from_the_named_column_else_from_id_else_are_row_numbers(tmp_path: Path) -> None:
    source = write(tmp_path, "id,key,text,label\nA,k1,fine,good\n,k2,dull,bad\n")
    assert read(dataclasses.replace(SINGLE, id="key"), source).ids == ["k1", "k2"]
    assert read(SINGLE, source).ids == ["A", "2"]


def test_row_numbers_count_bad_rows(tmp_path: Path) -> None:
    source = write(tmp_path, "text,label\nx,\nfine,good\n\ndull,bad\n")
    examples, _ = read_examples(SINGLE, source, on_bad_rows="skip", labelled=True)
    assert examples.ids == ["2", "3"]


def test_duplicate_ids_give_a_warning(tmp_path: Path) -> None:
    examples = read(SINGLE, write(tmp_path, "id,text,label\na,one,good\nb,two,bad\na,three,bad\n"))
    (warning,) = examples_warnings(examples, SINGLE)
    assert "1 id occurs more than once (a)" in warning


def test_a_single_class_gives_a_warning(tmp_path: Path) -> None:
    examples = read(SINGLE, write(tmp_path, "text,label\none,good\ntwo,good\n"))
    (warning,) = examples_warnings(examples, SINGLE)
    assert "the same class 'good'" in warning


def test_a_single_value_gives_a_warning(tmp_path: Path) -> None:
    examples = read(SCORE, write(tmp_path, "text,label\none,2\ntwo,2.0\n"))
    (warning,) = examples_warnings(examples, SCORE)
    assert "the same value 2.0" in warning


def test_valid_examples_give_no_warning(tmp_path: Path) -> None:
    assert examples_warnings(read(SINGLE, write(tmp_path, "text,label\none,good\ntwo,bad\n")), SINGLE) == []


def test_taken_rows_have_the_given_order(tmp_path: Path) -> None:
    examples = read(PAIR, write(tmp_path, "left,right,label\na,b,good\nc,d,bad\ne,f,good\n"))
    taken = examples.take(np.array([2, 0]))
    assert taken.ids == ["3", "1"]
    assert taken.texts == (["e", "a"], ["f", "b"])
    assert taken.targets.tolist() == [1.0, 1.0]
    assert taken.lines.tolist() == [4, 2]
