"""The configuration of an encoder: `config.json`, read without the parts that load code or other files.

It also decides which architectures can be used as encoders.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from manyheads.errors import EncoderError

CONFIG = "config.json"

CODE = ("auto_map", "custom_pipelines", "quantization_config", "kernel_config", "use_kernels", "transformers_weights")
"""Keys that make transformers import code or packages, or read other files than the weights that are verified."""

IMPLEMENTATIONS = (
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
    *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
)
"""Keys that choose a computation. Their values may name a repository with a kernel ("org/repo"). manyheads chooses the
computation itself, so values of `BUILT_IN` are ignored, and all others are refused."""

BUILT_IN = (None, "eager", "sdpa", "flat", "flash_attention_2", "flash_attention_3", "flex_attention", "grouped_mm")

IGNORED = (
    *("dtype", "torch_dtype", "name_or_path", "transformers_version", "per_layer_config", "fusion_config"),
    *("num_labels", "id2label", "label2id", "problem_type", "return_dict", "use_return_dict", "output_attentions"),
    *("output_hidden_states", "torchscript", "chunk_size_feed_forward", "pruned_heads"),
)
"""Keys of the library that an encoder in float32 does not need: classifiers, and the form of the outputs."""

SIZES: Mapping[str, int] = {
    "num_hidden_layers": 1_000,
    "num_attention_heads": 1_024,
    "num_key_value_heads": 1_024,
    "hidden_size": 1 << 16,
    "embedding_size": 1 << 16,
    "intermediate_size": 1 << 20,
    "vocab_size": 1 << 24,
    "max_position_embeddings": 1 << 20,
    "type_vocab_size": 1 << 16,
}
"""The largest values of the sizes, far above those of any encoder. A larger one would exhaust time or memory."""

LARGEST = 1 << 31
"""The largest absolute value of every other whole number."""

DEPTH = 8
"""The deepest nesting of lists and tables."""


def read_config(folder: Path) -> PreTrainedConfig:
    """Read the configuration of the encoder in `folder`.

    Keys that are used are checked for their type and size. Keys that no architecture of transformers reads are ignored.

    Raises:
        EncoderError: the file is missing or not JSON, the architecture is unknown, a key would load code, or a key has
            a wrong type or size.
    """
    path = folder / CONFIG
    content = _read(path)
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        hint = "use an encoder whose architecture transformers contains; code of a model repository is never run"
        raise EncoderError(
            "the encoder cannot be loaded: unknown architecture", where=f"{path}: model_type", found=kind, hint=hint
        )
    _refuse_code(path, content)
    wanted = CONFIG_MAPPING[kind]
    used = {key: value for key, value in content.items() if _is_used(wanted, key)}
    names = {alias: name for name, alias in wanted.attribute_map.items()}
    for key, value in used.items():
        _check_size(f"{path}: {key}", names.get(key, key), value)
    try:
        config: PreTrainedConfig = wanted.from_dict(used)
    except (StrictDataclassError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        reason = " ".join(str(error).split())
        raise EncoderError(
            "the encoder cannot be loaded: its configuration is invalid", where=str(path), found=reason
        ) from error
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        hint = "the file may be damaged: download or save the model again"
        raise EncoderError(
            "the encoder cannot be loaded: its configuration cannot be read",
            where=str(path),
            found=str(error),
            hint=hint,
        ) from error
    if not isinstance(content, dict):
        raise EncoderError(
            "the encoder cannot be loaded: its configuration is not an object", where=str(path), found=content
        )
    return content


def _refuse_code(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse keys that load code.

    Raises:
        EncoderError: there is such a key.
    """
    hint = "use a model that needs no code of its own; manyheads runs only code that is installed"
    for key in CODE:
        if content.get(key):
            raise EncoderError(
                "the encoder cannot be loaded: its configuration asks for code",
                where=f"{path}: {key}",
                found=content[key],
                hint=hint,
            )
    for key in IMPLEMENTATIONS:
        value = content.get(key)
        if not isinstance(value, str | None) or value not in BUILT_IN:
            allowed = ", ".join(str(name) for name in BUILT_IN if name)
            what = "the encoder cannot be loaded: its configuration names a kernel that is not part of transformers"
            raise EncoderError(what, where=f"{path}: {key}", found=value, allowed=allowed, hint=hint)


def _is_used(wanted: type[PreTrainedConfig], key: str) -> bool:
    """Return whether a key of the file is passed on.

    Architectures read some keys that are not fields of their configuration (DeBERTa: `position_buckets`). A key that
    would replace a method or a constant of the class is ignored.
    """
    if key in IGNORED or key in CODE or key in IMPLEMENTATIONS or key.startswith("_"):
        return False
    known = key in {field.name for field in fields(wanted)} or key in wanted.attribute_map
    return known or not hasattr(wanted, key)


def _check_size(where: str, name: str, value: object, depth: int = 0) -> None:
    """Check a number, or the numbers in a list or table.

    Raises:
        EncoderError: a number is too large, a size is not above 0, or a list is too deep.
    """
    if isinstance(value, dict | list):
        if depth == DEPTH:
            raise EncoderError(
                "the encoder cannot be loaded: its configuration is nested too deep", where=where, allowed=f"{DEPTH}"
            )
        for inner in value.values() if isinstance(value, dict) else value:
            _check_size(where, "", inner, depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        smallest = -LARGEST if name not in SIZES else 0 if name == "type_vocab_size" else 1
        largest = SIZES.get(name, LARGEST)
        if not smallest <= value <= largest:
            allowed = f"{smallest:,} to {largest:,}"
            raise EncoderError(
                "the encoder cannot be loaded: a number of its configuration is out of range",
                where=where,
                found=value,
                allowed=allowed,
            )


FLAT_TYPES = ("bert", "roberta", "xlm-roberta", "electra", "distilbert", "modernbert")
"""Architectures whose flat outputs and gradients were compared with the padded ones. All others run padded: they may
accept the attention interface and still be wrong in flat form (relative positions, biases made from the shape)."""

TRIED_TYPES = (*FLAT_TYPES, "mpnet", "deberta-v2", "albert", "camembert")
"""Architectures that the test suite trains. Others need `model.untested = true`."""

SPARSE_TYPES = ("big_bird", "longformer", "reformer", "nystromformer", "yoso", "mra")
"""Architectures with sparse or approximate attention: a token's vector depends on the padding of its batch."""

CAUSAL_TYPES = frozenset(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - set(MODEL_FOR_MASKED_LM_MAPPING_NAMES))
"""Architectures that transformers knows as causal language models and not as masked ones."""


def check_architecture(config: Any, *, where: str, untested: bool = False) -> None:
    """Check that the architecture of a configuration can be used.

    `untested`: also accept architectures outside `TRIED_TYPES`. They must still pass the probes of `probe`.

    Raises:
        EncoderError: it cannot be used. The error names the architecture.
    """
    name = str(config.model_type)
    obstacle = _obstacle(config, name)
    if obstacle is not None:
        hint = "use an encoder of the BERT family, which reads a text in both directions"
        raise EncoderError(f"{name} {obstacle}", where=where, found=name, allowed=", ".join(TRIED_TYPES), hint=hint)
    if name not in TRIED_TYPES and not untested:
        raise EncoderError(
            f"the architecture {name} was never tried with manyheads",
            where=where,
            found=name,
            allowed=", ".join(TRIED_TYPES),
            hint="use one of these architectures. If you set model.untested = true, manyheads only probes it",
        )


def _obstacle(config: Any, name: str) -> str | None:
    """Return what makes an architecture unusable, or None."""
    if getattr(config, "is_encoder_decoder", False):
        return "is an encoder-decoder model"
    if name in CAUSAL_TYPES:
        return "is a causal language model: a token does not see the tokens after it"
    if getattr(config, "is_decoder", False):
        return "is configured as a decoder (is_decoder): a token does not see the tokens after it"
    if name in SPARSE_TYPES:
        return "has sparse attention: the vector of a text depends on the other texts of its batch"
    return None
