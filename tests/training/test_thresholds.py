"""Searched thresholds: the search is exact, on rows that are not trained on, and everything reports and uses them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from sklearn.metrics import f1_score
from tests.training.test_distributed import ended, torchrun

import manyheads
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks
from manyheads.reports.compare import compare
from manyheads.reports.content import build_report
from manyheads.reports.document import write_report
from manyheads.run.folder import RunFolder
from manyheads.runs.export import export_run
from manyheads.runs.measure import measure_run
from manyheads.studies.load import load_study
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds.multilabel import Multilabel, search
from manyheads.training.stop import Interrupted

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.topics]
kind = "multilabel"
train = "rows.jsonl"
dev = 0.3
test = "rows.jsonl.test.jsonl"
text = "text"
label = "topics"
threshold = "search"
search_share = 0.25

[training]
epochs = 2
learning_rate = 1e-2
checkpoint_every = 2

[batching]
batch_size = 16
"""

WORDS = ("film", "story", "actor", "slow", "good")


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thresholds")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(80):
        words = sorted(set(rng.choice(WORDS, size=int(rng.integers(1, 4))).tolist()))
        topics = [word for word in words if word in ("film", "story") or (word == "actor" and number % 3 == 0)]
        lines.append(json.dumps({"text": f"{' '.join(words)} {number}", "topics": topics}) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines[:70]))
    (folder / "rows.jsonl.test.jsonl").write_text("".join(lines[70:]))
    (folder / "r.toml").write_text(RECIPE.format(encoder=tiny_encoder))
    return folder / "r.toml"


@pytest.fixture(scope="module")
def run(recipe: Path) -> manyheads.Run:
    return manyheads.train(recipe, recipe.parent / "run")


def test_the_search_is_exact() -> None:
    rng = np.random.default_rng(1)
    targets = (rng.random((40, 3)) < (0.5, 0.2, 0.05)).astype(float)
    targets[0] = 1
    probabilities = np.round(rng.random((40, 3)) * 0.6 + 0.4 * targets * rng.random((40, 3)), 2)
    found = search(probabilities, targets)
    for label, bound in enumerate(found):
        column, has = probabilities[:, label], targets[:, label]
        edges = np.unique(np.append(column, [0.0, 1.0]))
        every = [f1_score(has, column > (low + high) / 2, zero_division=0) for low, high in pairwise(edges)]
        assert f1_score(has, column > bound) == pytest.approx(max(every), abs=1e-12)


@pytest.mark.parametrize(
    ("column", "has", "bound"),
    [
        ([0.9, 0.8, 0.1, 0.2], [1, 1, 0, 0], 0.5),
        ([0.9, 0.1], [0, 0], 0.5),
        ([0.2, 0.1], [1, 1], 0.05),
        ([0.3, 0.3, 0.3], [1, 0, 0], 0.15),
        ([1.0, np.nextafter(1.0, 0.0)], [1, 0], np.nextafter(1.0, 0.0)),
    ],
)
def test_the_threshold_is_between_probabilities(column: list[float], has: list[int], bound: float) -> None:
    found = search(np.array(column)[:, None], np.array(has, dtype=float)[:, None])
    assert found.tolist() == [pytest.approx(bound, abs=1e-15)]
    assert (found > 0).all()
    assert (found < 1).all()


def test_the_rows_of_the_search_are_not_trained_on_and_not_evaluated(recipe: Path) -> None:
    (data,) = read_tasks(load_recipe(recipe), lambda event, **fields: None)
    assert data.held is not None
    lines = [set(each.lines.tolist()) for each in (data.train, data.dev, data.held)]
    assert sum(map(len, lines)) == len(set.union(*lines)) == 70
    assert len(lines[2]) == pytest.approx(0.25 * 49, abs=1.5)


@pytest.mark.parametrize("streams", ["joint", "separate"])
def test_tasks_that_read_the_same_rows_hold_out_the_same_rows(streams: str, recipe: Path) -> None:
    keys = 'kind = "multilabel"\ntrain = "rows.jsonl"\ndev = 0.3\ntext = "text"\nlabel = "topics"\n'
    file = recipe.with_name("both.toml")
    file.write_text(f"{recipe.read_text()}\n[tasks.other]\n{keys}")
    both = read_tasks(load_recipe(file, [f"batching.streams={streams}"]), lambda event, **fields: None)
    held = both[0].held
    assert held is not None
    assert both[1].held is None
    assert both[0].train.lines.tolist() == both[1].train.lines.tolist()
    assert not set(held.lines.tolist()) & set(both[1].train.lines.tolist())


def test_results_bundle_report_and_card_have_the_thresholds(run: manyheads.Run) -> None:
    shipped = run.results["best"] or run.results["last"]
    tuned = shipped["decoding"]["topics"]
    assert tuned["rows"] in (12, 13)
    assert len(tuned["threshold"]) == 3
    kind = manyheads.load(run).task("topics").kind
    assert kind.tuned == tuned
    assert 'threshold = "search"' in run.folder.recipe.read_text()
    note = f"thresholds searched on {tuned['rows']} held-out training rows"
    assert note in (run.folder.model / "README.md").read_text()
    assert note in write_report(run.folder.path).read_text()
    events = [json.loads(line) for line in run.folder.events.read_text().splitlines()]
    assert [each["decoding"] for each in events if each["event"] == "evaluation"][-1] == run.results["last"]["decoding"]


def test_predictions_follow_from_the_thresholds_everywhere(recipe: Path, run: manyheads.Run) -> None:
    shipped = run.results["best"] or run.results["last"]
    metrics = shipped["tasks"]["topics"]
    assert measure_run(run.folder.path).scores["tasks"]["topics"] == pytest.approx(metrics, abs=1e-6)
    assert {each.name: each.value for each in build_report(run.folder.path).tasks[0].measures} == pytest.approx(
        metrics, abs=1e-6
    )
    bounds = dict(zip(("actor", "film", "story"), shipped["decoding"]["topics"]["threshold"], strict=True))
    for split in ("dev", "test"):
        for line in run.folder.prediction_file("topics", split, "best").read_text().splitlines():
            record = json.loads(line)
            above = [label for label, share in record["probabilities"].items() if share > bounds[label]]
            assert record["prediction"] == above
    folder = recipe.parent / "onnx"
    export_run(run.folder.path, "onnx", folder)
    texts = ["good film", "actor story", "slow"]
    model, graph = manyheads.load(run.folder.path), manyheads.load(folder, runtime="onnx")
    assert model.predict("topics", texts).labels == graph.predict("topics", texts).labels
    assert graph.task("topics").kind.tuned == shipped["decoding"]["topics"]


def test_a_stopped_run_resumes_to_the_same_bytes_and_its_recipe_repeats_it(recipe: Path, run: manyheads.Run) -> None:
    folder, stop = recipe.parent / "stopped", Event()

    def listen(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 3:
            stop.set()

    with pytest.raises(Interrupted):
        manyheads.train(recipe, folder, listeners=[listen], stop=stop)
    manyheads.train(recipe, folder, resume=True)
    again = manyheads.train(run.folder.recipe, recipe.parent / "again").folder.path
    for other in (folder, again):
        for name in ("results.csv", "model/manyheads.json", "model/README.md", "predictions/topics.dev.best.jsonl"):
            assert (other / name).read_bytes() == (run.folder.path / name).read_bytes(), name
        assert RunFolder(other).read_results()["best"] == run.results["best"]


def test_a_changed_prediction_file_is_written_again_with_the_thresholds_of_its_evaluation(
    recipe: Path, run: manyheads.Run
) -> None:
    folder = recipe.parent / "repaired"

    def spoil(event: str, **fields: object) -> None:
        if event == "checkpoint" and fields["step"] == 6:
            (folder / "predictions" / "topics.dev.best.jsonl").write_text("")
            (folder / "predictions" / "topics.dev.last.jsonl").write_text("")

    manyheads.train(recipe, folder, listeners=[spoil])
    for which in ("best", "last"):
        name = f"predictions/topics.dev.{which}.jsonl"
        assert (folder / name).read_bytes() == (run.folder.path / name).read_bytes()


@pytest.mark.usefixtures("forked_commands")
def test_processes_search_the_same_thresholds(recipe: Path, run: manyheads.Run) -> None:
    folder = recipe.parent / "two"
    output = ended(process := torchrun(2, recipe, folder))
    assert process.returncode == 0, output
    found = RunFolder(folder).read_results()["last"]
    assert found["decoding"]["topics"]["rows"] == run.results["last"]["decoding"]["topics"]["rows"]
    thresholds = run.results["last"]["decoding"]["topics"]["threshold"]
    assert found["decoding"]["topics"]["threshold"] == pytest.approx(thresholds, abs=0.02)


def test_runs_are_compared_and_studied(recipe: Path, run: manyheads.Run) -> None:
    other = manyheads.train(recipe, recipe.parent / "fixed", changes=["tasks.topics.threshold=0.5"])
    assert [task.name for task in compare([run.folder.path, other.folder.path]).tasks] == ["topics"]
    study = recipe.parent / "study.toml"
    study.write_text(
        'base = "r.toml"\nseeds = [1, 2]\nbaseline = "a"\n[rows.a]\n[rows.b]\ntasks.topics.threshold = 0.3\n'
    )
    assert {row.name for row in load_study(study).rows} == {"a", "b"}


def test_a_kind_whose_thresholds_are_unknown_decodes_nothing_and_checks_predictions_by_their_order() -> None:
    kind = Multilabel(["a", "b"], threshold="search")
    with pytest.raises(ValueError, match="not searched yet"):
        kind.decode(np.zeros((1, 2)))
    probabilities = np.array([[0.2, 0.9], [0.4, 0.1], [0.5, 0.5]])
    values = np.array([[0.0, 1], [0, 0], [1, 1]])
    assert kind.follows(Predictions(values, probabilities)).all()
    values[2] = [0, 1]
    values[0] = [1, 1]
    assert kind.follows(Predictions(values, probabilities)).tolist() == [True, False, False]
    tuned = kind.tune(np.array([[3.0, -2.0], [-1.0, -5.0]]), np.array([[1.0, 1], [0, 0]]))
    assert tuned.decode(np.array([[1.0, -4.0]])).values.tolist() == [[1, 0]]
    assert tuned.decode(np.array([[0.5, -2.5]])).values.tolist() == [[1, 1]]
    assert tuned.with_tuned(tuned.tuned) == tuned
    assert "searched on 2 held-out training rows" in tuned.described()
