"""The `[model]` table of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manyheads.options import Options


class ModelOptions(Options):
    """How the encoder is used and regularised."""

    pooling: Literal["auto", "pooler", "first", "mean"] = Field(
        default="auto",
        description='How one vector is computed from the token vectors of a sequence. "pooler": the pooling layer of '
        'the checkpoint. "first": the vector of the first token. "mean": the mean over all tokens, including special '
        'tokens. "auto": "pooler" if the checkpoint has a pooling layer, otherwise "first".',
    )
    max_length: int = Field(
        default=256,
        ge=4,
        description="Maximum length of a sequence in tokens, including special tokens. Longer texts are truncated. "
        "The limit of the encoder applies if it is lower.",
    )
    dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Dropout probability in the hidden layers of the encoder. Default: the value in the "
        "configuration of the checkpoint.",
    )
    attention_dropout: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Dropout probability of the attention weights. Default: the value in the configuration of the "
        "checkpoint.",
    )
    untested: bool = Field(
        default=False,
        description="Accept an encoder of an architecture that was never tried with manyheads. It must still pass the "
        "probes: a text alone has the same vectors as in a batch, and the last token of a text changes its vector. The "
        "results and the model card name such an architecture.",
    )
    freeze_encoder: bool = Field(
        default=False, description="Keep the weights of the encoder fixed and train only the heads."
    )
