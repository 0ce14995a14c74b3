"""Checkpoints: the model, the optimiser and the progress of a run, stored in safetensors and JSON only."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW

from manyheads.errors import RunError
from manyheads.run.atomic import remove_folder, replace_folder, replacing, write_json
from manyheads.run.checksum import checksum, checksum_once, checksum_text, is_unchanged

WEIGHTS = ("model.safetensors", "optimizer.safetensors")
PROGRESS = "progress.json"
"""The files of a checkpoint."""

SUMS, OWN_SUM = "checksums", "checksum"
"""The keys of progress.json with the checksums of the weights and the best weights so far, and of its own content."""

STEP = re.compile(r"step-(\d+)")

DAMAGE = (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""The errors that reading a damaged file raises."""


class CheckpointError(RunError):
    """A checkpoint, or the best weights so far, is missing or damaged."""


@dataclass
class Progress:
    """The progress of a run. Together with the weights and the optimiser it is the whole state.

    `step`: finished updates. `evaluations`: one entry per evaluation, with `epoch`, `step`, `tasks` (all metrics),
    `average` and `course_score`. `best`: the index of the evaluation with the best average, None before there is one.
    `stale`: evaluations since the best one. `seconds`, `examples`, `tokens`: training only, without evaluations.
    `stopped_early`: whether early stopping ended the run. `stop_reason`: a sentence that says why it did.
    `predictions`: the checksums of the files of dev predictions.
    """

    step: int = 0
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    best: int | None = None
    stale: int = 0
    seconds: float = 0.0
    examples: int = 0
    tokens: int = 0
    stopped_early: bool = False
    stop_reason: str | None = None
    predictions: dict[str, str] = field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        """The step of the last evaluation, 0 before there is one."""
        return int(self.evaluations[-1]["step"]) if self.evaluations else 0

    @property
    def best_step(self) -> int | None:
        """The step of the evaluation with the best average, None before there is one."""
        return None if self.best is None else int(self.evaluations[self.best]["step"])

    def check(self) -> None:
        """Check the types of values that were read from a file.

        Raises:
            ValueError: A value has another type, or is out of range.
        """
        counts = (self.step, self.stale, self.examples, self.tokens)
        if not all(isinstance(each, int) and each >= 0 for each in counts) or not self.seconds >= 0:
            raise ValueError("a count is not a number")
        for entry in self.evaluations:
            if not {"epoch", "step"} <= entry.keys() or not isinstance(entry["step"], int):
                raise ValueError("an evaluation lacks its epoch or its step")
        if self.best is not None and self.best not in range(len(self.evaluations)):
            raise ValueError("there is no such best evaluation")


class Checkpoints:
    """The folder `checkpoints/` of a run. It contains `step-<n>/` to resume from, and the best weights so far.

    `notes`: what could not be verified when a checkpoint was read.
    """

    def __init__(self, folder: Path, *, keep: int = 1) -> None:
        self.folder = folder
        self.keep = keep
        self.notes: list[str] = []
        self._sums: dict[str, str] = {}
        self._written: tuple[int, dict[str, str]] | None = None

    def save(self, model: nn.Module, optimizer: AdamW, progress: Progress) -> None:
        """Write `step-<n>/` atomically. Then remove the oldest ones beyond `keep` and best weights no longer needed.

        If this object has just written the checkpoint of the same step, only its progress is replaced: an evaluation
        changes no weights.
        """

        best = None if progress.best_step is None else self.best_weights(progress.best_step)
        best_sum = {} if best is None else {best.name: self._sums.get(best.name) or checksum_once(best)}
        sums: dict[str, str] = {}

        def fill(folder: Path) -> None:
            _save(folder / WEIGHTS[0], model.state_dict())
            _save(folder / WEIGHTS[1], _optimizer_tensors(model, optimizer))
            sums.update({name: checksum(folder / name) for name in WEIGHTS})
            _write_progress(folder, progress, sums | best_sum)

        folder = self.folder / f"step-{progress.step:09d}"
        if self._written is not None and self._written[0] == progress.step and folder.is_dir():
            sums = self._written[1]
            _write_progress(folder, progress, sums | best_sum)
        else:
            replace_folder(folder, fill)
        self._written = progress.step, sums
        steps = self._steps()
        for old in steps[: -self.keep]:
            remove_folder(old)
        needed = {name for folder in steps[-self.keep :] for name in self._needed(folder)}
        for weights in self.folder.glob("best-*.safetensors"):
            if weights.name not in needed:
                weights.unlink()

    def save_best(self, model: nn.Module, step: int) -> None:
        """Write the weights of an evaluation that was the best so far."""
        path = self.best_weights(step)
        with replacing(path) as temporary:
            _save(temporary, model.state_dict())
        self._sums[path.name] = checksum(path)

    def load_best(self, step: int, model: nn.Module) -> None:
        """Load the best weights, from after `step` updates, into the model.

        Raises:
            CheckpointError: The file is missing or damaged.
        """
        path = self.best_weights(step)
        try:
            self._verify(path, self._sums)
            load_weights(path, model)
        except DAMAGE as error:
            raise _damaged_best(path, error) from error

    def best_weights(self, step: int) -> Path:
        """Return the path of the best weights, from after `step` updates."""
        return self.folder / f"best-{step:09d}.safetensors"

    def latest(self) -> Path | None:
        """Return the newest checkpoint, or None."""
        steps = self._steps()
        return steps[-1] if steps else None

    def restore(self, folder: Path, model: nn.Module, optimizer: AdamW) -> Progress:
        """Load a checkpoint into the model and the optimiser, after its files are verified.

        Raises:
            CheckpointError: The checkpoint or the best weights are damaged, or the checkpoint belongs to another model.
        """
        try:
            progress, sums = _read_progress(folder)
            for name in WEIGHTS:
                self._verify(folder / name, sums)
            load_weights(folder / WEIGHTS[0], model)
            _restore_optimizer(load_file(folder / WEIGHTS[1]), model, optimizer)
        except DAMAGE as error:
            raise _unreadable(folder, error) from error
        if not sums:
            text = f"{folder} has no checksums, as in version 0.4.0, so damage to it cannot be noticed"
            self.notes.append(text)
        if progress.best_step is not None:
            best = self.best_weights(progress.best_step)
            try:
                self._verify(best, sums)
            except DAMAGE as error:
                raise _damaged_best(best, error) from error
            self._sums = {name: value for name, value in sums.items() if name == best.name}
        return progress

    def drop(self) -> None:
        """Remove all checkpoints when the run is finished."""
        with contextlib.suppress(OSError):
            remove_folder(self.folder)

    @staticmethod
    def _verify(path: Path, sums: Mapping[str, str]) -> None:
        """Check that a file exists and is unchanged. Without checksums, as in version 0.4.0, it only has to exist.

        Raises:
            OSError: The file does not exist.
            ValueError: The file has another checksum.
        """
        path.stat()
        if sums and not is_unchanged(path, sums.get(path.name)):
            raise ValueError(f"{path.name} does not have the checksum that was recorded when it was written")

    def _needed(self, folder: Path) -> list[str]:
        """Return the names of the best weights that a checkpoint needs: all if the checkpoint cannot be read."""
        try:
            step = _read_progress(folder)[0].best_step
        except DAMAGE:
            return [path.name for path in self.folder.glob("best-*.safetensors")]
        return [] if step is None else [self.best_weights(step).name]

    def _steps(self) -> list[Path]:
        found = [path for path in self.folder.glob("step-*") if STEP.fullmatch(path.name)]
        return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint, from the name of its folder."""
    return int(checkpoint.name.removeprefix("step-"))


def read_progress(folder: Path) -> Progress:
    """Return the progress of a checkpoint.

    Raises:
        CheckpointError: the checkpoint is damaged.
    """
    try:
        return _read_progress(folder)[0]
    except DAMAGE as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> CheckpointError:
    hint = "remove this checkpoint's folder to resume from an earlier one or from the beginning"
    return CheckpointError("the checkpoint cannot be read", where=str(folder), found=str(error), hint=hint)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load saved weights into a model of the same shape."""
    model.load_state_dict(load_file(path))


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


def _write_progress(folder: Path, progress: Progress, sums: Mapping[str, str]) -> None:
    """Write the progress, the checksums of the other files, and the checksum of the content itself, in one file."""
    content = {**asdict(progress), SUMS: dict(sums)}
    write_json(folder / PROGRESS, {**content, OWN_SUM: _own_sum(content)})


def _read_progress(folder: Path) -> tuple[Progress, dict[str, str]]:
    """Return the progress of a checkpoint and the checksums of its other files: none in those of version 0.4.0."""
    content = json.loads((folder / PROGRESS).read_bytes())
    own = content.pop(OWN_SUM, None)
    if own is not None and own != _own_sum(content):
        raise ValueError(f"{PROGRESS} does not have the checksum that was recorded when it was written")
    sums = content.pop(SUMS, {})
    if not isinstance(sums, dict) or (own is None) != (not sums):
        raise ValueError(f"{PROGRESS} lacks checksums")
    progress = Progress(**content)
    progress.check()
    if progress.step != step_of(folder):
        raise ValueError(f"the checkpoint is of step {progress.step}")
    return progress, sums


def _own_sum(content: Mapping[str, Any]) -> str:
    return checksum_text(json.dumps(content, sort_keys=True))


def _damaged_best(path: Path, error: Exception) -> CheckpointError:
    hint = f"remove the folder {path.parent} to start the run from the beginning"
    return CheckpointError("the best weights so far cannot be read", where=str(path), found=str(error), hint=hint)


def _optimizer_tensors(model: nn.Module, optimizer: AdamW) -> dict[str, Tensor]:
    """Return AdamW's state under flat names: `<parameter>/<exp_avg|exp_avg_sq|step>`."""
    tensors = {}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{name}/{key}"] = value
    return tensors


def _restore_optimizer(tensors: Mapping[str, Tensor], model: nn.Module, optimizer: AdamW) -> None:
    parameters = dict(model.named_parameters())
    optimizer.state.clear()
    for flat_name, tensor in tensors.items():
        name, _, key = flat_name.rpartition("/")
        optimizer.state[parameters[name]][key] = tensor.to(parameters[name].device)
