"""ONNX: the same answers without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import manyheads
from manyheads.errors import BundleError
from manyheads.recipe.export import export_run

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

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
def exported(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("export") / "onnx"
    assert export_run(trained.folder.path, out) <= 1e-4
    return out


def test_the_same_predictions_where_torch_cannot_be_imported(trained: manyheads.Run, exported: Path) -> None:
    model = manyheads.load(trained)
    texts = ["a fine film", "dull, and far too long for what little it says"]
    asked = {
        name: texts if len(task.text) == 1 else [texts, texts[::-1], [texts[0], texts[0]]]
        for name, task in model.tasks.items()
    }
    command = [sys.executable, "-c", WITHOUT_TORCH, str(exported), json.dumps(asked)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, rows in asked.items():
        assert found[name] == pytest.approx([each.prediction for each in model.predict(name, rows)], abs=1e-3)


def test_a_changed_graph_is_refused(exported: Path) -> None:
    graph = exported / "encoder.onnx"
    content = graph.read_bytes()
    graph.write_bytes(content[:-1])
    try:
        with pytest.raises(BundleError, match="changed or cut short"):
            manyheads.load(exported, runtime="onnx")
    finally:
        graph.write_bytes(content)
