"""The identifier of a run in its tracker, kept in the run folder so that a resumed run continues the same one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from manyheads.run.atomic import write_json


@dataclass(frozen=True)
class Identity:
    """The tracker's identifier of the run, and the last step that the tracker has safely stored."""

    id: str
    step: int


def read_identity(path: Path) -> Identity | None:
    """Read the identity that `write_identity` wrote. None if there is none or the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Identity(str(content["id"]), int(content["step"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_identity(path: Path, identity: Identity) -> None:
    """Write an identity atomically. The folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(identity))
