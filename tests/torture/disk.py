"""Full disks: commands at 50 or 10 sizes, half of them a small disk and half of them a limit of the size of a file.

The command must end with a clear error. Repeated with room, it must give the same bytes as an undisturbed one.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from pathlib import Path

from tests.torture.kills import CASES, filled, start, undisturbed
from tests.torture.ledger import ERROR, SAME, WRONG, Trial, Verdict, verdict
from tests.torture.outcome import crash, first_error, judge
from tests.torture.world import World, snapshot

SIZES = {
    "train": 50,
    "study": 50,
    "predict": 50,
    "predict to parquet": 10,
    "export to onnx": 50,
    "export to hub": 10,
    "report": 10,
    "resume": 10,
    "train with pretraining": 10,
}
"""Number of sizes by the name of a case of kills.py."""

NEW_NAMESPACE = 0x00020000
PRIVATE = (1 << 18) | (1 << 14)
REMOUNT = 1 << 5
ROOM = 1 << 30


def trials(world: World, *, short: bool) -> list[Trial]:
    """Return the trials: half of them sizes of the disk (as root), the others limits of the file size."""
    found = []
    for name, sizes in {"train": 2}.items() if short else SIZES.items():
        need, largest = _needed(world, name)
        for number in range(sizes):
            on_disk = number % 2 == 0 and can_mount()
            share = (number + 1) / sizes
            size = int(need * share) if on_disk else int(256 * (1.05 * largest / 256) ** share)
            found.append(
                Trial(
                    f"disk/{name.replace(' ', '-')}/{number:02}",
                    f"full disk: {name}",
                    {"case": name, "kind": "disk" if on_disk else "limit", "bytes": size},
                )
            )
    return found


def can_mount() -> bool:
    """Return whether this user can mount a small disk."""
    return os.geteuid() == 0


def _needed(world: World, name: str) -> tuple[int, int]:
    """Return the bytes that a command needs in addition to the files at its start, and the size of its largest file.

    A command that removes more than it adds needs the largest file at least: it is written before another is removed.
    """
    kept = world.folder / "undisturbed" / f"{name.replace(' ', '-')}.size"
    if not kept.exists():
        folder = world.folder / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        start(CASES[name], world, folder)
        before = _blocks(folder)
        world.command(filled(CASES[name].words, world), folder)
        largest = max(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(f"{_blocks(folder) - before} {largest}", encoding="utf-8")
        shutil.rmtree(folder)
    added, largest = map(int, kept.read_text(encoding="utf-8").split())
    return added if added > 0 else largest, largest


def _blocks(folder: Path) -> int:
    """Return the bytes that a folder needs on a disk with pages of 4 KiB."""
    return sum(-(-file.stat().st_size // 4096) * 4096 for file in folder.rglob("*") if file.is_file())


def attempt(world: World, trial: Trial, folder: Path) -> Verdict:
    """Run a command without room, then with room."""
    values = trial.values
    case = CASES[values["case"]]
    place, streams = folder / "disk", folder / "streams"
    place.mkdir()
    if values["kind"] == "disk":
        _mount(place, ROOM)
    start(case, world, place)
    before = None
    if values["kind"] == "disk":
        state = os.statvfs(place)
        _resize(place, (state.f_blocks - state.f_bfree) * state.f_frsize + values["bytes"])
    else:

        def before() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (values["bytes"], resource.RLIM_INFINITY))

    expected = _kept(undisturbed(values["case"], world)["files"])
    first = world.command(filled(case.words, world), place, before=before, streams=streams)
    if (end := crash(first)) is not None:
        return end
    if first.status == 0 and (end := judge(first, _kept(snapshot(place)), expected)).counts != {SAME: 1}:
        return end
    if values["kind"] == "disk":
        _resize(place, ROOM)
    # A study does not repeat runs that failed by itself.
    again = (*case.again, "--retry-failed") if case.words[0] == "study" else case.again
    second = world.command(filled(again, world), place, streams=streams)
    end = judge(second, _kept(snapshot(place, reports=case.reports)), expected)
    if end.counts != {SAME: 1}:
        return verdict(WRONG, "with room, the command does not end as expected", first.text, *end.details)
    return verdict(SAME) if first.status == 0 else verdict(ERROR, first_error(first))


def _kept(files: dict[str, str]) -> dict[str, str]:
    """Return the files that must be the same. The cache and the report are not needed; a full disk may prevent them."""
    return {
        name: value
        for name, value in files.items()
        if (not name.startswith("cache") and ("report" not in name or name.startswith("out/"))) or ".partial" in name
    }


def _mount(place: Path, size: int) -> None:
    """Mount a new disk of a size at a folder. Only this process and its forks see it."""
    system = ctypes.CDLL(None, use_errno=True)
    if system.unshare(NEW_NAMESPACE) or system.mount(b"none", b"/", None, PRIVATE, None):
        raise OSError(ctypes.get_errno(), "a namespace of mounts")
    if system.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, f"size={size},nr_inodes=100000".encode()):
        raise OSError(ctypes.get_errno(), "a small disk")


def _resize(place: Path, size: int) -> None:
    system = ctypes.CDLL(None, use_errno=True)
    # The kernel counts pages per processor in advance. So a size that is just enough can be refused.
    for spare in range(0, 1 << 20, 1 << 15):
        options = f"size={max(size, 4096) + spare},nr_inodes=100000".encode()
        if not system.mount(b"tmpfs", os.fsencode(place), b"tmpfs", REMOUNT, options):
            return
    raise OSError(ctypes.get_errno(), "the size of a disk")
