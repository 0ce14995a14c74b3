"""The bundle: the folder of a run that is shipped. It has safetensors and JSON files, no code and no pickles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from safetensors.torch import load_file, save_file

from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import BundleError, EncoderError
from manyheads.inference.manifest import (
    check_files,
    members_to_json,
    note_unchecked,
    read_manifest,
    task_to_json,
    tasks_of,
    write_manifest,
)
from manyheads.inference.sentence_modules import write_sentence_modules
from manyheads.model.encoder import UNUSABLE, Pooling, load_encoder
from manyheads.model.heads import HEADS as HEADS_MENU
from manyheads.model.multitask import MultitaskModel
from manyheads.process_state import borrowing
from manyheads.run.atomic import replace_folder, write_json, write_text
from manyheads.tasks.task import Task

HEADS = "heads.safetensors"

NEEDED = ("config.json", "model.safetensors", "tokenizer.json", HEADS)
"""The files that every bundle has."""

SHORTEST = 4
"""The smallest `max_length`, as in a recipe."""


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
        """Write the files of the bundle, the manifest last."""
        model.encoder.save(target)
        tokenizer.save(target)
        write_tokenizer_settings(target, tokenizer, max_length=max_length, segments=model.encoder.takes_segments)
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.heads.state_dict().items()}
        save_file(weights, target / HEADS)
        write_sentence_modules(target, model, max_length)
        write_text(target / "README.md", card)
        manifest = {
            "encoder": dict(encoder),
            "pooling": model.encoder.pooling,
            "max_length": max_length,
            "tasks": [task_to_json(task.predicting) for task in model.tasks.values()],
            **members_to_json(model.tasks.values()),
        }
        write_manifest(target, manifest)

    replace_folder(folder, fill)


def load_bundle(folder: Path) -> Bundle:
    """Load a bundle after checking the hash of every file. Nothing but the listed files is read.

    Raises:
        BundleError: the folder is not a bundle or has another format, or a file is missing, changed, unknown or a
            link, or a value of the manifest or the configuration cannot be used.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest, *NEEDED)
    note_unchecked(folder, manifest)
    try:
        tasks = tasks_of(folder, manifest, heads=True)
        pooling = _one_of("pooling", manifest["pooling"], get_args(Pooling))
        with borrowing():
            encoder = load_encoder(folder, pooling=pooling, untested=True, probed=False)
            max_length = _max_length(manifest["max_length"], encoder.max_length)
            model = MultitaskModel(encoder, [_with_head(task) for task in tasks])
        model.heads.load_state_dict(load_file(folder / HEADS))
        tokenizer = Tokenizer.load(folder)
    except EncoderError as error:
        raise BundleError(
            "the bundle cannot be loaded", where=str(folder), found=str(error), hint=error.hint
        ) from error
    except UNUSABLE as error:
        raise BundleError("the bundle cannot be read", where=str(folder), found=_reason(error)) from error
    return Bundle(model.eval(), tokenizer, max_length, manifest)


def _one_of(key: str, value: object, allowed: Sequence[Any]) -> Any:
    if value not in allowed:
        raise ValueError(f"{key} is {value!r}, allowed are {', '.join(map(str, allowed))}")
    return value


def _max_length(value: object, longest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not SHORTEST <= value <= longest:
        raise ValueError(f"max_length is {value!r}, allowed is a whole number from {SHORTEST} to {longest}")
    return value


def _with_head(task: Task) -> Task:
    """Return a task with all options of its head. Bundles of 0.4.0 lack those that only one head has."""
    fitting = [name for name, entry in HEADS_MENU.items() if entry.reads == task.encoding and entry.fits(task.kind)]
    _one_of(f"the head of task {task.name}", task.head, fitting)
    given = {"kind": task.head, "dropout": task.dropout, **task.head_options}
    return replace(task, head_options=HEADS_MENU[task.head].options.model_validate(given).own)


def _reason(error: Exception) -> str:
    """Return the reason on one line. A missing key is named."""
    return f"the key {error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())


SETTINGS = "tokenizer_config.json"


def write_tokenizer_settings(folder: Path, tokenizer: Tokenizer, *, max_length: int, segments: bool) -> None:
    """Write `tokenizer_config.json`, in place of the encoder's own.

    `AutoTokenizer` then takes tokenizer.json as it is, truncates to the length of the training if a caller asks for
    truncation, and gives the inputs that the encoder reads.

    Args:
        folder: the folder with the tokenizer.
        tokenizer: the tokenizer.
        max_length: longest sequence in tokens, with special tokens.
        segments: whether the encoder reads token types.
    """
    inputs = ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]
    content = {
        # The class that adds nothing to tokenizer.json. Those of single architectures replace parts of it.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": inputs,
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **tokenizer.special_names,
    }
    write_json(folder / SETTINGS, content)
