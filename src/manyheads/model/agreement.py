"""The comparison of a tokenizer with the encoder that reads its tokens."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import EncoderError
from manyheads.model.encoder import HEADS_OF_OTHERS, Encoder


def check_agreement(encoder: Encoder, tokenizer: Tokenizer, where: str, *, pairs: bool = True) -> None:
    """Check that an encoder has a vector for every id, and a type for every segment, that its tokenizer gives.

    `pairs`: whether two texts are put into one sequence.

    Raises:
        EncoderError: it has not, or the tokenizer's files contradict one another.
    """
    rows = int(encoder.model.get_input_embeddings().num_embeddings)
    if tokenizer.highest_id >= rows:
        raise EncoderError(
            "the tokenizer has ids for which the encoder has no vector",
            where=where,
            found=f"{tokenizer.highest_id + 1:,} ids in the tokenizer, {rows:,} rows in the embedding of the encoder",
            hint="use the tokenizer that belongs to the checkpoint, or resize its embedding with transformers' "
            "resize_token_embeddings",
        )
    if tokenizer.contradiction is not None:
        hint = "set the file that is wrong to the value that the encoder was pretrained with"
        raise EncoderError(
            "the files of the tokenizer contradict one another", where=where, found=tokenizer.contradiction, hint=hint
        )
    if encoder.takes_segments:
        types = int(encoder.model.config.type_vocab_size)
        forms = [tokenizer.template.single, *([tokenizer.template.pair] if pairs else [])]
        segments = [number for form in forms for ids in (*form.special_segments, form.text_segments) for number in ids]
        if max(segments) >= types:
            raise EncoderError(
                "the tokenizer has segments for which the encoder has no token type",
                where=where,
                found=f"segment {max(segments)} in the tokenizer, {types} token types in the encoder",
                hint="use the tokenizer that belongs to the checkpoint",
            )


def agreement_notes(encoder: Encoder, tokenizer: Tokenizer, *, wanted_length: int | None) -> list[str]:
    """Return what a user should know about an encoder and its tokenizer.

    `wanted_length`: the length that the user asked for, or None.
    """
    notes = []
    if wanted_length is not None and wanted_length > encoder.max_length:
        notes.append(
            f"model.max_length is {wanted_length}, and the encoder has positions for {encoder.max_length} tokens: "
            f"{encoder.max_length} is used"
        )
    if tokenizer.completed:
        notes.append(
            "the tokenizer has no post-processor: its special tokens are added as "
            + tokenizer.spelled(tokenizer.template.single)
        )
    if encoder.untested:
        notes.append(
            f"the architecture {encoder.model.config.model_type} was never tried with manyheads (model.untested = true)"
        )
    heads, others = _by_use(encoder.unused)
    if heads:
        notes.append(f"weights of the checkpoint that are not used: {_shortened(heads)} (heads of other tasks)")
    if others:
        notes.append(f"weights of the checkpoint that are not used, although they are no head: {_shortened(others)}")
    return notes


def special_texts(tokenizer: Tokenizer, store: TextStore) -> int:
    """Return the number of texts that contain a special token such as [SEP], spelled out.

    Their ids are those of special tokens in every runtime, as in transformers.
    """
    special = np.array(sorted(tokenizer.special_ids - {tokenizer.unknown_id}), dtype=np.int32)
    places = np.flatnonzero(np.isin(store.token_ids, special))
    return len(np.unique(np.searchsorted(store.offsets, places, side="right")))


def _by_use(names: Iterable[str]) -> tuple[list[str], list[str]]:
    names = list(names)
    heads = [name for name in names if name.startswith(HEADS_OF_OTHERS)]
    return heads, [name for name in names if name not in heads]


def _shortened(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
