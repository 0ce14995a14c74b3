"""Kills: every command is killed before each of its file-system events, then repeated, and must give the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.torture.ledger import TRACEBACK, WRONG, Trial, Verdict, verdict
from tests.torture.outcome import crash, judge
from tests.torture.world import World, snapshot


@dataclass(frozen=True)
class Case:
    """A command, what it is repeated with, and what its folder has before.

    Attributes:
        words: the arguments of the command that is killed.
        again: the arguments of its repetition.
        start: the folder of the world that is copied first.
        reports: whether the bytes of a report are compared.
        every: only each nth event, where other commands have the same events.
    """

    words: tuple[str, ...]
    again: tuple[str, ...]
    start: str | None = None
    reports: bool = False
    every: int = 1


INPUT = ("--task", "sentiment", "--input", "{data}/sentiment-dev.tsv")
TRAIN = ("train", "{two}", "--out", "run")

CASES = {
    "train": Case(TRAIN, (*TRAIN, "--resume")),
    "train with pretraining": Case(
        ("train", "{pretraining}", "--out", "run"), ("train", "{pretraining}", "--out", "run", "--resume"), every=4
    ),
    "pretrain": Case(*[("pretrain", "{pretraining}", "--out", "encoder")] * 2),
    "study": Case(*[("study", "{study}", "--out", "study", "--jobs", "1")] * 2),
    "predict": Case(*[("predict", "{run}", *INPUT, "--output", "out.tsv")] * 2),
    "predict to parquet": Case(*[("predict", "{run}", *INPUT, "--format", "parquet", "--output", "out.parquet")] * 2),
    "predict over a file": Case(*[("predict", "{run}", *INPUT, "--output", "run/recipe.toml")] * 2, start="finished"),
    "export to onnx": Case(*[("export", "run", "--to", "onnx")] * 2, start="finished"),
    "export to onnx again": Case(*[("export", "run", "--to", "onnx")] * 2, start="exported"),
    "export to hub": Case(*[("export", "run", "--to", "hub")] * 2, start="finished"),
    "export to hub again": Case(*[("export", "run", "--to", "hub")] * 2, start="exported"),
    "report": Case(*[("report", "run", "--out", "out")] * 2, start="finished", reports=True),
    "report again": Case(*[("report", "run")] * 2, start="finished"),
    "resume": Case(*[("train", "{three}", "--out", "run", "--resume")] * 2, start="unfinished"),
}
"""The commands by the name of their row in the table."""


def filled(words: tuple[str, ...], world: World) -> list[str]:
    """Return the arguments with the paths of the world."""
    return [
        word.format(
            two=world.two,
            three=world.three,
            pretraining=world.pretraining,
            study=world.study,
            data=world.data,
            run=world.run_folder,
        )
        for word in words
    ]


def start(case: Case, world: World, folder: Path) -> None:
    """Fill the folder of a trial."""
    folder.mkdir(parents=True, exist_ok=True)
    if case.start is not None:
        world.make(case.start)
        shutil.copytree(world.folder / case.start, folder, dirs_exist_ok=True)


def trials(world: World, *, short: bool) -> list[Trial]:
    """Return a trial per file-system event of each command."""
    names = ("train", "predict") if short else CASES
    for name in names:
        world.make(CASES[name].start or "finished")
    found = [
        Trial(
            f"kills/{name.replace(' ', '-')}/{number:04}", f"kill: {name}", {"case": name, "event": number, "at": event}
        )
        for name in names
        for number, event in enumerate(undisturbed(name, world)["events"], 1)
        if number % CASES[name].every == 0
    ]
    return found[7 :: len(found) // 3] if short else found


def undisturbed(name: str, world: World) -> dict:
    """Return the events of a command without a kill, and what it leaves. They are kept in the work folder."""
    kept = world.folder / "undisturbed" / f"{name.replace(' ', '-')}.json"
    if not kept.exists():
        case = CASES[name]
        folder = world.folder / f"scratch-{os.getpid()}"  # trials at the same time may both need it
        start(case, world, folder)
        events = world.events(filled(case.words, world), folder)
        kept.parent.mkdir(exist_ok=True)
        content = {"events": events, "files": snapshot(folder, reports=case.reports)}
        shutil.rmtree(folder)
        written = kept.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(content), encoding="utf-8")
        written.replace(kept)
    return json.loads(kept.read_text(encoding="utf-8"))


def attempt(world: World, trial: Trial, folder: Path) -> Verdict:
    """Kill the command at an event, repeat it, and compare."""
    case = CASES[trial.values["case"]]
    start(case, world, folder)
    killed = world.command(filled(case.words, world), folder, kill_at=trial.values["event"])
    if killed.status not in (0, -signal.SIGKILL):
        return crash(killed) or verdict(TRACEBACK, f"the killed process ended with {killed.status}", killed.text)
    again = world.command(filled(case.again, world), folder)
    expected = undisturbed(trial.values["case"], world)["files"]
    end = judge(again, snapshot(folder, reports=case.reports), expected)
    if "clear error" in end.counts:
        return verdict(WRONG, "the command cannot be repeated", again.text)
    return end
