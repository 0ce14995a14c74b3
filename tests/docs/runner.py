"""Running the blocks of a page in a folder, as a reader would."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from tests.docs.blocks import Block, Page
from tests.docs.output import missing_line
from tests.forked.start import ROOT, ForkServer

TIMEOUT = 600.0
"""Seconds that one block may take."""

CLEARED = ("MANYHEADS_", "OMP_", "MKL_", "COLUMNS", "LINES", "TERM", "PYTHON", "XDG_", "COVERAGE", "PYTEST")
"""Beginnings of the environment variables that a page does not inherit."""


class BlockError(Exception):
    """A block failed; the message names the page, the line, what went wrong and what the block printed."""


class Server(ForkServer):
    """The fork server and the environment in which pages run.

    `folder`: shared by all processes of the tests. The first one starts the server.
    `offline`: a folder at the start of the path of every Python process, or None.
    `core`: the one core that every command may use, or None. Tests run in parallel. Commands with one thread per core
    would wait for one another.
    """

    def __init__(self, folder: Path, offline: Path | None, core: int | None) -> None:
        super().__init__(folder)
        self._folder, self._offline, self._core = folder, offline, core

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of a page with the home folder `home`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(CLEARED)}
        path = [str(ROOT / "src")] if self._offline is None else [str(self._offline), str(ROOT / "src")]
        return {
            **kept,
            "HOME": str(home),
            "PATH": os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "MPLCONFIGDIR": str(self._folder / "matplotlib"),
            "MANYHEADS_CACHE": str(home / "cache"),
            **self.variables,
            **({} if self._core is None else {"MANYHEADS_FORK_CORE": str(self._core)}),
        }


def extension(name: str) -> ModuleType:
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class PageRun:
    """A page's folder and the processes that run in it. Everything that was started ends with the `with` block."""

    def __init__(self, page: Page, folder: Path, home: Path, server: Server) -> None:
        self._page, self._folder, self._server = page, folder, server
        self._environment = server.environment(home)
        self._log = home / "output.txt"
        self._groups: list[subprocess.Popen[bytes]] = []
        self._session: _Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            self._session.close()
        for process in self._groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def run(self) -> None:
        """Run every block in order.

        Raises:
            BlockError: a block failed, or its output is not as the page prints it.
        """
        output = ""
        for block in self._page.blocks:
            if block.role == "file":
                file = self._folder / block.argument
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.code, encoding="utf-8")
            elif block.role == "output":
                line = missing_line(block.code, output)
                if line is not None:
                    raise self._error(block, f"the output has no line {line.strip()!r}", output)
            elif block.role == "background":
                self._start(block)
            elif block.role == "run":
                self._log.write_bytes(b"")
                (self._shell if block.language == "sh" else self._python)(block)
                output = self._output()

    def run_in_a_kernel(self, cells: Sequence[tuple[str, Block]]) -> None:
        """Run the page as a notebook. `cells`: its cells of code, each with its block.

        Raises:
            BlockError: a cell raised an exception, or its output is not as the page prints it.
        """
        from tests.docs.kernel import client, failed, run_cell, text_of

        expected: dict[Block, list[Block]] = {}
        for before, block in pairwise(self._page.blocks):
            if block.role == "output":
                expected.setdefault(before, []).append(block)
        home, python = self._log.parent, self._server.bin / "python"
        sources = [source for source, _ in cells]
        with client(sources, self._folder, home, python, self._environment, TIMEOUT) as own:
            for place, (_, block) in enumerate(cells):
                outputs = run_cell(own, place)
                text = text_of(outputs)
                if failed(outputs):
                    raise self._error(block, "the cell raised", text)
                for each in expected.get(block, []):
                    line = missing_line(each.code, text)
                    if line is not None:
                        raise self._error(each, f"the output has no line {line.strip()!r}", text)

    def _output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _error(self, block: Block, what: str, output: str) -> BlockError:
        return BlockError(f"{self._page.name}:{block.line}: {what}\n{block.code}--- output ---\n{output}")

    def _popen(self, block: Block, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["bash", "-eu", "-o", "pipefail", "-c", block.code],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._groups.append(process)
        return process

    def _shell(self, block: Block) -> None:
        process = self._popen(block, self._log)
        try:
            status = process.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise self._error(block, f"the block ran for more than {TIMEOUT:.0f} s", self._output()) from None
        if status != 0:
            raise self._error(block, f"the block ended with status {status}", self._output())

    def _start(self, block: Block) -> None:
        """Run a block in the background and wait until its address responds."""
        log = self._log.with_name(f"background-{block.line}.txt")
        process = self._popen(block, log)
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until and process.poll() is None:
            with (
                contextlib.suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(block.argument, timeout=10),
            ):
                return
            time.sleep(0.1)
        raise self._error(block, f"{block.argument} did not respond", log.read_text(errors="replace"))

    def _python(self, block: Block) -> None:
        if self._session is None:
            self._session = _Session(self._server, self._folder, self._environment)
        name = f"{self._page.name}:{block.line}"
        try:
            failure = self._session.run(block.code, name, self._log)
        except TimeoutError:
            raise self._error(block, f"the block ran for more than {TIMEOUT:.0f} s", self._output()) from None
        if failure:
            raise self._error(block, "the block raised", self._output() + failure)


class _Session:
    """One process of the fork server with one namespace for the Python blocks of a page."""

    def __init__(self, server: Server, folder: Path, environment: dict[str, str]) -> None:
        self._connection = server.connect()
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        null = os.open(os.devnull, os.O_WRONLY)
        request: dict[str, Any] = {
            "kind": "session",
            "cwd": str(folder),
            "env": environment,
            "python": str(Path(environment["PATH"].split(os.pathsep)[0]) / "python"),
            "ignored": [],
        }
        data = (json.dumps(request) + "\n").encode()
        sent = socket.send_fds(self._connection, [data], [requests, null, null, replies])
        self._connection.sendall(data[sent:])
        for fd in (requests, null, replies):
            os.close(fd)

    def run(self, code: str, name: str, output: Path) -> str:
        """Run code; return its traceback, or nothing where it raised nothing.

        Raises:
            TimeoutError: it runs for too long.
        """
        os.write(self._requests, (json.dumps({"code": code, "name": name, "output": str(output)}) + "\n").encode())
        reply = b""
        until = time.monotonic() + TIMEOUT
        os.set_blocking(self._replies, False)
        while not reply.endswith(b"\n"):
            if time.monotonic() > until:
                raise TimeoutError
            try:
                more = os.read(self._replies, 1 << 16)
            except BlockingIOError:
                time.sleep(0.02)
                continue
            if not more:
                return "the process of the Python blocks ended"
            reply += more
        return str(json.loads(reply))

    def close(self) -> None:
        """End the process."""
        os.close(self._requests)
        os.close(self._replies)
        self._connection.close()
