"""RunFolder: the paths in a run folder, its only writer and its lock, and whether the run is finished.

A reader of results.json uses its parts only after they are checked.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manyheads.errors import RunError, argument, by_caller, call
from manyheads.run.atomic import SUFFIX, explained, is_partial, remove
from manyheads.run.checksum import OWN_SUM, is_unchanged, own_checksum
from manyheads.run.evaluations import Evaluations, Known, read_evaluations
from manyheads.run.names import TASK_NAME, TASK_NAMES, strangers

EXPORTS = ("onnx", "hub", "torch-export")
"""The folders that `manyheads export` writes by default."""


class RunFolder:
    """The layout of a run folder. Creating the object neither reads nor writes files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe = path / "recipe.toml"
        self.provenance = path / "provenance.json"
        self.events = path / "events.jsonl"
        self.results_csv = path / "results.csv"
        self.results = path / "results.json"
        self.predictions = path / "predictions"
        self.checkpoints = path / "checkpoints"
        self.model = path / "model"
        self.data = path / "data"

    @property
    def verified(self) -> tuple[Path, ...]:
        """The files whose checksums are in results.json. They do not change when the run is finished."""
        predictions = sorted((*self.predictions.glob("*.jsonl"), *self.predictions.glob("*.npz")))
        return self.results_csv, self.provenance, self.events, *predictions

    @property
    def finished(self) -> bool:
        """Whether the run is finished. results.json is the last file that a run writes."""
        return self.results.exists()

    def prediction_file(self, task: str, split: str, which: str) -> Path:
        """Return the path `predictions/<task>.<dev|test>.<best|last>.jsonl`.

        Raises:
            RunError: The name of the task cannot be part of a file name.
        """
        if not TASK_NAME.fullmatch(task):
            raise RunError(
                "the name of a task cannot be used in file names", where=str(self.path), found=task, allowed=TASK_NAMES
            )
        return self.predictions / f"{task}.{split}.{which}.jsonl"

    def evaluations_file(self, task: str, split: str) -> Path:
        """Return the path `predictions/<task>.<dev|test>.all.npz`.

        Raises:
            RunError: The name of the task cannot be part of a file name.
        """
        return self.prediction_file(task, split, "all").with_suffix(".npz")

    def read_evaluations(
        self, results: Mapping[str, Any], task: str, split: str, known: Known | None = None, *, removed: bool = False
    ) -> Evaluations | None:
        """Return the predictions of every evaluation. None without the file, which runs of 0.4.0 do not have.

        `results`: the content of results.json, which has the checksum of the file. `known`: see
        `evaluations.read_evaluations`. `removed`: whether the file may be missing although results.json lists it.

        Raises:
            RunError: The file was changed or damaged, or is missing.
        """
        file = self.evaluations_file(task, split)
        if not file.exists() and (removed or self.is_whole(file, results)):
            return None
        try:
            if not file.exists():
                raise ValueError("the file is missing")
            if not self.is_whole(file, results):
                raise ValueError("the file does not have the checksum in results.json")
            return read_evaluations(file, known)
        except (OSError, ValueError) as error:
            hint = "restore the file, or train the run again in a new folder"
            raise RunError("the predictions cannot be read", where=str(file), found=str(error), hint=hint) from error

    def read_results(self, *, complete: bool = False) -> dict[str, Any]:
        """Return the content of results.json. Its parts have the types that its readers expect.

        `complete`: whether the keys that every finished run has must be there.

        Raises:
            RunError: The folder is not a finished run, or the file is damaged.
        """
        self.require("results.json")
        hint = "restore the file, or train the run again in a new folder"
        try:
            content = json.loads(self.results.read_bytes())
            if fault := _fault_in(content, complete=complete):
                raise ValueError(fault)
        except (OSError, ValueError, RecursionError) as error:
            where = str(self.results)
            raise RunError("the run's results cannot be read", where=where, found=str(error), hint=hint) from error
        return dict(content)

    def require_whole(self, file: Path, results: Mapping[str, Any]) -> Path:
        """Return a prediction file that has the checksum in `results`, the content of results.json.

        Raises:
            RunError: It is missing or was changed after the run.
        """
        if not self.is_whole(file, results):
            found = (
                "the file is missing" if not file.exists() else "the file does not have the checksum in results.json"
            )
            hint = "restore the file, or train the run again in a new folder"
            raise RunError("a prediction file is damaged", where=str(file), found=found, hint=hint)
        return file

    def is_whole(self, file: Path, results: Mapping[str, Any]) -> bool:
        """Return whether a file has the checksum in `results`, the content of results.json, or none is recorded."""
        sums = results.get("checksums")
        return not isinstance(sums, Mapping) or file.name not in sums or is_unchanged(file, sums[file.name])

    def read_curve(self, results: Mapping[str, Any], metrics: Mapping[str, str]) -> list[dict[str, float | None]]:
        """Return the rows of results.csv: `epoch`, `step`, `TASK.METRIC` and `average`. None if undefined.

        `results`: the content of results.json, which has the checksum of the file unless version 0.4.0 wrote it.
        `metrics`: the primary metric of each task.

        Raises:
            RunError: The file is missing, changed or damaged.
        """
        needed = {"epoch", "step", "average", *(f"{task}.{metric}" for task, metric in metrics.items())}
        try:
            if not self.is_whole(self.results_csv, results):
                raise ValueError("the file is missing, or does not have the checksum in results.json")
            with self.results_csv.open(encoding="utf-8", newline="") as file:
                reader = csv.DictReader(file, strict=True)
                rows = [{name: float(cell) if cell else None for name, cell in row.items()} for row in reader]
            if lost := sorted(needed - set(reader.fieldnames or ())):
                raise ValueError(f"no column {lost[0]}")
            if any(row["epoch"] is None for row in rows):
                raise ValueError("a row without an epoch")
            if any(value is not None and not math.isfinite(value) for row in rows for value in row.values()):
                raise ValueError("a number that is not finite")
        except (OSError, ValueError, TypeError, csv.Error) as error:
            where = str(self.results_csv)
            hint = "restore the file, or train the run again in a new folder"
            raise RunError("the run's curve cannot be read", where=where, found=str(error), hint=hint) from error
        return rows

    def read_provenance(self) -> dict[str, Any]:
        """Return the content of provenance.json.

        Raises:
            RunError: The file is missing or damaged. In a finished run, it must have the checksum in results.json.
        """
        if self.finished and not self.is_whole(self.provenance, self.read_results()):
            raise self._damaged_provenance("the file is missing, or does not have the checksum in results.json")
        try:
            content: dict[str, Any] = json.loads(self.provenance.read_bytes())
            if not isinstance(content, dict):
                raise ValueError(f"a {type(content).__name__} and not an object")
        except (OSError, ValueError, RecursionError) as error:
            raise self._damaged_provenance(str(error)) from error
        return content

    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprints of the data in provenance.json. Empty if the run did not record them.

        Raises:
            RunError: The file is missing or damaged.
        """
        data = self.read_provenance().get("data", {})
        if not isinstance(data, dict) or not all(isinstance(each, str) for each in data.values()):
            raise self._damaged_provenance("`data` is not a table of fingerprints")
        return data

    def hardware(self) -> dict[str, str]:
        """Return what provenance.json says about the machine: `device`, `processor` and more.

        Raises:
            RunError: The file is missing or damaged.
        """
        hardware = self.read_provenance().get("hardware")
        if not isinstance(hardware, dict) or not {"device", "processor"} <= hardware.keys():
            raise self._damaged_provenance("`hardware` does not name the device and the processor")
        return {name: str(value) for name, value in hardware.items()}

    def _damaged_provenance(self, found: str) -> RunError:
        hint = "restore the file, or train the run again in a new folder"
        return RunError("the run's provenance cannot be read", where=str(self.provenance), found=found, hint=hint)

    def require(self, *names: str) -> None:
        """Check that this is a run folder and contains these files or folders.

        Raises:
            RunError: It does not exist, is not a run folder, has a link, or the run is not finished.
        """
        if not self.path.is_dir():
            hint = (
                "check the path; "
                + by_caller("`manyheads train` prints", "`manyheads.train` returns")
                + " the run folder"
            )
            raise RunError("there is no such run folder", where=str(self.path), hint=hint)
        if not self.recipe.exists():
            hint = "give a folder that " + by_caller("`manyheads train`", "`manyheads.train`") + " wrote"
            raise RunError("this folder is not a run folder: it has no recipe.toml", where=str(self.path), hint=hint)
        self.refuse_links()
        for name in names:
            if not (self.path / name).exists():
                if name == self.model.name and self.results.exists():
                    raise RunError(
                        "the run has no model",
                        where=str(self.path),
                        found="a finished run whose model was removed, as a study does by default",
                        hint=f"set keep_models = true in the study, or train again: "
                        f"{call('train', self.recipe, out='NEW')}. The metrics of the run, on test files too, are in "
                        f"its report: {call('report', self.path)}",
                    )
                hint = f"finish the run first: {call('train', self.recipe, out=self.path, resume=True)}"
                raise RunError(f"the run is not finished: it has no {name}", where=str(self.path), hint=hint)

    def reported(self, entry: Mapping[str, Any], task: str, metric: str) -> float | None:
        """Return a metric of one evaluation in results.json. None if it is undefined.

        Raises:
            RunError: The evaluation does not have it.
        """
        metrics = entry["tasks"].get(task, {})
        if metric not in metrics:
            hint = "restore the file, or train the run again in a new folder"
            found = f"{task}: no {metric}"
            raise RunError("the run's results cannot be read", where=str(self.results), found=found, hint=hint)
        value: float | None = metrics[metric]
        return value

    @contextmanager
    def writing(self, *, resume: bool) -> Iterator[None]:
        """Create the folder, or open an existing one to resume its run, as the only writer.

        The operating system releases the lock when the process ends, for whatever reason.

        Raises:
            RunError: The folder is not empty and `resume` is False, the folder contains other files than a run, a part
                of the run is a link, or another process is writing it.
        """
        if self._occupied():
            if not resume:
                how = argument("resume", True)
                hint = f"resume the run with {how}, choose another folder with {argument('out')}, or remove this one"
                raise RunError("the run folder already exists", where=str(self.path), hint=hint)
            if not any(part.exists() for part in (*self._parts(), self.data / "given.json")):
                hint = f"choose a run folder or a new folder with {argument('out')}"
                raise RunError("the folder is not empty and has no run to resume", where=str(self.path), hint=hint)
        self.refuse_links()
        with only_writer(self.path / ".lock", "another process is writing this run folder", self.path):
            self._sweep()
            yield

    def refuse_links(self) -> None:
        """Refuse a run folder of which a part is a link, a device or a pipe, or contains one.

        The run folder itself may be a link, and so may files in it that are not parts of a run.

        Raises:
            RunError: A part is one. A file outside the folder would be read or written.
        """
        lock, report = self.path / ".lock", self.path / "report"
        given = (self.data,) if (self.data / "given.json").exists() else ()
        for part in (*self._parts(), *given, lock, report, *(self.path / name for name in EXPORTS)):
            for path in strangers(part):
                found = "a link" if path.is_symlink() else "neither a file nor a folder"
                hint = "replace it with the file itself; `cp -rL FOLDER COPY` replaces links by files"
                raise RunError("a run folder contains no links", where=str(path), found=found, hint=hint)

    def clear(self) -> None:
        """Remove the files of an earlier, unfinished run. Files that do not belong to a run are kept."""
        with explained(self.path):
            for entry in self._parts():
                if entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)

    def _parts(self) -> tuple[Path, ...]:
        files = (self.recipe, self.provenance, self.events, self.results_csv, self.results)
        return (*files, self.predictions, self.checkpoints, self.model)

    def _occupied(self) -> bool:
        if self.path.is_file():
            hint = f"choose another folder with {argument('out')}, or remove the file"
            raise RunError("the run folder is a file", where=str(self.path), hint=hint)
        names = self.path.iterdir() if self.path.is_dir() else ()
        return any(entry.name != ".lock" and not is_partial(entry) for entry in names)

    def _sweep(self) -> None:
        """Remove the temporary files of writes that were interrupted."""
        for partial in list(self.path.rglob(f".*{SUFFIX}")):
            remove(partial)


class LockedError(RunError):
    """Another process has the lock."""


@contextmanager
def only_writer(lock: Path, what: str, where: Path) -> Iterator[None]:
    """Lock the file `lock`, which is created if it is missing. The lock ends with the process at the latest.

    Raises:
        LockedError: Another process has the lock. `what` is the message.
        RunError: The folder is not writable, or the lock is a link or a folder.
    """
    with explained(where):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            # The file is not truncated, and a link is not followed: it could name any file of the user.
            file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+b")
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise
            hint = "remove it; manyheads makes a new lock file"
            raise RunError("the lock of the folder is not a file", where=str(lock), hint=hint) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(what, where=str(where), hint="wait until that process ends, or stop it") from None
        yield


KNOWN = frozenset(
    {
        *("best", "last", "steps", "stopped_early", "stop_reason", "untested", "examples", "tokens", "seconds"),
        *("examples_per_second", "tokens_per_second", "checksums", OWN_SUM),
    }
)
"""Keys that this version writes."""

CHECKSUM = re.compile(r"[0-9a-f]{32}")

NEEDED = ("best", "last", "seconds", "examples")
"""Keys that every finished run has."""

COUNTS = ("seconds", "examples", "tokens", "steps")

RATES = ("examples_per_second", "tokens_per_second")


def _fault_in(content: object, *, complete: bool) -> str | None:
    """Return what is wrong with the content of a results.json, or None.

    Keys that are absent are a fault only if `complete` is true and every finished run has them.
    """
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__} and not an object"
    return next(_faults(content, complete), None)


def _faults(content: Mapping[str, Any], complete: bool) -> Iterator[str]:
    if OWN_SUM in content:
        if content[OWN_SUM] != own_checksum(content):
            yield "the content does not have its own checksum"
    elif any(key not in KNOWN and _is_checksum(value) for key, value in content.items()):
        yield "an unknown key has the checksum of the content"
    for key in NEEDED if complete else ():
        if key not in content:
            yield f"no `{key}`"
    if "checksums" in content and not isinstance(content["checksums"], Mapping):
        yield "`checksums` is not a table"
    for key in COUNTS:
        if key in content and not _is_number(content[key]):
            yield f"`{key}` is not a number"
    for key in RATES:
        if content.get(key) is not None and not _is_number(content[key]):
            yield f"`{key}` is not a number"
    for key in ("best", "last"):
        if content.get(key) is not None:
            yield from (f"`{key}` {fault}" for fault in _faults_of_evaluation(content[key]))


def _faults_of_evaluation(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield "is not an object"
        return
    tasks, intervals = entry.get("tasks"), entry.get("intervals", {})
    if not _is_number(entry.get("epoch")):
        yield "has no number as its `epoch`"
    if not isinstance(tasks, Mapping) or not all(map(_are_metrics, tasks.values())):
        yield "has no table of metrics as its `tasks`"
    if not isinstance(intervals, Mapping) or not all(map(_are_intervals, intervals.values())):
        yield "has no table of intervals as its `intervals`"
    whole = entry.get("whole_rows", {})
    if not isinstance(whole, Mapping) or not all(map(_is_share, whole.values())):
        yield "has no table of shares as its `whole_rows`"
    for key in ("average", "course_score"):
        if entry.get(key) is not None and not _is_number(entry[key]):
            yield f"has no number as its `{key}`"


def _are_metrics(metrics: object) -> bool:
    return isinstance(metrics, Mapping) and all(value is None or _is_number(value) for value in metrics.values())


def _is_share(share: object) -> bool:
    return (
        isinstance(share, Mapping)
        and share.keys() >= {"accuracy", "interval", "rows"}
        and all(map(_is_number, (share["accuracy"], share["rows"])))
        and _are_intervals({"interval": share["interval"]})
    )


def _are_intervals(intervals: object) -> bool:
    return isinstance(intervals, Mapping) and all(
        bounds is None or (isinstance(bounds, list) and len(bounds) == 2 and all(map(_is_number, bounds)))
        for bounds in intervals.values()
    )


def _is_checksum(value: object) -> bool:
    return isinstance(value, str) and CHECKSUM.fullmatch(value) is not None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
