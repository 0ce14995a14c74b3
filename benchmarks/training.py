"""Comparison of training programs: `python -m benchmarks.training`.

In each round all programs get the same examples, one program after the other. The machine's own rate is measured before
each round. Rates are medians over rounds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.machine import matrix_rate
from benchmarks.record import save, table
from benchmarks.turns import OURS, PROGRAMS, Player, Turn

REFERENCE = {8: 8.0, 32: 14.6}
"""Examples per second of the reference study's program by batch size, cross encoding, on the same kind of machine."""

COLUMNS = ("form", "work", "batch", "program", "examples/s", "tokens/s", "manyheads is", "share", "peak MB")


def programs(form: str) -> list[str]:
    """Return the programs that support a form."""
    names = list(PROGRAMS)
    return [OURS, names[-1]] if form == "pairs" else names[:-1]


def rows(form: str, size: int, rounds: int, window: int) -> list[dict[str, Any]]:
    """Measure one batch size of one form. Return one row per program for training and one for evaluation."""
    turns: dict[tuple[str, str], list[Turn]] = {}
    rates, peaks = [], {}
    with ExitStack() as stack:
        players = {name: stack.enter_context(Player(form, size, name, window)) for name in programs(form)}
        for _ in range(rounds):
            rates.append(matrix_rate())
            for what in ("train", "evaluate"):
                for name, player in players.items():
                    turns.setdefault((what, name), []).append(player.ask(what))
        for name, player in players.items():
            peaks[name] = player.ask("memory")
        parameters = players[OURS].parameters
    machine = statistics.median(rates)
    words = {"train": "training", "evaluate": "prediction from texts" if form == "pairs" else "evaluation"}
    return [
        {
            "form": form,
            "work": words[what],
            "batch": size,
            "program": name,
            "examples/s": round(_rate(own, "examples"), 1),
            "tokens/s": round(_rate(own, "tokens")),
            "manyheads is": f"{_times(turns[what, OURS], own):.2f}x",
            "share": round((6 if what == "train" else 2) * parameters * _rate(own, "tokens") / machine, 3),
            "peak MB": peaks[name],
            "GFLOP/s": round(machine / 1e9),
            "reference": REFERENCE.get(size) if (form, what) == ("cross", "train") else None,
            "rounds": [round(turn.seconds, 3) for turn in own],
        }
        for (what, name), own in turns.items()
    ]


def _rate(turns: Sequence[Turn], of: str) -> float:
    return statistics.median(getattr(turn, of) / turn.seconds for turn in turns)


def _times(ours: Sequence[Turn], own: Sequence[Turn]) -> float:
    """Return how many times as fast manyheads is: the median over rounds of the ratio within a round."""
    return statistics.median(b.seconds / a.seconds for a, b in zip(ours, own, strict=True))


def main() -> None:
    """Measure forms and batch sizes, print a table and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", default="cross:8,16,32,64 bi:32 pairs:32", help="FORM:BATCH,BATCH ...")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=50, help="batches per round")
    parser.add_argument("--most", type=int, default=640, help="maximum number of examples per round")
    parser.add_argument("--out", default="training")
    arguments = parser.parse_args()
    results: list[dict[str, Any]] = []
    for case in arguments.cases.split():
        form, sizes = case.split(":")
        for size in map(int, sizes.split(",")):
            window = min(arguments.batches, arguments.most // size)
            new = rows(form, size, arguments.rounds, window)
            print(table(new, COLUMNS), flush=True)
            results += new
            save(arguments.out, results)


if __name__ == "__main__":
    main()
