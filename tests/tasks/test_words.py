"""Labels of words: reading, writing, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import DataError, RecipeError
from manyheads.ragged import Ragged
from manyheads.recipe.load import recipe_from
from manyheads.recipe.prepare import read_tasks
from manyheads.tasks.kind import LabelError, Predictions
from manyheads.tasks.kinds.words import WordTags
from manyheads.tasks.tags import SplitText, spans_of

BIO = WordTags(["O", "B-city", "I-city", "B-day", "I-day"], scheme="bio", split="punctuation")
TEXT = "From New York to Rome."


def infer(cells: list[object], **options: Any) -> WordTags:
    return WordTags.infer(WordTags.options(**options), cells, name="data.jsonl", typed=True)[0]


def tags(kind: WordTags, cell: object, text: str) -> list[object]:
    return kind.present(kind.parse_of(cell, [text]))


def test_a_list_of_words_keeps_its_words_and_equals_its_text() -> None:
    text = SplitText(["New York", "", "a"])
    assert text == "New York  a"
    assert [text[start:end] for start, end in spans_of(text, "blanks").tolist()] == ["New York", "", "a"]


def test_a_plain_text_is_split_at_blanks_or_around_punctuation_too() -> None:
    text = "It's 5.5,\tOK"
    words = [[text[start:end] for start, end in spans_of(text, how).tolist()] for how in ("blanks", "punctuation")]
    assert words == [["It's", "5.5,", "OK"], ["It", "'", "s", "5", ".", "5", ",", "OK"]]


def test_spans_of_characters_become_tags() -> None:
    cell = [{"start": 5, "end": 13, "label": "city"}, {"start": 17, "end": 21, "label": "city"}]
    assert tags(BIO, cell, TEXT) == ["O", "B-city", "I-city", "O", "B-city", "O"]
    assert tags(BIO, str(cell).replace("'", '"'), TEXT) == ["O", "B-city", "I-city", "O", "B-city", "O"]
    assert tags(BIO, [], TEXT) == ["O"] * 6
    bioes = infer([cell], scheme="bioes")
    assert tags(bioes, cell, TEXT) == ["O", "B-city", "E-city", "O", "S-city", "O"]


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ({"start": 6, "end": 13, "label": "city"}, "does not begin and end with a word"),
        ({"start": 5, "end": 12, "label": "city"}, "does not begin and end with a word"),
        ({"start": 5, "end": 99, "label": "city"}, "no characters of the text"),
        ({"start": 5, "end": 5, "label": "city"}, "no characters of the text"),
        ({"start": 5, "label": "city"}, "does not start and end with whole numbers"),
        (["5", "8", "city"], "does not start and end with whole numbers"),
        ({"start": 5, "end": 8}, "has no label"),
        ({"start": 5, "end": 8, "labels": ["city", "day"]}, "has several labels"),
        ({"start": 5, "end": 8, "label": "town"}, "'B-town' is not one of"),
    ],
)
def test_a_span_that_is_not_made_of_words_is_refused(span: dict[str, object], reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        BIO.parse_of([span], [TEXT])


@pytest.mark.parametrize(
    "span",
    [
        [5, 13, "city"],
        {"start_offset": 5, "end_offset": 13, "label": "city"},
        {"start": 5, "end": 13, "text": "New York", "labels": ["city"]},
        {"start": 5, "end": 13, "value": "New York", "entity": "city"},
        {"start": 5, "end": 13, "word": "New York", "entity_group": "city", "score": 0.9},
    ],
)
def test_spans_of_other_programs_are_read(span: object) -> None:
    assert tags(BIO, [span], TEXT) == ["O", "B-city", "I-city", "O", "O", "O"]
    assert infer([[], [span]]).space()["labels"] == ["O", "B-city", "I-city"]


def test_what_to_do_about_a_span_depends_on_how_the_text_is_split() -> None:
    for split in ("blanks", "punctuation"):
        kind = WordTags(BIO.labels, scheme="bio", split=split)
        with pytest.raises(LabelError) as found:
            kind.parse_of([[5, 12, "city"]], [TEXT])
        assert ('split = "punctuation"' in str(found.value.hint)) == (split == "blanks")


def test_spans_without_labels_and_missing_tags_are_refused() -> None:
    with pytest.raises(DataError, match="spans of the label column have no labels"):
        infer([[{"offset": 0, "length": 3, "category": "city"}]])
    kind = infer([["O", None, "B-a"], ["O", "", "B-a"]])
    assert kind.space()["labels"] == ["O", "B-a", "I-a"]
    for tag in (None, " ", float("nan")):
        with pytest.raises(LabelError, match="tag of word 2 is missing"):
            kind.parse(["O", tag])


def test_iob1_is_read_as_bio_and_bilou_as_bioes() -> None:
    """In IOB1, B- only begins a span that follows one of its type."""
    kind = infer([["I-x", "O", "I-x", "B-x", "I-y"]])
    assert kind.present(kind.parse("I-x I-x B-x I-y O I-y")) == ["B-x", "I-x", "B-x", "B-y", "O", "B-y"]
    kind = infer([["U-x", "O", "B-x", "L-x"]])
    assert kind.space()["scheme"] == "bioes"
    assert kind.present(kind.parse("U-x B-x I-x L-x O")) == ["S-x", "B-x", "I-x", "E-x", "O"]


def test_overlapping_spans_are_refused() -> None:
    spans = [{"start": 5, "end": 13, "label": "city"}, {"start": 9, "end": 13, "label": "day"}]
    with pytest.raises(LabelError, match="overlaps"):
        BIO.parse_of(spans, [TEXT])


def test_another_number_of_tags_than_of_words_is_refused_with_both() -> None:
    with pytest.raises(LabelError, match="2 tags for 3 words"):
        infer([["O", "B-a"]]).parse_of("O B-a", ["one two three"])
    with pytest.raises(LabelError, match="2 tags for 1 words"):
        infer([["O", "B-a"]]).parse_of(["O", "O"], [SplitText(["one two"])])


def test_a_word_per_line_is_read_like_lists_of_words(tmp_path: Path) -> None:
    sentences = [["we", "saw", "Oslo"], ["Oslo", "again"], ["all"], ["of", "New", "York"]]
    tags = [["O", "O", "B-city"], ["B-city", "O"], ["O"], ["O", "B-city", "I-city"]]
    (tmp_path / "lists.jsonl").write_text(
        "".join(json.dumps({"w": w, "t": t}) + "\n" for w, t in zip(sentences, tags, strict=True))
    )
    lines = [
        f"{'' if place else number},{word},{tag}"
        for number, (words, own) in enumerate(zip(sentences, tags, strict=True))
        for place, (word, tag) in enumerate(zip(words, own, strict=True))
    ]
    (tmp_path / "lines.csv").write_text("s,w,t\n" + "\n".join(lines) + "\n")
    table = {"kind": "words", "dev": 0.25, "text": "w", "label": "t"}
    found = []
    for keys in ({"train": "lists.jsonl"}, {"train": "lines.csv", "group_by": "s"}):
        recipe = recipe_from({"encoder": "minilm-offline", "tasks": {"t": {**table, **keys}}}, tmp_path, ".".join)
        (data,) = read_tasks(recipe, lambda *_, **__: None)
        assert data.task.kind.labels == ("O", "B-city", "I-city")  # type: ignore[attr-defined]
        found.append([(list(each.texts[0]), [list(row) for row in each.targets]) for each in (data.train, data.dev)])
    assert found[0] == found[1]
    kind = data.task.kind
    assert kind.space()["group_by"] == "s"
    assert "group_by" not in kind.meaning()


@pytest.mark.parametrize("written", [repr, json.dumps, lambda items: f"[{' '.join(map(repr, items))}]"])
def test_lists_that_pandas_wrote_as_text_are_words_and_tags(
    tmp_path: Path, written: Callable[[list[str]], str]
) -> None:
    rows = [(["It's", "New York", "now"], ["O", "B-city", "O"]), (["in", "Rome"], ["O", "B-city"]), (["no"], ["O"])]
    with (tmp_path / "lists.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("w", "t"), *((written(words), written(tags)) for words, tags in rows)])
    table = {"kind": "words", "train": "lists.csv", "dev": 0.34, "text": "w", "label": "t"}
    (data,) = read_tasks(
        recipe_from({"encoder": "minilm-offline", "tasks": {"t": table}}, tmp_path, ".".join), lambda *_, **__: None
    )
    found = []
    for each in (data.train, data.dev):
        assert each.words is not None
        for text, places, target in zip(each.texts[0], each.words, each.targets, strict=True):
            found.append(([text[start:end] for start, end in places.tolist()], data.task.kind.present(target)))
    assert sorted(found) == sorted(rows)


def test_the_column_of_the_text_does_not_group_words() -> None:
    table = {"kind": "words", "train": "f.csv", "dev": 0.5, "text": "w", "label": "t", "group_by": "w"}
    with pytest.raises(RecipeError, match="to which text a word belongs"):
        recipe_from({"encoder": "minilm-offline", "tasks": {"t": table}}, Path(), ".".join)


def test_the_label_space_is_read_from_tags_or_spans_and_completed() -> None:
    assert infer([["O", "I-b"], "O B-a"]).space() == {
        "labels": ["O", "B-a", "I-a", "B-b", "I-b"],
        "scheme": "bio",
        "split": "blanks",
    }
    assert infer([["DET", "N"], ["V"]]).space() == {"labels": ["DET", "N", "V"], "scheme": "tags", "split": "blanks"}
    assert infer([["O", "B-a"]], scheme="tags").space()["labels"] == ["B-a", "O"]
    spans = infer([[], [{"start": 0, "end": 1, "label": "x"}]])
    assert spans.space() == {"labels": ["O", "B-x", "I-x"], "scheme": "bio", "split": "punctuation"}


@pytest.mark.parametrize(
    ("labels", "scheme", "reason"),
    [
        (["O", "I-x"], "bio", "needs the label 'B-x'"),
        (["B-x", "I-x"], "bio", 'needs the label "O"'),
        (["O", "B-x", "I-x", "X"], "bio", "the label 'X' has not the form of the scheme bio, B-, I-"),
        (["O", "S-x"], "bioes", "needs the label 'B-x'"),
    ],
)
def test_labels_that_a_scheme_cannot_use_are_refused(labels: list[str], scheme: str, reason: str) -> None:
    options = WordTags.options(labels=labels, scheme=scheme)
    assert [reason in fault.what for fault in WordTags.faults(options)] == [True]


def test_a_few_tags_that_are_not_of_spans_are_a_warning() -> None:
    (warning,) = infer([["O", "B-x", "I-x", "_"]]).warnings()
    assert "the tag '_' is not of spans" in warning
    assert infer([["O", "B-x", "I-x"]]).warnings() == []
    assert infer([["O", "DET", "N"]]).warnings() == []
    assert infer([["O", "B-x", "I-x"]], scheme="tags").warnings() == []


def test_tags_of_another_scheme_than_that_of_the_recipe_are_refused() -> None:
    for tags, scheme, other in ((["O", "B-x", "I-x"], "bioes", "bio"), (["O", "U-x", "B-x"], "bio", "bioes")):
        with pytest.raises(DataError, match="another scheme") as found:
            infer([tags], scheme=scheme)
        assert f'scheme = "{other}"' in str(found.value)
    with pytest.raises(DataError, match="the tag 'city' has not the form of the scheme bio, B-, I-"):
        infer([["O", "city"]], scheme="bio")


@pytest.mark.parametrize(("tag", "labelled"), [("-", False), ("?", False), ("X", True)])
def test_a_test_file_with_one_mark_for_all_words_has_no_labels(tmp_path: Path, tag: str, labelled: bool) -> None:
    (tmp_path / "train.conll").write_text("we O\nsaw O\nOslo B-city\n\nno O\n\nin O\nRome B-city\n")
    (tmp_path / "test.conll").write_text(f"in {tag}\nOslo {tag}\n\nno {tag}\n")
    table = {"kind": "words", "train": "train.conll", "test": "test.conll", "dev": 0.34, "text": "1", "label": "2"}
    recipe = recipe_from({"encoder": "minilm-offline", "tasks": {"t": table}}, tmp_path, ".".join)
    texts: list[str] = []
    (data,) = read_tasks(recipe, lambda _, **found: texts.append(str(found.get("text"))))
    assert data.test is not None
    assert [len(row) for row in data.test.targets] == ([2, 1] if labelled else [0, 0])
    assert any("counted as wrong: 'X' (3)" in text for text in texts) == labelled
    assert any("2 rows without a usable label" in text for text in texts) != labelled


def test_labels_of_bilou_in_a_recipe_are_those_of_bioes() -> None:
    labels = ["O", "B-x", "I-x", "L-x", "U-x"]
    kind = WordTags.of(WordTags.options(labels=labels))
    assert kind is not None
    assert (kind.scheme, list(kind.labels)) == ("bioes", ["O", "B-x", "I-x", "E-x", "S-x"])
    assert kind.present(kind.parse("U-x B-x L-x O")) == ["S-x", "B-x", "E-x", "O"]
    other = WordTags.of(WordTags.options(labels=labels, scheme="tags"))
    assert other is not None
    assert list(other.labels) == labels


def test_a_column_without_two_tags_has_no_label_space() -> None:
    with pytest.raises(DataError, match="fewer than two labels"):
        infer([["N"], ["N", "N"]])


def test_lists_with_repeated_items_and_lists_of_spans_look_like_words() -> None:
    found = WordTags.guess([["O", "O", "B-x"], ["O"]], name="f", typed=True)
    assert found is not None
    assert found.scheme == "bio"
    assert WordTags.guess([[{"start": 0, "end": 2, "label": "x"}], []], name="f", typed=True) is not None
    assert WordTags.guess([["a", "b"], ["b"]], name="f", typed=True) is None
    assert WordTags.guess(["a", "b"], name="f", typed=True) is None


def test_a_record_has_words_tags_probabilities_and_spans_with_their_characters() -> None:
    places = spans_of(TEXT, "punctuation")
    offsets = np.array([0, 6])
    values = Ragged(BIO.parse_of([{"start": 5, "end": 13, "label": "city"}], [TEXT]), offsets)
    predictions = Predictions(values, Ragged(np.full(6, 0.5), offsets), Ragged(places, offsets), [TEXT])
    assert BIO.record(predictions, 0) == {
        "words": ["From", "New", "York", "to", "Rome", "."],
        "prediction": ["O", "B-city", "I-city", "O", "O", "O"],
        "spans": [{"start": 5, "end": 13, "label": "city", "text": "New York"}],
        "probabilities": [0.5] * 6,
    }
    without = BIO.record(predictions.take(np.array([0])), 0)
    assert without["spans"] == [{"start": 5, "end": 13, "label": "city", "text": "New York"}]
    in_words = BIO.record(Predictions(values, None), 0)
    assert in_words == {
        "prediction": ["O", "B-city", "I-city", "O", "O", "O"],
        "spans": [{"start": 1, "end": 3, "label": "city"}],
    }


def test_held_out_rows_are_chosen_by_the_rarest_tag() -> None:
    targets = Ragged.of([[0, 1, 2], [0, 0], [1, 3], [1]])
    assert BIO.strata(targets).tolist() == [2, 5, 3, 1]
