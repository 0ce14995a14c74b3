"""Print what wandb and mlflow stored for a run folder, as JSON. Run in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768
HEADER = 7
"""The format of LevelDB's log: blocks of 32 KiB with records of a checksum (4), a length (2), a type (1), a content."""

FULL, LAST = 1, 4


def wandb_records(file: Path) -> Iterator[bytes]:
    """Yield the records of a .wandb file."""
    content = file.read_bytes()
    assert content[:4] == b":W&B"
    place, parts = HEADER, bytearray()
    while place + HEADER <= len(content):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        parts += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (FULL, LAST):
            yield bytes(parts)
            parts.clear()


def read_wandb(folder: Path) -> list[dict[str, Any]]:
    """Read every part of a run, oldest first."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for file in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        part: dict[str, Any] = {"history": [], "exit": None}
        for content in wandb_records(file):
            record = Record.FromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                config = {item.key: json.loads(item.value_json) for item in record.run.config.update}
                part |= {"id": record.run.run_id, "name": record.run.display_name, "config": config}
            elif kind == "history":
                values = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                part["history"].append({key: json.loads(value) for key, value in values.items()})
            elif kind == "exit":
                part["exit"] = record.exit.exit_code
        found.append(part)
    return found


def read_mlflow(folder: Path) -> list[dict[str, Any]]:
    """Read every run of a local store."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("manyheads")
    return [
        {
            "id": run.info.run_id,
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "metrics": {
                name: [[metric.step, metric.value] for metric in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            },
        }
        for run in client.search_runs([experiment.experiment_id])
    ]


if __name__ == "__main__":
    where = Path(sys.argv[1])
    print(json.dumps({"wandb": read_wandb(where), "mlflow": read_mlflow(where)}))  # noqa: T201
