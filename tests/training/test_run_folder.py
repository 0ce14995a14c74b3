"""The files of a finished run."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

import manyheads
from manyheads.recipe.assemble import train
from manyheads.recipe.load import load_recipe
from manyheads.run.events import read_events
from manyheads.runs.measure import measure_run

TASKS = {"sentiment": "accuracy", "paraphrase": "accuracy", "similarity": "pearson"}


def test_results_name_best_and_last_with_every_metric(trained: manyheads.Run) -> None:
    results = trained.results
    for which in ("best", "last"):
        entry = results[which]
        assert set(entry["tasks"]) == set(TASKS)
        primary = [entry["tasks"][task][metric] for task, metric in TASKS.items()]
        assert entry["average"] == pytest.approx(np.mean(primary))
        assert entry["course_score"] is None
    assert results["last"]["step"] == results["steps"] == 24
    assert results["examples"] == 24 * 16
    assert results["examples_per_second"] == pytest.approx(results["examples"] / results["seconds"], rel=1e-2)


def test_the_csv_has_one_row_per_evaluation(trained: manyheads.Run) -> None:
    with trained.folder.results_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["12", "24"]
    assert float(rows[-1]["average"]) == trained.results["last"]["average"]
    assert float(rows[-1]["similarity.pearson"]) == trained.results["last"]["tasks"]["similarity"]["pearson"]


def test_the_metrics_follow_from_the_predictions(trained: manyheads.Run) -> None:
    for which in ("best", "last"):
        lines = trained.folder.prediction_file("sentiment", "dev", which).read_text().splitlines()
        records = [json.loads(line) for line in lines]
        assert len(records) == 250
        right = np.mean([record["prediction"] == record["target"] for record in records])
        assert right == pytest.approx(trained.results[which]["tasks"]["sentiment"]["accuracy"])
        assert all(sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-5) for record in records)
    values = [
        json.loads(line)
        for line in trained.folder.prediction_file("similarity", "test", "best").read_text().splitlines()
    ]
    r = np.corrcoef([value["value"] for value in values], [value["target"] for value in values])[0, 1]
    assert r == pytest.approx(trained.results["best"]["tasks"]["similarity"]["pearson"], abs=1e-5)


def test_the_resolved_recipe_is_complete_and_repeats_the_run(
    trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = tomllib.loads(trained.folder.recipe.read_text())
    assert content["tasks"]["paraphrase"]["head"] == {"kind": "cross", "dropout": 0.1}
    assert content["tasks"]["paraphrase"]["loss"] == "binary_cross_entropy"
    assert (content["threads"], content["device"], content["precision"]) == (1, "cpu", "float32")
    again = manyheads.train(trained.folder.recipe, tmp_path_factory.mktemp("again") / "run")
    assert again.results["best"] == trained.results["best"]
    for name in ("model.safetensors", "heads.safetensors"):
        assert (again.folder.model / name).read_bytes() == (trained.folder.model / name).read_bytes()
    assert load_recipe(again.folder.recipe) == load_recipe(trained.folder.recipe)


def test_the_log_has_every_step_and_evaluation(trained: manyheads.Run) -> None:
    events = list(read_events(trained.folder.events))
    kinds = [event["event"] for event in events]
    assert kinds.count("step") == 24
    assert kinds.count("evaluation") == 2
    assert kinds.index("start") < kinds.index("step")
    assert kinds[-1] == "finish"
    assert not trained.folder.checkpoints.exists()


def test_provenance_names_encoder_and_data(trained: manyheads.Run) -> None:
    content = json.loads(trained.folder.provenance.read_text())
    assert len(content["encoder"]["sha256"]) == 64
    assert set(content["data"]) == {f"{task}-{split}.tsv" for task in TASKS for split in ("train", "dev")}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_any_number_of_tasks(count: int, trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One, two or five tasks with other names: no code depends on a task's name."""
    recipe = load_recipe(trained.folder.recipe)
    sources = [*recipe.tasks.values(), *recipe.tasks.values()]
    tasks = {f"type{number}": sources[number] for number in range(count)}
    training = recipe.training.model_copy(update={"max_steps": 3, "evaluate_every": None})
    changed = recipe.model_copy(update={"tasks": tasks, "training": training})
    run = manyheads.train(changed, tmp_path_factory.mktemp("count") / "run")
    assert list(run.results["last"]["tasks"]) == list(tasks)


def test_the_course_score_can_be_asked_for_when_a_run_is_resumed(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["training.max_steps=2", "training.evaluate_every=1", "training.checkpoint_every=1"]
    out = tmp_path / "run"

    def stop(event: str, **_: object) -> None:
        if event == "checkpoint":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(load_recipe(tiny_recipe, changes), out, listeners=[stop])
    run = train(load_recipe(tiny_recipe, [*changes, "score=course"]), out, resume=True)
    for entry in (run.results["best"], run.results["last"]):
        primary = [entry["tasks"][task][metric] for task, metric in TASKS.items()]
        assert entry["course_score"] == pytest.approx(np.mean([*primary[:2], (primary[2] + 1) / 2]))
    assert load_recipe(out / "recipe.toml").score == "course"
    assert measure_run(out).scores["course_score"] == pytest.approx(run.results["best"]["course_score"], abs=1e-6)
