"""Training speed on a GPU: `python -m benchmarks.gpu` (tokens per second and MFU, random weights, synthetic texts).

Three programs train on the same batches: steps of fixed shapes replayed as CUDA graphs, the same steps one by one, and
a plain padded loop over transformers' model. MFU is 6 FLOP per parameter outside the embeddings and real token, divided
by the device's dense bfloat16 peak. If the peak is not known, the rate of a large matrix product is measured instead.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from benchmarks.growth import corpus
from benchmarks.machine import outside_embeddings
from benchmarks.programs.padded import PaddedModel, padded
from benchmarks.record import save, table
from benchmarks.work import Pick, Work, load_work
from manyheads.data.batching import BATCHING
from manyheads.model.weights import resolve
from manyheads.recipe.build import build_model, make_optimizer, make_stepper, make_steps

SHAPES = {
    "MiniLM-L6": BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
    "BERT-base": BertConfig(),
}
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}
"""Dense bfloat16 FLOP per second, from the makers' data sheets (SXM modules)."""


def encoder_folder(name: str, folder: Path) -> Path:
    """Write an encoder of a shape with random weights and the offline encoder's tokenizer."""
    BertModel(SHAPES[name]).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(resolve("minilm-offline", Path.cwd()).folder / file, folder)
    return folder


def graphed(work: Work, device: torch.device) -> Callable[[int], None]:
    """Train with the steps of `manyheads train`."""
    model = build_model(work.recipe, work.source, work.prepared.tasks)
    sizes = {name: len(split) for name, split in work.prepared.train.items()}
    batching = BATCHING["even"].build(sizes, work.recipe.batching.batch_size, 0)
    optimizer, length = make_optimizer(work.recipe, model), work.recipe.model.max_length
    steps = make_steps(work.recipe, model, optimizer, work.prepared, work.tokenizer.template, length, batching)
    if device.type == "cuda" and "replayed" not in str(steps.note):
        raise SystemExit(str(steps.note))
    return lambda k: (steps.stepper.advance(k, [steps.batch(k)]), None)[1]


def one_by_one(work: Work, device: torch.device) -> Callable[[int], None]:
    """Make the same updates, and wait for each before the next."""
    del device
    model = build_model(work.recipe, work.source, work.prepared.tasks)
    stepper = make_stepper(work.recipe, model, make_optimizer(work.recipe, model))
    picks = _picks(work)
    return lambda k: (stepper.update(k, [work.assemble(picks(k))]), None)[1]


def plain(work: Work, device: torch.device) -> Callable[[int], None]:
    """Train transformers' padded model under autocast, with fused AdamW."""
    model = PaddedModel(work).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    picks = _picks(work)

    def step(k: int) -> None:
        inputs = padded(work.assemble(picks(k)))
        moved = {name: value.to(device) if isinstance(value, torch.Tensor) else value for name, value in inputs.items()}
        optimizer.zero_grad()
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = model(**moved)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


WAYS = {"graphs": graphed, "one by one": one_by_one, "plain padded loop": plain}


def row(shape: str, way: str, size: int, steps: int, device: torch.device, encoder: Path) -> dict[str, Any]:
    """Measure the tokens per second of one program at one batch size, after a warm-up that covers all fixed shapes."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = corpus(Path(folder), tasks=1, words=28, rows=max(2048, 8 * size))
        changes = [f"data_dir={folder}", f"encoder={encoder}", f"batching.batch_size={size}", f"device={device.type}"]
        work = load_work(recipe, [*changes, f"precision={'bfloat16' if device.type == 'cuda' else 'float32'}"])
        step, picks = WAYS[way](work, device), _picks(work)
        for k in range(steps):
            step(k)
        _wait(device)
        started = time.perf_counter()
        for k in range(steps):
            step(k)
        _wait(device)
        seconds = time.perf_counter() - started
        tokens = sum(sum(work.tokens(picks(k))) for k in range(steps))
        parameters = outside_embeddings(build_model(work.recipe, work.source, work.prepared.tasks).encoder.model)
    peak, of = _peak(device)
    return {
        "shape": shape,
        "way": way,
        "batch": size,
        "ms per step": round(1000 * seconds / steps, 3),
        "tokens/s": round(tokens / seconds),
        "MFU": round(6 * parameters * tokens / seconds / peak, 4),
        "of": of,
    }


def _picks(work: Work) -> Callable[[int], list[Pick]]:
    sizes = {name: len(split) for name, split in work.prepared.train.items()}
    batching = BATCHING["even"].build(sizes, work.recipe.batching.batch_size, 0)
    return lambda k: [(task, int(row)) for task, rows in batching.batch(k) for row in rows]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _peak(device: torch.device) -> tuple[float, str]:
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    for known, rate in PEAKS.items():
        if known in name:
            return rate, f"{rate / 1e12:.0f} TFLOP/s, {name}"
    size = 4096 if device.type == "cuda" else 512
    left = torch.randn(size, size, device=device, dtype=torch.bfloat16 if device.type == "cuda" else torch.float32)
    for _ in range(3):
        left @ left
    _wait(device)
    started = time.perf_counter()
    for _ in range(20):
        left @ left
    _wait(device)
    rate = 20 * 2 * size**3 / (time.perf_counter() - started)
    return rate, f"{rate / 1e12:.2f} TFLOP/s measured, {name}"


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--device", default="cuda", choices=["cuda", "cpu"], help="cpu: only to check that the program runs"
    )
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--batch-sizes", default="8,16,32,64,128,256,512")
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("this machine has no CUDA device (use --device cpu to check that the program runs)")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in arguments.shapes.split(","):
            encoder = encoder_folder(shape, Path(folder) / shape)
            for size in map(int, arguments.batch_sizes.split(",")):
                for way in WAYS:
                    rows.append(row(shape, way, size, arguments.steps, torch.device(arguments.device), encoder))
                    print(rows[-1], flush=True)
    print(table(rows, tuple(rows[0])))
    if arguments.device == "cuda":
        save("gpu", rows)


if __name__ == "__main__":
    main()
