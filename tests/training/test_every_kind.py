"""One recipe with every kind of task: it trains, resumes to the same bytes, and is measured, reported and exported."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from rich.console import Console
from tests.training.test_distributed import ended, torchrun
from tests.training.test_resume import contents, stop_after

import manyheads
from manyheads.cli.show import results_table
from manyheads.inference.graph_engine import OnnxGraphs
from manyheads.ragged import flat
from manyheads.reports.compare import compare
from manyheads.reports.content import build_report
from manyheads.reports.document import write_report
from manyheads.runs.measure import measure_run
from manyheads.tasks.kinds import KINDS

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.ordinal]
kind = "ordinal"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = "stars"
metrics = ["mae", "log_loss"]

[tasks.multilabel]
kind = "multilabel"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = "topics"
threshold = 0.3
loss = {{ kind = "binary_cross_entropy", label_smoothing = 0.1 }}

[tasks.columns]
kind = "multilabel"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = ["long", "even"]

[tasks.classification]
kind = "classification"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = "side"
metric = {{ kind = "f1", classes = ["left"] }}
metrics = ["auc", "brier"]

[tasks.soft]
kind = "classification"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = "sides"
soft = true

[tasks.regression]
kind = "regression"
train = "rows.jsonl"
dev = 0.3
text = "text"
label = "score"

[tasks.pairs]
kind = "embedding"
train = "rows.jsonl"
dev = 0.3
text = ["text", "copy"]

[tasks.triplets]
kind = "embedding"
train = "rows.jsonl"
dev = 0.3
text = ["text", "copy", "other"]
loss = {{ kind = "multiple_negatives", matryoshka = [32, 8] }}
metrics = [{{ kind = "recall_at", k = 3 }}]

[tasks.similarity]
kind = "embedding"
train = "rows.jsonl"
dev = 0.3
text = ["text", "other"]
label = "score"

[tasks.spans]
kind = "words"
train = "rows.jsonl"
dev = 0.3
text = "words"
label = "tags"

[tasks.tags]
kind = "words"
scheme = "tags"
train = "rows.jsonl"
dev = 0.3
text = "words"
label = "tags"
loss = {{ kind = "cross_entropy", label_smoothing = 0.1 }}

[tasks.choice]
kind = "choice"
train = "rows.jsonl"
dev = 0.3
text = ["side", "text"]
candidates = "options"
label = "right"
metrics = [{{ kind = "ndcg", k = 2 }}, "recall_at_1"]

[tasks.ranking]
kind = "choice"
train = "lines.csv"
dev = 0.3
text = "question"
candidates = "reply"
label = "grade"
group_by = "number"
pair = "bi"
loss = "listnet"

[model]
max_length = 40

[training]
epochs = 2
learning_rate = 1e-3
checkpoint_every = 3

[batching]
batch_size = 8
"""

WORDS = ("good", "bad", "film", "story", "actor", "slow")


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(60):
        words = rng.choice(WORDS, size=int(rng.integers(2, 9))).tolist()
        rows.append(
            {
                "text": f"{' '.join(words)} {number}",
                "stars": 1 + sum(word == "good" for word in words),
                "topics": sorted({word for word in words if word in ("film", "story", "actor")}),
                "long": int(len(words) > 4),
                "even": number % 2 == 0,
                "side": "left" if "good" in words else "right",
                "sides": {"left": 0.25 + number % 3 / 4, "right": 0.75 - number % 3 / 4},
                "score": len(words) / 10,
                "words": [*words, str(number)] * (8 if number % 10 == 0 else 1),
                "tags": _tags([*words, str(number)]) * (8 if number % 10 == 0 else 1),
                "copy": f"{' '.join(words[::-1])} {number}",
                "other": " ".join(rng.choice(WORDS, size=4).tolist()),
                "options": [f"{word} film" for word in rng.permutation(WORDS)[: 2 + number % 4].tolist()],
                "right": int(number % 2),
            }
        )
    lines = [
        f"{number},{row['text']},{candidate},{int(place == row['right']) * 2}"
        for number, row in enumerate(rows)
        for place, candidate in enumerate(row["options"])
    ]
    (folder / "lines.csv").write_text("\n".join(["number,question,reply,grade", *lines]) + "\n")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "r.toml").write_text(RECIPE.format(encoder=tiny_encoder))
    return folder / "r.toml"


def _tags(words: list[str]) -> list[str]:
    """Runs of words that are things are spans."""
    things = [word in ("film", "story", "actor") for word in words]
    return [
        ("I-thing" if before else "B-thing") if own else "O"
        for own, before in zip(things, [False, *things[:-1]], strict=True)
    ]


@pytest.fixture(scope="module")
def run(recipe: Path) -> manyheads.Run:
    return manyheads.train(recipe, recipe.parent / "run")


def test_the_recipe_has_every_kind(run: manyheads.Run) -> None:
    assert {task.kind.name for task in manyheads.load(run.folder.path).tasks.values()} == set(KINDS)


def test_the_predictions_give_the_metrics_of_the_run_and_the_model_is_measured_as_before(run: manyheads.Run) -> None:
    report = build_report(run.folder.path)
    shipped = run.results["best"] or run.results["last"]
    for task in report.tasks:
        found = {each.name: each.value for each in task.measures}
        assert found == pytest.approx(shipped["tasks"][task.name], abs=1e-6, nan_ok=True)
    assert set(shipped["tasks"]["ordinal"]) == {"quadratic_kappa", "accuracy", "macro_f1", "mae", "log_loss"}
    assert set(shipped["tasks"]["classification"]) >= {"f1_left", "auc", "brier"}
    again = measure_run(run.folder.path).scores["tasks"]
    for name, metrics in shipped["tasks"].items():
        assert again[name] == pytest.approx(metrics, abs=1e-5)
    assert write_report(run.folder.path).is_file()


def test_the_share_of_rows_on_which_every_task_is_right_is_that_of_the_predictions(run: manyheads.Run) -> None:
    """Regression has no right predictions. The tasks of other streams have a share of their own, or none."""
    shares = (run.results["best"] or run.results["last"])["whole_rows"]
    assert list(shares) == ["ordinal+multilabel+columns+classification+soft", "spans+tags"]
    for names, share in shares.items():
        right: dict[str, bool] = {}
        for task in names.split("+"):
            for record in map(json.loads, run.folder.prediction_file(task, "dev", "best").read_text().splitlines()):
                same = record["prediction"] == record["target"]
                right[record["id"]] = right.get(record["id"], True) and same
        assert share["rows"] == len(right)
        assert share["accuracy"] == pytest.approx(np.mean(list(right.values())))
        low, high = share["interval"]
        assert 0 <= low <= share["accuracy"] <= high <= 1
    measured = measure_run(run.folder.path)
    assert measured.scores["whole_rows"] == shares
    assert "ordinal+multilabel+columns+classification+soft" in repr(measured)
    report = build_report(run.folder.path)
    assert {each.name: each.value for each in report.whole_rows} == pytest.approx(
        {name: share["accuracy"] for name, share in shares.items()}
    )
    console = Console(width=120)
    with console.capture() as printed:
        console.print(results_table(run.results, width=120))
    assert "spans+tags" in printed.get()
    assert "whole_rows" in printed.get()


def test_a_run_of_another_seed_is_compared_in_every_task(recipe: Path, run: manyheads.Run) -> None:
    other = manyheads.train(recipe, recipe.parent / "other", changes=["seed=2"])
    found = compare([run.folder.path, other.folder.path])
    assert {task.name for task in found.tasks} == set(run.results["last"]["tasks"])


@pytest.mark.usefixtures("forked_commands")
def test_two_processes_evaluate_every_kind_as_one(recipe: Path, tmp_path: Path) -> None:
    output = ended(process := torchrun(2, recipe, tmp_path / "run", "training.max_steps=2"))
    assert process.returncode == 0, output
    shipped = json.loads((tmp_path / "run" / "results.json").read_text())["best"]
    for name, metrics in measure_run(tmp_path / "run").scores["tasks"].items():
        assert metrics == pytest.approx(shipped["tasks"][name], abs=1e-5)


@pytest.mark.usefixtures("forked_commands")
def test_a_study_of_words_vectors_and_ranks_and_its_power(recipe: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    tasks = re.findall(r"\[tasks\.(?:pairs|spans|ranking)\]\n(?:.+\n)+", RECIPE)
    assert len(tasks) == 3
    base = recipe.parent / "three.toml"
    base.write_text("\n".join([f'encoder = "{tiny_encoder}"\nthreads = 1\n', *tasks, "[training]\nmax_steps = 2\n"]))
    study = tmp_path / "study.toml"
    study.write_text(
        f'base = "{base}"\nseeds = [1, 2]\ntwins = []\n[rows.plain]\n[rows.half]\ntasks.spans.loss_weight = 0.5\n'
    )
    table = manyheads.study(study, tmp_path / "out", jobs=1)
    assert {row.name: sorted(row.figures.tasks) for row in table.rows} == {
        name: ["pairs", "ranking", "spans"] for name in ("plain", "half")
    }
    assert not any(row.failed for row in table.rows)
    assert (tmp_path / "out" / "table.html").is_file()
    power = manyheads.power(study, difference=0.05)
    assert all(entry.smallest is not None for entry in power.by_seeds)


@pytest.mark.usefixtures("forked_commands")
def test_a_killed_and_resumed_run_of_every_kind_ends_with_the_same_bytes(
    recipe: Path, run: manyheads.Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "manyheads", "train", str(recipe), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    stop_after(process, out, 5, signal.SIGKILL)
    assert not (out / "results.json").exists()
    manyheads.train(recipe, out, resume=True)
    assert contents(out) == contents(run.folder.path)


def test_the_server_predicts_every_kind(run: manyheads.Run) -> None:
    model = manyheads.load(run.folder.path)
    with TestClient(manyheads.asgi(run.folder.path, hosts=["*"])) as client:
        tasks = client.get("/v1/tasks").json()
        assert [each["name"] for each in tasks] == list(model.tasks)
        for task in tasks:
            name, text = task["name"], "good film of an actor"
            item: object = text if task["texts"] == 1 else [text, "slow film"]
            given: object = item if isinstance(item, str) else tuple(item)
            if task["candidates"]:
                item, given = [text, "good", "bad story"], (text, ["good", "bad story"])
            response = client.post(f"/v1/predict/{name}", json={"texts": [item]})
            assert response.status_code == 200, response.text
            (found,) = response.json()["predictions"]
            mine = model.predict(name, given).prediction  # type: ignore[arg-type]
            assert found["prediction"] == (pytest.approx(mine, abs=1e-6) if isinstance(mine, float) else mine)
            route = "explain" if task["explained"] else "predict"
            assert client.post(f"/v1/{route}/{name}", json={"texts": [item]}).status_code == 200


@pytest.fixture(scope="module")
def graph(run: manyheads.Run, recipe: Path) -> manyheads.Predictor:
    from manyheads.runs.export import export_run

    export_run(run.folder.path, "onnx", recipe.parent / "onnx")
    return manyheads.load(recipe.parent / "onnx", runtime="onnx")


def test_the_exported_graph_gives_the_predictions_of_the_model(run: manyheads.Run, graph: manyheads.Predictor) -> None:
    texts = ["good film", "slow bad story 7", "actor", "a bad film of an actor " * 20]
    model = manyheads.load(run.folder.path)
    for task, form in model.tasks.items():
        items = texts if len(form.text) == 1 else [(text, "a film") for text in texts]
        if form.kind.reads == "candidates":
            items = [(text, ["good film", f"bad {text}", "actor"][: 2 + place % 2]) for place, text in enumerate(texts)]
        one, two = model.predict(task, items), graph.predict(task, items)
        assert one.labels == (pytest.approx(two.labels, abs=1e-4) if isinstance(one.labels[0], float) else two.labels)
        if form.kind.vectors:
            np.testing.assert_allclose(model.embed(task, texts), graph.embed(task, texts), atol=1e-5)
        if one.probabilities is not None:
            for own, others in zip(one.probabilities, two.probabilities, strict=True):
                np.testing.assert_allclose(own, others, atol=1e-5)


def test_the_exported_graph_encodes_a_sequence_once_for_all_tasks(
    graph: manyheads.Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []
    encode = OnnxGraphs.encode

    def counted(self: OnnxGraphs, feeds: Any, outputs: Sequence[str]) -> list[Any]:
        passes.append((len(feeds["input_ids"]), list(outputs)))
        return encode(self, feeds, outputs)

    texts = [("good film",), ("slow bad story",), ("good film",)]
    rows = dict.fromkeys(("ordinal", "multilabel", "spans", "tags"), texts)
    rows |= {"pairs": [("good film", "slow bad story")], "choice": [("good film", "actor", "story")]}
    expected = {task: graph.decode_several({task: own})[task] for task, own in rows.items()}
    monkeypatch.setattr(OnnxGraphs, "encode", counted)
    found = graph.decode_several(rows)
    assert passes == [
        (2, ["task_ordinal", "task_multilabel", "task_spans", "task_tags", "vector"]),
        (2, ["task_choice"]),
    ]
    for task, own in rows.items():
        np.testing.assert_allclose(flat(found[task].values), flat(expected[task].values), atol=1e-5)
        assert len(found[task].values) == len(own)


def test_predictions_of_several_labels_are_lists_in_frames(run: manyheads.Run) -> None:
    found = manyheads.load(run.folder.path).predict("multilabel", ["good film", "actor story"])
    frame = found.frame
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == ["text", "prediction", "p_actor", "p_film", "p_story"]
    assert frame["prediction"].to_list() == found.labels
    assert all(isinstance(each, list) for each in found.labels)
