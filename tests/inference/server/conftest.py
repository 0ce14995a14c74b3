"""Servers as users start them: processes of `manyheads serve` on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import manyheads


def events(log: Path) -> list[dict[str, Any]]:
    """What the server has told so far; a line it is still writing is left for the next reading."""
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


@dataclass(frozen=True)
class Server:
    """A listening process, its address, and its log."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def events(self) -> list[dict[str, Any]]:
        return events(self.log)

    def requests(self, after: int, count: int) -> list[dict[str, Any]]:
        """The `count` requests told after the first `after`; a request is told once its answer has left."""
        for _ in range(600):
            found = [event for event in self.events() if event["event"] == "request"][after:]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{len(found)} of {count} requests are in the log:\n{self.log.read_text()}")


@contextmanager
def serving(run: Path, log: Path, *options: str, token: str | None = None) -> Iterator[Server]:
    environment = {**os.environ, **({"MANYHEADS_TOKEN": token} if token else {})}
    command = [sys.executable, "-m", "manyheads", "serve", str(run), "--port", "0", "--threads", "1", *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, env=environment)
    try:
        yield Server(process, _address(process, log), log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(1200):
        found = [event for event in events(log) if event["event"] == "listening"]
        if found:
            address = f"http://127.0.0.1:{found[0]['port']}"
            # The socket listens before the application runs; this waits in its queue.
            assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
            return address
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(trained.folder.path, log) as found:
        yield found


@pytest.fixture(scope="session")
def serve(trained: manyheads.Run):
    """`with serve(log, *options, token=None) as server` on the trained run."""

    def start(log: Path, *options: str, token: str | None = None):
        return serving(trained.folder.path, log, *options, token=token)

    return start
