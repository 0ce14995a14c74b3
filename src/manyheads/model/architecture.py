"""The architectures that can be used as encoders, by their configuration."""

from __future__ import annotations

from typing import Any

from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from manyheads.errors import EncoderError

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
