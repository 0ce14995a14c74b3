"""The `[pretraining]` table of a recipe."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from manyheads.options import Options
from manyheads.training.optimizer import SHAPES


class PretrainingOptions(Options):
    """Masked language modelling on the training texts of the tasks. The defaults are those of the reference study."""

    epochs: int = Field(
        default=3, ge=0, description="Number of passes over the texts. 0 turns additional pretraining off."
    )
    batch_size: int = Field(default=64, ge=1, description="Texts per batch.")
    learning_rate: float = Field(
        default=5e-5, gt=0, description="Highest learning rate of the AdamW optimiser, reached after warm-up."
    )
    eps: float = Field(
        default=1e-8, gt=0, description="Small number that AdamW adds to its denominator for numerical stability."
    )
    schedule: str = Field(
        default="linear",
        description='How the learning rate changes after warm-up. "constant": it stays. "linear": it falls to 0 in a '
        'straight line. "cosine": it falls to 0 along half a cosine.',
        json_schema_extra={"enum": [*SHAPES]},
    )
    warmup: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Fraction of all steps in which the learning rate rises in a straight line to `learning_rate`.",
    )
    clip_norm: float = Field(
        default=1.0, ge=0, description="Maximum norm of the gradient. 0 turns gradient clipping off."
    )
    weight_decay: float = Field(
        default=0.0,
        ge=0,
        description="Weight decay of AdamW. It applies to weight matrices, not to biases and layer norms.",
    )
    max_length: int = Field(
        default=100,
        ge=4,
        description="Maximum length of a text in tokens, including special tokens. Longer texts are truncated.",
    )
    min_characters: int = Field(default=10, ge=0, description="Texts with fewer characters than this are not used.")
    masking: Literal["whole_word", "subword"] = Field(
        default="whole_word",
        description='What is selected for masking. "whole_word": words, with all their tokens. "subword": single '
        "tokens.",
    )
    mask_share: float = Field(
        default=0.15,
        gt=0,
        le=1,
        description='Fraction of the words of a text (of its tokens if masking = "subword") that the model must '
        "predict. At least one per text is selected.",
    )
    replace_share: float = Field(
        default=0.8,
        ge=0,
        le=1,
        description="Fraction of the selected tokens that are replaced by the mask token. `replace_share` and "
        "`random_share` together are at most 1; the remaining selected tokens are not changed.",
    )
    random_share: float = Field(
        default=0.1, ge=0, le=1, description="Fraction of the selected tokens that are replaced by a random token."
    )
    deduplicate: bool = Field(
        default=True,
        description="Use each distinct text once. Texts that differ only in case and spacing count as equal.",
    )
    files: list[str] = Field(
        default=[],
        description="Additional text files with one text per line, relative to `data_dir` or absolute. An entry may be "
        "a file, a pattern such as `texts/*.txt`, or a folder of .txt files. Files may be compressed as .gz or .zst. "
        "Empty lines are ignored.",
    )
    seed: int = Field(
        default=1,
        ge=0,
        lt=2**63,
        description="Random seed of pretraining. It is separate from the seed of the run, so all runs of a study "
        "share one pretrained encoder.",
    )
    head_epochs: int = Field(
        default=1,
        ge=0,
        description="Epochs in which only the head for masked tokens is trained, with the encoder frozen. Only for "
        "checkpoints that have no such head.",
    )
    head_learning_rate: float = Field(
        default=1e-3, gt=0, description="Learning rate of the epochs that train only the new head."
    )
    checkpoint_every: int = Field(default=500, ge=1, description="Number of steps between checkpoints.")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if self.replace_share + self.random_share > 1:
            raise ValueError("replace_share and random_share add up to more than 1")
        return self
