"""Time per kind of operation in a training step: `python -m benchmarks.operations` (batches of 8).

Times are milliseconds per step from torch's profiler and include its own cost. The first row is a step without it.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.machine import matrix_rate
from benchmarks.record import save, table
from benchmarks.updates import make_updates
from benchmarks.work import ROOT, load_work
from manyheads.data.batch import Batch
from manyheads.training.step import Stepper

KINDS = {
    "matrix products with weights": ("aten::mm", "aten::addmm"),
    "AdamW": ("aten::_fused_adamw_", "Optimizer.step#AdamW.step", "aten::_foreach_add_"),
    "attention": (
        "aten::bmm",
        "aten::baddbmm",
        "aten::_softmax",
        "aten::_softmax_backward_data",
        "aten::_scaled_dot_product_flash_attention_for_cpu",
        "aten::_scaled_dot_product_flash_attention_for_cpu_backward",
    ),
    "GELU": ("aten::gelu", "aten::gelu_backward"),
    "dropout masks": ("aten::bitwise_right_shift", "aten::bitwise_and_", "aten::bitwise_xor_", "aten::bitwise_xor"),
    "layer norms": ("aten::native_layer_norm", "aten::native_layer_norm_backward"),
    "gradient norms": ("aten::linalg_vector_norm", "aten::_foreach_norm"),
}
REST = "other: copies, sums, small operations"


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    work = load_work(ROOT / "recipes" / "minilm" / "cross.toml", [f"batching.batch_size={arguments.batch_size}"])
    model, stepper = make_updates(work, Stepper[Batch])
    block = next(work.blocks(arguments.steps + 10))
    batches = [work.assemble(picks) for picks in block]
    for step, batch in enumerate(batches[:10]):
        stepper.update(step, [batch])
    measured = batches[10:]
    rate = matrix_rate()
    started = time.perf_counter()
    for step, batch in enumerate(measured):
        stepper.update(step, [batch])
    whole = (time.perf_counter() - started) / len(measured) * 1e3
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        for step, batch in enumerate(measured):
            stepper.update(step, [batch])
    spent = dict.fromkeys([*KINDS, REST], 0.0)
    counts = dict.fromkeys(spent, 0.0)
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    for event in seen.key_averages():
        kind = kind_of.get(event.key, REST)
        spent[kind] += event.self_cpu_time_total / len(measured) / 1e3
        counts[kind] += event.count / len(measured)
    parameters = sum(each.numel() for name, each in model.encoder.named_parameters() if "embeddings" not in name)
    floor = 6 * parameters * sum(batch.tokens for batch in measured) / len(measured) / rate * 1e3
    of = f"batch {arguments.batch_size}, {sum(batch.tokens for batch in measured) / len(measured):.0f} tokens"
    rows: list[dict[str, Any]] = [
        {"what": "one step without the profiler", "ms": round(whole, 1), "operations": None, "of": of},
        {
            "what": f"its matrix products at {rate / 1e9:.0f} GFLOP/s",
            "ms": round(floor, 1),
            "operations": None,
            "of": of,
        },
    ]
    rows += [
        {"what": kind, "ms": round(spent[kind], 1), "operations": round(counts[kind]), "of": "profiled"}
        for kind in sorted(spent, key=lambda each: -spent[each])
    ]
    print(table(rows, ("what", "ms", "operations", "of")))
    save("operations", rows)


if __name__ == "__main__":
    main()
