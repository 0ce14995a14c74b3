"""The provenance of a run: versions, hardware, threads, seed, data fingerprints, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
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
    """Return the content of provenance.json.

    `data` maps each file to the SHA-256 of its content. `encoder` names the encoder's weights and their SHA-256.
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
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    if "torch" in sys.modules:  # with its build, such as +cu130, which the package metadata can lack
        versions["torch"] = str(sys.modules["torch"].__version__)
    return versions


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """Return the git commit of the source tree, with "-dirty" if files were changed, or None outside a git tree."""
    folder = Path(__file__).resolve().parent
    try:
        head = _git(folder, "rev-parse", "HEAD")
        tracked = _git(folder, "ls-files", "--error-unmatch", __file__)
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return (f"{head}-dirty" if changed else head) if tracked else None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
