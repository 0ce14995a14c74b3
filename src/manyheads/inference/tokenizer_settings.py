"""The settings with which transformers reads a tokenizer as manyheads does."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.tokenizer import Tokenizer
from manyheads.run.atomic import write_json

SETTINGS = "tokenizer_config.json"


def write_tokenizer_settings(folder: Path, tokenizer: Tokenizer, *, max_length: int, segments: bool) -> None:
    """Write `tokenizer_config.json`, in place of the encoder's own.

    `AutoTokenizer` then takes tokenizer.json as it is, truncates to the length of the training if a caller asks for
    truncation, and gives the inputs that the encoder reads.

    Args:
        folder: the folder with the tokenizer.
        tokenizer: the tokenizer.
        max_length: longest sequence in tokens, with special tokens.
        segments: whether the encoder reads token types.
    """
    inputs = ["input_ids", *(["token_type_ids"] if segments else []), "attention_mask"]
    content = {
        # The class that adds nothing to tokenizer.json. Those of single architectures replace parts of it.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": max_length,
        "model_input_names": inputs,
        "padding_side": "right",
        "truncation_side": "right",
        "clean_up_tokenization_spaces": False,
        **tokenizer.special_names,
    }
    write_json(folder / SETTINGS, content)
