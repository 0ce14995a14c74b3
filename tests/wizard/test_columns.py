from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.reading import Source, open_source
from manyheads.errors import DataError, on_command_line
from manyheads.wizard.survey import Layout, guess_layout, read_columns

PROSE = ["the cat sat on the mat", "dogs run in the park", "it rained all day long", "no one came to the show"]


def _source(folder: Path, columns: dict[str, list[Any]], name: str = "train") -> Source:
    file = folder / f"{name}.jsonl"
    rows = zip(*columns.values(), strict=True)
    file.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
    return open_source(str(file), folder)


def _prose(count: int, opening: str = "") -> list[str]:
    return [f"{opening}{PROSE[row % 4]} {row}" for row in range(count)]


def _guess(folder: Path, columns: dict[str, list[Any]], **given: Any) -> Layout:
    source = _source(folder, columns)
    return guess_layout(source, [source], [], **given)


NUMBERS = [0, 1] * 12
TEXTS = _prose(24)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": list(range(24)), "sentence": TEXTS, "sentiment": NUMBERS}, (("sentence",), "sentiment", "id")),
        ({"review": TEXTS, "is_spam": ["yes", "no"] * 12}, (("review",), "is_spam", None)),
        (
            {"sentence1": TEXTS, "sentence2": TEXTS, "score": [0.5, 2] * 12},
            (("sentence1", "sentence2"), "score", None),
        ),
        (
            {"question_a": TEXTS, "question_b": TEXTS, "y": NUMBERS, "note": TEXTS},
            (("question_a", "question_b"), "y", None),
        ),
        (
            {"premise": TEXTS, "hypothesis": TEXTS, "gold_label": ["e", "n", "c"] * 8},
            (("premise", "hypothesis"), "gold_label", None),
        ),
        (
            {"source1": ["none"] * 24, "source2": ["none"] * 24, "sentence1": TEXTS, "sentence2": TEXTS, "y": NUMBERS},
            (("sentence1", "sentence2"), "y", None),
        ),
        (
            {"Question": TEXTS, "Title": ["A page"] * 24, "Sentence": TEXTS, "Label": NUMBERS},
            (("Question", "Sentence"), "Label", None),
        ),
        (
            {"Title": TEXTS, "Summary": TEXTS, "isDuplicate": NUMBERS},
            (("Title", "Summary"), "isDuplicate", None),
        ),
        ({"label": NUMBERS, "text": TEXTS, "year": [1990, 2000] * 12}, (("text",), "label", None)),
        ({"kind": ["a", "b"] * 12, "words": TEXTS}, (("words",), "kind", None)),
        ({"number": list(range(24)), "words": TEXTS, "kind": ["a", "b"] * 12}, (("words",), "kind", None)),
        (
            {"city": ["Rome", "Oslo", "Bern"] * 8, "comment": TEXTS, "rating": [1, 2, 3] * 8},
            (("comment",), "rating", None),
        ),
        ({"name": [f"Nam{row}" for row in range(24)], "language": ["de", "fr"] * 12}, (("name",), "language", None)),
    ],
)
def test_text_label_and_id_are_found_by_names_and_contents(
    tmp_path: Path, columns: dict[str, list[Any]], expected: tuple[tuple[str, ...], str, str | None]
) -> None:
    layout = _guess(tmp_path, columns)
    assert (layout.text, layout.label, layout.id) == expected
    assert {*layout.text, layout.label, layout.id, *layout.other} - {None} == set(columns)


def test_a_column_that_the_test_file_does_not_have_is_the_label(tmp_path: Path) -> None:
    columns = {"text": _prose(24), "colour": ["red", "blue"] * 12, "size": [1, 2] * 12}
    train = _source(tmp_path, columns)
    test = _source(tmp_path, {key: columns[key] for key in ("text", "size")}, "test")
    assert guess_layout(train, [train], [test]).label == "colour"
    assert guess_layout(train, [train], []).label == "size"


def test_text_and_id_columns_are_in_every_file(tmp_path: Path) -> None:
    columns = {"id": list(range(24)), "text": _prose(24), "body": _prose(24, "long and longer: "), "label": NUMBERS}
    train = _source(tmp_path, columns)
    test = _source(tmp_path, {"text": _prose(24)}, "test")
    layout = guess_layout(train, [train], [test])
    assert (layout.text, layout.id) == (("text",), None)


def test_given_columns_are_used(tmp_path: Path) -> None:
    columns = {"text": _prose(24), "label": NUMBERS, "reply": _prose(24), "mood": ["a", "b"] * 12}
    layout = _guess(tmp_path, columns, text=["reply", "text"], label="mood")
    assert (layout.text, layout.label, layout.other) == (("reply", "text"), "mood", ("label",))
    with pytest.raises(DataError, match="did you mean 'mood'"):
        _guess(tmp_path, columns, label="mod")


@pytest.mark.parametrize(
    ("columns", "what"), [({"text": _prose(24)}, "label"), ({"label": NUMBERS, "size": NUMBERS}, "text")]
)
def test_a_column_that_cannot_be_found_is_an_error_that_names_the_option(
    tmp_path: Path, columns: dict[str, list[Any]], what: str
) -> None:
    with on_command_line(), pytest.raises(DataError, match=f"the {what} column cannot be found") as error:
        _guess(tmp_path, columns)
    assert f"--{what}" in str(error.value.hint)
    with pytest.raises(DataError) as error:
        _guess(tmp_path, columns)
    assert f'{what}="COLUMN"' in str(error.value.hint)


def test_a_label_column_with_one_value_is_found_and_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    assert _guess(tmp_path, {"text": TEXTS, "label": [1] * 24}).label == "label"
    (tmp_path / "header.csv").write_text("text,label\nbroken\n")
    empty = open_source("header.csv", tmp_path)
    with pytest.raises(DataError, match="no usable rows"):
        guess_layout(empty, [empty], [])


def test_a_column_with_a_few_invalid_cells_is_numeric(tmp_path: Path) -> None:
    columns = read_columns(_source(tmp_path, {"a": ["?", *["1"] * 299, None], "b": ["?", *["1"] * 20, *[None] * 280]}))
    assert columns["a"].numeric
    assert not columns["b"].numeric
    assert columns["b"].cells == 21


def test_two_texts_without_a_label_may_belong_together(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="label column cannot be found") as caught:
        _guess(tmp_path, {"id": list(range(24)), "question": TEXTS, "reply": _prose(24, "because ")})
    assert "rename 'question' and 'reply' to 'anchor' and 'positive' if they belong together" in str(caught.value.hint)
    with pytest.raises(DataError, match="label column cannot be found") as caught:
        _guess(tmp_path, {"id": list(range(24)), "question": TEXTS})
    assert "anchor" not in str(caught.value.hint)
