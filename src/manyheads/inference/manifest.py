"""The manifest of a bundle or an export: its content, its tasks, and the hash of every file. Does not need torch."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from manyheads.errors import BundleError
from manyheads.plugins import changed_since, load, origins_of, records_of, require_members
from manyheads.run.atomic import write_json
from manyheads.run.names import TASK_NAME, TASK_NAMES, strangers_below
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.tasks.task import Task
from manyheads.version import __version__

MANIFEST = "manyheads.json"

FORMAT = 1

CHECKSUM = "sha256"
"""The key with the checksum of the manifest itself: the SHA-256 of its content without this key."""

HEXADECIMAL = re.compile("[0-9a-f]{64}")

INDEX_ENDING = ".index.json"
"""The ending of files that name other files with weights. A bundle has each of its weights in one file."""

DOCUMENTS = (".md", ".png", ".svg", ".html")
"""Endings of documents. They may be edited and added because nothing is loaded from them."""


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a folder: `content`, the SHA-256 of every file, and its own checksum.

    Call it after all other files were written.
    """
    hashes = {name: sha256(folder / name) for name in sorted(_loadable(folder))}
    manifest = {"format": FORMAT, "manyheads": __version__, **content, "files": hashes}
    write_json(folder / MANIFEST, {**manifest, CHECKSUM: checksum(manifest)})


def checksum(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the content of a manifest without its own checksum, in hexadecimal.

    The content is hashed as JSON with sorted keys, in ASCII and without blanks, so other programs can compute it.
    """
    content = {key: value for key, value in manifest.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder and check it. The other files are not checked.

    Raises:
        BundleError: the manifest is missing, is a link, is not JSON, has another format, names a file outside the
            folder, or was changed.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        hint = "name a finished run, the folder `model` in it, or an export"
        raise BundleError(f"the folder is not a bundle: it has no {MANIFEST}", where=str(folder), hint=hint)
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError("the bundle's manifest is not JSON", where=str(path), found=str(error)) from error
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if version != FORMAT or isinstance(version, bool | float):
        hint = "load the bundle with the version of manyheads that wrote it"
        raise BundleError(
            "unsupported format of the bundle", where=str(path), found=version, allowed=str(FORMAT), hint=hint
        )
    files = manifest.get("files")
    for name in files if isinstance(files, dict) else ():
        if not _is_inside(name):
            raise BundleError("the manifest names a file outside the folder", where=str(path), found=name)
    _check_manifest(path, manifest)
    return dict(manifest)


def note_unchecked(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Log a note if a manifest has no checksum of itself, as in bundles of manyheads 0.4.0."""
    if CHECKSUM not in manifest:
        logging.getLogger("manyheads").warning(
            "note: %s has no checksum of itself (%r), so changes in it cannot be noticed",
            folder / MANIFEST,
            CHECKSUM,
        )


def check_files(folder: Path, manifest: Mapping[str, Any], *needed: str) -> None:
    """Check a folder against its manifest: every listed file is unchanged, and no other loadable file exists.

    Raises:
        BundleError: a file is missing, changed, truncated or not listed, the folder contains a link or a file that
            names other files, or the manifest lacks a `needed` file.
    """
    refuse_links(folder)
    files = manifest.get("files")
    if not isinstance(files, dict) or not set(needed) <= set(files):
        allowed = f"at least {', '.join(needed)}"
        raise BundleError("the manifest lacks a required file", where=str(folder / MANIFEST), allowed=allowed)
    again = "copy the whole folder again"
    for name, expected in files.items():
        path = folder / name
        if name.endswith(INDEX_ENDING):
            hint = "export the run again; a bundle has its weights in model.safetensors"
            raise BundleError("a bundle cannot have an index of other weights", where=str(path), hint=hint)
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


def refuse_links(folder: Path) -> None:
    """Refuse a folder that contains a link, a device or a pipe.

    Raises:
        BundleError: it contains one. Its target may be any file of this machine.
    """
    for path in strangers_below(folder):
        found = "a link" if path.is_symlink() else "neither a file nor a folder"
        hint = "replace the link with the file itself; `cp -rL FOLDER COPY` replaces links by files"
        raise BundleError("a bundle and an export contain no links", where=str(path), found=found, hint=hint)


def copy_listed(folder: Path, manifest: Mapping[str, Any], to: Path) -> None:
    """Copy the listed files and the documents of a folder that `check_files` has checked."""
    documents = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if _is_document(path, folder))
    for name in (*manifest["files"], *documents):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, to / name)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Compare a manifest with its own checksum, if it has one.

    Raises:
        BundleError: they differ, or the name of the checksum is damaged.
    """
    hint = "copy the whole folder again, because an edited bundle is not the model that was evaluated"
    if CHECKSUM in manifest:
        if manifest[CHECKSUM] != checksum(manifest):
            raise BundleError("the manifest was changed", where=f"{path}: {CHECKSUM}", hint=hint)
        return
    for key, value in manifest.items():
        if isinstance(value, str) and HEXADECIMAL.fullmatch(value):
            what = "the manifest was changed: an unknown key has a checksum"
            raise BundleError(what, where=str(path), found=key, allowed=CHECKSUM, hint=hint)


def _loadable(folder: Path) -> Iterator[str]:
    """Yield the relative paths of all files that a library could load, without documents and hidden files."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_file() and not _is_hidden(name) and not _is_document(path, folder) and name != Path(MANIFEST):
            yield name.as_posix()


def _is_document(path: Path, folder: Path) -> bool:
    """Return whether a file is a document: it may be edited and added."""
    named = path.suffix in DOCUMENTS or path.name.startswith(("LICENSE", "NOTICE"))
    return named and path.is_file() and not _is_hidden(path.relative_to(folder))


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and not set(name) & {"\\", "\0"}


def task_to_json(task: Task) -> dict[str, Any]:
    """Return a task as JSON values."""
    return {
        "name": task.name,
        "kind": {"name": task.kind.name, **task.kind.space(), **_tuned(task.kind)},
        "text": list(task.text),
        "label": task.label if isinstance(task.label, str) else list(task.label),
        "id": task.id,
        "pair": task.pair,
        "head": task.head,
        "dropout": task.dropout,
        **({"head_options": dict(task.head_options)} if task.head_options else {}),
        "loss": task.loss,
        "form": task.form or next(iter(task.kind.forms)),
        "metric": task.metric,
        **({} if task.group is None else {"group": task.group}),
        **({"metrics": [choice.table for choice in task.metrics]} if task.metrics else {}),
    }


def _tuned(kind: Kind) -> dict[str, Any]:
    return {"tuned": dict(kind.tuned)} if kind.tuned else {}


class KindContent(BaseModel):
    """The kind of a task in a manifest: its name, and the keys of its label space."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
    name: str
    tuned: dict[str, Any] | None = None


class MetricContent(BaseModel):
    """A metric in a manifest. Its other keys are the options of the metric, which only an evaluation reads."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
    kind: str


class TaskContent(BaseModel):
    """A task in a manifest. A later version may add keys, so unknown keys are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    name: str = Field(pattern=f"^(?:{TASK_NAME.pattern})$", description=TASK_NAMES)
    kind: KindContent
    text: list[str] = Field(min_length=1, max_length=3)
    label: str | list[str]
    id: str | None
    pair: Literal["cross", "bi"] | None
    head: str
    dropout: float = Field(ge=0, lt=1)
    head_options: dict[str, Any] = Field(default_factory=dict)
    loss: str
    form: str | None = None
    metric: str
    group: str | None = None
    metrics: list[MetricContent] = Field(default_factory=list)

    @model_validator(mode="after")
    def _pair_fits(self) -> Self:
        kind = KINDS.get(self.kind.name)
        paired = len(self.text) > 1 or (kind is not None and kind.reads == "candidates")
        if paired != (self.pair is not None):
            raise ValueError("a task has `pair` if it has several text columns or candidates, and only then")
        return self


def members_to_json(tasks: Iterable[Task]) -> dict[str, Any]:
    """Return the members of tasks from outside the package, and their plug-ins, for a manifest. Empty if none is."""
    used: list[tuple[str, str]] = []
    for task in tasks:
        used += [("kind", task.kind.name), ("head", task.head), ("loss", task.loss)]
        used += [("metric", choice.kind) for choice in task.metrics]
    origins = origins_of(used)
    return {"members": origins, "plugins": records_of(origins)} if origins else {}


def tasks_of(folder: Path, manifest: Mapping[str, Any], *, heads: bool) -> list[Task]:
    """Return the tasks of a manifest, whose members from outside must be available. No code is imported for them.

    `heads`: whether the heads are needed. Exported graphs contain them.

    Raises:
        PluginError: a kind of task or a head is not available.
        KeyError, ValueError: the manifest has no valid tasks.
    """
    load()
    members = manifest.get("members")
    require_members(members, str(folder), ("kind", "head") if heads else ("kind",))
    tasks = tasks_from_json(manifest["tasks"])
    if members:
        used = [("kind", task.kind.name) for task in tasks] + [("head", task.head) for task in tasks if heads]
        changed, notes = changed_since(manifest.get("plugins"), origins_of(used))
        notes += [f"the plug-in {name} has other code than when the model was trained" for name in changed]
        for note in notes:
            logging.getLogger("manyheads").warning("note: %s: %s", folder, note)
    return tasks


def tasks_from_json(content: object) -> list[Task]:
    """Return the tasks of a manifest.

    Raises:
        ValueError: the content is not a list of tasks, or two tasks have the same name.
    """
    tasks = [_task(each) for each in _TASKS.validate_json(json.dumps(content))]
    if len({task.name for task in tasks}) < len(tasks):
        raise ValueError("two tasks have the same name")
    return tasks


def task_from_json(content: object) -> Task:
    """Return the task that `task_to_json` wrote.

    Raises:
        ValueError: the content is not a task.
    """
    return _task(TaskContent.model_validate_json(json.dumps(content)))


_TASKS = TypeAdapter(Annotated[list[TaskContent], Field(min_length=1)])


def _task(content: TaskContent) -> Task:
    kind = _kind(content.kind)
    return Task(
        name=content.name,
        kind=kind,
        text=tuple(content.text),
        label=content.label if isinstance(content.label, str) else tuple(content.label),
        id=content.id,
        pair=content.pair,
        head=content.head,
        dropout=content.dropout,
        loss=content.loss,
        form=_form(content, kind),
        metric=content.metric,
        group=content.group,
        metrics=tuple(MetricChoice.of(each.model_dump()) for each in content.metrics),
        head_options=content.head_options,
    )


def _form(content: TaskContent, kind: Kind) -> str | None:
    """Return the form of the outputs of a task. Manifests of version 0.4.0 have only the loss."""
    if content.form is None:
        return "logits" if content.loss == "cross_entropy" and "logits" in kind.forms else None
    if content.form not in kind.forms:
        raise ValueError(f"a {kind.name} has no outputs of the form {content.form!r}; it has {', '.join(kind.forms)}")
    return content.form


def _kind(content: KindContent) -> Kind:
    if content.name not in KINDS:
        raise ValueError(f"this version has no kind {content.name!r}; it has {', '.join(KINDS)}")
    kind = KINDS[content.name]
    own = {key: value for key, value in (content.model_extra or {}).items() if key in kind.options.model_fields}
    found = kind.of(kind.options.model_validate_json(json.dumps(own)))
    if found is None:
        raise ValueError(f"a {content.name} has {' and '.join(kind.sample().space())}")
    try:
        return found if content.tuned is None else found.with_tuned(content.tuned)
    except (KeyError, TypeError) as error:
        raise ValueError(f"what was tuned for a {content.name} cannot be read: {error}") from error
