"""The bundle: the folder of a run that is shipped. It has safetensors and JSON files, no code and no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError
from manyheads.inference.manifest import check_files, read_manifest, write_manifest
from manyheads.inference.sentence_modules import write_sentence_modules
from manyheads.inference.task_json import task_from_json, task_to_json
from manyheads.model.encoder import load_encoder
from manyheads.model.multitask import MultitaskModel
from manyheads.run.atomic import replace_folder, write_text

HEADS = "heads.safetensors"


@dataclass(frozen=True)
class Bundle:
    """A loaded bundle.

    `model` is in eval mode. `max_length` is the longest sequence in tokens that the model was trained with.
    """

    model: MultitaskModel
    tokenizer: Tokenizer
    max_length: int
    manifest: Mapping[str, Any]


def save_bundle(
    folder: Path,
    model: MultitaskModel,
    tokenizer: Tokenizer,
    *,
    max_length: int,
    encoder: Mapping[str, object],
    card: str,
) -> None:
    """Write a bundle atomically.

    The bundle contains the encoder and the tokenizer in the hub's format (transformers can load the folder), the heads
    in `heads.safetensors`, the model card in `README.md`, and the tasks and the SHA-256 of every file in
    `manyheads.json`. If a task bi-encodes pairs, the modules of sentence-transformers are added.

    Args:
        folder: where to write. An existing folder is replaced.
        model: the trained model.
        tokenizer: its tokenizer.
        max_length: longest sequence in tokens.
        encoder: the origin of the encoder, for the manifest.
        card: text of the model card.
    """

    def fill(target: Path) -> None:
        model.encoder.save(target)
        tokenizer.save(target)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.heads.state_dict().items()}
        save_file(weights, target / HEADS)
        write_sentence_modules(target, model, max_length)
        write_text(target / "README.md", card)
        manifest = {
            "encoder": dict(encoder),
            "pooling": model.encoder.pooling,
            "max_length": max_length,
            "tasks": [task_to_json(task) for task in model.tasks.values()],
        }
        write_manifest(target, manifest)

    replace_folder(folder, fill)


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking the hash of every file.

    Raises:
        BundleError: the folder is not a bundle or has another format, or a file is missing, changed or unknown.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest, HEADS)
    try:
        tasks = [task_from_json(task) for task in manifest["tasks"]]
        encoder = load_encoder(folder, pooling=manifest["pooling"], untested=True, probed=False)
        model = MultitaskModel(encoder, tasks)
        model.heads.load_state_dict(load_file(folder / HEADS))
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise BundleError("the bundle cannot be read", where=str(folder), found=str(error)) from error
    return Bundle(model.eval(), Tokenizer.load(folder), int(manifest["max_length"]), manifest)
