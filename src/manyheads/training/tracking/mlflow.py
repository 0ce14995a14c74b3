"""mlflow: a database in the run folder's `mlflow`, or the store that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
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

STATUS: dict[End, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}

METRICS_PER_CALL = 1000
PARAMS_PER_CALL = 100
PARAM_LENGTH = 6000
"""mlflow's own limits."""

FLUSH_SECONDS = 10.0
"""Values are written together, at the latest after this time: a write per step would take longer than a small step."""

TELEMETRY = "MLFLOW_DISABLE_TELEMETRY"


class MLflow:
    """Logs to mlflow under the name of the run folder, in the experiment `manyheads` or MLFLOW_EXPERIMENT_NAME.

    View a local store with `mlflow ui --backend-store-uri sqlite:///RUN/mlflow/mlflow.db`.

    Raises:
        RunError: mlflow-skinny or what its database needs is not installed.
    """

    def __init__(self, folder: Path, notify: Listener) -> None:
        # Read when mlflow is imported. Its usage statistics need a connection.
        os.environ.setdefault(TELEMETRY, "true")
        self._mlflow: Any = require("mlflow", "sqlalchemy", "alembic", tracker="mlflow")
        self._folder = folder
        self._identity_file = folder / "mlflow" / "run.json"
        self._client: Any = None
        self._id = ""
        self._last = 0
        self._waiting: list[Any] = []
        self._flushed = 0.0

    def begin(self, step: int) -> int:
        """Create the run, or continue the run whose identifier is in the run folder. Return the last stored step."""
        known = read_identity(self._identity_file) if step else None
        store = self._store()
        with _quiet():
            self._client = self._mlflow.MlflowClient(tracking_uri=store)
            if known is None:
                self._create()
            else:
                self._id = known.id
                self._client.update_run(self._id, status="RUNNING")
                self._last = self._last_step()
        self._flushed = time.monotonic()
        return self._last

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Take the values of a step. Steps that the store has are skipped: a resumed run repeats them exactly."""
        if step <= self._last:
            return
        # Only whole steps are written before their time: a step that the store has is complete.
        if self._waiting and self._waiting[-1].step < step and time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()
        now = round(time.time() * 1000)
        self._waiting += [self._mlflow.entities.Metric(name, value, now, step) for name, value in values.items()]

    def flush(self) -> None:
        """Write all values to the store."""
        for metrics in _batched(self._waiting, METRICS_PER_CALL):
            self._client.log_batch(self._id, metrics=metrics)
        self._waiting = []
        self._flushed = time.monotonic()

    def close(self, end: End) -> None:
        """Write the remaining values and the final status."""
        self.flush()
        self._client.set_terminated(self._id, status=STATUS[end])

    def _store(self) -> str:
        given = os.environ.get("MLFLOW_TRACKING_URI")
        if given:
            return given
        file = (self._folder / "mlflow" / "mlflow.db").resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{file}"

    def _create(self) -> None:
        run = self._client.create_run(self._experiment(), run_name=self._folder.name)
        self._id = run.info.run_id
        write_identity(self._identity_file, Identity(self._id, 0))
        params = [self._mlflow.entities.Param(key, value) for key, value in _flat(read_recipe(self._folder)).items()]
        for some in _batched(params, PARAMS_PER_CALL):
            self._client.log_batch(self._id, params=some)

    def _experiment(self) -> str:
        """Return the experiment's identifier. The artifacts of a local store go into the run folder."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = self._client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        local = (self._folder / "mlflow" / "artifacts").resolve().as_uri()
        location = None if os.environ.get("MLFLOW_TRACKING_URI") else local
        return str(self._client.create_experiment(name, artifact_location=location))

    def _last_step(self) -> int:
        history = self._client.get_metric_history(self._id, "optimiser/learning_rate")
        return max((metric.step for metric in history), default=0)


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return a recipe's values as text under dotted keys, cut to the length that mlflow takes."""
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            flat[prefix + key] = text if len(text) <= PARAM_LENGTH else text[: PARAM_LENGTH - 1] + "…"
    return flat


def _batched(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the log lines about creating the database's tables."""
    loggers = [logging.getLogger(name) for name in ("mlflow.store.db.utils", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
