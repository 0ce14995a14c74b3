"""Encoder: a transformers model that reads flat batches and returns one vector per sequence.

Architectures that flat attention does not support read padded inputs. Three probes in float32 check what a
configuration does not say about an architecture: a text alone has the same vectors as in a batch, the flat run has
those of the padded run, and the last token changes the pooled vector.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import logging as transformers_logging

from manyheads.data.batch import Batch
from manyheads.errors import EncoderError
from manyheads.model.config import FLAT_TYPES, TRIED_TYPES, check_architecture, read_config
from manyheads.model.dropout import DropoutStream, install
from manyheads.model.flat import FlatTokens, Layout, pad, unpad
from manyheads.model.flat_attention import NAME as FLAT
from manyheads.model.flat_attention import first_tokens
from manyheads.model.weights import weight_files
from manyheads.process_state import borrowing

FIRST_TOKEN_TYPES = ("bert", "roberta", "xlm-roberta", "electra")
"""Architectures whose last layer can run for first tokens only."""

HEADS_OF_OTHERS = ("cls.", "lm_head.", "classifier.", "qa_outputs.", "predictions.", "generator_", "vocab_", "pooler.")
"""Beginnings of the names of heads that a checkpoint may have for other tasks."""

DROPOUTS = ("hidden_dropout_prob", "dropout", "embedding_dropout", "mlp_dropout")

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""The names of the two dropout probabilities in the configurations of all architectures."""

UNUSABLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError),
    *(AssertionError, ImportError, ZeroDivisionError),
)
"""What transformers and torch raise for a configuration that does not fit its weights or itself."""


@dataclass(frozen=True)
class States:
    """The vectors of a batch: `tokens`, float[T, hidden], of every token, and `texts`, float[S, hidden], pooled."""

    tokens: Tensor
    texts: Tensor


class Encoder(nn.Module):
    """A transformers model that reads flat tokens and returns pooled vectors[S, hidden].

    `stream`: the source of its dropout masks. `flat`: whether it runs without padding. `note`: a sentence for the log
    if it runs padded. `unused`: the weights of the checkpoint that it does not use. `untested`: whether its
    architecture is outside `TRIED_TYPES`. `takes_segments`: whether it distinguishes token types. `pad_id`: the id that
    padded runs fill with. `offset`: the first position. `model`: the transformers model itself, so that parameters keep
    the hub's names under "model.".
    """

    def __init__(
        self,
        model: Any,
        *,
        pooling: Pooling,
        first_token_only: bool = True,
        unused: Sequence[str] = (),
    ) -> None:
        super().__init__()
        config = model.config
        self.model = model
        self.stream = DropoutStream()
        install(model, self.stream)
        self.pooling: Pooling = pooling
        self.flat = config.model_type in FLAT_TYPES
        self.hidden_size = int(config.hidden_size)
        self.unused = tuple(unused)
        self.untested = config.model_type not in TRIED_TYPES
        self.pad_id = int(config.pad_token_id or 0)
        self.offset = _first_position(model)
        self._first_token_only = (
            first_token_only and pooling != "mean" and config.model_type in FIRST_TOKEN_TYPES and self.flat
        )
        reads_types = "token_type_ids" in inspect.signature(model.forward).parameters
        self.takes_segments = reads_types and int(getattr(config, "type_vocab_size", 2)) > 1

    @property
    def max_length(self) -> int:
        """The length of the longest sequence that the encoder has positions for, with special tokens."""
        return int(self.model.config.max_position_embeddings) - self.offset

    @property
    def attention_dropout(self) -> float:
        """The share of attention weights that are dropped in training."""
        config = self.model.config
        return float(next((getattr(config, name) for name in ATTENTION_DROPOUTS if hasattr(config, name)), 0.0))

    @property
    def windowed(self) -> bool:
        """Whether some layers attend within a sliding window."""
        return bool(self.model.config.model_type == "modernbert")

    @property
    def note(self) -> str | None:
        """A sentence for the log if the encoder runs padded."""
        if self.flat:
            return None
        verified = ", ".join(FLAT_TYPES)
        return f"{self.model.config.model_type} runs padded; flat attention is verified only for {verified}"

    def forward(self, tokens: FlatTokens) -> Tensor:
        """Return one vector per sequence: float[S, hidden]."""
        if self._first_token_only:
            with self.stream.over(tokens.layout.keys, site=0):
                return self._pooled(first_tokens(self.model, self._typed(tokens), self._positions(tokens), self.stream))
        return self.states(tokens).texts

    def states(self, tokens: FlatTokens) -> States:
        """Return the vectors of all tokens and of all sequences, from one pass."""
        if self.pooling == "pooler" and not self.flat:
            # Poolers differ between architectures (ALBERT: a linear map and tanh without a module of its own).
            found = self._padded(tokens)
            return States(unpad(found.last_hidden_state, tokens.layout), found.pooler_output)
        states = self.tokens(tokens)
        if self.pooling == "mean":
            return States(states, mean_of(states, tokens.layout))
        return States(states, self._pooled(first_of(states, tokens.layout)))

    def tokens(self, tokens: FlatTokens) -> Tensor:
        """Return the last hidden state of every token: float[T, hidden]."""
        if not self.flat:
            return unpad(self._padded(tokens).last_hidden_state, tokens.layout)
        inputs = {"input_ids": tokens.token_ids[None], "position_ids": self._positions(tokens)[None]}
        if self.takes_segments:
            inputs["token_type_ids"] = tokens.segment_ids[None]
        with self.stream.over(tokens.layout.keys, site=0):
            outputs = self.model(**inputs, flat_layout=tokens.layout, flat_stream=self.stream)
        states: Tensor = outputs.last_hidden_state[0]
        return states

    def padded_tokens(self, tokens: FlatTokens) -> Tensor:
        """Return the last hidden state of every token from a padded run with transformers' own attention."""
        with quiet():
            self.model.set_attn_implementation("sdpa")
            try:
                states = self._padded(tokens).last_hidden_state
            finally:
                self.model.set_attn_implementation(FLAT)
        return unpad(states, tokens.layout)

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors in the hub's format. transformers loads them without conversion."""
        with quiet():
            self.model.save_pretrained(folder)

    def _padded(self, tokens: FlatTokens) -> Any:
        return padded_outputs(
            self.model, tokens, pad_id=self.pad_id, takes_segments=self.takes_segments, offset=self.offset
        )

    def _positions(self, tokens: FlatTokens) -> Tensor:
        return tokens.position_ids + self.offset

    def _typed(self, tokens: FlatTokens) -> FlatTokens:
        """Return the tokens with segment 0 everywhere if the encoder has one token type only."""
        if self.takes_segments:
            return tokens
        return replace(tokens, segment_ids=torch.zeros_like(tokens.segment_ids))

    def _pooled(self, first: Tensor) -> Tensor:
        if self.pooling != "pooler":
            return first
        pooled: Tensor = self.model.pooler(first.unsqueeze(1))
        return pooled


def load_encoder(
    folder: Path,
    *,
    pooling: Literal["auto", "pooler", "first", "mean"] = "auto",
    dropout: float | None = None,
    attention_dropout: float | None = None,
    first_token_only: bool = True,
    untested: bool = False,
    probed: bool = True,
) -> Encoder:
    """Load an encoder from a folder in the hub's layout, in float32, from safetensors only.

    `pooling`: "auto" uses the checkpoint's own pooler if it has one, else the first token. `dropout` and
    `attention_dropout` replace the values of the configuration. Default: the configuration's own. `untested`: accept
    an architecture that was never tried. `probed`: run the probes.

    Raises:
        EncoderError: the folder cannot be loaded, the architecture cannot be used or fails a probe, weights are missing
            or not finite, the checkpoint has no pooler and `pooling` is "pooler", or the architecture does not have the
            given dropout.
    """
    config = check_folder(folder, untested=untested)
    try:
        _set(config, DROPOUTS, dropout, "dropout")
        _set(config, ATTENTION_DROPOUTS, attention_dropout, "attention_dropout")
        model, missing, unused = load_model(folder, config, FLAT if config.model_type in FLAT_TYPES else None)
    except UNUSABLE as error:
        raise EncoderError("the encoder cannot be loaded", where=str(folder), found=str(error)) from error
    has_pooler = _keep_own_pooler(model, missing)
    lost = sorted(name for name in missing if not name.startswith("pooler."))
    if lost:
        found = f"{len(lost)} missing: {_listed(lost)}"
        raise EncoderError("the checkpoint lacks weights of its architecture", where=str(folder), found=found)
    _check_finite(model, folder)
    if pooling == "pooler" and not has_pooler:
        hint = 'set model.pooling to "first" or "mean"'
        raise EncoderError("the checkpoint has no pooler", where=str(folder), hint=hint)
    chosen: Pooling = pooling if pooling != "auto" else ("pooler" if has_pooler else "first")
    try:
        encoder = Encoder(model, pooling=chosen, first_token_only=first_token_only, unused=unused)
        if encoder.max_length < 1:
            raise ValueError(f"max_position_embeddings is {config.max_position_embeddings}")
        if probed:
            probe(encoder, str(folder))
    except (AttributeError, TypeError, ValueError, RuntimeError, IndexError) as error:
        hint = "use an encoder of the BERT family, with max_position_embeddings and hidden_size in its configuration"
        what = f"{config.model_type} cannot be run as an encoder"
        raise EncoderError(what, where=str(folder), found=str(error), hint=hint) from error
    return encoder


def check_folder(folder: Path, *, untested: bool = False) -> Any:
    """Return the configuration in a folder in the hub's layout, after checking its architecture.

    Raises:
        EncoderError: the configuration cannot be read, or the architecture cannot be used.
    """
    config = read_config(folder)
    check_architecture(config, where=str(folder), untested=untested)
    return config


@contextmanager
def quiet() -> Iterator[None]:
    """Hide transformers' own progress bars and warnings while the block runs."""
    with borrowing():
        level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
        transformers_logging.set_verbosity(logging.ERROR)
        _show_bars(False)
        try:
            yield
        finally:
            transformers_logging.set_verbosity(level)
            _show_bars(bars)


def _show_bars(shown: bool) -> None:
    switch: Callable[[], None] = (
        transformers_logging.enable_progress_bar if shown else transformers_logging.disable_progress_bar
    )
    switch()


def load_model(folder: Path, config: Any, attention: str | None = None) -> tuple[Any, set[str], list[str]]:
    """Return the model in `folder` in float32, the names of weights that its files lack, and of those that it ignores.

    transformers gets the weights themselves and no folder, so it reads no other file: no adapter, index or code.
    `attention`: the implementation. Default: that of transformers.

    Raises:
        EncoderError: the weights are missing, or transformers has no such encoder.
        UNUSABLE: the weights do not fit.
    """
    weights: dict[str, Tensor] = {}
    for file in weight_files(folder):
        weights.update(load_file(file))
    options = {} if attention is None else {"attn_implementation": attention}
    architecture = MODEL_MAPPING.get(type(config), None)
    if architecture is None or isinstance(architecture, tuple):
        raise EncoderError(
            "the encoder cannot be loaded: its architecture does not read texts",
            where=str(folder),
            found=config.model_type,
        )
    with quiet():
        model, info = architecture.from_pretrained(
            None, config=config, state_dict=weights, dtype=torch.float32, output_loading_info=True, **options
        )
    return model, set(info["missing_keys"]), sorted(info["unexpected_keys"])


def _first_position(model: Any) -> int:
    """Return the position of a sequence's first token. RoBERTa's positions start after the padding index."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1


def _check_finite(model: Any, folder: Path) -> None:
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            kind = "NaN" if bool(tensor.isnan().any()) else "an infinite number"
            hint = "the checkpoint is damaged, or its training diverged: use another one"
            raise EncoderError(
                "the checkpoint has weights that are not finite",
                where=str(folder),
                found=f"{kind} in {name}",
                hint=hint,
            )


def _listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _keep_own_pooler(model: Any, missing: set[str]) -> bool:
    """Return whether the checkpoint has a pooler. A pooler that transformers initialised randomly is removed."""
    if getattr(model, "pooler", None) is None:
        return False
    if any(name.startswith("pooler.") for name in missing):
        model.pooler = None
        return False
    return True


def _set(config: Any, names: tuple[str, ...], value: float | None, option: str) -> None:
    if value is None:
        return
    known = [name for name in names if hasattr(config, name)]
    if not known:
        hint = f"remove model.{option} from the recipe"
        raise EncoderError(
            f"{config.model_type} does not have this dropout", where=f"model.{option}", found=value, hint=hint
        )
    for name in known:
        setattr(config, name, value)


Pooling = Literal["pooler", "first", "mean"]


def first_of(tokens: Tensor, layout: Layout) -> Tensor:
    """Select each sequence's first token: float[T, H] to [S, H]."""
    return tokens.index_select(0, layout.starts)


def mean_of(tokens: Tensor, layout: Layout) -> Tensor:
    """Return the mean over each sequence's tokens, including special ones: float[T, H] to [S, H]."""
    return pad(tokens, layout).sum(dim=1) / layout.lengths[:, None].to(tokens.dtype)


def padded_outputs(model: Any, tokens: FlatTokens, *, pad_id: int, takes_segments: bool, offset: int = 0) -> Any:
    """Run a model on padded sequences and a mask, and return its own outputs: `last_hidden_state` is float[S, L, H].

    `offset`: the position of the first token, if positions start after a padding index. They are then passed to the
    model, which would otherwise give no position to a token of the text that has the padding's id.
    """
    layout = tokens.layout
    shape = (layout.sequences, layout.max_length)
    token_ids = _spread(tokens.token_ids, layout.slots, shape, pad_id)
    inputs = {
        "input_ids": token_ids,
        "attention_mask": _spread(torch.ones_like(tokens.token_ids), layout.slots, shape, 0),
    }
    if takes_segments:
        inputs["token_type_ids"] = _spread(tokens.segment_ids, layout.slots, shape, 0)
    if offset:
        inputs["position_ids"] = _spread(tokens.position_ids + offset, layout.slots, shape, offset - 1)
    return model(**inputs)


def _spread(values: Tensor, slots: Tensor, shape: tuple[int, int], fill: int) -> Tensor:
    return values.new_full((shape[0] * shape[1],), fill).index_copy_(0, slots, values).view(shape)


PROBE_LENGTHS = (5, 12, 3, 9)
"""Tokens of the probe's sequences. The first is the text that is also run alone."""

PROBE_TOLERANCE = 1e-5
"""Largest difference between equal vectors, as a share of their largest entry."""


def probe(encoder: Encoder, where: str) -> None:
    """Probe an encoder.

    Raises:
        EncoderError: a probe fails. The error names the architecture and the probe.
    """
    training = encoder.training
    encoder.eval()
    try:
        with torch.inference_mode():
            failed = _failed_probe(encoder)
    finally:
        encoder.training = training
    if failed is not None:
        hint = "use another encoder: predictions of this one would depend on how texts are put into batches"
        name = encoder.model.config.model_type
        raise EncoderError(f"{name} fails a probe: {failed}", where=where, found=name, hint=hint)


def _failed_probe(encoder: Encoder) -> str | None:
    lengths = [min(length, encoder.max_length) for length in PROBE_LENGTHS]
    rows = encoder.model.get_input_embeddings().num_embeddings
    ids = (np.arange(sum(lengths)) * 997 + 11) % rows
    ids[ids == encoder.pad_id] = (encoder.pad_id + 1) % rows
    texts = np.split(ids, np.cumsum(lengths)[:-1])
    device = next(encoder.parameters()).device
    together, alone = _batch_of(texts, device), _batch_of(texts[:1], device)
    states, vectors = encoder.tokens(together), encoder(together)
    if _differ(encoder.tokens(alone), states[: lengths[0]]) or _differ(encoder(alone), vectors[:1]):
        return "a text alone has another vector than the same text in a batch"
    if encoder.flat and _differ(encoder.padded_tokens(together), states):
        return "flat attention gives other vectors than padded attention"
    changed = [np.append(text[:-1], _other_token(int(text[-1]), rows, encoder.pad_id)) for text in texts]
    if not _differ(encoder(_batch_of(changed, device)), vectors):
        return "the last token of a text does not change its vector"
    return None


def _other_token(token: int, rows: int, pad_id: int) -> int:
    """Return a token that is neither this one nor the padding."""
    return next(each % rows for each in range(token + 1, token + 4) if each % rows not in (token, pad_id))


def _batch_of(texts: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.int64]]], device: torch.device) -> FlatTokens:
    lengths = [len(text) for text in texts]
    batch = Batch(
        token_ids=np.concatenate(texts).astype(np.int32),
        position_ids=np.concatenate([np.arange(length) for length in lengths]).astype(np.int32),
        segment_ids=np.zeros(sum(lengths), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        max_length=max(lengths),
        parts=(),
    )
    return FlatTokens.from_batch(batch, device)


def _differ(actual: Tensor, expected: Tensor) -> bool:
    """Return whether some entry differs by more than the tolerance. NaN differs from everything."""
    return not bool((actual - expected).abs().max() <= PROBE_TOLERANCE * expected.abs().max())
