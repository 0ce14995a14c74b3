"""Rows held out of a training file: which they were is kept with the run, for the others were trained on."""

from __future__ import annotations

import hashlib

from manyheads.data.examples import Examples
from manyheads.errors import DataError
from manyheads.run.folder import RunFolder


def mark(task: str, file: str) -> str:
    """Under which name a run's provenance keeps the fingerprint of the rows that a task held out of a file."""
    return f"{task}: rows of {file} held out"


def fingerprint(dev: Examples) -> str:
    """SHA-256 of the ids of examples, in their order."""
    digest = hashlib.sha256()
    for name in dev.ids:
        digest.update(f"{name}\n".encode())
    return digest.hexdigest()


def check_held_out(run: RunFolder, task: str, file: str, dev: Examples) -> None:
    """Check that these are the rows that a finished run held out, of the file as it was.

    Raises:
        DataError: the file has changed, or the run drew other rows: the model may have been trained on these.
    """
    provenance = run.read_provenance()
    before = provenance.get("data", {})
    if before.get(file) == dev.fingerprint and before.get(mark(task, file)) == fingerprint(dev):
        return
    version = provenance.get("versions", {}).get("manyheads", "unknown")
    raise DataError(
        "the rows held out for dev are not those of the run, and the model may have been trained on them",
        where=f"{dev.source}, task {task}",
        found="the file has changed" if before.get(file) != dev.fingerprint else f"a run of manyheads {version}",
        hint="measure a labelled file that was not trained on with --task and --input, or train again",
    )
