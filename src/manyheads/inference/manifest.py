"""The manifest of a bundle: what is in it, and the hash of every file. Reads JSON and bytes, needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import BundleError

MANIFEST = "manyheads.json"
HEADS = "heads.safetensors"
ENCODER_GRAPH = "encoder.onnx"
FORMAT = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle, not yet compared with the files beside it.

    Raises:
        BundleError: there is none, it is not JSON, or it is of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        hint = "a bundle is the folder `model` of a finished run"
        raise BundleError(f"this is no bundle: there is no {MANIFEST}", where=str(folder), hint=hint)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError("the bundle's manifest is not JSON", where=str(path), found=str(error)) from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        hint = "load it with the version of manyheads that wrote it"
        raise BundleError(
            "the bundle has another format", where=str(path), found=version, allowed=str(FORMAT), hint=hint
        )
    return dict(manifest)


def check_files(folder: Path, manifest: Mapping[str, Any], needed: str) -> None:
    """Compare every file that the manifest lists with its SHA-256; `needed` has to be one of them.

    Raises:
        BundleError: a file is missing, was changed or cut short, or the manifest does not list what is needed.
    """
    files = manifest.get("files")
    if not isinstance(files, dict) or needed not in files:
        raise BundleError("the bundle's manifest lists no files, or not the weights", where=str(folder / MANIFEST), allowed=needed)
    for name, expected in files.items():
        path = folder / name
        if Path(name).name != name or not path.is_file():
            raise BundleError("a file of the bundle is missing", where=str(path), hint="copy the whole folder again")
        if sha256(path) != expected:
            hint = "copy the whole folder again; a bundle that was edited is not the model that was measured"
            raise BundleError("a file of the bundle was changed or cut short", where=str(path), hint=hint)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
