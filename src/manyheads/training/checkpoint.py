"""Checkpoints: the model, the optimiser and the progress of a run, stored in safetensors and JSON only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import AdamW

from manyheads.errors import RunError
from manyheads.run.atomic import replace_folder, replacing, write_json

PROGRESS = "progress.json"


@dataclass
class Progress:
    """The progress of a run. Together with the weights and the optimiser it is the whole state.

    `step`: finished updates. `evaluations`: one entry per evaluation, with `epoch`, `step`, `tasks` (all metrics),
    `average` and `course_score`. `best`: the index of the evaluation with the best average, None before there is one.
    `stale`: evaluations since the best one. `seconds`, `examples`, `tokens`: training only, without evaluations.
    `stopped_early`: whether early stopping ended the run. `stop_reason`: a sentence that says why it did.
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

    @property
    def evaluated(self) -> int:
        """The step of the last evaluation, 0 before there is one."""
        return int(self.evaluations[-1]["step"]) if self.evaluations else 0


class Checkpoints:
    """The folder `checkpoints/` of a run. It contains `step-<n>/` to resume from, and the best weights so far."""

    def __init__(self, folder: Path, *, keep: int = 1) -> None:
        self.folder = folder
        self.keep = keep
        self._written: int | None = None

    def save(self, model: nn.Module, optimizer: AdamW, progress: Progress) -> None:
        """Write `step-<n>/` atomically. Then remove the oldest ones beyond `keep` and best weights no longer needed.

        If this object has just written the checkpoint of the same step, only its progress is replaced: an evaluation
        changes no weights.
        """

        def fill(folder: Path) -> None:
            _save(folder / "model.safetensors", model.state_dict())
            _save(folder / "optimizer.safetensors", _optimizer_tensors(model, optimizer))
            write_json(folder / PROGRESS, asdict(progress))

        folder = self.folder / f"step-{progress.step:09d}"
        if self._written == progress.step and folder.is_dir():
            write_json(folder / PROGRESS, asdict(progress))
        else:
            replace_folder(folder, fill)
        self._written = progress.step
        steps = self._steps()
        for old in steps[: -self.keep]:
            shutil.rmtree(old)
        needed = {_best_step(folder) for folder in steps[-self.keep :]}
        for weights in self.folder.glob("best-*.safetensors"):
            if weights not in {self.best_weights(step) for step in needed if step is not None}:
                weights.unlink()

    def save_best(self, model: nn.Module, step: int) -> None:
        """Write the weights of an evaluation that was the best so far."""
        path = self.best_weights(step)
        with replacing(path) as temporary:
            _save(temporary, model.state_dict())

    def best_weights(self, step: int) -> Path:
        """Return the path of the best weights, from after `step` updates."""
        return self.folder / f"best-{step:09d}.safetensors"

    def latest(self) -> Path | None:
        """Return the newest checkpoint, or None."""
        steps = self._steps()
        return steps[-1] if steps else None

    def restore(self, folder: Path, model: nn.Module, optimizer: AdamW) -> Progress:
        """Load a checkpoint into the model and the optimiser.

        Raises:
            RunError: the checkpoint is damaged or belongs to another model.
        """
        try:
            load_weights(folder / "model.safetensors", model)
            _restore_optimizer(load_file(folder / "optimizer.safetensors"), model, optimizer)
        except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
            raise _unreadable(folder, error) from error
        return read_progress(folder)

    def drop(self) -> None:
        """Remove all checkpoints when the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _steps(self) -> list[Path]:
        return sorted(self.folder.glob("step-*")) if self.folder.is_dir() else []


def read_progress(folder: Path) -> Progress:
    """Return the progress of a checkpoint.

    Raises:
        RunError: the checkpoint is damaged.
    """
    try:
        return Progress(**json.loads((folder / PROGRESS).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Path, error: Exception) -> RunError:
    hint = "remove this checkpoint's folder to resume from an earlier one or from the beginning"
    return RunError("the checkpoint cannot be read", where=str(folder), found=str(error), hint=hint)


def load_weights(path: Path, model: nn.Module) -> None:
    """Load saved weights into a model of the same shape."""
    model.load_state_dict(load_file(path))


def _save(path: Path, tensors: Mapping[str, Tensor]) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path)


def _best_step(folder: Path) -> int | None:
    progress = json.loads((folder / PROGRESS).read_text(encoding="utf-8"))
    return None if progress["best"] is None else int(progress["evaluations"][progress["best"]]["step"])


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
