"""Labels of dev and test files that training does not know: named, and counted as wrong, refused or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.course_files import DATA

import manyheads
from manyheads.errors import DataError, RecipeError
from manyheads.evaluation.evaluate import measure
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.recipe.tasks import finished_task
from manyheads.reports.content import build_report
from manyheads.reports.predictions import read_predictions
from manyheads.reports.views import GROUPS, confusion
from manyheads.run.events import read_events
from manyheads.runs.measure import measure_run
from manyheads.tasks.kind import Predictions
from manyheads.tasks.records import read_records
from manyheads.tasks.task import Task

ATIS = DATA / "more" / "atis-snips" / "data" / "atis"

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.mood]
kind = "{kind}"
train = "train.csv"
dev = "dev.csv"
test = "test.csv"
text = "text"
label = "mood"
metrics = ["log_loss", "brier", "auc"]

[training]
epochs = 1
max_steps = 1
"""

TRAIN = ["good,m0", "bad,m1", "film,m2", "story,m0", "that,m1", "this,m2"]
TEST = ["good one,m0", "bad one,new", "the film,m2", "a story,new", "and that,odd", "of,", "this,-"]


def write(folder: Path, encoder: Path, *, dev: list[str] | None = None, test: list[str] | None = None) -> Path:
    rows = {"train": TRAIN, "dev": TRAIN if dev is None else dev, "test": TEST if test is None else test}
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text("\n".join(["text,mood", *lines]) + "\n")
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=encoder, kind="classification"))
    return file


def read(recipe: Path, *changes: str) -> tuple[TaskData, list[str]]:
    said: list[str] = []
    (data,) = read_tasks(load_recipe(recipe, list(changes)), lambda event, **fields: said.append(str(fields["text"])))
    return data, said


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    folder = tmp_path_factory.mktemp("unknown")
    return manyheads.train(write(folder, tiny_encoder), folder / "run")


def test_unknown_labels_of_a_test_file_are_named_and_kept(tiny_encoder: Path, tmp_path: Path) -> None:
    data, said = read(write(tmp_path, tiny_encoder))
    assert data.test is not None
    assert data.test.targets.tolist()[:5] == [0.0, 3.0, 2.0, 3.0, 3.0]
    assert np.isnan(data.test.targets[5:]).all()
    assert list(data.test.unknown or ()) == ["", '"new"', "", '"new"', '"odd"', "", ""]
    text = "test.csv: 3 rows have labels that training does not know, counted as wrong: 'new' (2), 'odd' (1)"
    assert any(each.endswith(text) for each in said)


def test_an_unknown_label_of_a_dev_file_is_a_bad_row(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, dev=[*TRAIN, "one,new"])
    with pytest.raises(DataError, match=r"dev.csv:8: label 'new' is not one of") as caught:
        read(recipe)
    assert 'count such labels as wrong with labels_unknown = "wrong"' in str(caught.value.hint)
    data, said = read(recipe, "tasks.mood.labels_unknown=wrong")
    assert data.dev.targets.tolist() == [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0]
    assert any("1 row has labels that training does not know, counted as wrong: 'new' (1)" in each for each in said)


def test_rows_with_unknown_labels_may_be_left_out(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, dev=[*TRAIN, "one,new"])
    data, said = read(recipe, "tasks.mood.labels_unknown=skip")
    assert data.test is not None
    assert (len(data.dev), len(data.test), data.rejected) == (6, 4, {})
    assert sum("left out" in each for each in said) == 2


def test_an_error_names_the_rows_of_a_test_file(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test.csv:3: label 'new' is not one of"):
        read(write(tmp_path, tiny_encoder), "tasks.mood.labels_unknown=error")


def test_an_unknown_label_of_a_training_file_stays_a_bad_row(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder)
    with pytest.raises(DataError, match=r"train.csv:4: label 'm2' is not one of"):
        read(recipe, 'tasks.mood.labels=["m0", "m1"]', "tasks.mood.labels_unknown=wrong")


SOFT = [
    {"text": "good", "mood": {"m0": 0.7, "m1": 0.3}},
    {"text": "mostly new", "mood": {"m0": 0.2, "m1": 0.3, "new": 0.5}},
    {"text": "mostly known", "mood": {"m1": 0.6, "new": 0.4}},
    {"text": "only odd", "mood": "odd"},
    {"text": "as often", "mood": {"new": 0.5, "m1": 0.5}},
    {"text": "none", "mood": "-"},
]


def soft_recipe(folder: Path, encoder: Path, test: list[dict[str, Any]]) -> Path:
    rows = {"train": [SOFT[0], {"text": "bad", "mood": "m1"}] * 3, "dev": [SOFT[0]], "test": test}
    for name, each in rows.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in each))
    file = folder / "recipe.toml"
    text = RECIPE.format(encoder=encoder, kind="classification").replace(".csv", ".jsonl")
    file.write_text(text.replace('label = "mood"', 'label = "mood"\nsoft = true'))
    return file


def test_a_soft_label_with_an_unknown_label_is_its_most_probable_label(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = soft_recipe(tmp_path, tiny_encoder, SOFT)
    data, said = read(recipe)
    assert data.test is not None
    assert data.test.targets.tolist()[:5] == [0.0, 2.0, 1.0, 2.0, 1.0]
    assert np.isnan(data.test.targets[5])
    assert list(data.test.unknown or ()) == ["", '"new"', '"m1"', '"odd"', '"m1"', ""]
    assert any(
        "4 rows have labels that training does not know, counted as wrong: 'new' (3), 'odd' (1)" in each
        for each in said
    )
    run = manyheads.train(recipe, tmp_path / "run")
    found = read_records(
        run.folder.prediction_file("mood", "test", "last"), load_task(run), probabilities=True, hint=""
    )
    assert found.targets.tolist() == [0.0, 2.0, 1.0, 2.0, 1.0]


def test_a_soft_label_with_an_unknown_label_is_an_error_or_left_out(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = soft_recipe(tmp_path, tiny_encoder, SOFT)
    with pytest.raises(DataError, match=r"test.jsonl:2: label 'new' is not one of 'm0', 'm1'") as caught:
        read(recipe, "tasks.mood.labels_unknown=error")
    assert 'labels_unknown = "wrong"' in str(caught.value.hint)
    data, said = read(recipe, "tasks.mood.labels_unknown=skip")
    assert data.test is not None
    assert len(data.test) == 2
    assert any("4 rows have labels that training does not know, left out" in each for each in said)


def test_kinds_without_labels_cannot_count_unknown_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder)
    recipe.write_text(RECIPE.format(encoder=tiny_encoder, kind="regression").replace('metrics = ["log', '# ["log'))
    with pytest.raises(RecipeError, match="cannot count a label that training does not know as wrong"):
        load_recipe(recipe, ["tasks.mood.range=[0, 1]", "tasks.mood.labels_unknown=wrong"])


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "log_loss", "brier", "auc"])
def test_every_metric_counts_an_unknown_label_as_wrong(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    data, _ = read(write(tmp_path, tiny_encoder))
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])
    predictions = Predictions(shares.argmax(axis=1).astype(np.float64), shares)
    right = measure(data.task, predictions, np.array([0.0, 1.0, 2.0, 0.0]))[name]
    wrong = measure(data.task, predictions, np.array([0.0, 1.0, 2.0, 3.0]))[name]
    assert right is not None
    assert wrong is not None
    assert wrong > right if name in ("log_loss", "brier") else wrong < right


def test_a_known_label_that_is_wrong_costs_the_same_accuracy(tiny_encoder: Path, tmp_path: Path) -> None:
    data, _ = read(write(tmp_path, tiny_encoder))
    predictions = Predictions(np.array([0.0, 1.0, 2.0]), np.eye(3))
    assert measure(data.task, predictions, np.array([0.0, 1.0, 3.0]))["accuracy"] == pytest.approx(2 / 3)


def test_the_records_of_a_run_keep_the_unknown_labels(run: manyheads.Run) -> None:
    file = run.folder.prediction_file("mood", "test", "last")
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each.get("target") for each in written] == ["m0", "new", "m2", "new", "odd", None, None]
    assert [each["id"] for each in written if each.get("target_unknown")] == ["2", "4", "5"]
    kind = load_task(run)
    found = read_records(file, kind, probabilities=True, hint="")
    assert found.targets.tolist() == [0.0, 3.0, 2.0, 3.0, 3.0]
    assert found.unlabelled == 2


def load_task(run: manyheads.Run) -> Any:
    return finished_task(load_recipe(run.folder.recipe), "mood").kind


def test_a_report_shows_unknown_labels_as_such(run: manyheads.Run) -> None:
    predictions = read_predictions(run.folder.prediction_file("mood", "test", "last"), load_task(run))
    assert [predictions.shown(target) for target in predictions.targets] == [
        "m0",
        "unknown label",
        "m2",
        "unknown label",
        "unknown label",
    ]
    matrix = confusion(predictions)
    assert matrix is not None
    assert matrix.labels[-1] == "unknown label"
    assert sum(matrix.counts[-1]) == 3


def test_evaluate_measures_what_the_run_predicted(run: manyheads.Run) -> None:
    """A cell `-` of a test file has no label to measure."""
    with pytest.raises(DataError, match=r"test.csv:7"):
        measure_run(run.folder.path, split="test")


def test_evaluate_counts_unknown_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, test=TEST[:5])
    done = manyheads.train(recipe, tmp_path / "run")
    measured = measure_run(done.folder.path, split="test")
    file = done.folder.prediction_file("mood", "test", "best")
    predictions = read_predictions(file, load_task(done))
    assert measured.examples == {"mood": 5}
    assert any("3 rows have labels that training does not know" in each for each in measured.warnings)
    correct = float(np.mean(predictions.predictions == predictions.targets))
    assert measured.scores["tasks"]["mood"]["accuracy"] == pytest.approx(correct)


def test_a_resumed_run_reads_its_own_evaluations(run: manyheads.Run) -> None:
    from manyheads.run.evaluations import read_evaluations

    found = read_evaluations(run.folder.evaluations_file("mood", "test"))
    assert found.targets.tolist()[:5] == [0.0, 3.0, 2.0, 3.0, 3.0]


MANY = """
encoder = "{encoder}"
threads = 1
training = {{ max_steps = 1 }}

[tasks.slots]
kind = "words"
train = "slots-train.jsonl"
dev = "slots-train-2.jsonl"
test = "slots-test.jsonl"
text = "words"
label = "tags"

[tasks.topics]
kind = "multilabel"
train = "topics-train.jsonl"
dev = "topics-train-2.jsonl"
test = "topics-test.jsonl"
text = "text"
label = "topics"

[tasks.stars]
kind = "ordinal"
train = "stars-train.jsonl"
dev = "stars-train-2.jsonl"
test = "stars-test.jsonl"
text = "text"
label = "stars"
metrics = ["mae"]
"""

ROWS: dict[str, dict[str, list[dict[str, Any]]]] = {
    "slots": {
        "train": [{"words": ["to", "new", "york"], "tags": ["O", "B-city", "I-city"]}] * 3,
        "test": [
            {"words": ["to", "new", "york"], "tags": ["O", "B-city", "I-city"]},
            {"words": ["at", "five", "sharp", "oslo"], "tags": ["O", "B-time", "I-time", "B-city"]},
            {"words": ["by", "air"], "tags": ["B-way", "B-time"]},
            {"words": ["home"], "tags": []},
        ],
    },
    "topics": {
        "train": [{"text": "rain", "topics": ["weather"]}, {"text": "goal", "topics": ["sport", "news"]}],
        "test": [
            {"text": "rain", "topics": ["weather"]},
            {"text": "tax", "topics": ["news", "money", "law"]},
            {"text": "song", "topics": ["music"]},
            {"text": "nothing", "topics": []},
            {"text": "hidden", "topics": "-1"},
        ],
    },
    "stars": {
        "train": [{"text": f"film {each}", "stars": each} for each in (1, 2, 3)],
        "test": [{"text": "film", "stars": 2}, {"text": "play", "stars": 9}, {"text": "none", "stars": -1}],
    },
}


@pytest.fixture(scope="module")
def many(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    folder = tmp_path_factory.mktemp("many")
    for task, files in ROWS.items():
        for split, rows in (*files.items(), ("train-2", files["train"])):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{task}-{split}.jsonl").write_text(lines)
    (folder / "recipe.toml").write_text(MANY.format(encoder=tiny_encoder))
    return manyheads.train(folder / "recipe.toml", folder / "run")


def task_of(run: manyheads.Run, name: str) -> Task:
    return finished_task(load_recipe(run.folder.recipe), name)


def records_of(run: manyheads.Run, name: str) -> list[dict[str, Any]]:
    file = run.folder.prediction_file(name, "test", "best")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_kind_with_labels_names_and_keeps_unknown_labels(many: manyheads.Run) -> None:
    said = [str(each["text"]) for each in read_events(many.folder.events) if each["event"] == "warning"]
    for text in (
        "2 rows have labels",
        "'B-time' (2), 'I-time' (1), 'B-way' (1)",
        "'money' (1), 'law' (1), 'music' (1)",
    ):
        assert any(text in each for each in said), text
    slots, topics, stars = (records_of(many, name) for name in ("slots", "topics", "stars"))
    assert slots[1]["target"] == ["O", "B-time", "I-time", "B-city"]
    assert [each.get("target_unknown", False) for each in slots] == [False, True, True, False]
    assert [each["target"] for each in topics] == [["weather"], ["news", "money", "law"], ["music"], [], None]
    assert [each["target"] for each in stars] == [2, "9", None]


def test_what_is_read_back_gives_the_figures_of_the_run(many: manyheads.Run) -> None:
    entry = many.folder.read_results()["best"]
    for name in ROWS:
        task = task_of(many, name)
        found = read_records(many.folder.prediction_file(name, "test", "best"), task.kind, probabilities=True, hint="")
        measured = measure(task, Predictions(found.predictions, found.probabilities), found.targets)
        predictions = read_predictions(many.folder.prediction_file(name, "test", "best"), task.kind)
        assert (predictions.errors[1:3] > 0).all()
        assert "unknown label" in predictions.shown(predictions.targets[1])
        for view in task.kind.views:
            assert GROUPS[view](predictions, ()) if view in GROUPS else True
        assert all(value is None or np.isfinite(value) for value in measured.values())
    assert set(entry["tasks"]) == set(ROWS)


def test_metrics_count_unknown_labels_of_several_labels(many: manyheads.Run) -> None:
    task = task_of(many, "topics")
    targets = task.kind.targets([task.kind.counted(["news", "money", "law"]), task.kind.counted(["sport"])])
    assert targets.tolist() == [[1.0, 0.0, 0.0, 2.0], [0.0, 1.0, 0.0, 0.0]]
    right = Predictions(targets[:, :3], targets[:, :3])
    found = measure(task, right, targets)
    assert found["micro_f1"] == pytest.approx(2 * 2 / (2 + 4))
    assert found["macro_f1"] == pytest.approx(2 / 3)
    assert found["subset_accuracy"] == 0.5


def test_an_unknown_ordered_label_is_farthest_from_the_prediction(many: manyheads.Run) -> None:
    task = task_of(many, "stars")
    low, high = (Predictions(np.array([each, 1.0, 2.0]), np.eye(3)) for each in (0.0, 2.0))
    targets = np.array([3.0, 1.0, 2.0])
    assert measure(task, low, targets)["mae"] == measure(task, high, targets)["mae"] == pytest.approx(2 / 3)
    assert measure(task, low, targets)["accuracy"] == pytest.approx(2 / 3)
    as_if = measure(task, low, np.array([2.0, 1.0, 2.0]))
    assert measure(task, low, targets)["quadratic_kappa"] == as_if["quadratic_kappa"]


def test_the_labels_of_atis_that_training_does_not_know(tiny_encoder: Path, tmp_path: Path) -> None:
    """4 intents of the test file, in 5 rows, are not in the training file, and 4 types of slots, in 4 rows."""
    if not ATIS.is_dir():
        pytest.skip("the ATIS files are not on this machine")
    files = {
        each: f'{{text = "{ATIS}/{each}/seq.in", i = "{ATIS}/{each}/label", s = "{ATIS}/{each}/seq.out"}}'
        for each in ("train", "dev", "test")
    }
    keys = "".join(f"{each} = {files[each]}\n" for each in ("train", "dev", "test"))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'encoder = "{tiny_encoder}"\n[tasks.intent]\nkind = "classification"\nlabel = "i"\ntext = "text"\n{keys}'
        f'[tasks.slots]\nkind = "words"\nlabel = "s"\ntext = "text"\n{keys}'
    )
    said: list[str] = []
    unknown = ["tasks.intent.labels_unknown=wrong", "tasks.slots.labels_unknown=wrong"]
    data = read_tasks(load_recipe(recipe, unknown), lambda event, **fields: said.append(str(fields.get("text"))))
    assert [sum(map(bool, each.test.unknown or ())) for each in data if each.test is not None] == [5, 4]
    assert any(
        "5 rows have labels that training does not know, counted as wrong: 'atis_day_name' (2)" in t for t in said
    )
    assert any("4 rows have labels that training does not know, counted as wrong: 'B-" in text for text in said)


CHOICES = """
encoder = "{encoder}"
threads = 1
training = {{ max_steps = 1 }}

[tasks.quiz]
kind = "choice"
train = "quiz.jsonl"
dev = 0.5
test = "quiz-test.jsonl"
text = "question"
candidates = "replies"
label = "right"
label_as = "text"
"""


def test_a_label_that_names_no_candidate_is_counted_refused_or_left_out(tiny_encoder: Path, tmp_path: Path) -> None:
    def lines(labels: list[str]) -> str:
        rows = [{"question": f"a {n}", "replies": ["good", "bad", "film"], "right": a} for n, a in enumerate(labels)]
        return "".join(json.dumps(row) + "\n" for row in rows)

    (tmp_path / "quiz.jsonl").write_text(lines(["good", "bad", "film", "bad"] * 3))
    (tmp_path / "quiz-test.jsonl").write_text(lines(["good", "that", "-", "bad"]))
    recipe = tmp_path / "quiz.toml"
    recipe.write_text(CHOICES.format(encoder=tiny_encoder))
    with pytest.raises(DataError, match=r"quiz-test.jsonl:2: label 'that': it is not the text of a candidate"):
        read(recipe, "tasks.quiz.labels_unknown=error")
    data, _ = read(recipe, "tasks.quiz.labels_unknown=skip")
    assert data.test is not None
    assert len(data.test) == 3
    done = manyheads.train(recipe, tmp_path / "run")
    file = done.folder.prediction_file("quiz", "test", "last")
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(each["target"], each.get("target_unknown")) for each in written] == [
        *((0, None), ("that", True), (None, None), (1, None))
    ]
    task = finished_task(load_recipe(done.folder.recipe), "quiz")
    found = read_predictions(file, task.kind)
    assert found.targets.lengths.tolist() == [3, 3, 3]
    assert found.targets.values.tolist() == [1, 0, 0, 0, 0, 0, 0, 1, 0]
    assert found.shown(found.targets[1]) == "unknown label"
    assert not found.correct[1]
    assert found.errors[1] > 0
    whole = measure(task, found.decoded, found.targets)
    known = measure(task, found.take(np.array([0, 2])).decoded, found.targets[np.array([0, 2])])
    for name, value in known.items():
        assert value is not None
        assert whole[name] == pytest.approx(value * 2 / 3)
    assert build_report(done.folder.path).tasks[0].test[0].count == 3
