"""Run the steps of the Dockerfile in a chroot, and use the server that they build (`make image-check`).

This replaces a container engine where none is available. It needs root, debootstrap and a package mirror. Every step is
printed with what was done for it, so that the steps that only an engine can run are visible:

- The base image is not pulled. Debian bookworm with its own Python 3.11 replaces it.
- Layers and their cache, EXPOSE, and the schedule of HEALTHCHECK belong to the engine.

The server runs as the user of the image, in a network namespace that has only a loopback interface.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = ("debootstrap", "unshare", "nsenter", "chroot", "ip", "mount")
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates"
PORT = 8000

RECIPE = """
encoder = "minilm-offline"
threads = 1

[tasks.sentiment]
kind = "classification"
train = "sentiment-train.tsv"
dev = "sentiment-dev.tsv"
text = "sentence"
label = "sentiment"
labels = [0, 1, 2, 3, 4]

[training]
epochs = 1
max_steps = 4
"""

TOKEN = "a token of this check"

REQUEST = f"""
import json, urllib.request
body = json.dumps({{"texts": ["A fine film."]}}).encode()
request = urllib.request.Request(
    "http://127.0.0.1:{PORT}/v1/predict/sentiment",
    body,
    {{"Content-Type": "application/json", "Authorization": "Bearer {TOKEN}"}},
)
print(urllib.request.urlopen(request, timeout=30).read().decode())
"""


@dataclass
class Stage:
    """A stage of the Dockerfile: its root folder and the state that instructions set."""

    root: Path
    directory: str = "/"
    user: str = "0"
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    last: dict[str, str] = field(default_factory=dict)
    mounts: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, with their lines joined."""
    kept = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    split = (line.partition(" ") for line in kept.replace("\\\n", " ").splitlines())
    return [(word, rest) for word, _, rest in split]


def report(instruction: str, what: str, seconds: float | None = None) -> None:
    """Print one line about a step."""
    took = "" if seconds is None else f" ({seconds:.0f} s)"
    sys.stdout.write(f"{instruction[:60]:60}  {what}{took}\n")
    sys.stdout.flush()


def missing() -> str | None:
    """Return why the check cannot run here, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def pip_paths() -> list[str]:
    """Return the local files and folders that pip on this machine is configured with."""
    pip = [sys.executable, "-m", "pip", "config"]
    debug = subprocess.run([*pip, "debug"], capture_output=True, text=True, check=True).stdout
    values = subprocess.run([*pip, "list"], capture_output=True, text=True, check=True).stdout
    files = re.findall(r"^\s+(/\S+), exists: True$", debug, flags=re.MULTILINE)
    named = re.findall(r"(?:file://|['\s])(/[^\s'/][^\s']*)", values)
    return sorted({each for each in (*files, *(name.removesuffix("/simple") for name in named)) if Path(each).exists()})


def extra_indexes() -> str | None:
    """Return the further package indexes that pip on this machine is configured with."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.extra-index-url"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()) or None


def bind(source: str | Path, root: Path, place: str) -> None:
    """Mount a file or folder of this machine into a root, read-only, for the time of this process."""
    target = root / place.lstrip("/")
    if Path(source).is_dir():
        target.mkdir(parents=True, exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(target)], check=True)


def make_base(folder: Path) -> None:
    """Install Debian with Python in `folder`, in place of the base image."""
    if not (folder / "usr/bin/python3").exists():
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    link = folder / "usr/local/bin/python"
    if not link.is_symlink():
        link.symlink_to("/usr/bin/python3")


def start_stage(base: Path, root: Path) -> Stage:
    """Copy the base, and add the processes that an engine mounts."""
    subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", str(root / "proc")], check=True)
    return Stage(root)


def run(stage: Stage, command: str) -> None:
    """Run a RUN instruction, with the network and the pip configuration of this machine."""
    for place in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs", *pip_paths()):
        if not any(Path(place).is_relative_to(each) for each in stage.mounts):
            bind(place, stage.root, place)
            stage.mounts.append(place)
    passed = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", **passed}
    inside = f"cd {shlex.quote(stage.directory)} && {command}"
    subprocess.run(
        ["chroot", str(stage.root), "/bin/sh", "-ec", inside],
        env={**environment, **stage.environment, **stage.arguments},
        check=True,
    )


def copy(stage: Stage, names: str, stages: Mapping[str, Stage]) -> None:
    """Run a COPY instruction. The context has what .dockerignore lets in."""
    *sources, to = names.split()
    source_root = ROOT
    if sources[0].startswith("--from="):
        source_root = stages[sources.pop(0).removeprefix("--from=")].root
    target = stage.root / str(Path(stage.directory) / to).lstrip("/")
    for name in sources:
        source = source_root / name.lstrip("/")
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info") if source_root is ROOT else None
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def build(steps: Sequence[tuple[str, str]], base: Path, work: Path) -> Stage:
    """Run all instructions, and return the last stage."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for word, rest in steps:
        started = time.perf_counter()
        what = "done"
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "last"
            stage = stages[name] = start_stage(base, work / name)
            what = f"replaced by Debian {SUITE} and its Python"
        elif word == "WORKDIR":
            stage.directory = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            copy(stage, rest, stages)
        elif word == "ARG":
            name, _, value = rest.partition("=")
            own = extra_indexes() if name == "TORCH_BUILDS" else None
            stage.arguments[name] = own or value
            what = "replaced by the package indexes of this machine" if own else "done"
        elif word == "RUN":
            run(stage, rest)
        elif word == "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
            path = "/usr/local/bin:/usr/bin:/bin"
            stage.environment |= {name: value.replace("$PATH", path) for name, value in pairs.items()}
        elif word == "USER":
            stage.user = rest
        elif word in ("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"):
            stage.last[word] = rest
            what = "used below"
        elif word == "EXPOSE":
            what = "not run: the engine publishes ports"
        else:
            raise SystemExit(f"image-check: unknown instruction {word}")
        report(f"{word} {rest}", what, time.perf_counter() - started if word in ("COPY", "RUN") else None)
    return stage


def make_bundle(folder: Path) -> Path:
    """Train a small model with the demo data, and return its bundle."""
    import manyheads.demo

    recipe = folder / "recipe.toml"
    corpus = Path(manyheads.demo.__file__).parent / "corpus"
    recipe.write_text(f"data_dir = {json.dumps(str(corpus))}\n{RECIPE}", encoding="utf-8")
    command = [sys.executable, "-m", "manyheads", "train", str(recipe), "--out", str(folder / "run")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "run" / "model"


def refuses_without_token(tools: Mapping[str, str], loopback: str, stage: Stage) -> str:
    """Start the server without a token, and return what it did. It must end at once with an error."""
    command = [tools["unshare"], "--net", "/bin/sh", "-c", loopback]
    done = subprocess.run(command, env=stage.environment, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "needs a token" in done.stderr, done.stderr
    return "refuses to start without a token"


def use(stage: Stage, bundle: Path) -> None:
    """Start the server as the image does, check it, request a prediction, and stop it."""
    bind(bundle, stage.root, "/model")
    # The PATH of the image need not have the tools of this machine.
    tools = {name: str(shutil.which(name)) for name in TOOLS}
    inside = [tools["chroot"], f"--userspec={stage.user}:{stage.user}", str(stage.root)]
    entry = [*inside, *json.loads(stage.last["ENTRYPOINT"])]
    loopback = f"{tools['ip']} link set lo up && exec {shlex.join(entry)}"
    report("ENTRYPOINT", refuses_without_token(tools, loopback, stage))
    started = time.perf_counter()
    environment = {**stage.environment, "MANYHEADS_TOKEN": TOKEN}
    server = subprocess.Popen([tools["unshare"], "--net", "/bin/sh", "-c", loopback], env=environment)
    try:
        client = [tools["nsenter"], f"--target={server.pid}", "--net", *inside]
        check = [*client, *json.loads(stage.last["HEALTHCHECK"].partition(" CMD ")[2])]
        while subprocess.run(check, env=stage.environment, check=False, stderr=subprocess.DEVNULL).returncode != 0:
            if server.poll() is not None or time.perf_counter() - started > 120:
                raise SystemExit("image-check: the server did not start")
            time.sleep(0.2)
        report("HEALTHCHECK", "succeeds; the engine schedules it", time.perf_counter() - started)
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
        (uid,) = re.findall(r"^Uid:\s+\d+\s+(\d+)", status, flags=re.MULTILINE)
        assert uid == stage.user, f"the server runs as user {uid}"
        asked = subprocess.run(
            [*client, "python", "-c", REQUEST], env=stage.environment, check=True, capture_output=True, text=True
        )
        (prediction,) = json.loads(asked.stdout)["predictions"]
        report("ENTRYPOINT", f"user {uid} predicts {prediction['prediction']} without a network")
        number = getattr(signal, stage.last["STOPSIGNAL"])
        stopped = time.perf_counter()
        server.send_signal(number)
        status_ = server.wait(timeout=30)
        assert status_ in (0, -number), f"exit status {status_}"
        report("STOPSIGNAL", f"stops the server, exit status {status_}", time.perf_counter() - stopped)
    finally:
        server.kill()
        server.wait()


def main() -> None:
    """Check the image, or print why that is not possible."""
    parser = argparse.ArgumentParser(description="Run the steps of the Dockerfile in a chroot.")
    parser.add_argument("--base", type=Path, help="folder of an earlier debootstrap, or where to keep a new one")
    parser.add_argument("--in-namespace", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    reason = missing()
    if reason is not None:
        sys.stdout.write(f"image-check: skipped, {reason}\n")
        return
    if not arguments.in_namespace:
        command = ["unshare", "--mount", sys.executable, "-m", "tests.image.check", *sys.argv[1:], "--in-namespace"]
        os.execvp(command[0], command)
    with tempfile.TemporaryDirectory(prefix="manyheads-image-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch)
        base = arguments.base or work / "base"
        try:
            make_base(base)
            use(build(instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")), base, work), make_bundle(work))
        finally:
            # Unmount everything before the folder is removed.
            mounts = [line.split()[1] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
            for place in sorted((each for each in mounts if each.startswith(scratch)), reverse=True):
                subprocess.run(["umount", "--lazy", place], check=True)


if __name__ == "__main__":
    main()
