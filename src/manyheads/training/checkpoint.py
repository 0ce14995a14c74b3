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
from manyheads.run.checksum import checksum, checksum_once, is_unchanged

SUMS = "checksums.json"
"""The file of a checkpoint with the checksums of its other files and of the best weights so far."""

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
    `stopped_early`: whether early stopping ended the run. `predictions`: the checksums of the files of dev predictions.
    """

    step: int = 0
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    best: int | None = None
    stale: int = 0
    seconds: float = 0.0
    examples: int = 0
    tokens: int = 0
    stopped_early: bool = False
    predictions: dict[str, str] = field(default_factory=dict)

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

    def save(self, model: nn.Module, optimizer: AdamW, progress: Progress) -> None:
        """Write `step-<n>/` atomically. Then remove the oldest ones beyond `keep` and best weights no longer needed."""

        def fill(folder: Path) -> None:
            _save(folder / "model.safetensors", model.state_dict())
            _save(folder / "optimizer.safetensors", _optimizer_tensors(model, optimizer))
            write_json(folder / "progress.json", asdict(progress))
            sums = {path.name: checksum(path) for path in sorted(folder.iterdir())}
            best = None if progress.best_step is None else self.best_weights(progress.best_step)
            if best is not None:
                sums[best.name] = self._sums.get(best.name) or checksum_once(best)
            write_json(folder / SUMS, sums)

        replace_folder(self.folder / f"step-{progress.step:09d}", fill)
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
        names = ("model.safetensors", "optimizer.safetensors", "progress.json")
        try:
            sums = _read_sums(folder / SUMS)
            for name in names:
                self._verify(folder / name, sums)
            progress = _read_progress(folder)
            load_weights(folder / names[0], model)
            _restore_optimizer(load_file(folder / names[1]), model, optimizer)
        except DAMAGE as error:
            hint = "remove this checkpoint's folder to resume from an earlier one or from the beginning"
            found = str(error)
            raise CheckpointError("the checkpoint cannot be read", where=str(folder), found=found, hint=hint) from error
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
            step = _read_progress(folder).best_step
        except DAMAGE:
            return [path.name for path in self.folder.glob("best-*.safetensors")]
        return [] if step is None else [self.best_weights(step).name]

    def _steps(self) -> list[Path]:
        found = [path for path in self.folder.glob("step-*") if STEP.fullmatch(path.name)]
        return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the step of a checkpoint, from the name of its folder."""
    return int(checkpoint.name.removeprefix("step-"))


def load_weights(path: Path, model: nn.Module) -> None:
    """Load saved weights into a model of the same shape."""
    model.load_state_dict(load_file(path))


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


def _read_sums(path: Path) -> dict[str, str]:
    """Return the checksums of a checkpoint. Empty if it has none, as in version 0.4.0."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path.name} has no checksums")
    return content


def _read_progress(folder: Path) -> Progress:
    progress = Progress(**json.loads((folder / "progress.json").read_bytes()))
    progress.check()
    if progress.step != step_of(folder):
        raise ValueError(f"the checkpoint is of step {progress.step}")
    return progress


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
