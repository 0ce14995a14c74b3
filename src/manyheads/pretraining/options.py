"""The `[pretraining]` table of a recipe."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from manyheads.options import Options


class PretrainingOptions(Options):
    """Masked language modelling on the tasks' training texts before fine-tuning. Defaults are the reference study's.

    `epochs` 0 means none. `seed` is its own, so that all runs of a study share one pretrained encoder. `files`: more
    texts, a text a line. Texts under `min_characters` are left out; `max_length` counts special tokens. `mask_share`
    of the words (or tokens, with `masking = "subword"`) are to be found out: of their tokens `replace_share` become
    the mask, `random_share` a random token, the rest stays. A checkpoint without a head for this gets a new one,
    trained for `head_epochs` at `head_learning_rate` with the encoder frozen. `checkpoint_every`: in steps.
    """

    epochs: int = Field(default=3, ge=0)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    eps: float = Field(default=1e-8, gt=0)
    schedule: str = "linear"
    warmup: float = Field(default=0.0, ge=0, le=1)
    clip_norm: float = Field(default=1.0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_length: int = Field(default=100, ge=4)
    min_characters: int = Field(default=10, ge=0)
    masking: Literal["whole_word", "subword"] = "whole_word"
    mask_share: float = Field(default=0.15, gt=0, le=1)
    replace_share: float = Field(default=0.8, ge=0, le=1)
    random_share: float = Field(default=0.1, ge=0, le=1)
    deduplicate: bool = True
    files: list[str] = Field(default=[])
    seed: int = Field(default=1, ge=0, lt=2**63)
    head_epochs: int = Field(default=1, ge=0)
    head_learning_rate: float = Field(default=1e-3, gt=0)
    checkpoint_every: int = Field(default=500, ge=1)

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.replace_share + self.random_share > 1:
            raise ValueError("replace_share and random_share are more than 1 together")
        return self
