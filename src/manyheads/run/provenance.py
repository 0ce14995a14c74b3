"""What a run was made with: versions, hardware, threads, seed, data fingerprints, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

PACKAGES = ("manyheads", "torch", "transformers", "tokenizers", "numpy", "scipy", "scikit-learn")


def collect(
    *,
    seed: int,
    threads: int,
    device: str,
    precision: str,
    encoder: Mapping[str, object],
    data: Mapping[str, str],
    command: list[str],
) -> dict[str, object]:
    """The content of provenance.json.

    `data` maps each file to the SHA-256 of its content; `encoder` says which weights were used and their hash.
    """
    return {
        "versions": {"python": platform.python_version(), **_versions()},
        "hardware": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "device": device,
        },
        "threads": threads,
        "seed": seed,
        "precision": precision,
        "encoder": dict(encoder),
        "data": dict(data),
        "commit": _commit(),
        "command": command,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the source tree that this package runs from, "-dirty" where files differ; None outside of git."""
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", __file__)
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return (f"{head}-dirty" if changed else head) if tracked else None


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
