"""Exports: the same answers in other runtimes and libraries, held to the model before anything is written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from transformers import pipeline
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import BundleError, RunError
from manyheads.inference.load import Runtime
from manyheads.model.encoder import quiet
from manyheads.recipe.export import Export, export_run

TEXTS = ["a fine film", "dull , and far too long for what little it says"]

WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None
sys.modules["transformers"] = None
import manyheads
model = manyheads.load(sys.argv[1], runtime="onnx")
asked = json.loads(sys.argv[2])
print(json.dumps({task: [each.prediction for each in model.predict(task, texts)] for task, texts in asked.items()}))
"""


@pytest.fixture(scope="module")
def exports(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Export]:
    folder = tmp_path_factory.mktemp("exports")
    return {
        form: export_run(trained.folder.path, form, folder / form, int8=form == "onnx")
        for form in ("onnx", "hub", "torch-export")
    }


def asked(model: manyheads.Predictor) -> dict[str, list[str] | list[list[str]]]:
    pairs = [TEXTS, TEXTS[::-1], [TEXTS[0], TEXTS[0]]]
    return {name: TEXTS if len(task.text) == 1 else pairs for name, task in model.tasks.items()}


@pytest.mark.parametrize("form", ["onnx", "torch-export"])
def test_every_task_was_held_to_the_model(form: str, exports: dict[str, Export]) -> None:
    found = exports[form]
    assert list(found.compared) == ["sentiment", "paraphrase", "similarity"]
    assert found.largest is not None
    assert found.largest <= 1e-4
    assert found.examples > 300


@pytest.mark.parametrize("runtime", ["onnx", "torch-export"])
def test_another_runtime_gives_the_same_answers(
    runtime: Runtime, trained: manyheads.Run, exports: dict[str, Export]
) -> None:
    model, other = manyheads.load(trained), manyheads.load(exports[runtime].folder, runtime=runtime)
    for name, texts in asked(model).items():
        for mine, theirs in zip(model.predict(name, texts), other.predict(name, texts), strict=True):
            assert theirs.prediction == pytest.approx(mine.prediction, abs=1e-4)
            if mine.probabilities is not None:
                assert theirs.probabilities == pytest.approx(mine.probabilities, abs=1e-4)
    with pytest.raises(BundleError, match="no gradients"):
        other.explain(other.task("sentiment"), (TEXTS[0],))


def test_onnx_answers_where_torch_cannot_be_imported(trained: manyheads.Run, exports: dict[str, Export]) -> None:
    model = manyheads.load(trained)
    command = [sys.executable, "-c", WITHOUT_TORCH, str(exports["onnx"].folder), json.dumps(asked(model))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, answers in json.loads(done.stdout).items():
        expected = [each.prediction for each in model.predict(name, asked(model)[name])]
        assert answers == pytest.approx(expected, abs=1e-3)


def test_eight_bits_are_measured_and_answer(exports: dict[str, Export]) -> None:
    measured = exports["onnx"].measured
    assert measured is not None
    assert measured.int8 is not None
    assert measured.int8.scores["tasks"].keys() == measured.scores["tasks"].keys()
    small = manyheads.load(exports["onnx"].folder, runtime="onnx", int8=True)
    assert len(small.predict("sentiment", TEXTS)) == 2
    sizes = [(exports["onnx"].folder / name).stat().st_size for name in ("encoder.int8.onnx", "encoder.onnx")]
    assert sizes[0] < sizes[1]


def test_the_hub_s_form_is_a_bundle_and_transformers_opens_its_tasks(
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
        chances = {str(label): chance for label, chance in mine.probabilities.items()}
        assert {each["label"]: each["score"] for each in theirs} == pytest.approx(chances, abs=1e-5)


@pytest.mark.parametrize("form", ["onnx", "torch-export"])
def test_a_changed_graph_is_refused(form: Runtime, exports: dict[str, Export], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(exports[form].folder, tmp_path / "copy"))
    graph = next(copy.glob("encoder.*"))
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(BundleError, match="changed or cut short"):
        manyheads.load(copy, runtime=form)


def test_an_export_replaces_an_export_and_nothing_else(
    trained: manyheads.Run, exports: dict[str, Export], tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear diary")
    for other in (tmp_path, trained.folder.model, trained.folder.path):
        with pytest.raises(RunError, match="something else"):
            export_run(trained.folder.path, "hub", other)
    assert export_run(trained.folder.path, "hub", exports["hub"].folder, check=False).largest is None


def test_an_export_that_differs_is_not_written(
    trained: manyheads.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = "manyheads.inference.graph_engine.GraphEngine.outputs"
    monkeypatch.setattr(outputs, lambda _, store, split: np.full((len(split), split.task.outputs), 9.0, np.float32))
    with pytest.raises(BundleError, match="differs from the model"):
        export_run(trained.folder.path, "torch-export", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runtime": "onx"}, "torch, onnx, torch-export"),
        ({"runtime": "onnx"}, "manyheads export"),
        ({"runtime": "torch-export", "int8": True}, "manyheads export"),
    ],
)
def test_mistakes_are_told(options: dict[str, object], said: str, trained: manyheads.Run) -> None:
    with pytest.raises(BundleError, match=said):
        manyheads.load(trained, **options)  # type: ignore[arg-type]


def test_the_command(trained: manyheads.Run, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["export", str(trained.folder.path), "--to", "onnx", "--out", str(tmp_path / "out"), "--int8"]
    )
    assert told.exit_code == 0, told.output
    assert "largest difference from the model" in told.output
    assert "difference" in told.output
    answered = CliRunner().invoke(
        app,
        ["predict", str(tmp_path / "out"), "--task", "sentiment", "--runtime", "onnx", "--format", "jsonl"],
        input="a fine film\n",
    )
    assert answered.exit_code == 0, answered.output
    assert "prediction" in answered.output
