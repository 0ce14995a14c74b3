"""Start the fork server once for all processes of the tests, and run commands through it."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class ForkServer:
    """The fork server (server.py) and its shims in a folder that all processes of the tests share."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self._socket = folder / "server"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that a shim needs."""
        return {"MANYHEADS_FORK_SOCKET": str(self._socket), "MANYHEADS_FORK_PYTHON": sys.executable}

    def run_commands(self, patch: pytest.MonkeyPatch) -> None:
        """Let the server run the commands that this process starts with `sys.executable`."""
        for name, value in self.variables.items():
            patch.setenv(name, value)
        patch.setattr(sys, "executable", str(self.bin / "python"))

    def start(self, environment: Mapping[str, str]) -> None:
        """Install the shims and start the server. Call it once."""
        self.bin.mkdir(parents=True)
        code = (Path(__file__).parent / "shim.py").read_text(encoding="utf-8")
        for name in ("manyheads", "python", "torchrun"):
            shim = self.bin / name
            shim.write_text(f"#!{sys.executable} -IS\n{code}", encoding="utf-8")
            shim.chmod(0o755)
        log = self._socket.with_suffix(".log").open("w")
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.forked.server", str(self._socket)],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        log.close()
        while not self._socket.exists():
            if server.poll() is not None:
                raise RuntimeError(f"the fork server did not start:\n{self._socket.with_suffix('.log').read_text()}")
            time.sleep(0.05)
        # The server ends with its last lease, not with this process.
        server.returncode = 0

    def lease(self) -> socket.socket:
        """Keep the server running until the returned connection is closed."""
        connection = self.connect()
        connection.sendall(b'{"kind": "lease"}\n')
        connection.recv(2)
        return connection

    def connect(self) -> socket.socket:
        """Open a connection to the server."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(self._socket))
        return connection


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Yield True to the first process of the tests that asks for `folder`; the others wait until it is complete."""
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


def shared_folder(base: Path) -> Path:
    """Return the folder that all processes of one test run share. `base`: the temporary folder of this process."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
