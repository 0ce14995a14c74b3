"""Three probes of a loaded encoder, in float32: what a configuration does not say about an architecture.

A text alone has the same vectors as in a batch, the flat run has those of the padded run, and the last token changes
the pooled vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from manyheads.data.batch import Batch
from manyheads.errors import EncoderError
from manyheads.model.flat import FlatTokens

if TYPE_CHECKING:
    from manyheads.model.encoder import Encoder

LENGTHS = (5, 12, 3, 9)
"""Tokens of the probe's sequences. The first is the text that is also run alone."""

TOLERANCE = 1e-5
"""Largest difference between equal vectors, as a share of their largest entry."""


def probe(encoder: Encoder, where: str) -> None:
    """Probe an encoder.

    Raises:
        EncoderError: a probe fails. The error names the architecture and the probe.
    """
    training = encoder.training
    encoder.eval()
    try:
        with torch.inference_mode():
            failed = _failed(encoder)
    finally:
        encoder.training = training
    if failed is not None:
        hint = "use another encoder: predictions of this one would depend on how texts are put into batches"
        name = encoder.model.config.model_type
        raise EncoderError(f"{name} fails a probe: {failed}", where=where, found=name, hint=hint)


def _failed(encoder: Encoder) -> str | None:
    lengths = [min(length, encoder.max_length) for length in LENGTHS]
    rows = encoder.model.get_input_embeddings().num_embeddings
    ids = (np.arange(sum(lengths)) * 997 + 11) % rows
    ids[ids == encoder.pad_id] = (encoder.pad_id + 1) % rows
    texts = np.split(ids, np.cumsum(lengths)[:-1])
    device = next(encoder.parameters()).device
    together, alone = _tokens(texts, device), _tokens(texts[:1], device)
    states, vectors = encoder.tokens(together), encoder(together)
    if _differ(encoder.tokens(alone), states[: lengths[0]]) or _differ(encoder(alone), vectors[:1]):
        return "a text alone has another vector than the same text in a batch"
    if encoder.flat and _differ(encoder.padded_tokens(together), states):
        return "flat attention gives other vectors than padded attention"
    changed = [np.append(text[:-1], _other(int(text[-1]), rows, encoder.pad_id)) for text in texts]
    if not _differ(encoder(_tokens(changed, device)), vectors):
        return "the last token of a text does not change its vector"
    return None


def _other(token: int, rows: int, pad_id: int) -> int:
    """Return a token that is neither this one nor the padding."""
    return next(each % rows for each in range(token + 1, token + 4) if each % rows not in (token, pad_id))


def _tokens(texts: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.int64]]], device: torch.device) -> FlatTokens:
    lengths = [len(text) for text in texts]
    batch = Batch(
        token_ids=np.concatenate(texts).astype(np.int32),
        position_ids=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
        segment_ids=np.zeros(sum(lengths), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        max_length=max(lengths),
        parts=(),
    )
    return FlatTokens.from_batch(batch, device)


def _differ(actual: Tensor, expected: Tensor) -> bool:
    """Return whether some entry differs by more than the tolerance. NaN differs from everything."""
    return not bool((actual - expected).abs().max() <= TOLERANCE * expected.abs().max())
