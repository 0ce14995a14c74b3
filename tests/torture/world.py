"""What the trials start from: a tiny encoder, small data, recipes, a study, finished and unfinished runs, a cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.torture import fork
from tests.torture.fork import Done
from tests.torture.watch import Watch, replace_everywhere

RECIPE = """
encoder = "{folder}/encoder"
threads = 1
data_dir = "{folder}/data"

[tasks.sentiment]
kind = "classification"
train = "sentiment-train.tsv"
dev = "sentiment-dev.tsv"
test = "sentiment-test.tsv"
text = "sentence"
label = "sentiment"
labels = [0, 1, 2, 3, 4]
{paraphrase}
[tasks.similarity]
kind = "regression"
train = "similarity-train.tsv"
dev = "similarity-dev.tsv"
text = ["sentence1", "sentence2"]
pair = "bi"
label = "similarity"
range = [0, 5]

[batching]
batch_size = 8

[training]
epochs = 1
max_steps = 4
evaluate_every = 2
checkpoint_every = 3
keep = 2
learning_rate = 1e-2
"""

PARAPHRASE = """
[tasks.paraphrase]
kind = "classification"
train = "paraphrase-train.tsv"
dev = "paraphrase-dev.tsv"
text = ["sentence1", "sentence2"]
label = "is_paraphrase"
labels = [0, 1]
"""

PRETRAINING = """
[pretraining]
epochs = 1
batch_size = 16
checkpoint_every = 1
"""

STUDY = """
base = "two.toml"
title = "Tiny"
seeds = [1]
twins = []
[changes]
training.max_steps = 2
training.evaluate_every = 2
[rows.plain]
[rows.rescaled]
tasks.similarity.loss_weight = 0.2
"""

READY = "ready"


class World:
    """The files that trials copy or read. They are made once per work folder.

    Attributes:
        two: a recipe of two tasks. three: a recipe of three tasks. pretraining: `two` with [pretraining].
        finished: has `run`, a finished run of `three`, and the `cache` that it made.
        unfinished: has `run`, the same run, killed after its second evaluation, and the `cache`.
        exported: has `run` with its exports to ONNX and to the hub.
        other: has `run`, a run of `three` with another seed.
        pretrained: has the `cache` of a run of `pretraining`.
    """

    def __init__(self, work: Path) -> None:
        self.folder = work.absolute() / "world"
        self.two, self.three = self.folder / "two.toml", self.folder / "three.toml"
        self.pretraining, self.study = self.folder / "pretraining.toml", self.folder / "study.toml"
        self.finished, self.unfinished = self.folder / "finished", self.folder / "unfinished"
        self.exported, self.other = self.folder / "exported", self.folder / "other"
        self.pretrained = self.folder / "pretrained"
        self.data = self.folder / "data"

    @property
    def run_folder(self) -> Path:
        """The finished run. Commands that only read may use it in place."""
        return self.finished / "run"

    def prepare(self) -> None:
        """Make the files, unless they are there."""
        if (self.folder / READY).exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        in_fork(self._write_sources)
        self.make("finished")
        (self.folder / READY).touch()

    def make(self, *names: str) -> None:
        """Make folders of the world by name, unless they are there."""
        for name in names:
            if (self.folder / name).exists():
                continue
            new = self.folder / f"{name}.new"
            shutil.rmtree(new, ignore_errors=True)
            if name == "exported":
                self.make("finished")
                shutil.copytree(self.finished, new)
                for target in ("onnx", "hub"):
                    self._must(["export", "run", "--to", target], new)
            elif name == "other":
                self._train(new, "--set", "seed=2")
            elif name == "pretrained":
                self._train(new, recipe=self.pretraining)
            elif name == "unfinished":
                self._train(new, kill_at=self._before_the_bundle())
            else:
                self._train(new)
            new.rename(self.folder / name)

    def _before_the_bundle(self) -> int:
        """Return the event at which a run has made its evaluations and has not yet written its bundle."""
        counted = self.folder / "counted"
        shutil.rmtree(counted, ignore_errors=True)
        events = self.events(["train", self.three, "--out", "run"], counted)
        shutil.rmtree(counted)
        return next(number for number, event in enumerate(events, 1) if event.startswith("os.mkdir /run/.model."))

    def command(
        self,
        words: Sequence[str | os.PathLike[str]],
        folder: Path,
        *,
        kill_at: int | None = None,
        log: Path | None = None,
        before: Callable[[], None] | None = None,
        text: bytes = b"",
        seconds: float = fork.SECONDS,
        streams: Path | None = None,
    ) -> Done:
        """Run a command in a fork of this process.

        Args:
            words: the arguments after `manyheads`.
            folder: the current folder.
            kill_at: kill the process before this file-system event.
            log: write the file-system events to this file.
            before: is called in the new process before the command.
            text: standard input.
            seconds: the time limit.
            streams: the folder of the files for the standard streams.
        """

        def prepared() -> None:
            self._shorten()
            if words[0] == "study":
                fork.fork_workers()
            if before is not None:
                before()
            if kill_at is not None or log is not None:
                handle = None if log is None else os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                Watch(folder, log=handle, kill_at=kill_at).start()

        return fork.run(words, folder, before=prepared, text=text, seconds=seconds, streams=streams)

    def events(self, words: Sequence[str | os.PathLike[str]], folder: Path) -> list[str]:
        """Return the file-system events of an undisturbed command."""
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / ".events"
        self._must(words, folder, log=log)
        found = log.read_text(encoding="utf-8").splitlines()
        log.unlink()
        return found

    def _must(self, words: Sequence[str | os.PathLike[str]], folder: Path, **options: Any) -> None:
        done = self.command(words, folder, **options)
        if done.status != 0:
            raise RuntimeError(f"{done.words}: status {done.status}\n{done.text}")

    def _train(self, folder: Path, *words: str, recipe: Path | None = None, kill_at: int | None = None) -> None:
        folder.mkdir()
        command = ["train", recipe or self.three, "--out", "run", *words]
        if kill_at is None:
            self._must(command, folder)
        else:
            self.command(command, folder, kill_at=kill_at)
        for name in (".streams", "tmp"):
            shutil.rmtree(folder / name)

    def _write_sources(self) -> None:
        from tests.tiny import CORPUS, write_tiny_encoder

        encoder = self.folder / "encoder"
        encoder.mkdir()
        write_tiny_encoder(encoder)
        self.data.mkdir()
        for file in CORPUS.glob("*.tsv"):
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            (self.data / file.name).write_text("".join(lines[: 25 if "train" in file.name else 13]), encoding="utf-8")
        sentiment = (CORPUS / "sentiment-dev.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
        (self.data / "sentiment-test.tsv").write_text("".join([sentiment[0], *sentiment[20:28]]), encoding="utf-8")
        two = RECIPE.format(folder=self.folder, paraphrase="")
        self.two.write_text(two, encoding="utf-8")
        self.three.write_text(RECIPE.format(folder=self.folder, paraphrase=PARAPHRASE), encoding="utf-8")
        self.pretraining.write_text(two + PRETRAINING, encoding="utf-8")
        self.study.write_text(STUDY, encoding="utf-8")

    def _shorten(self) -> None:
        """Replace what takes seconds and touches no file: the drawing of figures, and the tracing of ONNX graphs."""
        from manyheads.inference.export import onnx
        from manyheads.pages import figures
        from manyheads.pretraining import run

        def figure_files(name: str, title: str, draw: object) -> dict[str, bytes]:
            return {"svg": f"<svg><title>{name}: {title}</title></svg>".encode(), "png": f"{name}".encode()}

        def draw_perplexity(path: Path, evaluations: object) -> None:
            for ending in ("png", "svg"):
                path.with_suffix(f".{ending}").write_text(repr(evaluations))

        replace_everywhere(figures.figure_files, figure_files)
        replace_everywhere(run.draw_perplexity, draw_perplexity)
        graphs = self.exported / "run" / "onnx"

        if (graphs / "encoder.onnx").exists():

            def write(_module: object, _feeds: object, _free: object, _outputs: object, path: Path) -> None:
                path.write_bytes((graphs / path.name).read_bytes())

            onnx._write = write  # type: ignore[assignment]


def in_fork(work: Callable[[], None]) -> None:
    """Call a function in a fork, so that this process does not use what the function uses."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    _, how = os.waitpid(child, 0)
    if how:
        raise RuntimeError(f"{work.__name__} failed")


TIMES = frozenset(
    {
        *(
            "time",
            "seconds",
            "seconds_of_last_start",
            "evaluation_seconds",
            "examples_per_second",
            "tokens_per_second",
            "timings",
        ),
        *("command", "hardware", "versions", "checksum", "checksums"),
    }
)
"""Keys of JSON files that differ between two undisturbed runs, and checksums of files that have such keys."""


def snapshot(folder: Path, *, reports: bool = False) -> dict[str, str]:
    """Return the content of a folder by name, without what differs between two undisturbed runs: times and rates.

    `reports`: whether the content of the reports of runs counts, which have rates.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if name.split("/", maxsplit=1)[0] in (".streams", "tmp", ".events"):
            continue
        found[name] = "folder" if path.is_dir() else _content(path, name, reports=reports)
    return found


def _content(path: Path, name: str, *, reports: bool) -> str:
    content = path.read_bytes()
    if path.name in ("results.json", "pretraining.json", "provenance.json", "table.json"):
        content = json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()
    elif path.name == "events.jsonl":
        events = [json.loads(line) for line in content.splitlines()]
        kept = [event for event in events if event["event"] in ("step", "evaluation", "pretraining_step")]
        content = json.dumps([_timeless(event) for event in kept]).encode()
    elif "report/" in name and not reports:
        return "a report"
    return hashlib.sha256(content).hexdigest()[:16]


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(each) for key, each in value.items() if key not in TIMES}
    return [_timeless(each) for each in value] if isinstance(value, list) else value
