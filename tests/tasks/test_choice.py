"""Choices: what a label is, candidates in every form of rows, lines in groups, and ranks against scikit-learn."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score
from tests.course_files import DATA

from manyheads.data.examples import read_examples
from manyheads.data.reading import BadRow, Row, open_source
from manyheads.data.reading.combined import Grouped
from manyheads.errors import DataError, RecipeError
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.accuracy import ACCURACY
from manyheads.evaluation.metrics.metric import jackknife
from manyheads.evaluation.metrics.ranks import MRR, NDCG
from manyheads.evaluation.metrics.resolve import resolve
from manyheads.model.losses import LOSSES, build_loss, fitting_losses
from manyheads.ragged import Ragged, offsets_of
from manyheads.recipe.load import recipe_from
from manyheads.recipe.tasks import build_task, gathered, label_space, open_task_source
from manyheads.tasks.cells import Columns
from manyheads.tasks.kind import LabelError, Predictions, UnknownLabelError
from manyheads.tasks.kinds.choice import Choice, ChoiceOptions

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip()) and not text.lstrip().startswith("[")
)


def infer(cells: list[tuple[object, list[str]]], **keys: Any) -> Choice:
    options = ChoiceOptions(candidates="c", **keys)
    object.__setattr__(options, "label", "y")
    rows = [Columns({"y": label, "c": candidates}) for label, candidates in cells]
    kind, note = Choice.infer(options, rows, name="f.csv", typed=True)
    assert note.endswith("found in f.csv")
    return kind


ABC = ["one", "two", "three"]


@pytest.mark.parametrize(
    ("labels", "form", "first"),
    [
        ([0, 1, 2], "index", 0),
        (["0", "1"], "index", 0),
        ([1, 3, 2], "index", 1),
        (["A", "C", "b"], "letter", 0),
        (["two", "one"], "text", 0),
        ([[0, 1, 0], [2, 0, 1]], "relevance", 0),
        (["[0, 1, 0]"], "relevance", 0),
    ],
)
def test_what_a_label_is_follows_from_the_rows(labels: list[object], form: str, first: int) -> None:
    kind = infer([(label, ABC) for label in labels])
    assert (kind.label_as, kind.label_from) == (form, first)


def test_the_text_of_a_candidate_wins_over_its_index() -> None:
    assert infer([("3", ["2", "3"]), ("4", ["4", "5"])]).label_as == "text"


@pytest.mark.parametrize("labels", [[1, 2, 1], [0, 3]])
def test_indices_that_do_not_say_where_they_begin_are_an_error(labels: list[object]) -> None:
    with pytest.raises(DataError, match="from 0 or from 1") as caught:
        infer([(label, ABC) for label in labels])
    assert "label_from = 0 or label_from = 1" in str(caught.value.hint)
    assert infer([(1, ABC), (2, ABC)], label_as="index", label_from=1).label_from == 1


def test_labels_that_name_no_candidates_are_an_error_with_some_of_them() -> None:
    with pytest.raises(DataError, match="name no candidates") as caught:
        infer([("yes", ABC), ("no", ABC)])
    assert caught.value.found == "'yes', 'no'"


def test_candidates_that_cannot_be_read_are_an_error_with_the_first_reason() -> None:
    with pytest.raises(DataError, match="no row has candidates that can be read") as caught:
        infer([(0, "a, b, c"), (1, "d, e, f")])  # type: ignore[list-item]
    assert caught.value.found == "'c' is 'a, b, c' and not a list of candidates"
    assert "set group_by" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("kind", "label", "place"),
    [
        (Choice(["c"], label_from=0), "1", 1),
        (Choice(["c"], label_from=1), 1.0, 0),
        (Choice(["c"], label_as="letter"), "(c)", 2),
        (Choice(["c"], label_as="text"), " two ", 1),
        (Choice(["c"], label_as="name", names="n"), "q", 1),
        (Choice(["c"], label_as="name", names="n"), 7, 2),
    ],
)
def test_a_label_names_a_candidate(kind: Choice, label: object, place: int) -> None:
    found = kind.candidates({"c": ABC, "n": ["p", "q", 7]})
    assert kind.parse_among(label, found).tolist() == np.eye(3)[place].tolist()


@pytest.mark.parametrize(
    ("kind", "label", "reason"),
    [
        (Choice(["c"]), 3, "the row has 3 candidates"),
        (Choice(["c"], label_from=1), 0, "whole number of at least 1"),
        (Choice(["c"], label_as="letter"), "D", "the row has 3 candidates"),
        (Choice(["c"], label_as="letter"), "4", "not a letter"),
        (Choice(["c"], label_as="text"), "four", "not the text of a candidate"),
        (Choice(["c"], label_as="relevance"), [0, 1], "has 2 numbers for 3 candidates"),
        (Choice(["c"], label_as="relevance"), [0, 0, 0], "no candidate is right"),
        (Choice(["c"], label_as="relevance"), [0, -1, 1], "not a relevance"),
        (Choice(["c"]), "", "missing"),
    ],
)
def test_a_label_that_names_no_candidate_has_a_reason(kind: Choice, label: object, reason: str) -> None:
    with pytest.raises(LabelError, match=reason) as caught:
        kind.parse_among(label, kind.candidates({"c": ABC}))
    named = reason.startswith(("the row has", "not the text"))
    assert isinstance(caught.value, UnknownLabelError) == named


def test_a_text_of_several_candidates_is_refused() -> None:
    kind = Choice(["c"], label_as="text")
    with pytest.raises(LabelError, match="2 candidates"):
        kind.parse_among("a", kind.candidates({"c": ["a", "b", "a"]}))


@pytest.mark.parametrize(
    ("columns", "cells", "reason"),
    [
        (["c"], {"c": None}, "'c' is missing"),
        (["c"], {"c": "[1, 2"}, "not a list in JSON"),
        (["c"], {"c": "plain"}, "not a list of candidates"),
        (["c"], {"c": []}, "no candidates"),
        (["c"], {"c": ["a", ""]}, "candidate 2 in 'c' is missing"),
        (["c"], {"c": ["a", {"text": "b"}]}, "not text"),
        (["a", "b", "c"], {"a": "x", "b": "", "c": "z"}, "candidate 'b' is missing"),
    ],
)
def test_cells_without_candidates_have_a_reason(columns: list[str], cells: dict[str, object], reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        Choice(columns).candidates(cells)


def test_columns_without_text_at_the_end_are_no_candidates() -> None:
    kind = Choice(["a", "b", "c", "d"])
    assert kind.candidates({"a": "x", "b": 7, "c": " ", "d": None}).texts == ("x", "7")


@pytest.mark.parametrize("place", [0, 1, 25, 26, 701, 702, 20000])
def test_letters_are_read_as_they_are_written(place: int) -> None:
    kind = Choice(["c"], label_as="letter")
    target = np.zeros(place + 1)
    target[place] = 1
    assert kind.code(kind.present(target)).tolist() == target.tolist()
    assert kind.present(np.eye(30)[26]) == "AA"


# Files

Lines = list[tuple[str, list[tuple[str, int]]]]


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(TEXT, st.lists(st.tuples(TEXT, st.integers(0, 2)), min_size=1, max_size=4)), min_size=1))
def test_lines_in_groups_and_lists_in_cells_are_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, groups: Lines
) -> None:
    folder = tmp_path_factory.getbasetemp()
    groups = [(text, [(each, grade + (place == 0)) for place, (each, grade) in enumerate(own)]) for text, own in groups]
    lists = [{"q": text, "c": [each for each, _ in own], "y": [grade for _, grade in own]} for text, own in groups]
    lines = [
        {"k": number, "q": text, "c": each, "y": grade}
        for number, (text, own) in enumerate(groups)
        for each, grade in own
    ]
    for name, rows in (("lists", lists), ("lines", lines)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = []
    for name, key in (("lists", None), ("lines", "k")):
        table = {"kind": "choice", "train": f"{name}.jsonl", "dev": 0.5, "text": "q", "candidates": "c", "label": "y"}
        table |= {"label_as": "relevance"} if key is None else {"group_by": key}
        found.append(read(folder, table))
    one, other = found
    assert list(one.candidates) == list(other.candidates) == [row["c"] for row in lists]
    assert list(one.texts[0]) == list(other.texts[0]) == [row["q"] for row in lists]
    assert one.targets.values.tolist() == other.targets.values.tolist()
    assert one.targets.offsets.tolist() == other.targets.offsets.tolist()
    assert list(other.ids) == [str(number) for number in range(len(groups))]


def read(folder: Path, table: dict[str, Any], *, labelled: bool = True, skip: bool = False) -> Any:
    """Return the examples of the training file of a task."""
    recipe = recipe_from({"encoder": "minilm-offline", "tasks": {"t": table}}, folder, ".".join)
    options = recipe.tasks["t"]
    source = open_task_source(options, options.train, folder, labelled=True)
    task = build_task("t", options, label_space(options, source).kind)
    return read_examples(task, source, on_bad_rows="skip" if skip else "error", labelled=labelled)[0]


CSV = """id,ctx,ending0,ending1,ending2,label
a,He ran,far,"away, fast",home,1
b,She sat,down,up,,0
"""


def test_a_column_for_each_candidate_of_a_csv_file(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(CSV)
    table = {"kind": "choice", "train": "f.csv", "dev": 0.5, "text": "ctx", "label": "label", "label_from": 0}
    found = read(tmp_path, {**table, "candidates": ["ending0", "ending1", "ending2"], "label_as": "index"})
    assert list(found.candidates) == [["far", "away, fast", "home"], ["down", "up"]]
    assert [row.tolist() for row in found.targets] == [[0, 1, 0], [1, 0]]
    assert list(found.ids) == ["a", "b"]


def test_a_json_list_in_a_cell_of_a_csv_file_and_two_text_columns_as_one_context(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text('ctx,ask,c,label\nOne,why,"[""a"", ""b, c""]",2\nTwo,how,"[""d""]",1\n')
    table = {"kind": "choice", "train": "f.csv", "dev": 0.5, "text": ["ctx", "ask"], "candidates": "c"}
    found = read(tmp_path, {**table, "label": "label"})
    assert [list(column) for column in found.texts] == [["One why", "Two how"]]
    assert list(found.candidates) == [["a", "b, c"], ["d"]]
    assert list(map(list, found.all_texts)) == [["One why", "Two how"], ["a", "b, c", "d"]]
    assert list(found.columns[1]) == ["a | b, c", "d"]


def test_a_group_without_a_right_candidate_is_a_bad_row_that_may_be_skipped(tmp_path: Path) -> None:
    rows = ["Q\tquestion\tanswer\tlabel", "1\twho\tme\t0", "1\twho\tyou\t1", "2\twhat\tit\t0", "2\twhat\tthat\t0"]
    (tmp_path / "f.tsv").write_text("\n".join(rows) + "\n")
    table = {"kind": "choice", "train": "f.tsv", "dev": 0.5, "text": "question", "candidates": "answer"}
    table |= {"label": "label", "group_by": "Q"}
    with pytest.raises(DataError, match="no candidate is right") as caught:
        read(tmp_path, table)
    assert 'on_bad_rows = "skip"' in str(caught.value.hint)
    assert list(read(tmp_path, table, skip=True).candidates) == [["me", "you"]]
    assert len(read(tmp_path, table, labelled=False)) == 2


def lines(tmp_path: Path, content: str, texts: tuple[str, ...] = ("q",), *, words: bool = False) -> Grouped:
    (tmp_path / "f.csv").write_text(content)
    source = gathered(open_source("f.csv", tmp_path), "k", ("c", "y", "k"), texts, words=words)
    assert isinstance(source, Grouped)
    return source


def test_a_group_begins_on_its_first_line_and_keeps_equal_cells(tmp_path: Path) -> None:
    source = lines(tmp_path, "k,q,c,y,n\n1,a,x,0,5\n1,a,y,1,6\n2,b,z,1,5\n")
    first, second = source.rows()
    assert first == Row(2, {"k": "1", "q": "a", "c": ["x", "y"], "y": ["0", "1"], "n": ["5", "6"]})
    assert second == Row(4, {"k": "2", "q": "b", "c": ["z"], "y": ["1"], "n": "5"})


def test_lines_of_a_group_that_are_apart_are_an_error_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not follow one another") as caught:
        list(lines(tmp_path, "k,q,c,y\n1,a,x,0\n2,b,z,1\n1,a,y,1\n").rows())
    assert str(caught.value.where).endswith("f.csv:4")
    assert caught.value.hint == "sort the file by the column 'k'"


def test_different_texts_in_one_group_and_a_missing_key_are_bad_rows(tmp_path: Path) -> None:
    found = list(lines(tmp_path, "k,q,c,y\n1,a,x,0\n1,b,y,1\n,b,z,1\n").rows())
    assert [(row.line, row.reason) for row in found if isinstance(row, BadRow)] == [
        (4, "'k' is missing"),
        (2, "different cells in 'q' in the lines with 'k' '1'"),
    ]


def test_a_group_with_a_line_that_cannot_be_read_is_a_bad_row(tmp_path: Path) -> None:
    found = list(lines(tmp_path, "k,q,c,y\n1,a,x,0\n1,a,y,1,extra\n1,a,z,1\n2,b,x,1\n2,b\n3,c,x,1\n").rows())
    assert [row.line for row in found if isinstance(row, Row)] == [5, 7]
    assert [row.line for row in found if isinstance(row, BadRow)] == [3, 2, 6]
    assert "line 3 cannot be read, which may be one of the lines with 'k' '1'" in str(found[1])


def test_lines_with_a_word_each_may_leave_the_key_out_and_no_word_may_be_missing(tmp_path: Path) -> None:
    content = "k,w,y\n,lost,O\n1,New,B-x\n,York,I-x\n2,Oslo,B-x\n2,,O\n3,we,O\n"
    found = list(lines(tmp_path, content, ("w",), words=True).rows())
    assert [str(row).split(": ", 1)[1] for row in found if isinstance(row, BadRow)] == [
        "'k' is missing",
        "'w' is missing in line 6 of the lines with 'k' '2'",
    ]
    assert [dict(row.values) for row in found if isinstance(row, Row)] == [
        {"k": "1", "w": ["New", "York"], "y": ["B-x", "I-x"]},
        {"k": "3", "w": ["we"], "y": ["O"]},
    ]


def faults(**keys: Any) -> list[str]:
    table = {"kind": "choice", "train": "f.csv", "dev": 0.5, "text": "q", "label": "y", **keys}
    try:
        recipe_from({"encoder": "minilm-offline", "tasks": {"t": table}}, Path(), ".".join)
    except RecipeError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, "'candidates' is missing"),
        ({"candidates": "q"}, "also a text column"),
        ({"candidates": "y"}, "also has candidates"),
        ({"candidates": ["a", "a"]}, "named twice"),
        ({"candidates": ["a", "b"], "group_by": "k"}, "each line has one candidate"),
        ({"candidates": "c", "group_by": "k", "label_as": "letter"}, "relevance"),
        ({"candidates": "c", "label_as": "name"}, "candidate_names"),
        ({"candidates": "c", "label_as": "letter", "label_from": 1}, "label_from"),
        ({"candidates": "c", "loss": "mse"}, "candidate_cross_entropy, listnet, ranknet"),
        ({"candidates": "c", "metric": "macro_f1"}, "accuracy, mrr"),
        ({"candidates": "c", "pair": "bi", "head": "cross"}, "head"),
        ({"candidates": "c", "text": ["q", "r", "s"]}, "1 or 2"),
    ],
)
def test_keys_that_do_not_fit_are_faults(keys: dict[str, Any], reason: str) -> None:
    (found,) = faults(**keys)
    assert reason in found
    assert not faults(candidates="c", pair="bi", head="b1")
    assert not faults(candidates="c", group_by="k", metric={"kind": "ndcg", "k": 10})


# Real data, read in place

CHOICES = DATA / "more" / "multiple-choice"


@pytest.mark.skipif(not (CHOICES / "train.jsonl").is_file(), reason="the multiple-choice data are not here")
@pytest.mark.parametrize("names", [{}, {"candidate_names": "question.choices[].label"}])
def test_openbookqa_is_read_by_paths_and_letters_or_names(names: dict[str, str]) -> None:
    table = {"kind": "choice", "dev": 0.1, "text": "question.stem", "candidates": "question.choices[].text"}
    found = read(CHOICES, {**table, "train": "train.jsonl", "label": "answerKey", **names})
    assert len(found) == 4957
    assert set(found.targets.lengths.tolist()) == {4}
    assert np.array_equal(found.targets.sums(found.targets.values), np.ones(4957))
    first = json.loads((CHOICES / "train.jsonl").read_text().partition("\n")[0])
    assert found.candidates[0] == [each["text"] for each in first["question"]["choices"]]
    assert "ABCD"[int(found.targets[0].argmax())] == first["answerKey"]


@pytest.mark.skipif(not (CHOICES / "dataset").is_dir(), reason="the multiple-choice data are not here")
def test_copa_is_read_by_a_column_for_each_candidate() -> None:
    table = {"kind": "choice", "dev": 0.1, "text": ["premise", "question"], "candidates": ["choice1", "choice2"]}
    found = read(CHOICES, {**table, "train": "dataset/copa/dev.jsonl", "label": "label"})
    assert len(found) == 500
    assert set(found.targets.lengths.tolist()) == {2}
    first = json.loads((CHOICES / "dataset/copa/dev.jsonl").read_text().partition("\n")[0])
    assert found.texts[0][0] == f"{first['premise']} {first['question']}"
    assert int(found.targets[0].argmax()) == first["label"]


# Metrics


def drawn(seed: int, *, graded: bool, rows: int = 30) -> tuple[Predictions, Ragged]:
    """Values of which some are equal, and relevances with a right candidate in every row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 7, size=rows)
    offsets = offsets_of(lengths)
    relevance = rng.integers(0, 4, size=offsets[-1]).astype(np.float64) if graded else np.zeros(offsets[-1])
    relevance[offsets[:-1] + rng.integers(0, lengths)] = 3.0 if graded else 1.0
    values = np.round(rng.random(offsets[-1]) * 4) + (relevance > 2)
    return Predictions(Ragged(values, offsets), None), Ragged(relevance, offsets)


@pytest.mark.parametrize(("seed", "graded", "k"), [*product(range(3), [False, True], [None, 1, 3])])
def test_ndcg_is_that_of_scikit_learn_also_with_ties(seed: int, graded: bool, k: int | None) -> None:
    predictions, targets = drawn(seed, graded=graded)
    expected = [ndcg_score([y], [s], k=k) for y, s in zip(targets, predictions.values, strict=True)]
    assert NDCG.function(predictions, targets, k=k) == pytest.approx(np.mean(expected), abs=1e-12)


def test_mrr_is_that_of_scikit_learn_for_one_right_candidate() -> None:
    predictions, targets = drawn(1, graded=False)
    expected = [
        label_ranking_average_precision_score([y], [s]) for y, s in zip(targets, predictions.values, strict=True)
    ]
    assert MRR.function(predictions, targets) == pytest.approx(np.mean(expected), abs=1e-12)


def test_ties_count_against_the_right_candidate_and_the_first_of_equals_is_chosen() -> None:
    values = Ragged.of([[5, 5, 1], [5, 5, 1], [1, 2, 2, 0]])
    targets = Ragged.of([[1, 0, 0], [0, 1, 0], [0, 1, 1, 0]])
    predictions = Predictions(values, None)
    assert ACCURACY.influence(predictions, targets).tolist() == [1, 0, 1]
    assert MRR.influence(predictions, targets).tolist() == [0.5, 0.5, 1.0]
    assert resolve("recall_at_1").value(predictions, targets) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", ["accuracy", "mrr", "ndcg"])
def test_influences_are_those_of_deleting_a_row_and_perfect_predictions_have_one(name: str) -> None:
    predictions, targets = drawn(2, graded=True)
    metric = METRICS[name]
    whole = metric.function(predictions, targets)
    rest = [np.delete(np.arange(len(targets)), row) for row in range(len(targets))]
    without = np.array([metric.function(predictions.take(rows), targets[rows]) for rows in rest])
    influences, expected = metric.influence(predictions, targets), jackknife(whole or 0.0, without)
    np.testing.assert_allclose(influences - influences.mean(), expected - expected.mean(), atol=1e-9)
    assert metric.function(Predictions(targets, None), targets) == 1.0


# Losses


@pytest.mark.parametrize("name", ["candidate_cross_entropy", "listnet", "ranknet"])
def test_the_loss_of_a_row_depends_only_on_its_candidates(name: str) -> None:
    kind = Choice(["c"])
    loss = build_loss(kind, LOSSES[name].options(kind=name))
    assert name in fitting_losses(kind)
    _, targets = drawn(3, graded=True, rows=6)
    scores = torch.randn(len(targets.values), 1, generator=torch.Generator().manual_seed(1), requires_grad=True)
    whole = loss(scores, torch.from_numpy(targets.values).float(), torch.from_numpy(targets.offsets))
    assert whole.shape == (6,)
    assert (whole >= 0).all()
    for row in range(6):
        own = slice(int(targets.offsets[row]), int(targets.offsets[row + 1]))
        alone = loss(scores[own], torch.from_numpy(targets[row]).float(), torch.tensor([0, len(targets[row])]))
        assert alone.item() == pytest.approx(whole[row].item(), rel=1e-6)
    whole[0].backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert scores.grad[int(targets.offsets[1]) :].abs().sum() == 0
    better = loss(
        scores - 0.1 * scores.grad, torch.from_numpy(targets.values).float(), torch.from_numpy(targets.offsets)
    )
    assert better[0] < whole[0]


def test_losses_by_hand() -> None:
    scores, offsets = torch.tensor([[2.0], [1.0], [0.0]]), torch.tensor([0, 3])
    logs = scores[:, 0].log_softmax(0)
    losses = {
        name: build_loss(Choice(["c"]), LOSSES[name].options(kind=name))
        for name in ("candidate_cross_entropy", "listnet", "ranknet")
    }
    one, graded = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0, 1.0, 3.0])
    assert losses["candidate_cross_entropy"](scores, one, offsets).item() == pytest.approx(-logs[1].item())
    wanted = -(0.25 * logs[1] + 0.75 * logs[2]).item()
    assert losses["candidate_cross_entropy"](scores, graded, offsets).item() == pytest.approx(wanted)
    assert losses["listnet"](scores, graded, offsets).item() == pytest.approx(-(graded.softmax(0) * logs).sum().item())
    pairs = [float(np.log1p(np.exp(gap))) for gap in (1.0, 2.0, 1.0)]
    assert losses["ranknet"](scores, graded, offsets).item() == pytest.approx(np.mean(pairs))
