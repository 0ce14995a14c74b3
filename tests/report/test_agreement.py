"""Reports and comparisons are made only from predictions that give the metrics in results.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.older import without_checksums

import manyheads
from manyheads.errors import RunError
from manyheads.evaluation.metrics.macro_f1 import earlier_macro_f1
from manyheads.reports.compare import compare
from manyheads.reports.content import build_report
from manyheads.tasks.kind import Predictions


@pytest.fixture
def run(trained: manyheads.Run, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder.path, tmp_path / "run")
    return tmp_path / "run"


def edit(file: Path, change: Callable[[dict[str, Any], int], None]) -> None:
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for place, record in enumerate(records):
        change(record, place)
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def refused(run: Path, trained: manyheads.Run, match: str, *, compared: bool = True) -> None:
    with pytest.raises(RunError, match=match):
        build_report(run)
    if compared:
        with pytest.raises(RunError, match=match):
            compare([trained.folder.path, run])


def other_target(record: dict[str, Any], place: int) -> None:
    if place == 3:
        record["target"] = (record["target"] + 1) % 5


def other_value(record: dict[str, Any], place: int) -> None:
    if place == 3:
        record["prediction"] = record["value"] = 5.0 - record["value"]


def other_label(record: dict[str, Any], place: int) -> None:
    if place == 3:
        record["prediction"] = (record["prediction"] + 1) % 5


def other_probability(record: dict[str, Any], place: int) -> None:
    if place == 3:
        record["probabilities"]["2"] += 0.01


@pytest.mark.parametrize(
    ("name", "change", "match", "compared"),
    [
        ("sentiment.dev.best", other_target, "do not give the metric", False),
        ("sentiment.dev.last", other_target, "do not give the metric", False),
        ("similarity.dev.best", other_value, "do not give the metric", True),
        ("sentiment.dev.best", other_label, "a prediction file is damaged", True),
        ("sentiment.dev.best", other_probability, "a prediction file is damaged", True),
    ],
)
def test_other_predictions_are_refused(
    run: Path,
    trained: manyheads.Run,
    name: str,
    change: Callable[[dict[str, Any], int], None],
    match: str,
    *,
    compared: bool,
) -> None:
    edit(run / "predictions" / f"{name}.jsonl", change)
    refused(without_checksums(run), trained, match, compared=compared)


def test_a_missing_prediction_is_refused(run: Path) -> None:
    file = without_checksums(run) / "predictions" / "sentiment.dev.best.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(RunError, match="do not give the metric"):
        build_report(run)


@pytest.mark.parametrize(
    ("path", "match"),
    [
        (("best", "tasks", "sentiment", "macro_f1"), "do not give the metric"),
        (("last", "tasks", "similarity", "pearson"), "do not give the metric"),
        (("best", "average"), "results cannot be read"),
    ],
)
def test_other_metrics_in_the_results_are_refused(run: Path, path: tuple[str, ...], match: str) -> None:
    content = json.loads((without_checksums(run) / "results.json").read_text())
    at = content
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] += 0.001
    (run / "results.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match=match):
        build_report(run)


def test_predictions_with_seven_decimals_agree(run: Path, trained: manyheads.Run) -> None:
    """As version 0.4.0 wrote them."""

    def rounded(record: dict[str, Any], _: int) -> None:
        for key in ("prediction", "value"):
            if isinstance(record.get(key), float):
                record[key] = round(record[key], 7)
        for label, value in record.get("probabilities", {}).items():
            record["probabilities"][label] = round(value, 7)

    for file in (without_checksums(run) / "predictions").glob("*.jsonl"):
        edit(file, rounded)
    assert build_report(run).tasks
    assert compare([trained.folder.path, run]).tasks


def test_missing_predictions_of_all_evaluations_are_refused(run: Path) -> None:
    """They have the clusters of the examples, on which the intervals depend."""
    (run / "predictions" / "sentiment.dev.all.npz").unlink()
    with pytest.raises(RunError, match=r"the predictions cannot be read(.|\n)*the file is missing"):
        build_report(run)


def test_a_changed_curve_is_refused(run: Path) -> None:
    file = run / "results.csv"
    text = file.read_text()
    file.write_text(text[:-3] + ("1" if text[-3] != "1" else "2") + text[-2:])
    with pytest.raises(RunError, match="curve cannot be read"):
        build_report(run)


def test_a_changed_recipe_is_refused(run: Path) -> None:
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("weight_decay = 0.0", "weight_decay = 0.5"))
    with pytest.raises(RunError, match="recipe in the run folder was changed"):
        build_report(run)


def test_a_run_with_the_earlier_macro_f1_is_read(run: Path) -> None:
    """Versions up to 0.4.0 counted classes that are predicted and have no target. Other values are refused."""
    file, results = run / "predictions" / "sentiment.dev.best.jsonl", run / "results.json"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    predicted, targets = ([float(line[key]) for line in lines] for key in ("prediction", "target"))
    content = json.loads(results.read_text())
    del content["checksum"], content["checksums"]  # which 0.4.0 did not write
    earlier = earlier_macro_f1(Predictions(np.array(predicted), None), np.array(targets))
    content["best"]["tasks"]["sentiment"]["macro_f1"] = earlier
    results.write_text(json.dumps(content))
    assert build_report(run).tasks
    content["best"]["tasks"]["sentiment"]["macro_f1"] = (earlier or 0) + 0.01
    results.write_text(json.dumps(content))
    with pytest.raises(RunError, match="do not give the metric"):
        build_report(run)


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_changed_digit_of_a_prediction_is_refused(run: Path, trained: manyheads.Run, name: str) -> None:
    file = run / "predictions" / f"sentiment.dev.{name}.jsonl"
    flip(file, file.read_bytes().index(b'"probabilities": {"0": 0.') + 29)
    refused(run, trained, "a prediction file is damaged", compared=name == "best")


def test_a_changed_prediction_for_the_test_file_is_refused(run: Path) -> None:
    (run / "predictions" / "similarity.test.best.jsonl").unlink()
    with pytest.raises(RunError, match="a prediction file is damaged") as caught:
        build_report(run)
    assert caught.value.found == "the file is missing"


def test_a_changed_digit_in_the_results_or_the_provenance_is_refused(run: Path) -> None:
    provenance, results = run / "provenance.json", run / "results.json"
    before = provenance.read_bytes()
    flip(provenance, before.index(b'"memory_gib": ') + 14)
    with pytest.raises(RunError, match="provenance cannot be read"):
        build_report(run)
    provenance.write_bytes(before)
    assert build_report(run).tasks
    flip(results, results.read_bytes().index(b'"seconds": ') + 11)
    with pytest.raises(RunError, match="results cannot be read") as caught:
        build_report(run)
    assert caught.value.found == "the content does not have its own checksum"


def test_a_damaged_name_of_the_checksum_is_refused(run: Path) -> None:
    file = run / "results.json"
    file.write_text(file.read_text().replace('"checksum":', '"chucksum":').replace('"seconds": ', '"seconds": 1'))
    with pytest.raises(RunError, match="results cannot be read"):
        build_report(run)


@pytest.mark.parametrize("damage", [lambda file: flip(file, 700), Path.unlink, lambda file: file.write_bytes(b"")])
def test_a_report_names_a_changed_event_log(run: Path, damage: Callable[[Path], object]) -> None:
    assert not build_report(run).log.warnings
    damage(run / "events.jsonl")
    assert any("events.jsonl is missing or was changed" in warning for warning in build_report(run).log.warnings)
