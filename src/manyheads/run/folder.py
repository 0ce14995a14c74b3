"""RunFolder: where everything of a run lies, who may write it, and whether it is finished."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manyheads.errors import RunError
from manyheads.run.lock import only_writer


class RunFolder:
    """The layout of a run folder. Paths only: opening one reads and writes nothing."""

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

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: results.json is the last thing that a run writes."""
        return self.results.exists()

    def prediction_file(self, task: str, split: str, which: str) -> Path:
        """`predictions/<task>.<dev|test>.<best|last>.jsonl`."""
        return self.predictions / f"{task}.{split}.{which}.jsonl"

    def read_results(self) -> dict[str, object]:
        """The content of results.json.

        Raises:
            RunError: the folder is no finished run.
        """
        self.require("results.json")
        content: dict[str, object] = json.loads(self.results.read_text(encoding="utf-8"))
        return content

    def read_provenance(self) -> dict[str, Any]:
        """The content of provenance.json.

        Raises:
            RunError: the folder has none, or it is damaged.
        """
        try:
            content: dict[str, Any] = json.loads(self.provenance.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            where = str(self.provenance)
            raise RunError("the run's provenance cannot be read", where=where, found=str(error)) from error
        return content

    def require(self, *names: str) -> None:
        """Check that this is a run folder with these files or folders in it.

        Raises:
            RunError: it does not exist, is no run folder, or is not finished.
        """
        if not self.path.is_dir():
            raise RunError("there is no such run folder", where=str(self.path))
        if not self.recipe.exists():
            hint = "a run folder is what `manyheads train --out FOLDER` leaves"
            raise RunError("this folder is not a run: it has no recipe.toml", where=str(self.path), hint=hint)
        for name in names:
            if not (self.path / name).exists():
                hint = f"finish it with: manyheads train {self.recipe} --out {self.path} --resume"
                raise RunError(f"this run has no {name} yet", where=str(self.path), hint=hint)

    @contextmanager
    def writing(self, *, resume: bool) -> Iterator[None]:
        """Create the folder, or go on in it, as its only writer.

        The lock is the operating system's own: it goes with the process, however that ends.

        Raises:
            RunError: the folder holds something and `resume` was not asked for, or another process writes it.
        """
        if self._occupied():
            if not resume:
                hint = "go on with --resume, choose another folder with --out, or remove this one"
                raise RunError("the run folder exists already", where=str(self.path), hint=hint)
            if not any(part.exists() for part in self._parts()):
                hint = "choose a run's folder, or a new one, with --out"
                raise RunError("this folder holds something else than a run", where=str(self.path), hint=hint)
        with only_writer(self.path / ".lock", "another process is writing this run folder", self.path):
            self._sweep()
            yield

    def clear(self) -> None:
        """Remove what an earlier, unfinished attempt left; whatever is no part of a run stays."""
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
            raise RunError("the run folder's name is taken by a file", where=str(self.path))
        return self.path.is_dir() and any(entry.name != ".lock" for entry in self.path.iterdir())

    def _sweep(self) -> None:
        """Remove what a kill in the middle of a write left behind."""
        for left in self.path.rglob(".*.partial"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)
