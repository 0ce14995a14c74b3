"""Dynamic int8 quantisation of an encoder's linear maps, for faster answers on a CPU."""

from __future__ import annotations

import copy
import warnings

from torch import nn

from manyheads.model.multitask import MultitaskModel


def to_int8(model: MultitaskModel) -> MultitaskModel:
    """A copy whose encoder multiplies in 8-bit integers: weights by output channel, activations as they come.

    For a CPU and for answering alone. Heads, embeddings, norms and attention stay in 32-bit floats. The numbers differ
    from the model's own: `manyheads evaluate RUN --int8` tells by how much.
    """
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    found = copy.deepcopy(model).eval()
    with warnings.catch_warnings():
        # torch means to move these functions to a package of their own; the pinned version has them.
        warnings.simplefilter("ignore")
        quantize_dynamic(found.encoder, {nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-untyped-call]
    return found
