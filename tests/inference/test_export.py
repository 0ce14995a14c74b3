"""Exports give the same predictions in other runtimes and libraries. They are checked before they are written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import pipeline
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import BundleError, RunError, on_command_line
from manyheads.model.encoder import quiet
from manyheads.runs.export import Export, export_run

TEXTS = ["a fine film", "dull , and far too long for what little it says"]

WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None
sys.modules["transformers"] = None
import manyheads
model = manyheads.load(sys.argv[1], runtime="onnx")
requests = json.loads(sys.argv[2])
print(json.dumps({task: [each.prediction for each in model.predict(task, texts)] for task, texts in requests.items()}))
"""


@pytest.fixture(scope="module")
def command(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Export]:
    """The output of `manyheads export --to onnx --int8`, and the export that it printed."""
    folder, kept = tmp_path_factory.mktemp("command") / "onnx", []

    def keep(*arguments: Any, **options: Any) -> Export:
        kept.append(export_run(*arguments, **options))
        return kept[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("manyheads.api.finished.export_run", keep)
        words = ["export", str(trained.folder.path), "--to", "onnx", "--out", str(folder), "--int8"]
        exported = CliRunner().invoke(app, words)
    assert exported.exit_code == 0, exported.output
    return exported.output, kept[0]


@pytest.fixture(scope="module")
def exports(
    trained: manyheads.Run, command: tuple[str, Export], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Export]:
    folder = tmp_path_factory.mktemp("exports")
    others = {target: export_run(trained.folder.path, target, folder / target) for target in ("hub", "torch-export")}
    return {"onnx": command[1], **others}


def requests_for(model: manyheads.Predictor) -> dict[str, list[str] | list[list[str]]]:
    pairs = [TEXTS, TEXTS[::-1], [TEXTS[0], TEXTS[0]]]
    return {name: TEXTS if len(task.text) == 1 else pairs for name, task in model.tasks.items()}


@pytest.mark.parametrize("target", ["onnx", "torch-export"])
def test_every_task_is_checked_against_the_model(target: str, exports: dict[str, Export]) -> None:
    export = exports[target]
    assert list(export.compared) == ["sentiment", "paraphrase", "similarity"]
    assert export.largest is not None
    assert export.largest <= 1e-4
    assert export.examples > 300


def test_another_runtime_gives_the_same_predictions(trained: manyheads.Run, exports: dict[str, Export]) -> None:
    model, other = manyheads.load(trained), manyheads.load(exports["onnx"].folder, runtime="onnx")
    for name, texts in requests_for(model).items():
        for mine, theirs in zip(model.predict(name, texts), other.predict(name, texts), strict=True):
            assert theirs.prediction == pytest.approx(mine.prediction, abs=1e-4)
            if mine.probabilities is not None:
                assert theirs.probabilities == pytest.approx(mine.probabilities, abs=1e-4)
    with pytest.raises(BundleError, match="token weights need gradients"):
        other.explain(other.task("sentiment"), (TEXTS[0],))


def test_onnx_predicts_without_torch(trained: manyheads.Run, exports: dict[str, Export]) -> None:
    model = manyheads.load(trained)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(exports["onnx"].folder), json.dumps(requests_for(model))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, predictions in json.loads(done.stdout).items():
        expected = [each.prediction for each in model.predict(name, requests_for(model)[name])]
        assert predictions == pytest.approx(expected, abs=1e-3)


def test_int8_is_measured_and_predicts(exports: dict[str, Export]) -> None:
    measured = exports["onnx"].measured
    assert measured is not None
    assert measured.int8 is not None
    assert measured.int8.scores["tasks"].keys() == measured.scores["tasks"].keys()
    small = manyheads.load(exports["onnx"].folder, runtime="onnx", int8=True)
    assert len(small.predict("sentiment", TEXTS)) == 2
    sizes = [(exports["onnx"].folder / name).stat().st_size for name in ("encoder.int8.onnx", "encoder.onnx")]
    assert sizes[0] < sizes[1]


def test_a_hub_export_is_a_bundle_with_pipelines_for_transformers(
    trained: manyheads.Run, exports: dict[str, Export]
) -> None:
    folder = exports["hub"].folder
    assert list(exports["hub"].compared) == ["sentiment", "paraphrase"]
    model = manyheads.load(folder)
    assert model.predict("sentiment", TEXTS) == manyheads.load(trained).predict("sentiment", TEXTS)
    with quiet():
        classify = pipeline("text-classification", model=str(folder / "pipelines" / "sentiment"), top_k=None)
        found = classify(TEXTS)
    for theirs, mine in zip(found, model.predict("sentiment", TEXTS), strict=True):
        assert mine.probabilities is not None
        probabilities = {str(label): value for label, value in mine.probabilities.items()}
        assert {each["label"]: each["score"] for each in theirs} == pytest.approx(probabilities, abs=1e-5)


def test_a_changed_graph_is_refused(exports: dict[str, Export], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exports["onnx"].folder, tmp_path / "copy"))
    graph = next(copy.glob("encoder.*"))
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(BundleError, match="changed or truncated"):
        manyheads.load(copy, runtime="onnx")


def test_a_link_in_an_export_is_refused(exports: dict[str, Export], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exports["onnx"].folder, tmp_path / "copy"))
    (copy / "README.md").unlink()
    (copy / "README.md").symlink_to("/etc/hostname")
    with pytest.raises(BundleError, match="links"):
        manyheads.load(copy, runtime="onnx")


def test_an_export_replaces_an_export_and_nothing_else(
    trained: manyheads.Run, exports: dict[str, Export], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear diary")
    for other in (tmp_path, trained.folder.model, trained.folder.path):
        with pytest.raises(RunError, match="the folder is not empty and not an export"):
            export_run(trained.folder.path, "hub", other)
    assert export_run(trained.folder.path, "hub", exports["hub"].folder, check=False).largest is None


def test_an_export_that_differs_is_not_written(
    trained: manyheads.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = "manyheads.inference.graph_engine.GraphEngine.outputs_several"
    wrong = lambda _, store, splits: [np.full((len(each), each.task.outputs), 9.0, np.float32) for each in splits]  # noqa: E731
    monkeypatch.setattr(outputs, wrong)
    with pytest.raises(BundleError, match="differs from the model"):
        export_run(trained.folder.path, "torch-export", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "onx"}, "allowed: torch, onnx$"),
        ({"runtime": "onnx"}, r"manyheads\.export\(.*, to='onnx'\)$"),
        ({"runtime": "torch-export"}, "archives of torch.export may execute code"),
    ],
)
def test_invalid_options_are_named(options: dict[str, object], message: str, trained: manyheads.Run) -> None:
    with pytest.raises(BundleError, match=message):
        manyheads.load(trained, **options)  # type: ignore[arg-type]


def test_hints_quote_the_path_of_the_run(trained: manyheads.Run, exports: dict[str, Export], tmp_path: Path) -> None:
    run = tmp_path / "my run"
    shutil.copytree(trained.folder.path, run)
    command = f"manyheads.export({str(run)!r}, to='onnx')"
    with pytest.raises(BundleError, match=re.escape(command) + "$"):
        manyheads.load(run, runtime="onnx")
    shutil.copytree(exports["torch-export"].folder, run / "torch-export")
    for folder in (run / "model", run / "torch-export"):
        with pytest.raises(BundleError, match=re.escape(command) + "$"):
            manyheads.load(folder, runtime="onnx")
    shutil.copytree(exports["onnx"].folder, run / "onnx")
    (run / "onnx" / "encoder.int8.onnx").unlink()
    with pytest.raises(BundleError, match=re.escape(f"manyheads.export({str(run)!r}, to='onnx', int8=True)") + "$"):
        manyheads.load(run, runtime="onnx", int8=True)
    quoted = f"manyheads export '{run}' --to onnx --int8"
    with on_command_line(), pytest.raises(BundleError, match=re.escape(quoted) + "$"):
        manyheads.load(run, runtime="onnx", int8=True)
    with pytest.raises(BundleError, match=r"manyheads\.export\('RUN', to='onnx'\)$"):
        manyheads.load(exports["hub"].folder, runtime="onnx")


def test_the_command(command: tuple[str, Export]) -> None:
    output, exported = command
    assert f"exported to {exported.folder}" in output
    assert "largest difference from the model: " in output
    assert "difference" in output
    predicted = CliRunner().invoke(
        app,
        ["predict", str(exported.folder), "--task", "sentiment", "--runtime", "onnx", "--format", "jsonl"],
        input="a fine film\n",
    )
    assert predicted.exit_code == 0, predicted.output
    assert "prediction" in predicted.output


def test_the_printed_upload_command_can_be_copied(trained: manyheads.Run, tmp_path: Path) -> None:
    out = tmp_path / "my model"
    command = ["export", str(trained.folder.path), "--to", "hub", "--out", str(out), "--no-check"]
    exported = CliRunner().invoke(app, command)
    assert exported.exit_code == 0, exported.output
    lines = [f"exported to {out}", "not checked against the model", f"publish it with: hf upload NAME/MODEL '{out}'"]
    assert exported.output.splitlines() == lines
