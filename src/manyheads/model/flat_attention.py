"""Flat attention: transformers models run on one row of real tokens, and each token attends within its own sequence.

It is registered under the name "flat" with transformers' `AttentionInterface`, together with a mask function that
makes no mask. The batch's layout is passed through the model's keyword arguments and defines the sequences.

If only each sequence's first token is read, the last layer of the BERT family needs keys and values of all tokens, but
queries, output map and feed-forward of the first ones only. The results are the same for less work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from manyheads.model.dropout import DropoutStream
from manyheads.model.flat import FlatTokens, Group, Layout

NAME = "flat"
"""The name of this attention implementation in transformers."""

SHORT = 64
"""Up to this padded length, batched matrix products are faster than the fused CPU kernel, in both passes (LOG.md)."""

HEAD = 0x2545F491
"""The step between the attention heads of a layer in the keys of dropout masks."""


def flat_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    flat_layout: Layout,
    flat_stream: DropoutStream | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Compute attention of query, key, value[1, heads, T, d] within sequences: [1, T, heads, d]."""
    del module, attention_mask
    heads, size = query.shape[1], query.shape[3]
    queries, keys, values = (_rows(states) for states in (query, key, value))
    if _has_kernel(query, dropout, sliding_window):
        attended = _variable_length(queries, keys, values, flat_layout, heads, scaling)
    else:
        attend = _Attend(heads, scaling, dropout, sliding_window, flat_stream, _site(flat_stream))
        attended = _by_groups(queries, keys, values, flat_layout, attend)
    return attended.view(1, -1, heads, size), None


def first_token_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    layout: Layout,
    *,
    heads: int,
    scaling: float,
    dropout: float,
    stream: DropoutStream | None = None,
) -> Tensor:
    """Compute attention of each sequence's first token only: query[S, H], key and value[T, H] to [S, H]."""
    if _has_kernel(query, dropout, None):
        each = torch.arange(layout.sequences + 1, dtype=torch.int32, device=query.device)
        return _variable_length(query, key, value, layout, heads, scaling, queries_at=each, longest_query=1)
    groups, attend = layout.groups, _Attend(heads, scaling, dropout, None, stream, _site(stream))
    padded = [groups.parts(groups.pad(states)) for states in (key, value)]
    queries = query if len(groups.groups) == 1 else query.index_select(0, groups.order)
    drawn_by = None if layout.keys is None else layout.keys.index_select(0, layout.starts).index_select(0, groups.order)
    parts, first = [], 0
    for group, keys, values in zip(groups.groups, *padded, strict=True):
        rows = None if drawn_by is None else drawn_by.narrow(0, first, group.sequences).view(-1, 1)
        own = queries.narrow(0, first, group.sequences).unsqueeze(1)
        parts.append(attend(own, keys, values, group, rows))
        first += group.sequences
    if len(parts) == 1:
        return parts[0].reshape(query.shape)
    return torch.cat(parts).reshape(query.shape).index_select(0, groups.places)


@dataclass(frozen=True)
class _Attend:
    """Attention within one group of padded sequences. `site`: the site of the layer's dropout masks, in all groups."""

    heads: int
    scaling: float | None
    dropout: float
    window: int | None
    stream: DropoutStream | None
    site: int

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, group: Group, rows: Tensor | None) -> Tensor:
        """Attend from queries[n, l, H] to keys and values[n, L, H]: [n, l, H]. `rows`: dropout keys int32[n, l]."""
        query, key, value = (self._split(states) for states in (queries, keys, values))
        mask = group.mask(query.dtype, self.window)
        factor = self._factor(rows, group.length, query) if self.dropout > 0.0 else None
        fused = self.dropout > 0.0 or not query.is_cpu or group.length > SHORT
        if factor is None and fused:
            attended = scaled_dot_product_attention(
                query, key, value, attn_mask=mask, dropout_p=self.dropout, scale=self.scaling
            )
        else:
            attended = self._products(query, key, value, mask, factor)
        return attended.transpose(1, 2).reshape(queries.shape)

    def _products(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, factor: Tensor | None
    ) -> Tensor:
        """Compute attention as matrix products: faster than a fused kernel for short texts, and with keyed dropout."""
        shape = query.shape
        query, key, value = (states.reshape(-1, states.shape[-2], states.shape[-1]) for states in (query, key, value))
        scale = shape[-1] ** -0.5 if self.scaling is None else self.scaling
        if mask is None:
            scores = torch.bmm(query * scale, key.transpose(1, 2))
        else:
            added = mask.expand(shape[0], self.heads, -1, -1).reshape(len(query), -1, key.shape[1])
            scores = torch.baddbmm(added, query, key.transpose(1, 2), alpha=scale)
        weights = torch.softmax(scores, dim=-1)
        if factor is not None:
            weights = weights * factor.view(weights.shape)
        return torch.bmm(weights, value).view(shape)

    def _split(self, padded: Tensor) -> Tensor:
        """Reshape [n, L, H] to [n, heads, L, d]."""
        return padded.view(padded.shape[0], padded.shape[1], self.heads, -1).transpose(1, 2)

    def _factor(self, rows: Tensor | None, width: int, query: Tensor) -> Tensor | None:
        """Return the dropout mask of weights[n, heads, l, L]. None if torch's generator is to be used."""
        if rows is None or self.stream is None:
            return None
        heads = torch.arange(self.heads, dtype=torch.int32, device=rows.device) * HEAD
        keys = (rows[:, None, :] + heads[None, :, None])[..., None]
        return self.stream.draw(self.site, keys, width, self.dropout, query.dtype)


def _site(stream: DropoutStream | None) -> int:
    return 0 if stream is None else stream.next_site()


def _rows(states: Tensor) -> Tensor:
    """Reshape [1, heads, T, d] to rows[T, heads * d]."""
    return states.transpose(1, 2).reshape(states.shape[2], -1)


def _by_groups(queries: Tensor, keys: Tensor, values: Tensor, layout: Layout, attend: _Attend) -> Tensor:
    groups = layout.groups
    padded = [groups.parts(groups.pad(states)) for states in (queries, keys, values)]
    drawn_by: Sequence[Tensor | None] = [None] * len(groups.groups)
    if layout.keys is not None and attend.dropout > 0.0:
        buffer = layout.keys.new_zeros(groups.size).index_copy_(0, groups.slots, layout.keys)
        drawn_by = [part.squeeze(-1) for part in groups.parts(buffer[:, None])]
    attended = [
        attend(query, key, value, group, rows)
        for group, query, key, value, rows in zip(groups.groups, *padded, drawn_by, strict=True)
    ]
    return groups.unpad(attended)


def _has_kernel(query: Tensor, dropout: float, window: int | None) -> bool:
    """Return whether the variable-length kernel can be used: a CUDA device, half precision, no dropout, no window.

    The kernel does not implement attention dropout. With dropout the padded path is used.
    """
    return query.is_cuda and query.dtype in (torch.float16, torch.bfloat16) and dropout == 0.0 and window is None


def _variable_length(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    layout: Layout,
    heads: int,
    scaling: float | None,
    *,
    queries_at: Tensor | None = None,
    longest_query: int | None = None,
) -> Tensor:
    """Call the variable-length kernel.

    `queries_at`: int32[S+1], where each sequence's queries begin. Default: every token is a query.
    """
    from torch.nn.attention.varlen import varlen_attn

    attended = varlen_attn(
        queries.view(len(queries), heads, -1),
        keys.view(len(keys), heads, -1),
        values.view(len(values), heads, -1),
        layout.offsets if queries_at is None else queries_at,
        layout.offsets,
        layout.max_length if longest_query is None else longest_query,
        layout.max_length,
        scale=scaling,
    )
    if not isinstance(attended, Tensor):
        raise AssertionError("without auxiliary outputs the kernel returns one tensor")
    return attended.reshape(len(queries), -1)


def _no_mask(*_: Any, **__: Any) -> None:
    """Make no mask: attention uses the layout."""


AttentionInterface.register(NAME, flat_attention)
AttentionMaskInterface.register(NAME, _no_mask)


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
