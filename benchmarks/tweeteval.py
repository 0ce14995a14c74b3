"""Scores of TweetEval's own script for runs: `python -m benchmarks.tweeteval RUN... --data FOLDER_OF_TWEETEVAL`.

RUN is a run of `recipes/more/tweeteval.toml`, or several runs of its single-task twins. The predictions for the test
files, at the epoch of the best dev average, are written in the form of the script, which then measures them. The
program fails if a score of the script and the metric of manyheads for the same predictions differ by more than 1e-9.
The script pools the five topics of stance. Its pooled score is compared with the same metric over all their rows.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import manyheads
from benchmarks.record import table
from manyheads.evaluation.metrics.f1 import f1
from manyheads.reports.content import build_report
from manyheads.tasks.kind import Predictions

STANCE = "stance_"
TOLERANCE = 1e-9


def main() -> int:
    """Print the scores. Return 1 if some differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--data", type=Path, required=True, help="the folder with evaluation_script.py and datasets/")
    arguments = parser.parse_args()
    frames, own = {}, {}
    for run in map(manyheads.open_run, arguments.runs):
        frames.update({name: run.predictions(name, "test") for name in run.recipe.to_dict()["tasks"]})
        own.update({task.name: {each.name: each.value for each in task.test} for task in build_report(run.path).tasks})
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, frame in frames.items():
            topic = name.removeprefix(STANCE)
            file = Path(scratch, *(["stance"] if topic != name else []), f"{topic}.txt")
            file.parent.mkdir(exist_ok=True)
            file.write_text("".join(f"{label}\n" for label in frame["prediction"]))
        topics = [name for name in frames if name.startswith(STANCE)]
        for name in [each for each in frames if each not in topics]:
            metric = next((each for each in own[name] if each.startswith("f1_")), "macro_f1")
            rows.append((name, own[name][metric], official(arguments.data, Path(scratch), name)))
        if topics:
            targets, values = (
                np.concatenate([frames[name][column].to_numpy() for name in topics]).astype(np.float64)
                for column in ("target", "prediction")
            )
            pooled = f1(Predictions(values, None), targets, classes=[1, 2])
            rows.append(("stance, pooled", pooled, official(arguments.data, Path(scratch), "stance")))
    shown = [
        {"task": name, "manyheads": f"{ours:.6f}", "script": f"{score:.6f}", "difference": f"{ours - score:.1e}"}
        for name, ours, score in rows
    ]
    print(table(shown, ("task", "manyheads", "script", "difference")))
    return int(any(abs(ours - score) > TOLERANCE for _, ours, score in rows))


def official(data: Path, predictions: Path, task: str) -> float:
    """Return the score of a task from the official script."""
    words = ["--tweeteval_path", str(data / "datasets"), "--predictions_path", str(predictions), "--task", task]
    command = [sys.executable, "-W", "ignore", str(data / "evaluation_script.py"), *words]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"TweetEval Score \(\w+\): (\S+)", output)
    if found is None:
        raise SystemExit(f"the script printed no score for {task}:\n{output}")
    return float(found.group(1))


if __name__ == "__main__":
    sys.exit(main())
