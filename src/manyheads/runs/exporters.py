"""The menu of exporters: targets of `manyheads export`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.data.dataset import Split
from manyheads.data.examples import Examples
from manyheads.data.texts import TextStore
from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import Engine
from manyheads.inference.export.hub import TaskSample, check_pipeline, check_sentences, write_hub
from manyheads.inference.export.onnx import write_onnx
from manyheads.inference.export.torch_export import WARNING, write_torch_export
from manyheads.inference.graph_engine import onnx_engine
from manyheads.inference.torch_engine import TorchEngine
from manyheads.menu import Menu, require


@dataclass(frozen=True)
class DevData:
    """The dev examples of every task that has some, and the same as splits over a store of their tokens."""

    examples: Sequence[Examples]
    store: TextStore
    splits: Sequence[Split]


@dataclass(frozen=True)
class Comparison:
    """A comparison of an export with the model: the tasks, their dev examples, and the largest difference.

    `cut`: examples that were not compared. `sentences`: the largest difference between vectors, or None.
    """

    tasks: Sequence[str]
    examples: int
    largest: float
    cut: int = 0
    sentences: float | None = None


@dataclass(frozen=True)
class Written:
    """What an exporter wrote, and how it is compared with the model.

    `engine`: computes outputs from what was written. Its outputs must be those of the model. `quantised`: the engine of
    a model in 8-bit integers, which is measured. `compare`: compares in another way, and raises a BundleError.
    `left_out`: tasks that the export does not have, with the reason. Without an engine and `compare`, nothing is
    compared.
    """

    engine: Engine | None = None
    quantised: Engine | None = None
    compare: Callable[[DevData], Comparison] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exporter:
    """A target of `manyheads export`.

    `write(bundle, folder, to, int8)` writes the bundle in `folder` to the empty folder `to`. If it writes no manifest,
    the tokenizer, the model card and the manifest are added. `title`: what is written, for the help. `int8`: whether it
    can also write a model in 8-bit integers. `warning`, `advice`: shown after an export, with the folder in place of
    `{folder}` in `advice`.
    """

    name: str
    title: str
    write: Callable[[Bundle, Path, Path, bool], Written]
    int8: bool = False
    warning: str | None = None
    advice: str | None = None


def _onnx(bundle: Bundle, folder: Path, to: Path, int8: bool) -> Written:
    """ONNX graphs: one for the encoder with an output per task, and one for each head of a bi-encoded pair."""
    write_onnx(bundle, folder, to, int8=int8)
    return Written(onnx_engine(to), onnx_engine(to, int8=True) if int8 else None)


def _torch_export(bundle: Bundle, folder: Path, to: Path, int8: bool) -> Written:
    """Programs of `torch.export`, for AOTInductor, ExecuTorch or a C++ runtime."""
    del int8
    return Written(write_torch_export(bundle, folder, to))


def _hub(bundle: Bundle, folder: Path, to: Path, int8: bool) -> Written:
    """A repository for the hub, which is compared as its users load it."""
    del int8
    pipelines = write_hub(bundle, folder, to)

    def compare(data: DevData) -> Comparison:
        engine = TorchEngine(bundle)
        samples = [
            TaskSample(split, examples.all_texts, engine.outputs(data.store, split))
            for split, examples in zip(data.splits, data.examples, strict=True)
        ]
        kept = [sample for sample in samples if sample.split.task.name in pipelines.names]
        found = [check_pipeline(to, bundle, data.store, sample) for sample in kept]
        return Comparison(
            tuple(sample.split.task.name for sample in kept),
            sum(len(sample.split) for sample in kept),
            max((each.largest for each in found), default=0.0),
            cut=sum(each.cut for each in found),
            sentences=check_sentences(to, bundle, data.store, samples),
        )

    return Written(compare=compare, left_out=pipelines.left_out)


def _check(exporter: Exporter) -> None:
    require(bool(exporter.title), "it has no title")
    require(callable(exporter.write), "write must be a function")


EXPORTERS = Menu(
    "exporter",
    (
        Exporter("onnx", "ONNX graphs", _onnx, int8=True),
        Exporter(
            "hub",
            "a repository for the hub",
            _hub,
            advice="publish it with: hf upload NAME/MODEL {folder}",
        ),
        Exporter("torch-export", "torch.export programs", _torch_export, warning=WARNING),
    ),
    _check,
)
