"""Damaged files: every file of runs, of the cache and of bundles, changed in six ways.

The commands that a user would run next must give the output of the undamaged folder, or a clear error.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.fork import Done
from tests.torture.ledger import ERROR, SAME, WRONG, Trial, Verdict, verdict
from tests.torture.outcome import crash, first_error
from tests.torture.world import World, snapshot


def flip(file: Path, generator: random.Random) -> None:
    """Change one bit."""
    content = bytearray(file.read_bytes())
    if content:
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    file.write_bytes(content)


def halve(file: Path, _: random.Random) -> None:
    """Drop the second half."""
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path, _: random.Random) -> None:
    """Drop the content."""
    file.write_bytes(b"")


def append(file: Path, generator: random.Random) -> None:
    """Append bytes that are not text."""
    file.write_bytes(file.read_bytes() + generator.randbytes(64))


def swap(file: Path, generator: random.Random) -> None:
    """Exchange the content with another file of the folder, or replace it by zeros if there is none."""
    others = sorted(each for each in file.parent.iterdir() if each.is_file() and each != file)
    if not others:
        file.write_bytes(bytes(file.stat().st_size))
        return
    other = generator.choice(others)
    mine, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(mine)


def delete(file: Path, _: random.Random) -> None:
    """Remove the file."""
    file.unlink()


WAYS: dict[str, Callable[[Path, random.Random], None]] = {
    "flip": flip,
    "halve": halve,
    "empty": empty,
    "append": append,
    "swap": swap,
    "delete": delete,
}


@dataclass(frozen=True)
class Target:
    """A folder whose files are damaged, and the commands that then read it.

    Attributes:
        start: the folder of the world that is copied.
        inside: the folder in it whose files are damaged.
        commands: the arguments of the commands by name. Their output or the files in `out` are compared.
        files: whether the files that the commands write are compared instead of their output.
        skip: files that are not damaged here.
    """

    start: str
    inside: str
    commands: Mapping[str, tuple[str, ...]]
    files: bool = False
    skip: str = r"$^"


DATA = ("--task", "sentiment", "--input", "{data}/sentiment-dev.tsv", "--format", "jsonl")
PAIRS = ("--task", "similarity", "--input", "{data}/similarity-dev.tsv", "--format", "jsonl")

TARGETS = {
    "finished run": Target(
        "finished",
        "run",
        {
            "report": ("report", "run", "--format", "json"),
            "report page": ("report", "run", "--format", "md"),
            "evaluate": ("evaluate", "run", "--json"),
            "predict": ("predict", "run", *DATA),
            "compare": ("compare", "run", "{other}", "--format", "json"),
            "resume": ("train", "{three}", "--out", "run", "--resume"),
        },
        skip=r"model/|report/",
    ),
    "bundle": Target(
        "finished",
        "run/model",
        {
            "predict": ("predict", "run/model", *DATA),
            "predict pairs": ("predict", "run/model", *PAIRS),
            "evaluate": ("evaluate", "run", "--json"),
            "export": ("export", "run", "--to", "hub", "--out", "out"),
        },
    ),
    "onnx export": Target(
        "exported",
        "run/onnx",
        {
            "predict": ("predict", "run", "--runtime", "onnx", *DATA),
            "predict pairs": ("predict", "run/onnx", "--runtime", "onnx", *PAIRS),
        },
    ),
    "unfinished run": Target(
        "unfinished", "run", {"resume": ("train", "{three}", "--out", "run", "--resume")}, files=True
    ),
    "cache": Target("finished", "cache", {"train": ("train", "{three}", "--out", "again")}, files=True),
    "cache of pretraining": Target(
        "pretrained", "cache/pretrained", {"train": ("train", "{pretraining}", "--out", "again")}, files=True
    ),
}


def trials(world: World, *, short: bool) -> list[Trial]:
    """Return a trial per file and way."""
    found = []
    for name, target in TARGETS.items():
        if short and name != "unfinished run":
            continue
        world.make(target.start, "other" if name == "finished run" else "finished")
        _undamaged(world, name)
        folder = world.folder / target.start / target.inside
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        for file in files:
            if re.match(target.skip, file):
                continue
            for way in WAYS:
                place = f"mutations/{name.replace(' ', '-')}/{file}/{way}"
                seed = int(hashlib.sha256(place.encode()).hexdigest()[:8], 16)
                values = {"target": name, "file": file, "way": way, "seed": seed}
                found.append(Trial(place, f"damage: {name}", values))
    return found[5::23][:4] if short else found


def attempt(world: World, trial: Trial, folder: Path) -> Verdict:
    """Damage one file, and run the commands."""
    target = TARGETS[trial.values["target"]]
    shutil.copytree(world.folder / target.start, folder, dirs_exist_ok=True)
    WAYS[trial.values["way"]](folder / target.inside / trial.values["file"], random.Random(trial.values["seed"]))
    expected = _undamaged(world, trial.values["target"])
    outcomes: list[Verdict] = []
    damaged = folder if target.files else None
    for name, words in target.commands.items():
        if name == "resume" and not target.files and not (folder / "run" / "results.json").exists():
            continue
        place = folder
        if damaged is None and len(target.commands) > 1:
            # A command may write what the next one reads.
            place = folder.with_name(f"{folder.name}-{len(outcomes)}")
            shutil.copytree(folder, place, symlinks=True)
        outcomes.append(_one(world, target, name, words, place, expected))
        if place != folder:
            shutil.rmtree(place)
    return max(outcomes, key=lambda each: (each.faults, each.counts.get(ERROR, 0)))


def _one(
    world: World, target: Target, name: str, words: tuple[str, ...], folder: Path, expected: Mapping[str, Any]
) -> Verdict:
    done = world.command(_filled(words, world), folder)
    if (end := crash(done)) is not None:
        return end
    if done.status not in (0, 3):
        return verdict(ERROR, f"{name}: {first_error(done)}")
    found = _output(target, done, folder)
    if found == expected[name]:
        return verdict(SAME)
    if (note := _noted(done, str(expected[name]))) is not None:
        return verdict(ERROR, f"{name}: {note}")
    detail = _difference(expected[name], found)
    return verdict(WRONG, f"{' '.join(done.words)}: exit status {done.status}", detail, done.text[:1500])


NOTE = re.compile(
    r"damaged|missing|was changed|could not be written|has no checksum|lacks steps|starts from the beginning"
)


def _noted(done: Done, expected: str) -> str | None:
    """Return a message about the damage in the output of a command, which does not have it without the damage."""
    lines = [line.strip() for line in done.text.splitlines() if NOTE.search(line) and line not in expected]
    return lines[0] if lines else None


def _filled(words: tuple[str, ...], world: World) -> list[str]:
    values = {"data": world.data, "three": world.three, "other": world.other / "run", "pretraining": world.pretraining}
    return [word.format(**values) for word in words]


def _undamaged(world: World, name: str) -> dict[str, Any]:
    """Return the output of each command of a target on the undamaged folder. It is kept in the work folder."""
    kept = world.folder / "undisturbed" / f"damage-{name.replace(' ', '-')}.json"
    if not kept.exists():
        target, found = TARGETS[name], {}
        for command, words in target.commands.items():
            folder = world.folder / "scratch"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(world.folder / target.start, folder)
            done = world.command(_filled(words, world), folder)
            if done.status != 0:
                raise RuntimeError(done.text)
            found[command] = _output(target, done, folder)
        shutil.rmtree(folder)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(json.dumps(found), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


RATE = re.compile(rb'"(?:seconds|examples_per_second|tokens_per_second)": [\d.e+-]+|\d+ steps? in .*')


def _output(target: Target, done: Done, folder: Path) -> Any:
    """Return what is compared: standard output without times, or the run that was trained."""
    if not target.files:
        return RATE.sub(b"", done.out).decode("utf-8", "replace")
    run = folder / done.words[done.words.index("--out") + 1]
    files = snapshot(run)
    # Notes about a damaged log are documented. The losses in it are not compared.
    for name in ("events.jsonl", ".lock"):
        files.pop(name, None)
    return {name: value for name, value in files.items() if not name.startswith("report")}


def _difference(expected: Any, found: Any) -> str:
    if isinstance(expected, dict):
        names = [name for name in {*expected, *found} if expected.get(name) != found.get(name)]
        return "different files: " + ", ".join(sorted(names))
    before, after = str(expected).splitlines(), str(found).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=False) if old != new]
    shown = changed[0] if changed else ("", f"{len(before)} lines, now {len(after)}")
    return f"expected {shown[0]!r:.300}, found {shown[1]!r:.300}"
