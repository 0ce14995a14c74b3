"""Files that every export contains in addition to its graphs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.inference.manifest import write_manifest
from manyheads.inference.task_json import members_to_json, task_to_json
from manyheads.run.atomic import write_text


def add_to_card(folder: Path, text: str) -> None:
    """Append to the model card of an export. A card is made if the bundle has none.

    Raises:
        BundleError: the card of the bundle, which may be edited, is not UTF-8.
    """
    card = folder / "README.md"
    try:
        before = card.read_text(encoding="utf-8") if card.is_file() else ""
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8, or remove it"
        raise BundleError("the model card cannot be read", where="README.md", found=str(error), hint=hint) from error
    write_text(card, before + text)


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
        **members_to_json(bundle.model.tasks.values()),
        **more,
    }
    write_manifest(to, content)
