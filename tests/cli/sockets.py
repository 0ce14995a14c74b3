"""Run commands in a process that the kernel kills when it, or a child of it, makes a socket of the internet."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import socket
import struct
import sys

CALLS = {"x86_64": 41, "aarch64": 198}
"""The number of the system call `socket` on each architecture."""

NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
KILL_PROCESS, ALLOW = 0x80000000, 0x7FFF0000

UNSUPPORTED = 99
"""Exit status if the kernel has no such filter."""


def forbid() -> None:
    """Install the filter: socket(AF_INET) and socket(AF_INET6) kill the process, also from a library's thread."""
    rules = [
        (LOAD, 0, 0, 0),
        (EQUAL, 0, 4, CALLS[platform.machine()]),
        (LOAD, 0, 0, 16),
        (EQUAL, 1, 0, socket.AF_INET),
        (EQUAL, 0, 1, socket.AF_INET6),
        (RETURN, 0, 0, KILL_PROCESS),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("HL", len(rules), ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(program)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or libc.prctl(SECCOMP, FILTER, ctypes.addressof(pointer), 0, 0):
        sys.exit(UNSUPPORTED)


def run(command: list[str]) -> None:
    """Run one command and check its exit status."""
    from manyheads.cli.main import main

    try:
        main(command)
    except SystemExit as ended:
        if ended.code:
            raise AssertionError(f"{command}: {ended.code}") from ended


def watch_onnxruntime() -> None:
    """Check that telemetry is off when onnxruntime is loaded, which is before its first session."""
    from manyheads.inference.graph_engine import NO_TELEMETRY

    assert "onnxruntime" not in sys.modules
    os.environ.pop(NO_TELEMETRY, None)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "import" and arguments[0] == "onnxruntime" and os.environ.get(NO_TELEMETRY) != "1":
            raise AssertionError("onnxruntime is imported with its telemetry on")

    sys.addaudithook(hook)


def main_() -> None:
    """Run the commands on standard input, a JSON list of lists of words."""
    commands = json.load(sys.stdin)
    if commands == "probe":
        forbid()
        socket.socket(socket.AF_INET)
        return
    # A process that the fork server starts for a child of this process would have no filter.
    sys.executable = os.environ.get("MANYHEADS_FORK_PYTHON", sys.executable)
    forbid()
    socket.socket(socket.AF_UNIX).close()
    watch_onnxruntime()
    for command in commands:
        run(command)
        sys.stdout.write(f"done {command[0]}\n")
        sys.stdout.flush()
    assert "onnxruntime" in sys.modules


if __name__ == "__main__":
    main_()
