"""Trainings and models in threads, in forked and in spawned processes, and one after another."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import manyheads
from manyheads.errors import BundleError, RunError
from manyheads.runs.export import export_run

BYTES = ("model/model.safetensors", "model/heads.safetensors", "results.csv", "predictions/paraphrase.dev.last.jsonl")
LONG = ["training.epochs=99", "training.max_steps=4000", "training.evaluate_every=4000"]
TEXTS = [f"a fine film {number}" for number in range(40)]


def same(run: manyheads.Run, other: manyheads.Run) -> bool:
    """Return whether two runs have the same bytes."""
    return all((run.folder.path / name).read_bytes() == (other.folder.path / name).read_bytes() for name in BYTES)


def in_thread(function: Callable[[], Any]) -> Any:
    """Return the result of a function that is called in another thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_trainings_in_a_row_next_to_a_model_give_the_same_bytes(
    tiny_recipe: Path, trained: manyheads.Run, tmp_path: Path
) -> None:
    model = manyheads.load(trained)
    before = list(model.predict("sentiment", TEXTS))
    torch.manual_seed(7)

    def listen(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 3:
            torch.rand(5)
            model.predict("sentiment", TEXTS)
            manyheads.load(trained)

    assert same(manyheads.train(tiny_recipe, tmp_path / "first", listeners=[listen]), trained)
    second = in_thread(lambda: manyheads.train(tiny_recipe, tmp_path / "second"))
    assert same(second, trained)
    assert list(model.predict("sentiment", TEXTS)) == before


def test_a_second_training_in_the_process_is_refused(tiny_recipe: Path, tmp_path: Path) -> None:
    started, stop = threading.Event(), threading.Event()

    def listen(event: str, **_: object) -> None:
        if event == "step":
            started.set()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            manyheads.train, tiny_recipe, tmp_path / "first", changes=LONG, listeners=[listen], stop=stop
        )
        started.wait(60)
        with pytest.raises(RunError, match="another training is running in this process"):
            manyheads.train(tiny_recipe, tmp_path / "second")
        stop.set()
        with pytest.raises(KeyboardInterrupt):
            first.result()
    manyheads.train(tiny_recipe, tmp_path / "second", changes=["training.max_steps=1", "training.evaluate_every=1"])


def test_threads_predict_and_explain_with_one_model(trained: manyheads.Run) -> None:
    model, other = manyheads.load(trained, threads=2), manyheads.load(trained, int8=True)
    task = model.task("sentiment")

    def work(number: int) -> list[Any]:
        row = (TEXTS[number],)
        found = [list(model.predict("sentiment", TEXTS[number:])), model.explain(task, row)]
        return [*found, list(other.predict("sentiment", TEXTS[number:]))]

    alone = [work(number) for number in range(24)]
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(24))) == alone


def test_models_are_loaded_in_several_threads(trained: manyheads.Run) -> None:
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda int8: manyheads.load(trained, int8=int8), [False, True] * 3))
    assert torch.equal(torch.get_rng_state(), before)
    assert models[0].predict("sentiment", "a film") == models[4].predict("sentiment", "a film")


FORK = """
import json, multiprocessing, sys
import torch, manyheads
from manyheads.process_state import most_threads

torch.set_num_threads(4)
torch.relu(torch.ones(4_000_000))  # starts threads that a forked process does not have
model = manyheads.load(sys.argv[1])
texts = [f"a fine film {number}" for number in range(400)]
expected = [each.prediction for each in model.predict("sentiment", texts)]

def predict(_):
    found = [each.prediction for each in model.predict("sentiment", texts)]
    return found == expected, most_threads(4), torch.get_num_threads()

def load(_):
    loaded = manyheads.load(sys.argv[1])
    return [each.prediction for each in loaded.predict("sentiment", texts)] == expected

def train(threads):
    changes = ["training.max_steps=1", "training.evaluate_every=1", f"threads={threads}"]
    try:
        manyheads.train(sys.argv[2], f"{sys.argv[3]}/{threads}", changes=changes)
        return "trained"
    except manyheads.ManyheadsError as error:
        return str(error)

def table(_):
    try:
        manyheads.Recipe.load(sys.argv[2], {"tasks.sentiment.train": {"sentence": texts, "sentiment": [0, 1] * 200}})
    except manyheads.ManyheadsError as error:
        return str(error)

manyheads.Recipe.load(sys.argv[2], {"tasks.sentiment.train": {"sentence": texts, "sentiment": [0, 1] * 200}})
with multiprocessing.get_context("fork").Pool(1) as pool:
    calls = ((predict, 0), (load, 0), (train, 1), (train, 2), (table, 0))
    found = [pool.map_async(f, [a]).get(100)[0] for f, a in calls]
print(json.dumps(found))
"""


@pytest.mark.usefixtures("forked_commands")
def test_a_forked_process_predicts_or_is_told_to_spawn(
    trained: manyheads.Run, tiny_recipe: Path, tmp_path: Path
) -> None:
    words = [sys.executable, "-c", FORK, str(trained.folder.path), str(tiny_recipe), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    predicted, loaded, one, two, table = json.loads(done.stdout)
    assert predicted == [True, 1, 4]
    assert loaded is True
    assert one == "trained"
    assert "spawn" in two
    assert "spawn" in table


def _call(model: manyheads.Predictor, pipe: Any) -> None:
    try:
        pipe.send(list(model.predict("sentiment", TEXTS)))
    except BundleError as error:
        pipe.send(str(error))


def _in_process(method: str, model: manyheads.Predictor) -> Any:
    context: Any = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(model, sender))
    process.start()
    assert receiver.poll(120)
    found = receiver.recv()
    process.join()
    return found


def test_a_model_goes_to_a_spawned_process_by_its_path(trained: manyheads.Run) -> None:
    model = manyheads.load(trained)
    assert len(pickle.dumps(model)) < 1000
    assert _in_process("spawn", model) == list(model.predict("sentiment", TEXTS))


def test_a_forked_process_does_not_use_onnxruntime_of_its_parent(trained: manyheads.Run, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    export_run(trained.folder.path, "onnx", tmp_path / "onnx", check=False)
    model = manyheads.load(tmp_path / "onnx", runtime="onnx", threads=2)
    copied = pickle.loads(pickle.dumps(model))
    assert list(copied.predict("sentiment", TEXTS)) == list(model.predict("sentiment", TEXTS))
    assert "spawn" in _in_process("fork", model)


def test_a_pickled_model_is_not_another_one(trained: manyheads.Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained.folder.path, folder)
    pickled = pickle.dumps(manyheads.load(folder))
    copied = copy.copy(manyheads.load(folder))
    assert list(pickle.loads(pickled).predict("sentiment", TEXTS)) == list(copied.predict("sentiment", TEXTS))
    manifest = folder / "model" / "manyheads.json"
    manifest.write_text(manifest.read_text() + "\n")
    with pytest.raises(BundleError, match="another model than the one that was pickled"):
        pickle.loads(pickled)
    model = manyheads.load(trained)
    engine = model._engine
    with pytest.raises(TypeError, match=r"manyheads\.load"):
        pickle.dumps(manyheads.Predictor(engine))


MEMORY = """
import gc, resource, sys
import manyheads

def resident():
    gc.collect()
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024

count = int(sys.argv[3])
for number in range(count + 3):
    manyheads.train(sys.argv[1], f"{sys.argv[2]}/{number}", changes=sys.argv[4:])
    if number == 2:
        before = resident()
print(resident() - before)
"""


@pytest.mark.usefixtures("forked_commands")
def test_repeated_trainings_need_no_more_memory(tiny_recipe: Path, tmp_path: Path) -> None:
    """LOG.md has the figure for 100, from the same program."""
    words = [
        sys.executable,
        "-c",
        MEMORY,
        str(tiny_recipe),
        str(tmp_path),
        "4",
        "training.max_steps=2",
        "training.evaluate_every=2",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 25
