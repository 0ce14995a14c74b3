"""The manifest of a bundle or an export: what is in the folder, and the hash of every file. Needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from manyheads.errors import BundleError
from manyheads.run.atomic import write_json
from manyheads.version import __version__

MANIFEST = "manyheads.json"
FORMAT = 1

DOCUMENTS = (".md", ".png", ".svg", ".html")
"""Endings of files that nothing is loaded from: a model card may be edited, a licence or a picture laid beside it."""


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a folder that is otherwise complete: `content`, and the SHA-256 of what is there."""
    hashes = {name: sha256(folder / name) for name in sorted(_loadable(folder))}
    write_json(folder / MANIFEST, {"format": FORMAT, "manyheads": __version__, **content, "files": hashes})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder, not yet compared with the files beside it.

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


def check_files(folder: Path, manifest: Mapping[str, Any], *needed: str) -> None:
    """Hold a folder to its manifest: every file listed is there as it was, and nothing else that could be loaded.

    Raises:
        BundleError: a file is missing, was changed, cut short or added, or `needed` is not listed.
    """
    files = manifest.get("files")
    if not isinstance(files, dict) or not set(needed) <= set(files):
        allowed = f"at least {', '.join(needed)}"
        raise BundleError("the manifest does not list what is needed", where=str(folder / MANIFEST), allowed=allowed)
    again = "copy the whole folder again"
    for name, expected in files.items():
        path = folder / name
        if not _is_inside(name):
            raise BundleError("the manifest names a file outside the folder", where=str(folder / MANIFEST), found=name)
        if not path.is_file():
            raise BundleError("a file of the bundle is missing", where=str(path), hint=again)
        if sha256(path) != expected:
            hint = f"{again}; a bundle that was edited is not the model that was measured"
            raise BundleError("a file of the bundle was changed or cut short", where=str(path), hint=hint)
    foreign = sorted(set(_loadable(folder)) - set(files))
    if foreign:
        where = str(folder / foreign[0])
        raise BundleError("a file that is not of the bundle", where=where, hint="move it elsewhere")


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loadable(folder: Path) -> Iterator[str]:
    """Names, as paths from the folder, of all files that some library could load: no documents, nothing hidden."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        is_document = path.suffix in DOCUMENTS or path.name.startswith(("LICENSE", "NOTICE"))
        if path.is_file() and not hidden and not is_document and name != Path(MANIFEST):
            yield name.as_posix()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
