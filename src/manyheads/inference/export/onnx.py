"""Export to ONNX: one encoder graph with an output per task, and a small graph per bi-encoded pair task."""

from __future__ import annotations

import contextlib
import io
import logging
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.inference.export.content import PaddedModel, add_common_files, pair_example
from manyheads.inference.graph_engine import ENCODER, INT8, TARGET, import_onnxruntime, pair_graph


def write_onnx(bundle: Bundle, folder: Path, to: Path, *, int8: bool = False) -> None:
    """Write the float32 graphs of the bundle in `folder` to `to`, and with `int8` the encoder in 8-bit integers.

    The int8 graph uses dynamic quantisation of onnxruntime: weights per output channel, activations at run time.

    Raises:
        BundleError: onnx, onnxscript or onnxruntime is missing.
    """
    import_onnxruntime()
    try:
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        hint = "pip install 'manyheads[onnx]'"
        raise BundleError("a package for ONNX exports is not installed", found=str(error), hint=hint) from error
    model = PaddedModel(bundle, folder).eval()
    free = {name: {0: "sequences", 1: "length"} for name in model.example()}
    _write(model, model.example(), free, model.names, to / ENCODER)
    for name, task in bundle.model.tasks.items():
        if task.sequences > 1:
            feeds = pair_example(bundle.model.encoder.hidden_size)
            file = to / f"{pair_graph(name)}.onnx"
            _write(bundle.model.head(name), feeds, {side: {0: "pairs"} for side in feeds}, ["outputs"], file)
    if int8:
        _quantise(to / ENCODER, to / INT8)
    add_common_files(to, TARGET, bundle, folder)


def _write(module: nn.Module, feeds: dict[str, Tensor], free: Any, outputs: list[str], path: Path) -> None:
    with _quietly(), torch.no_grad():
        torch.onnx.export(
            module,
            (),
            path,
            kwargs=feeds,
            input_names=list(feeds),
            output_names=outputs,
            dynamic_shapes=free,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _quantise(graph: Path, to: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kinds = ["MatMul", "Gemm"]
    with _quietly(), _random_names():
        quantize_dynamic(graph, to, op_types_to_quantize=kinds, per_channel=True, weight_type=QuantType.QInt8)


@contextlib.contextmanager
def _random_names() -> Iterator[None]:
    """Let the exporters name temporary files by random numbers.

    By default they use the network address of the machine, which is read through a socket of the internet.
    """
    original = uuid.uuid1
    uuid.uuid1 = lambda *_: uuid.uuid4()
    try:
        yield
    finally:
        uuid.uuid1 = original


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Suppress output, logs and warnings of the exporters."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
