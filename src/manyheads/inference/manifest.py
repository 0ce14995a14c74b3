"""The manifest of a bundle or an export: its content and the hash of every file. Does not need torch."""

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
"""Endings of documents. They may be edited and added because nothing is loaded from them."""


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a folder: `content` and the SHA-256 of every file. Call it after all other files."""
    hashes = {name: sha256(folder / name) for name in sorted(_loadable(folder))}
    write_json(folder / MANIFEST, {"format": FORMAT, "manyheads": __version__, **content, "files": hashes})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder. The files are not checked.

    Raises:
        BundleError: the manifest is missing, is not JSON, or has another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        hint = "name a finished run, the folder `model` in it, or an export"
        raise BundleError(f"the folder is not a bundle: it has no {MANIFEST}", where=str(folder), hint=hint)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError("the bundle's manifest is not JSON", where=str(path), found=str(error)) from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT:
        hint = "load the bundle with the version of manyheads that wrote it"
        raise BundleError(
            "unsupported format of the bundle", where=str(path), found=version, allowed=str(FORMAT), hint=hint
        )
    return dict(manifest)


def check_files(folder: Path, manifest: Mapping[str, Any], *needed: str) -> None:
    """Check a folder against its manifest: every listed file is unchanged, and no other loadable file exists.

    Raises:
        BundleError: a file is missing, changed, truncated or not listed, or the manifest lacks a `needed` file.
    """
    files = manifest.get("files")
    if not isinstance(files, dict) or not set(needed) <= set(files):
        allowed = f"at least {', '.join(needed)}"
        raise BundleError("the manifest lacks a required file", where=str(folder / MANIFEST), allowed=allowed)
    again = "copy the whole folder again"
    for name, expected in files.items():
        path = folder / name
        if not _is_inside(name):
            raise BundleError("the manifest names a file outside the folder", where=str(folder / MANIFEST), found=name)
        if not path.is_file():
            raise BundleError("a file of the bundle is missing", where=str(path), hint=again)
        if sha256(path) != expected:
            hint = f"{again}, because an edited bundle is not the model that was evaluated"
            raise BundleError("a file of the bundle was changed or truncated", where=str(path), hint=hint)
    unknown = sorted(set(_loadable(folder)) - set(files))
    if unknown:
        where = str(folder / unknown[0])
        raise BundleError(
            "the manifest does not list a file of the folder", where=where, hint="move the file elsewhere"
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loadable(folder: Path) -> Iterator[str]:
    """Yield the relative paths of all files that a library could load, without documents and hidden files."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        is_document = path.suffix in DOCUMENTS or path.name.startswith(("LICENSE", "NOTICE"))
        if path.is_file() and not hidden and not is_document and name != Path(MANIFEST):
            yield name.as_posix()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\\" not in name
