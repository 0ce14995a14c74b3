"""Commands of the program, each in a fork of a process that has imported everything heavy.

A command runs with the arguments, streams, folder and environment that it would have as a process of its own. Libraries
that start threads (polars, onnxruntime, tokenizers) are first used after the fork.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import faulthandler
import importlib
import io
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from tests.forked.server import check_threads, preload

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
}
"""Set before the heavy imports."""

LATE = ("manyheads.training.tracking", "manyheads.studies.cluster")
"""Modules that import trackers and Ray. No command of a trial uses them."""

SECONDS = 300.0
"""The time limit of a command. It takes about a second."""


def warm() -> None:
    """Import what commands need. Nothing of the program may be called here: a command must start like a new process."""
    os.environ.update(ONE_THREAD)
    preload()
    # The stand-in stays in the modules that have it. Libraries that look for polars need not find it yet.
    del sys.modules["polars"]
    for name in ("onnx", "onnxscript", "sentence_transformers", "hypothesis.strategies"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    package = importlib.import_module("manyheads")
    for module in pkgutil.walk_packages(package.__path__, "manyheads."):
        if not module.name.startswith((*LATE, "manyheads.__main__")):
            importlib.import_module(module.name)
    import torch

    torch.set_num_threads(1)
    _first_calls()
    check_threads()


def _first_calls() -> None:
    """Make the first calls of libraries that take long, such as the compilation of a thousand expressions."""
    from sklearn.metrics import f1_score, matthews_corrcoef
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    get_checkpoint_conversion_mapping("bert")
    f1_score([0, 1], [0, 1], average="macro")
    matthews_corrcoef([0, 1], [0, 1])


@dataclass(frozen=True)
class Done:
    """The end of a command: its status (negative: the signal that ended it; None: the time limit) and its output."""

    words: tuple[str, ...]
    status: int | None
    out: bytes
    err: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Both streams."""
        return (self.out + self.err).decode("utf-8", "replace")


def run(
    words: Sequence[str | os.PathLike[str]],
    folder: Path,
    *,
    text: bytes = b"",
    before: Callable[[], None] | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = SECONDS,
    streams: Path | None = None,
) -> Done:
    """Run a command in `folder` and wait for it and for every process that it forked.

    Args:
        words: the arguments after `manyheads`.
        folder: the current folder. The cache and the temporary files are in `cache` and `tmp` in it.
        text: standard input.
        before: is called in the new process before the command.
        environment: added to the environment.
        seconds: the time limit.
        streams: the folder of the files for the standard streams. Default: `.streams` in `folder`.
    """
    arguments = tuple(map(str, words))
    streams = streams or folder / ".streams"
    streams.mkdir(parents=True, exist_ok=True)
    (streams / "in").write_bytes(text)
    began = time.monotonic()
    # The end of `alive` is open in the command and its forks, so it is closed when all of them have ended.
    alive, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(alive)
        _become(arguments, folder, streams, before, environment or {})
    os.close(theirs)
    ended = _closed(alive, seconds)
    os.close(alive)
    if not ended:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGABRT)  # writes where it hangs to standard error
            time.sleep(1)
            os.killpg(child, signal.SIGKILL)
    _, how = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(how) if ended else None
    out, err = ((streams / name).read_bytes() for name in ("out", "err"))
    return Done(arguments, status, out, err, time.monotonic() - began)


def _closed(pipe: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def _become(
    arguments: Sequence[str],
    folder: Path,
    streams: Path,
    before: Callable[[], None] | None,
    environment: Mapping[str, str],
) -> NoReturn:
    """Run a command in this process, which then ends."""
    status = 1
    try:
        os.setsid()
        temporary = folder / "tmp"
        temporary.mkdir(exist_ok=True)
        # An empty PATH: git is not found, so that provenance does not depend on the state of the source tree.
        os.environ.update(MANYHEADS_CACHE=str(folder / "cache"), TMPDIR=str(temporary), COLUMNS="160", PATH="")
        os.environ.update(environment)
        os.chdir(folder)
        for number, name in enumerate(("in", "out", "err")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            handle = os.open(streams / name, flags, 0o644)
            os.dup2(handle, number)
            os.close(handle)
        import tempfile

        tempfile.tempdir = None
        _renew_streams()
        faulthandler.enable(2)
        if before is not None:
            before()
        status = _command(arguments)
    except BaseException:
        traceback.print_exc()
    _end(status)


def _renew_streams() -> None:
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    errors = io.BufferedWriter(io.FileIO(2, "w", closefd=False))
    sys.stderr = io.TextIOWrapper(errors, encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr


def _command(arguments: Sequence[str]) -> int:
    from manyheads.cli.main import main

    sys.argv = ["manyheads", *arguments]
    try:
        main()
    except SystemExit as leave:
        if isinstance(leave.code, str):
            sys.stderr.write(f"{leave.code}\n")
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0


def _end(status: int) -> NoReturn:
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        status = status or 1
    os._exit(status)


def fork_workers(before: Callable[[], None] | None = None) -> None:
    """Let a study fork its workers, instead of starting processes that import everything again.

    `before` is called in each worker before its work.
    """
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _serve_workers(theirs, before)
    theirs.close()
    from manyheads.studies import run

    def popen(_command: object, *, env: Mapping[str, str], **_options: object) -> _Worker:
        return _Worker(ours, env)

    run.subprocess.Popen = popen  # type: ignore[assignment, misc]


class _Worker:
    """What `manyheads.studies.run` uses of subprocess.Popen, for a worker that another process forks."""

    def __init__(self, server: socket.socket, environment: Mapping[str, str]) -> None:
        pairs = [os.pipe() for _ in range(4)]
        theirs = [pairs[0][0], pairs[1][1], pairs[2][1], pairs[3][1]]
        message = json.dumps(dict(environment)).encode()
        server.sendmsg(
            [len(message).to_bytes(4, "big") + message],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", theirs))],
        )
        for handle in theirs:
            os.close(handle)
        self.pid = int.from_bytes(server.recv(4), "big")
        self.stdin: IO[str] = os.fdopen(pairs[0][1], "w")
        self.stdout: IO[str] = os.fdopen(pairs[1][0])
        self.stderr: IO[str] = os.fdopen(pairs[2][0])
        self._status = pairs[3][0]
        self.returncode: int | None = None

    def wait(self) -> int:
        if self.returncode is None:
            self.returncode = int.from_bytes(os.read(self._status, 4) or b"\1", "big", signed=True)
        return self.returncode

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


def _serve_workers(server: socket.socket, before: Callable[[], None] | None) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        data, handles, _, _ = socket.recv_fds(server, 1 << 16, 4)
        if not data:
            os._exit(0)
        length = int.from_bytes(data[:4], "big")
        while len(data) < length + 4:
            data += server.recv(1 << 16)
        guard = os.fork()
        if guard == 0:
            worker = os.fork()
            if worker == 0:
                os.close(handles[3])
                server.close()
                _work(json.loads(data[4:]), handles[:3], before)
            server.sendall(worker.to_bytes(4, "big"))
            server.close()
            for handle in handles[:3]:
                os.close(handle)
            _, how = os.waitpid(worker, 0)
            with contextlib.suppress(OSError):
                os.write(handles[3], os.waitstatus_to_exitcode(how).to_bytes(4, "big", signed=True))
            os._exit(0)
        for handle in handles:
            os.close(handle)


def _work(environment: Mapping[str, Any], handles: Sequence[int], before: Callable[[], None] | None) -> NoReturn:
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for number, handle in enumerate(handles):
            os.dup2(handle, number)
            os.close(handle)
        os.environ.clear()
        os.environ.update(environment)
        _renew_streams()
        if before is not None:
            before()
        from manyheads.studies.worker import main

        main()
        status = 0
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        traceback.print_exc()
    # The thread that waits for the end of standard input is a daemon.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
