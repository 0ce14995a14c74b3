"""A process that has imported everything heavy and forks once for every command of a test or a page.

Importing torch and transformers takes seconds of CPU time per process. The tests start some hundreds.
The shims `manyheads` and `python` (shim.py) pass their arguments, environment, folder and standard streams over a Unix
socket. For each of them, the server forks a supervisor, which forks the command,
forwards signals to it and returns its exit status. No thread may start before the fork. The server checks this.

    python -m tests.forked.server SOCKET

The server ends, with every process that it started, when the last client that leased it (`lease`) has gone.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import os
import pkgutil
import resource
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

FDS = 4
HEAVY = (
    "torch",
    "transformers.models.bert.modeling_bert",
    "sklearn.metrics",
    "scipy.stats",
    "matplotlib.figure",
    "matplotlib.font_manager",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "fastapi",
    "uvicorn",
    "rich.progress",
)
UNLOADED = (
    "manyheads.__main__",
    "manyheads.training.tracking",
    "manyheads.studies.cluster",
    "manyheads.inference.export",
)
"""Modules (with what is in them) that the server leaves to the commands that need them."""


def preload() -> None:
    """Import the heavy modules; polars, which starts threads, only when a command first uses it."""
    for name in HEAVY:
        importlib.import_module(name)
    sys.modules["polars"] = _ImportedAtFirstUse("polars")
    package = importlib.import_module("manyheads")
    for module in pkgutil.walk_packages(package.__path__, "manyheads."):
        if not module.name.startswith(UNLOADED):
            importlib.import_module(module.name)
    _draw_a_figure()


def _draw_a_figure() -> None:
    """Fill the caches of matplotlib, such as fonts and glyphs. Most commands draw figures."""
    from manyheads.pages.figures import canvas, figure_files

    def draw() -> Any:
        figure = canvas(2)
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], label="a line")
        axes.set_title("a title")
        figure.legend()
        return figure

    figure_files("first", "first", draw)


class _ImportedAtFirstUse(ModuleType):
    """Stands in for a module until one of its names is used. (importlib's LazyLoader loads at the import statement.)"""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__path__", "__version__"):
            raise AttributeError(name)
        sys.modules.pop(self.__name__, None)
        module = importlib.import_module(self.__name__)
        self.__dict__.update(module.__dict__)
        return getattr(module, name)


def check_threads() -> None:
    """Raise where this process has a thread that a fork would lose. (jemalloc starts its own again after a fork.)"""
    names = [(path / "comm").read_text().strip() for path in Path("/proc/self/task").iterdir()]
    others = [name for name in names if name != "jemalloc_bg_thd"][1:]
    if others:
        raise RuntimeError(f"the fork server has threads: {', '.join(others)}")


def serve(path: str) -> None:
    """Accept commands and leases until the last lease is closed."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    listener.listen(64)
    Path(path + ".new").rename(path)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are not waited for
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    leases = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is not listener:
                selector.unregister(key.fileobj)
                leases -= 1
                continue
            connection, _ = listener.accept()
            request, fds = receive(connection)
            if request["kind"] == "lease":
                leases += 1
                selector.register(connection, selectors.EVENT_READ)
                connection.sendall(b"ok")
                continue
            if os.fork() == 0:
                # Nothing may return from here: the end of the server kills every process that it started.
                try:
                    listener.close()
                    selector.close()
                    _supervise(connection, request, fds)
                finally:
                    os._exit(1)
            for fd in fds:
                os.close(fd)
            connection.close()
        if leases == 0:
            return


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Return a request and the file descriptors that came with its first bytes."""
    data, fds, _, _ = socket.recv_fds(connection, 1 << 16, FDS)
    while not data.endswith(b"\n"):
        more = connection.recv(1 << 16)
        if not more:
            break
        data += more
    return json.loads(data or b'{"kind": "lease"}'), list(fds)


def _supervise(connection: socket.socket, request: dict[str, Any], fds: list[int]) -> NoReturn:
    """Fork the command, forward signals to it, return its status, and kill it when the shim has gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        try:
            connection.close()
            _run(request, fds)
        finally:
            os._exit(1)
    for fd in fds:
        os.close(fd)
    ended = os.pidfd_open(command)
    with selectors.DefaultSelector() as selector:
        selector.register(ended, selectors.EVENT_READ)
        selector.register(connection, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select()}
            if ended in ready:
                break
            numbers = connection.recv(16)
            for number in numbers or [signal.SIGKILL]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(command, number)
            if not numbers:
                break
    _, status = os.waitpid(command, 0)
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(request: dict[str, Any], fds: list[int]) -> NoReturn:
    """Become the command: streams, environment, folder and limits as the shim's, then its exit status."""
    for number, fd in enumerate(fds[:3]):
        os.dup2(fd, number)
        os.close(fd)
    core = request["env"].get("MANYHEADS_FORK_CORE")
    if core is not None:
        os.sched_setaffinity(0, {int(core)})
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    if "file_size" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, request["file_size"])
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w", closefd=False)), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(io.FileIO(2, "w", closefd=False)),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )
    # Processes that the command starts with `sys.executable` are forked as well.
    sys.executable = request["python"]
    status = 0
    try:
        if request["kind"] == "session":
            _session(fds[3])
        else:
            _command(request["kind"], request["argv"])
    except SystemExit as leave:
        if isinstance(leave.code, str):
            sys.stderr.write(f"{leave.code}\n")
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except BaseException:
        traceback.print_exc()
        status = 1
    for end in (threading._shutdown, atexit._run_exitfuncs):  # type: ignore[attr-defined]
        with contextlib.suppress(BaseException):  # a signal at the end changes no status
            end()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _command(kind: str, argv: list[str]) -> None:
    """Run `manyheads ARGUMENTS`, or `python FILE`, `python [-u] [-P] -m MODULE`, `python -c CODE`."""
    if kind == "manyheads":
        from manyheads.cli.main import main

        sys.argv = argv
        sys.path[0] = str(Path(sys.executable).parent)
        main()
    elif argv[1] == "-u":  # output is unbuffered
        sys.stdout.reconfigure(write_through=True)  # type: ignore[attr-defined]
        _command(kind, [argv[0], *argv[2:]])
    elif argv[1:3] == ["-P", "-m"]:
        sys.argv = argv[3:]
        sys.path[0] = str(Path(sys.executable).parent)
        runpy.run_module(argv[3], run_name="__main__", alter_sys=True)
    elif argv[1] == "-m":
        sys.argv = argv[2:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
    elif argv[1] == "-c":
        sys.argv = ["-c", *argv[3:]]
        sys.path[0] = ""
        exec(compile(argv[2], "<string>", "exec"), _main_module().__dict__)
    else:
        sys.argv = argv[1:]
        sys.path[0] = str(Path(argv[1]).parent.resolve())
        code = compile(Path(argv[1]).read_bytes(), argv[1], "exec")
        exec(code, _main_module(argv[1]).__dict__)


def _main_module(file: str | None = None) -> ModuleType:
    module = ModuleType("__main__")
    if file is not None:
        module.__file__ = file
    sys.modules["__main__"] = module
    return module


def _session(replies: int) -> None:
    """Run the Python blocks of a page in one namespace, each as it comes in; reply with an empty line or a traceback.

    Warnings are errors, as they are in the test suite, apart from those of manyheads about data.
    """
    sys.argv = [""]
    sys.path[0] = ""
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", importlib.import_module("manyheads.errors").ManyheadsWarning)
    namespace = _main_module().__dict__
    with os.fdopen(0, "r", encoding="utf-8", closefd=False) as requests, os.fdopen(replies, "w") as answers:
        for line in requests:
            block = json.loads(line)
            out = os.open(block["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(out, 1)
            os.dup2(out, 2)
            os.close(out)
            reply = ""
            try:
                exec(compile(block["code"], block["name"], "exec"), namespace)
            except BaseException:
                reply = traceback.format_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            answers.write(json.dumps(reply) + "\n")
            answers.flush()


if __name__ == "__main__":
    os.setsid()
    preload()
    check_threads()
    try:
        serve(sys.argv[1])
    finally:
        Path(sys.argv[1]).unlink(missing_ok=True)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGKILL)  # this process, and every command that still runs
