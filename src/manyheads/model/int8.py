"""Dynamic int8 quantisation of an encoder's linear maps, for faster prediction on a CPU."""

from __future__ import annotations

import copy
import warnings

from torch import nn

from manyheads.model.multitask import MultitaskModel
from manyheads.process_state import borrowing


def to_int8(model: MultitaskModel) -> MultitaskModel:
    """Return a copy whose encoder multiplies in 8-bit integers.

    Weights are quantised per output channel, activations dynamically. The copy can only predict, on a CPU. Heads,
    embeddings, norms and attention stay in 32-bit floats. The outputs differ from the model's own.
    `manyheads evaluate RUN --int8` measures by how much.
    """
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    quantised = copy.deepcopy(model).eval()
    with borrowing(), warnings.catch_warnings():
        # torch warns that these functions will move to another package. The pinned version has them.
        warnings.simplefilter("ignore")
        quantize_dynamic(quantised.encoder, {nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-untyped-call]
    return quantised
