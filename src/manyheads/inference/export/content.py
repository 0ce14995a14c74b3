"""Files that every export contains in addition to its graphs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.inference.bundle import Bundle
from manyheads.inference.manifest import write_manifest
from manyheads.inference.task_json import task_to_json


def add_common_files(to: Path, target: str, bundle: Bundle, folder: Path, **more: Any) -> None:
    """Add the tokenizer, the model card of the bundle in `folder`, and the manifest with hashes to the folder `to`."""
    bundle.tokenizer.save(to)
    if (folder / "README.md").is_file():
        shutil.copyfile(folder / "README.md", to / "README.md")
    content: Mapping[str, Any] = {
        "export": target,
        "pad_id": bundle.tokenizer.pad_id or 0,
        "max_length": bundle.max_length,
        "tasks": [task_to_json(task) for task in bundle.model.tasks.values()],
        **more,
    }
    write_manifest(to, content)
