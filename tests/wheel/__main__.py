"""Build the wheel, install it in a new environment without the checkout, and use it as a new user would.

    python -m tests.wheel

The interpreter that runs it makes the new environment, and needs no package itself. Everything runs on one core, so
that it can run next to other work. The steps: demo, a first recipe, predictions from a file and from Python, a report,
a study, the server. Nothing of the checkout is on the path. A failed step ends the program with its output and exit
status 1. `MANYHEADS_WHEEL_ENV` names a folder with an environment to use again; by default the environment is
temporary.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "offline,onnx,serve"

STUDY = """
base = "first.toml"
seeds = [1, 2]
baseline = "even"
twins = []

[changes]
training.max_steps = 1
tasks.reviews.train_rows = 50
tasks.questions.train_rows = 50

[rows.even]

[rows.sequential]
batching.strategy = "sequential"
"""

PYTHON = """
import json, sys
import manyheads

model = manyheads.load("runs/first")
first, second = model.predict("reviews", ["Not bad at all.", "I expected more of it."])
assert first.prediction in (0, 1, 2, 3, 4), first
assert abs(sum(first.probabilities.values()) - 1) < 1e-5, first
"""

WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
import manyheads
model = manyheads.load("runs/first", runtime="onnx")
assert len(model.predict("reviews", ["Not bad at all."])) == 1
"""


class StepError(Exception):
    """A step did not do what a new user expects."""


def main() -> int:
    """Run all steps; the exit status."""
    began = time.monotonic()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="manyheads-wheel-") as scratch:
        folder = Path(scratch)
        environment = Path(os.environ.get("MANYHEADS_WHEEL_ENV", folder / "environment"))
        try:
            with step("build the wheel, with the pip of a new environment"):
                run([sys.executable, "-m", "venv", "--clear", str(environment)], ROOT)
                wheel = build(environment, folder)
            with step("install torch, then the wheel under the constraints"):
                install(environment, wheel)
            use(environment, folder / "elsewhere")
        except StepError as failure:
            sys.stdout.write(f"FAILED: {failure}\n")
            return 1
    sys.stdout.write(f"the wheel works without the checkout ({time.monotonic() - began:.0f} s)\n")
    return 0


def build(environment: Path, folder: Path) -> Path:
    """The wheel of this checkout. It is built in a copy, because setuptools leaves files for the next build."""
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    python = str(environment / "bin" / "python")
    run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)], folder)
    (wheel,) = folder.glob("manyheads-*.whl")
    return wheel


def install(environment: Path, wheel: Path) -> None:
    """The pinned torch by pip, then the wheel under the constraints file by uv, in the new environment."""
    python = str(environment / "bin" / "python")
    pin = re.search(r"^torch==\S+", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if pin is None:
        raise StepError("constraints.txt does not pin torch")
    # Compiling every module of torch and transformers takes longer than compiling those that are imported.
    run([python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", str(CONSTRAINTS), pin.group(), "uv"], ROOT)
    uv = [str(environment / "bin" / "uv"), "pip", "install", "--quiet", "--python", python, "-c", str(CONSTRAINTS)]
    run([*uv, f"manyheads[{EXTRAS}] @ {wheel.as_uri()}"], ROOT)


def use(environment: Path, folder: Path) -> None:
    """Every step of a new user, in an empty folder."""
    folder.mkdir()
    python, manyheads = str(environment / "bin" / "python"), str(environment / "bin" / "manyheads")
    variables = {
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "MANYHEADS_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }

    def user(*command: str) -> str:
        return run(list(command), folder, variables)

    with step("the package is the wheel's"):
        where = user(python, "-c", "import manyheads; print(manyheads.__file__)").strip()
        expect(where.startswith(str(environment)), f"manyheads is imported from {where}")
        expect(user(manyheads, "--version").strip() in user(python, "-m", "pip", "show", "manyheads"), "the version")
    with step("demo (2 steps of it)"):
        expect("sentiment" in user(manyheads, "demo", "--set", "training.max_steps=2"), "no table of metrics")
    with step("a first recipe: files, init, check, train"):
        user(manyheads, "demo", "--files", ".")
        user(manyheads, "init", "reviews.csv", "questions.csv", "--output", "first.toml")
        expect((folder / "manyheads.recipe.schema.json").is_file(), "init wrote no schema")
        user(manyheads, "check", "first.toml")
        user(manyheads, "train", "first.toml", "--set", "training.max_steps=5")
    with step("predict, from a file and from Python"):
        user(
            manyheads, "predict", "runs/first", "--task", "reviews", "--input", "reviews-dev.csv", "--output", "out.csv"
        )
        rows = (folder / "out.csv").read_text(encoding="utf-8").splitlines()
        expect(len(rows) == 251 and "prediction" in rows[0], f"{len(rows)} lines, header {rows[0]}")
        user(python, "-c", PYTHON)
    with step("export to ONNX, predict without torch"):
        user(manyheads, "export", "runs/first", "--to", "onnx")
        user(python, "-c", WITHOUT_TORCH)
    with step("report"):
        shutil.rmtree(folder / "runs" / "first" / "report")
        user(manyheads, "report", "runs/first")
        expect("<html" in (folder / "runs" / "first" / "report" / "report.html").read_text(encoding="utf-8"), "no page")
    with step("a study of two rows and two seeds"):
        (folder / "choices.toml").write_text(STUDY, encoding="utf-8")
        user(manyheads, "study", "choices.toml", "--jobs", "2")
        expect((folder / "runs" / "choices" / "table.html").is_file(), "no table")
    with step("schemas"):
        for what in ("recipe", "study"):
            expect("properties" in json.loads(user(manyheads, "schema", what)), f"the schema of a {what}")
    with step("serve"):
        serve(manyheads, folder, variables)


def serve(manyheads: str, folder: Path, variables: Mapping[str, str]) -> None:
    """Start the server, ask for a prediction and for the page, and stop it by SIGTERM."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [manyheads, "serve", "runs/first", "--port", str(port)]
    log = folder / "serve.log"
    with (
        log.open("w") as output,
        subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=output, stderr=subprocess.STDOUT) as server,
    ):
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz", server)
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/v1/predict/reviews",
                data=json.dumps({"texts": ["Not bad at all."]}).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as response:
                expect(len(json.load(response)["predictions"]) == 1, "no prediction")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as response:
                expect(b"<html" in response.read(), "no page")
        except (OSError, StepError) as error:
            raise StepError(f"{error}\n{log.read_text()}") from error
        finally:
            server.terminate()
            status = server.wait(timeout=60)
    expect(status == -signal.SIGTERM, f"exit status {status} after SIGTERM\n{log.read_text()}")


def wait_until_ready(address: str, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    """Wait until the server is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            raise StepError(f"the server ended with exit status {server.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(0.2)
    raise StepError(f"the server was not ready after {seconds:.0f} s")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Print a step and the seconds that it took."""
    began = time.monotonic()
    yield
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {name}\n")
    sys.stdout.flush()


def run(command: list[str], folder: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    Raises:
        StepError: its exit status is not 0.
    """
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        shown = " ".join(command)
        raise StepError(f"{shown}\nexit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def expect(condition: bool, what: str) -> None:
    """Fail unless `condition` is true.

    Raises:
        StepError: it is not.
    """
    if not condition:
        raise StepError(what)


if __name__ == "__main__":
    sys.exit(main())
