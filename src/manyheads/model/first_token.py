"""The last layer for first tokens only.

If only each sequence's first token is read, the last layer of the BERT family needs keys and values of all tokens, but
queries, output map and feed-forward of the first ones only. The results are the same for less work.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from manyheads.model.dropout import DropoutStream
from manyheads.model.flat import FlatTokens
from manyheads.model.flat_attention import first_token_attention


def first_tokens(model: Any, tokens: FlatTokens, position_ids: Tensor, stream: DropoutStream) -> Tensor:
    """Return the last hidden state of every sequence's first token, float[S, H]. BERT, RoBERTa and ELECTRA only."""
    hidden = model.embeddings(
        input_ids=tokens.token_ids[None], token_type_ids=tokens.segment_ids[None], position_ids=position_ids[None]
    )
    if hasattr(model, "embeddings_project"):
        hidden = model.embeddings_project(hidden)
    for layer in model.encoder.layer[:-1]:
        hidden = layer(hidden, None, flat_layout=tokens.layout, flat_stream=stream)
    return _last_layer(model.encoder.layer[-1], hidden[0], tokens, stream)


def _last_layer(layer: Any, hidden: Tensor, tokens: FlatTokens, stream: DropoutStream) -> Tensor:
    attention = layer.attention.self
    first = hidden.index_select(0, tokens.layout.starts)
    attended = first_token_attention(
        attention.query(first),
        attention.key(hidden),
        attention.value(hidden),
        tokens.layout,
        heads=attention.num_attention_heads,
        scaling=attention.scaling,
        dropout=attention.dropout.p if attention.training else 0.0,
        stream=stream,
    )
    with stream.over(tokens.first_keys):
        output: Tensor = layer.feed_forward_chunk(layer.attention.output(attended, first))
    return output
