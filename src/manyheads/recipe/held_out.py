"""Rows held out of a training file. The run records which rows were held out, because it trained on the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from manyheads.data.examples import Examples
from manyheads.errors import DataError, by_caller
from manyheads.run.folder import RunFolder


def mark(task: str, file: str) -> str:
    """Return the key of provenance.json for the fingerprint of the rows that a task held out of a file."""
    return f"{task}: rows of {file} held out"


def task_of(key: str) -> str | None:
    """Return the task of a key that `mark` made, or None for another key. Names of tasks have no colon."""
    task, _, rest = key.partition(": rows of ")
    return task if rest.endswith(" held out") else None


def fingerprint(dev: Examples) -> str:
    """Return the SHA-256 of the ids of the examples, in order."""
    digest = hashlib.sha256()
    for name in dev.ids:
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def are_held_out(run: RunFolder, task: str, file: str, dev: Examples) -> bool:
    """Return whether `dev` has the rows that a finished run held out, and the file is unchanged."""
    before = run.fingerprints()
    return before.get(file) == dev.fingerprint and before.get(mark(task, file)) == fingerprint(dev)


def check_held_out(run: RunFolder, task: str, file: str, dev: Examples) -> None:
    """Check that `dev` has the rows that a finished run held out, and that the file is unchanged.

    Raises:
        DataError: The file has changed, or the run held out other rows. The model may have been trained on the rows
            of `dev`.
    """
    before = run.fingerprints()
    if are_held_out(run, task, file, dev):
        return
    versions = run.read_provenance().get("versions")
    version = versions.get("manyheads", "unknown") if isinstance(versions, Mapping) else "unknown"
    raise DataError(
        "the held-out rows are not those of the run, so the model may have been trained on them",
        where=f"{dev.source}, task {task}",
        found="the file has changed"
        if before.get(file) != dev.fingerprint
        else f"other held-out rows, in a run of manyheads {version}",
        hint="train again, or evaluate on another labelled file: "
        + by_caller("--task TASK --input FILE", "task=TASK, data=FILE"),
    )
