"""Several processes train one run: the same losses, the same batches, one writer, a clean end, and resuming."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import manyheads
from manyheads.data.batch import Batch, Part
from manyheads.run.events import read_events
from manyheads.training.distributed import assign, share

STILL = ["model.dropout=0.0", "model.attention_dropout=0.0", "training.weight_decay=0.0", "training.learning_rate=1e-5"]
STILL += [f"tasks.{task}.head.dropout=0.0" for task in ("sentiment", "paraphrase", "similarity")]
FIFTY = [*STILL, "training.max_steps=50", "training.evaluate_every=25"]


def torchrun(processes: int, recipe: Path, out: Path, *changes: str, resume: bool = False) -> subprocess.Popen[str]:
    words = [word for change in changes for word in ("--set", change)] + ["--resume"] * resume
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "manyheads"]
    return subprocess.Popen(
        [sys.executable, *launch, "train", str(recipe), "--out", str(out), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MANYHEADS_TIMEOUT": "60"},
    )


def workers(out: Path) -> list[int]:
    """Return the processes that torchrun started for the run `out`. (They may be the fork server's shims.)"""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if str(out).encode() in words and b"torch.distributed.run" not in words:
                found.append(int(folder.name))
    return sorted(found)


def ended(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=200)
    return output


def steps_of(out: Path) -> list[dict[str, object]]:
    return [event for event in read_events(out / "events.jsonl") if event["event"] == "step"]


@pytest.fixture(scope="module")
def one(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("one") / "run", changes=FIFTY).folder.path


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize("processes", [2, 4])
def test_without_dropout_the_losses_are_the_same_for_any_number_of_processes(
    processes: int, tiny_recipe: Path, one: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = torchrun(processes, tiny_recipe, out, *FIFTY)
    output = ended(process)
    assert process.returncode == 0, output
    expected, actual = steps_of(one), steps_of(out)
    assert len(expected) == len(actual) == 50, "one process writes each step once"
    for then, now in zip(expected, actual, strict=True):
        assert now["losses"] == pytest.approx(then["losses"], rel=1e-6), f"step {now['step']}"
        assert now["gradient_norm"] == pytest.approx(then["gradient_norm"], rel=1e-5)
        assert (now["examples"], now["tokens"]) == (then["examples"], then["tokens"])
    assert json.loads((out / "provenance.json").read_text())["processes"] == processes
    assert {file.name for file in (out / "predictions").iterdir()} == {
        file.name for file in (one / "predictions").iterdir()
    }


@pytest.mark.usefixtures("forked_commands")
def test_a_lost_process_ends_the_others_and_the_run_can_be_resumed(tiny_recipe: Path, tmp_path: Path) -> None:
    """With accumulation and batches of fewer examples than processes. The run resumes with another number of them."""
    changes = [*STILL, "batching.batch_size=1", "training.accumulation=2", "training.checkpoint_every=2"]
    changes += ["training.max_steps=40", "training.evaluate_every=40"]
    whole = manyheads.train(tiny_recipe, tmp_path / "whole", changes=changes).folder.path
    out = tmp_path / "run"
    process = torchrun(2, tiny_recipe, out, *changes)
    while process.poll() is None and len(steps_of(out)) < 5:
        time.sleep(0.02)
    os.kill(workers(out)[-1], signal.SIGKILL)
    output = ended(process)
    assert process.returncode != 0
    assert not (out / "results.json").exists()
    assert "another process of this run was lost" in output, output
    manyheads.train(tiny_recipe, out, changes=changes, resume=True)
    assert any(event["event"] == "note" and event.get("now") == 1 for event in read_events(out / "events.jsonl"))
    actual = steps_of(out)
    assert [step["step"] for step in actual] == list(range(1, 41))
    for then, now in zip(steps_of(whole), actual, strict=True):
        assert now["losses"] == pytest.approx(then["losses"], rel=1e-5)


@pytest.mark.usefixtures("forked_commands")
def test_a_signal_stops_all_processes_at_one_step_and_the_run_resumes_exactly(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    """With dropout. For the same number of processes resuming is exact, and the losses are those of one process."""
    out, whole = tmp_path / "run", tmp_path / "whole"
    changes = ["training.epochs=9", "training.max_steps=100", "training.evaluate_every=100"]
    alone = manyheads.train(tiny_recipe, tmp_path / "alone", changes=changes).folder.path
    assert "average" in ended(torchrun(2, tiny_recipe, whole, *changes))
    for then, now in zip(steps_of(alone)[:20], steps_of(whole), strict=False):
        assert (now["examples"], now["tokens"]) == (then["examples"], then["tokens"])
        assert now["losses"] == pytest.approx(then["losses"], rel=1e-4), "masks are each example's own"
    process = torchrun(2, tiny_recipe, out, *changes)
    while process.poll() is None and len(steps_of(out)) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output = ended(process)
    assert "--resume" in output, output
    assert not (out / "results.json").exists()
    stopped = steps_of(out)[-1]["step"]
    assert [path.name for path in (out / "checkpoints").glob("step-*")] == [f"step-{stopped:09d}"]
    output = ended(torchrun(2, tiny_recipe, out, *changes, resume=True))
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes(), output
    assert [step["losses"] for step in steps_of(out)] == [step["losses"] for step in steps_of(whole)]
    assert (out / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()


def test_shares_are_balanced_by_tokens_and_cover_the_batch() -> None:
    owner = assign([9, 1, 1, 1, 5, 4], 2)
    assert owner.tolist() == [0, 0, 1, 0, 1, 1] or sorted(np.bincount(owner, [9, 1, 1, 1, 5, 4])) == [10, 11]
    sizes = np.array([3, 2, 4, 1])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    positions = np.concatenate([np.arange(size) for size in sizes]).astype(np.int32)
    ids = np.arange(10, dtype=np.int32)
    targets, soft = np.array([0.0, 1.0], dtype=np.float32), np.array([[0.8, 0.2], [0.3, 0.7]], dtype=np.float32)
    part = Part("a", np.array([7, 8]), np.array([[0, 2], [1, 3]]), targets, targets + 2, soft)
    batch = Batch(ids, positions, np.zeros(10, dtype=np.int32), offsets, 4, (part,))
    shares = [share(batch, rank, 3) for rank in range(3)]
    assert [each.examples for each in shares] == [1, 1, 0]
    assert shares[0].token_ids.tolist() == [0, 1, 2, 5, 6, 7, 8]
    assert shares[1].token_ids.tolist() == [3, 4, 9]
    assert shares[1].offsets.tolist() == [0, 2, 3]
    assert shares[1].parts[0].sequences.tolist() == [[0, 1]]
    assert shares[1].parts[0].examples.tolist() == [8]
    assert [each.parts[0].weights for each in shares[:2]] == [2.0, 3.0]
    assert shares[1].parts[0].soft is not None
    assert np.array_equal(shares[1].parts[0].soft, soft[1:])
    assert sum(each.tokens for each in shares) == batch.tokens


def test_rows_that_a_loss_compares_are_on_one_process() -> None:
    sizes = np.array([3, 2, 4, 1, 2])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    positions = np.concatenate([np.arange(size) for size in sizes]).astype(np.int32)
    texts = np.array([[5, 6], [7, 8]])
    pairs = Part("a", np.array([7, 8]), np.array([[0, 2], [1, 3]]), np.ones(2, dtype=np.float32), texts=texts)
    single = Part("b", np.array([1]), np.array([[4]]), np.ones(1, dtype=np.float32))
    batch = Batch(np.arange(12, dtype=np.int32), positions, np.zeros(12, dtype=np.int32), offsets, 4, (pairs, single))
    first, second, third = (share(batch, rank, 3, whole={"a"}) for rank in range(3))
    assert [part.task for part in first.parts] == ["a"]
    assert first.parts[0].examples.tolist() == [7, 8]
    assert first.parts[0].texts is not None
    assert first.parts[0].texts.tolist() == texts.tolist()
    assert [part.task for part in second.parts] == ["b"]
    assert third.parts == ()
