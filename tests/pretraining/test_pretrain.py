"""Pretraining as a whole: it resumes to the same bytes after a kill, and two processes at once train one encoder."""

from __future__ import annotations

import gzip
import inspect
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import manyheads
from manyheads.errors import DataError, EncoderError, ManyheadsError, RecipeError, RunError
from manyheads.model.weights import resolve
from manyheads.pretraining.cache import Entry
from manyheads.pretraining.texts import pretraining_fingerprint, pretraining_texts
from manyheads.run.events import read_events

pytestmark = pytest.mark.usefixtures("forked_commands")

CHANGES = [
    "pretraining.epochs=2",
    "pretraining.batch_size=32",
    "pretraining.checkpoint_every=3",
    *(f"tasks.{task}.train_rows=120" for task in ("sentiment", "paraphrase", "similarity")),
    *(f"tasks.{task}.dev_rows=30" for task in ("sentiment", "paraphrase", "similarity")),
]
FILES = (
    "model.safetensors",
    "mlm_head.safetensors",
    "config.json",
    "tokenizer.json",
    "pretraining.csv",
    "perplexity.svg",
)


@contextmanager
def started(recipe: Path, cache: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command line in a process of its own. It ends with the block."""
    changes = [word for change in CHANGES for word in ("--set", change)]
    with subprocess.Popen(
        [sys.executable, "-m", "manyheads", "pretrain", str(recipe), *changes, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MANYHEADS_CACHE": str(cache)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def steps_done(cache: Path) -> int:
    """Count the steps in the logs of an unfinished pretraining."""
    logs = list((cache / "pretrained").glob("*.work/*/events.jsonl"))
    return sum(event["event"] == "pretraining_step" for log in logs for event in read_events(log))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def whole(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Pretrained:
    """A pretrained encoder without interruption. It stays in the tests' own cache."""
    out = tmp_path_factory.mktemp("whole") / "encoder"
    return manyheads.pretrain(tiny_recipe, out, changes=CHANGES)


def test_a_killed_pretraining_resumes_to_the_same_bytes(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = whole.summary["steps"] * 3 // 2  # the new head's one epoch, then two
    kills = sorted(random.SystemRandom().sample(range(1, total - 1), 2))
    for kill in kills:
        with started(tiny_recipe, tmp_path) as process:
            while process.poll() is None and steps_done(tmp_path) < kill:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    result = manyheads.pretrain(tiny_recipe, changes=CHANGES)
    assert contents(result.folder) == contents(whole.folder), f"killed after steps {kills}"
    assert result.key == whole.key
    assert not list((tmp_path / "pretrained").glob("*.work"))
    steps = [e["step"] for e in read_events(result.folder / "events.jsonl") if e["event"] == "pretraining_step"]
    each = whole.summary["steps"] // 2
    assert steps == [*range(1, each + 1), *range(1, 2 * each + 1)], "repeated steps are in the log once"


def test_two_processes_at_once_train_one_encoder(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path
) -> None:
    first, second = (started(tiny_recipe, tmp_path, "--out", str(tmp_path / f"out{number}")) for number in range(2))
    with first as one, second as other:
        outputs = [process.communicate()[0] for process in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0], outputs
    assert sum("new head, epoch 1" in text for text in outputs) == 1, outputs
    assert all(contents(tmp_path / f"out{number}") == contents(whole.folder) for number in range(2))


def test_the_folder_contains_the_results(whole: manyheads.Pretrained) -> None:
    summary = json.loads((whole.folder / "pretraining.json").read_text())
    assert summary == whole.summary
    lines = (whole.folder / "pretraining.csv").read_text().splitlines()
    assert lines[0] == "phase,epoch,step,loss,perplexity"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        ["head", "1"],
        ["encoder", "0"],
        ["encoder", "1"],
        ["encoder", "2"],
    ]
    assert lines[1].split(",")[3:] == lines[2].split(",")[3:], '"before" is after the new head was trained'
    train = summary["corpus"]["train"]
    assert train["texts"] == 120 * 5
    assert train["kept"] + train["duplicates"] + train["short"] + train["in_dev"] + train["in_test"] == 600
    assert (whole.folder / "perplexity.png").read_bytes().startswith(b"\x89PNG")


def test_a_damaged_encoder_is_made_again(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    result = manyheads.pretrain(tiny_recipe, changes=CHANGES)
    (result.folder / "model.safetensors").write_bytes(b"broken")
    again = manyheads.pretrain(tiny_recipe, changes=CHANGES)
    assert contents(again.folder) == contents(whole.folder)


@pytest.mark.parametrize(
    "change", ["pretraining.seed=2", "pretraining.mask_share=0.2", "tasks.sentiment.train_rows=119", "threads=2"]
)
def test_everything_that_determines_the_encoder_is_in_its_key(
    change: str, tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    result = manyheads.pretrain(
        tiny_recipe, changes=[*CHANGES, "pretraining.epochs=1", "pretraining.head_epochs=0", change]
    )
    plain = manyheads.pretrain(tiny_recipe, changes=[*CHANGES, "pretraining.epochs=1", "pretraining.head_epochs=0"])
    assert result.key != plain.key != whole.key


def test_other_options_are_not_in_its_key(tiny_recipe: Path, whole: manyheads.Pretrained) -> None:
    changes = [*CHANGES, "seed=7", "training.epochs=9", "model.dropout=0.0", "pretraining.checkpoint_every=4"]
    assert manyheads.pretrain(tiny_recipe, changes=changes).key == whole.key


def test_an_extra_file_is_used_for_training(tiny_recipe: Path, tmp_path: Path) -> None:
    extra = tmp_path / "more.txt"
    extra.write_text("the film was long and dull indeed\nshort\n\nthe actors were good and the music better\n")
    few = [*CHANGES, "pretraining.epochs=1", "pretraining.head_epochs=0", f'pretraining.files=["{extra}"]']
    result = manyheads.pretrain(tiny_recipe, changes=few)
    assert result.summary["corpus"]["train"]["texts"] == 603
    with pytest.raises(DataError, match=r"there is no such file"):
        manyheads.pretrain(tiny_recipe, changes=[*CHANGES, 'pretraining.files=["nowhere.txt"]'])


def test_a_complete_copy_can_be_made_again_and_another_folder_is_refused(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path
) -> None:
    out = tmp_path / "encoder"
    shutil.copytree(whole.folder, out)
    assert manyheads.pretrain(tiny_recipe, out, changes=CHANGES).key == whole.key
    for name in ("pretraining.json", "pretraining.csv"):
        shutil.copytree(whole.folder, tmp_path / name)
        (tmp_path / name / name).unlink()
        with pytest.raises(RunError, match="already exists"):
            manyheads.pretrain(tiny_recipe, tmp_path / name, changes=CHANGES)


def test_extra_files_may_be_a_folder_a_pattern_or_compressed(tmp_path: Path) -> None:
    texts = [f"the film number {number} was long and dull" for number in range(3)]
    (tmp_path / "a.txt").write_text(f"{texts[0]}\n\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(f"{texts[1]}\n".encode()))
    (tmp_path / "c[1].txt").write_text(f"{texts[2]}\n")
    (tmp_path / "notes.md").write_text("no text for pretraining\n")
    assert pretraining_texts(tmp_path, ".") == pretraining_texts(tmp_path, "*.txt*") == texts
    assert pretraining_texts(tmp_path, "c[1].txt") == texts[2:]
    before = pretraining_fingerprint(tmp_path, ".")
    (tmp_path / "c[1].txt").write_text(f"{texts[2]}.\n")
    assert pretraining_fingerprint(tmp_path, ".") != before
    for name in ("hub:stanfordnlp/imdb@train", "none-*.txt", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(DataError):
            pretraining_texts(tmp_path, name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pretraining.schedule=liner", "did you mean 'linear'"),
        ("pretraining.maskin=subword", "did you mean 'masking'"),
        ("pretraining.replace_share=0.95", "more than 1"),
        ("pretraining.min_characters=100000", "min_characters"),
    ],
)
def test_errors_name_the_mistake(change: str, message: str, tiny_recipe: Path) -> None:
    with pytest.raises(ManyheadsError, match=message) as caught:
        manyheads.pretrain(tiny_recipe, changes=[*CHANGES, change])
    assert "pretraining" in str(caught.value)


def test_the_command_needs_the_table(tiny_recipe: Path) -> None:
    with pytest.raises(RecipeError, match=r"no \[pretraining\] table"):
        manyheads.pretrain(tiny_recipe)


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "pretraining.json"])
def test_each_file_of_a_pretrained_encoder_is_verified(whole: manyheads.Pretrained, tmp_path: Path, name: str) -> None:
    shutil.copytree(whole.folder, tmp_path / "pretrained" / whole.key)
    entry = Entry(tmp_path, whole.key)
    assert entry.read() is not None
    flipped(tmp_path / "pretrained" / whole.key / name)
    assert entry.read() is None


def test_checkpoints_of_a_process_that_was_killed_at_the_end_are_removed(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    shutil.copytree(whole.folder, tmp_path / "pretrained" / whole.key)
    work = Entry(tmp_path, whole.key).work
    (work / "encoder").mkdir(parents=True)
    manyheads.pretrain(tiny_recipe, changes=CHANGES)
    assert not work.exists()


def test_a_pretrained_encoder_without_checksums_is_made_again(whole: manyheads.Pretrained, tmp_path: Path) -> None:
    """Version 0.4.0 recorded only the weights."""
    shutil.copytree(whole.folder, tmp_path / "pretrained" / whole.key)
    file = tmp_path / "pretrained" / whole.key / "pretraining.json"
    content = json.loads(file.read_text())
    del content["checksums"], content["checksum"]
    file.write_text(json.dumps(content))
    assert Entry(tmp_path, whole.key).read() is None


def test_other_weights_in_a_pretrained_folder_are_refused(whole: manyheads.Pretrained, tmp_path: Path) -> None:
    shutil.copytree(whole.folder, tmp_path / "encoder")
    assert resolve(str(tmp_path / "encoder"), tmp_path).folder == tmp_path / "encoder"
    flipped(tmp_path / "encoder" / "model.safetensors")
    with pytest.raises(EncoderError, match=r"not those that pretraining\.json records"):
        resolve(str(tmp_path / "encoder"), tmp_path)
    (tmp_path / "encoder" / "pretraining.json").unlink()
    assert resolve(str(tmp_path / "encoder"), tmp_path).name


def test_damaged_checkpoints_of_pretraining_start_from_the_beginning(
    tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StopError(Exception):
        pass

    def stop(event: str, **fields: object) -> None:
        if event == "pretraining_checkpoint" and fields["phase"] == "encoder":
            raise StopError

    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    with pytest.raises(StopError):
        manyheads.pretrain(tiny_recipe, changes=CHANGES, listeners=[stop])
    (checkpoint,) = (tmp_path / "pretrained").glob("*.work/encoder/checkpoints/step-*")
    flipped(checkpoint / "model.safetensors")
    notes: list[str] = []
    result = manyheads.pretrain(
        tiny_recipe, changes=CHANGES, listeners=[lambda event, **fields: notes.append(f"{event} {fields.get('text')}")]
    )
    assert any("a checkpoint is damaged" in note for note in notes)
    assert contents(result.folder) == contents(whole.folder)


@pytest.mark.parametrize("phase", ["head", "encoder"])
def test_a_stop_ends_a_held_out_evaluation(
    phase: str, tiny_recipe: Path, whole: manyheads.Pretrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[tuple[str, object]] = []

    class Stop:
        """An event that is set within an evaluation of the phase."""

        def is_set(self) -> bool:
            return events[-1:] == [("pretraining_step", phase)] and any(
                frame.function == "held_out" for frame in inspect.stack()
            )

    def listen(event: str, **fields: object) -> None:
        events.append((event, fields.get("phase")))

    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        manyheads.pretrain(tiny_recipe, changes=CHANGES, listeners=[listen], stop=Stop())
    assert events[-1] == ("pretraining_step", phase)
    result = manyheads.pretrain(tiny_recipe, changes=CHANGES)
    assert contents(result.folder) == contents(whole.folder)
