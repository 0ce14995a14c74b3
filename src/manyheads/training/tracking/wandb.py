"""Weights & Biases: offline in the run folder's `wandb`, or online if the user is logged in."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from manyheads.training.listener import Listener
from manyheads.training.tracking.tracker import (
    PROJECT,
    End,
    Identity,
    read_identity,
    read_recipe,
    require,
    write_identity,
)

FINISH_SECONDS = 120.0
"""How long the end of a run waits for uploads."""

EXIT_CODES: dict[End, int] = {"finished": 0, "interrupted": 130, "failed": 1}
"""wandb shows a run with an exit code other than 0 as failed."""

ERROR_REPORTING = "WANDB_ERROR_REPORTING"


class WandB:
    """Logs to wandb under the name of the run folder, in the project `manyheads` or WANDB_PROJECT.

    The mode is that of wandb's own settings (WANDB_MODE, `wandb offline`). Without an API key it is offline: wandb's
    login prompt never appears. Files are written to the run folder's `wandb`, or to WANDB_DIR.

    Raises:
        RunError: wandb is not installed.
    """

    def __init__(self, folder: Path, notify: Listener) -> None:
        self._wandb: Any = require("wandb", tracker="wandb")
        self._folder, self._notify = folder, notify
        self._identity_file = folder / "wandb" / "run.json"
        self._id = ""
        self._stored = self._last = 0
        self._run: Any = None

    def begin(self, step: int) -> int:
        """Create the run, or continue the run whose identifier is in the run folder.

        Return the last step that is stored. A server knows it. Offline it is the last step of a part that was closed:
        wandb loses some of the values of a killed process.
        """
        known = read_identity(self._identity_file) if step else None
        self._id = known.id if known else uuid.uuid4().hex[:12]
        with _no_error_reports():
            self._run = self._wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=self._folder.name,
                id=self._id,
                resume="allow",
                reinit="create_new",
                dir=os.environ.get("WANDB_DIR", str(self._folder)),
                config=read_recipe(self._folder),
                mode=self._mode(),
                settings=self._settings(),
            )
        self._stored = self._last = max(known.step if known else 0, self._run.step - 1)
        write_identity(self._identity_file, Identity(self._id, self._last))
        self._announce()
        return self._stored

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Log the values of a step. Steps that are stored are skipped: a resumed run repeats them exactly."""
        if step > self._stored:
            self._run.log(dict(values), step=step)
            self._last = step

    def flush(self) -> None:
        """Do nothing: wandb writes by itself."""

    def close(self, end: End) -> None:
        """Finish the run and end wandb's process."""
        self._run.finish(exit_code=EXIT_CODES[end])
        write_identity(self._identity_file, Identity(self._id, self._last))
        if self._wandb.run is None:
            self._wandb.teardown()

    def _mode(self) -> str:
        """Return the mode to use. It is "offline" where wandb would ask for an API key."""
        mode = str(self._wandb.setup().settings.mode)
        if mode in ("offline", "dryrun", "disabled") or self._wandb.run is not None:
            return mode
        return mode if self._wandb.login(prompt=False) else "offline"

    def _settings(self) -> Any:
        """Turn off printing and the collection of anything but the values: output, system metrics, code, git."""
        return self._wandb.Settings(
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_stats=True,
            symlink=False,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
        )

    def _announce(self) -> None:
        if self._run.offline:
            local = shlex.quote(str(Path(self._run.settings.sync_dir).parent))
            text = f"wandb is offline (offline mode or no API key); upload the run later with: wandb sync {local}"
            self._notify("note", text=text)
        elif self._run.url:
            self._notify("note", text=f"wandb: {self._run.url}")


@contextmanager
def _no_error_reports() -> Iterator[None]:
    """Turn off wandb's error reports to its makers, which need a connection even offline, unless the user decided."""
    decided = ERROR_REPORTING in os.environ
    os.environ.setdefault(ERROR_REPORTING, "false")
    try:
        yield
    finally:
        if not decided:
            del os.environ[ERROR_REPORTING]
