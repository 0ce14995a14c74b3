"""A bundle gives the same predictions on every machine, and changed files are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

import manyheads
from manyheads.data.dataset import assemble_texts
from manyheads.data.texts import tokenise
from manyheads.errors import BundleError
from manyheads.inference.bundle import load_bundle
from manyheads.inference.manifest import task_from_json, task_to_json
from manyheads.model.encoder import quiet
from manyheads.model.flat import FlatTokens


@pytest.fixture
def copy(trained: manyheads.Run, tmp_path: Path) -> Path:
    """A copy of the bundle outside of its run folder."""
    return Path(shutil.copytree(trained.folder.model, tmp_path / "elsewhere"))


def test_a_copied_bundle_gives_the_predictions_of_the_run(trained: manyheads.Run, copy: Path) -> None:
    model = manyheads.load(copy)
    recorded = [
        json.loads(line) for line in trained.folder.prediction_file("sentiment", "dev", "best").read_text().splitlines()
    ]
    corpus = Path(manyheads.demo.__file__).parent / "corpus" / "sentiment-dev.tsv"
    texts = [line.split("\t")[1] for line in corpus.read_text().splitlines()[1:]]
    for found, before in zip(model.predict("sentiment", texts), recorded, strict=True):
        assert found.prediction == before["prediction"]
        assert found.probabilities == pytest.approx(before["probabilities"], abs=1e-6)


ELSEWHERE = """
import json, sys
import manyheads
model = manyheads.load(sys.argv[1])
requests = json.loads(sys.argv[2])
print(json.dumps({task: [[each.prediction, each.probabilities and list(each.probabilities.values())]
                         for each in model.predict(task, texts)] for task, texts in requests.items()}))
"""


def test_other_instructions_and_threads_give_the_same_predictions(
    trained: manyheads.Run, copy: Path, tmp_path: Path
) -> None:
    """The other process uses two threads, and torch does not use the vector units of the processor."""
    model = manyheads.load(trained)
    texts = ["a fine film", "dull , and far too long for what little it says", "not bad"]
    pairs = [[one, other] for one in texts for other in texts]
    requests = {name: texts if len(task.text) == 1 else pairs for name, task in model.tasks.items()}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(copy), json.dumps(requests)],
        env={**os.environ, "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "2"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, predictions in json.loads(done.stdout).items():
        for (prediction, probabilities), mine in zip(predictions, model.predict(name, requests[name]), strict=True):
            if mine.probabilities is None:
                assert prediction == pytest.approx(mine.prediction, rel=1e-6, abs=1e-6)
            else:
                assert prediction == mine.prediction
                assert probabilities == pytest.approx(list(mine.probabilities.values()), abs=1e-6)


def test_transformers_loads_the_encoder_as_it_is(copy: Path) -> None:
    with quiet():
        plain = AutoModel.from_pretrained(copy).eval()
    ours = load_bundle(copy).model.encoder.model
    assert all(torch.equal(weights, plain.state_dict()[name]) for name, weights in ours.state_dict().items())
    assert AutoTokenizer.from_pretrained(copy)("a fine film")["input_ids"][0] == 2


@pytest.mark.parametrize(
    "name", ["model.safetensors", "heads.safetensors", "tokenizer.json", "config.json", "modules.json"]
)
def test_a_changed_file_is_refused_by_name(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=name):
        load_bundle(copy)


def test_a_truncated_or_missing_file_is_refused(copy: Path) -> None:
    weights = copy / "heads.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(BundleError, match="changed or truncated"):
        load_bundle(copy)
    weights.unlink()
    with pytest.raises(BundleError, match="missing"):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "modeling.py", "9_Dense/model.safetensors"])
def test_a_file_that_was_added_is_refused(copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_bytes(b"anything")
    with pytest.raises(BundleError, match="does not list a file of the folder"):
        load_bundle(copy)


def test_documents_may_be_edited_and_added(copy: Path) -> None:
    (copy / "README.md").write_text("# My model\n")
    (copy / "LICENSE").write_text("...")
    (copy / ".gitattributes").write_text("...")
    assert load_bundle(copy).model.tasks


def test_sentence_transformers_gives_the_vector_that_the_heads_read(copy: Path) -> None:
    library = pytest.importorskip("sentence_transformers", reason="the extra bench is not installed")
    texts = ["a fine film", "dull , and far too long for what little it says"]
    bundle = load_bundle(copy)
    store, index = tokenise(texts, bundle.tokenizer, None)
    batch = assemble_texts(store, bundle.tokenizer.template, bundle.max_length, index)
    with torch.inference_mode():
        vectors = bundle.model.encoder(FlatTokens.from_batch(batch, torch.device("cpu")))
        head = bundle.model.head("similarity")
        expected = head.shared(vectors).numpy()
    found = library.SentenceTransformer(str(copy), device="cpu").encode(texts)
    assert found == pytest.approx(expected, abs=1e-5)
    cosine = library.util.cos_sim(found[0], found[1]).item()
    (predicted,) = manyheads.load(copy).predict("similarity", [texts])
    assert predicted.prediction == pytest.approx(min(5, max(0, 5 * cosine)), abs=1e-4)


def test_other_folders_and_manifests_are_refused(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(BundleError, match="the folder is not a bundle"):
        load_bundle(tmp_path)
    manifest = json.loads((copy / "manyheads.json").read_text())
    (copy / "manyheads.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(BundleError, match="unsupported format of the bundle"):
        load_bundle(copy)
    (copy / "manyheads.json").write_text(json.dumps({**manifest, "files": {**manifest["files"], "../../x": "0"}}))
    with pytest.raises(BundleError, match="outside the folder"):
        load_bundle(copy)
    (copy / "manyheads.json").write_text("[]")
    with pytest.raises(BundleError):
        load_bundle(copy)


def test_tasks_come_back_from_json(trained: manyheads.Run) -> None:
    for task in manyheads.load(trained).tasks.values():
        assert task_from_json(json.loads(json.dumps(task_to_json(task)))) == task
