"""Servers as users start them: processes of `manyheads serve` on the loopback interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.forked.start import ForkServer

import manyheads


@pytest.fixture(autouse=True)
def _forked_servers(forked_commands: None) -> None:
    """Let the fork server start the servers of single tests, without importing torch again."""


def events(log: Path) -> list[dict[str, Any]]:
    """Return the events that the server has logged. An incomplete last line is ignored."""
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


@dataclass(frozen=True)
class Server:
    """A listening process, its address and its log."""

    process: subprocess.Popen[bytes]
    address: str
    log: Path

    def events(self) -> list[dict[str, Any]]:
        return events(self.log)

    def requests(self, after: int, count: int) -> list[dict[str, Any]]:
        """Wait for `count` logged requests after the first `after`. The server logs a request after its response."""
        for _ in range(600):
            logged = [event for event in self.events() if event["event"] == "request"][after:]
            if len(logged) >= count:
                return logged
            time.sleep(0.05)
        raise AssertionError(f"{len(logged)} of {count} requests are in the log:\n{self.log.read_text()}")


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
        started = [event for event in events(log) if event["event"] == "listening"]
        if started:
            address = f"http://127.0.0.1:{started[0]['port']}"
            assert started[0]["url"] == address.replace("127.0.0.1", started[0]["host"])
            # The socket listens before the application runs. This request waits for the application.
            assert httpx.get(f"{address}/readyz", timeout=30).status_code == 200
            return address
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server(trained: manyheads.Run, forked: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            forked.run_commands(patch)
            process = stack.enter_context(serving(trained.folder.path, log))
        yield process


@pytest.fixture(scope="session")
def serve(trained: manyheads.Run):
    """Start servers for the trained run: `with serve(log, *options, token=None) as server`."""

    def start(log: Path, *options: str, token: str | None = None):
        return serving(trained.folder.path, log, *options, token=token)

    return start
