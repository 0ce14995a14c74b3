"""Flat attention: transformers' models on one row of real tokens, each attending within its own sequence.

Registered under the name "flat" with transformers' `AttentionInterface`, together with a mask function that makes
no mask: the layout of the batch, handed through the model's keyword arguments, says which tokens belong together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface

from manyheads.model.flat import Layout
from manyheads.model.padding import pad, unpad

NAME = "flat"
"""The name of the attention implementation within transformers."""


def flat_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    flat_layout: Layout,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of query, key, value[1, heads, T, d] within sequences; returns [1, T, heads, d]."""
    del module, attention_mask
    heads, size = query.shape[1], query.shape[3]
    queries, keys, values = (_rows(states) for states in (query, key, value))
    if _has_kernel(query, dropout, sliding_window):
        attended = _variable_length(queries, keys, values, flat_layout, heads, scaling)
    else:
        attended = _padded(queries, keys, values, flat_layout, heads, scaling, dropout, sliding_window)
    return attended.view(1, -1, heads, size), None


def first_token_attention(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, *, heads: int, scaling: float, dropout: float
) -> Tensor:
    """Attention of each sequence's first token alone: query[S, H], key and value[T, H] to [S, H]."""
    keys, values = (_heads(pad(states, layout), heads) for states in (key, value))
    attended = scaled_dot_product_attention(
        _heads(query.unsqueeze(1), heads),
        keys,
        values,
        attn_mask=layout.mask(query.dtype, None),
        dropout_p=dropout,
        scale=scaling,
    )
    return attended.transpose(1, 2).reshape(query.shape)


def _rows(states: Tensor) -> Tensor:
    """[1, heads, T, d] to the rows[T, heads * d] that it is a view of."""
    return states.transpose(1, 2).reshape(states.shape[2], -1)


def _heads(padded: Tensor, heads: int) -> Tensor:
    """[S, L, H] to [S, heads, L, d]."""
    return padded.view(padded.shape[0], padded.shape[1], heads, -1).transpose(1, 2)


def _padded(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    layout: Layout,
    heads: int,
    scaling: float | None,
    dropout: float,
    window: int | None,
) -> Tensor:
    attended = scaled_dot_product_attention(
        _heads(pad(queries, layout), heads),
        _heads(pad(keys, layout), heads),
        _heads(pad(values, layout), heads),
        attn_mask=layout.mask(queries.dtype, window),
        dropout_p=dropout,
        scale=scaling,
    )
    return unpad(attended.transpose(1, 2).reshape(layout.sequences, layout.max_length, -1), layout)


def _has_kernel(query: Tensor, dropout: float, window: int | None) -> bool:
    """Whether the variable-length kernel can serve: a CUDA device, half precision, no dropout, no window.

    It has no attention dropout: with one, the padded path is taken, so that it is never left out in silence.
    """
    return query.is_cuda and query.dtype in (torch.float16, torch.bfloat16) and dropout == 0.0 and window is None


def _variable_length(
    queries: Tensor, keys: Tensor, values: Tensor, layout: Layout, heads: int, scaling: float | None
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    shape = (len(queries), heads, -1)
    attended = varlen_attn(
        queries.view(shape),
        keys.view(shape),
        values.view(shape),
        layout.offsets,
        layout.offsets,
        layout.max_length,
        layout.max_length,
        scale=scaling,
    )
    if not isinstance(attended, Tensor):
        raise AssertionError("without auxiliary outputs the kernel gives one tensor")
    return attended.reshape(len(queries), -1)


def _no_mask(*_: Any, **__: Any) -> None:
    """The layout takes the mask's place."""


AttentionInterface.register(NAME, flat_attention)
AttentionMaskInterface.register(NAME, _no_mask)
