"""File-system events of this process: counted, or one of them is the last thing that the process does.

Python reports opened, renamed and removed files to audit hooks. Writes and fsync are not reported, so they are wrapped.
A kill at a write leaves the first half of what is written, as a real kill of a large write can.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

CHANGES = frozenset(
    {
        *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
        *("os.utime", "fcntl.flock"),
    }
)
"""Audit events of calls that change a name or a file. A lock is an event, too."""


class Watch:
    """Counts the events of a process.

    Args:
        folder: paths outside it are not counted.
        log: an open file descriptor to which every event is written, or None.
        kill_at: the event before which the process kills itself, counted from 1, or None.
    """

    def __init__(self, folder: Path, *, log: int | None = None, kill_at: int | None = None) -> None:
        self._folder, self._log, self._kill_at = str(folder.resolve()), log, kill_at
        self._count = 0
        self._pid = os.getpid()

    def start(self) -> None:
        """Watch this process from now on. It cannot be ended."""
        sys.addaudithook(self._hook)
        self._wrap_writes()
        self._wrap_native()
        original = os.fsync

        def fsync(handle: Any) -> None:
            self.event("fsync", "")
            original(handle)

        os.fsync = fsync

    def event(self, what: str, path: str, half: Callable[[], object] | None = None) -> None:
        """Count an event. `half`: does half of it before the kill."""
        if os.getpid() != self._pid:
            return
        self._count += 1
        if self._log is not None:
            os.write(self._log, f"{what} {path.removeprefix(self._folder)}\n".encode("utf-8", "replace"))
        if self._count == self._kill_at:
            if half is not None:
                half()
            kill()

    def _inside(self, path: Any) -> str | None:
        """Return the absolute path, or None if it is not counted."""
        if isinstance(path, int) or path is None:
            return None
        text = os.path.abspath(os.fsdecode(path))
        return text if text.startswith(self._folder) and "/.streams/" not in text else None

    def _hook(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name == "open":
            path, _, flags = arguments
            if flags & WRITING and (inside := self._inside(path)) is not None:
                self.event("open", inside)
        elif name in CHANGES:
            # Names that are relative to an open folder come from shutil.rmtree.
            relative = name in ("os.remove", "os.rmdir") and arguments[-1] != -1
            inside = str(arguments[0]) if relative or name == "fcntl.flock" else self._inside(arguments[0])
            if inside is not None:
                self.event(name, inside)

    def _wrap_writes(self) -> None:
        watch, original = self, io.open

        class Raw(io.FileIO):
            def write(self, content: Any) -> int:
                watch.event("write", os.path.abspath(os.fsdecode(self.name)), lambda: self._half(content))
                return super().write(content)

            def _half(self, content: Any) -> None:
                view = memoryview(content).cast("B")
                super().write(view[: len(view) // 2])

        def open_(
            file: Any,
            mode: str = "r",
            buffering: int = -1,
            encoding: str | None = None,
            errors: str | None = None,
            newline: str | None = None,
            closefd: bool = True,
            opener: Any = None,
        ) -> Any:
            if not set(mode) & set("wax+") or isinstance(file, int) or opener or self._inside(file) is None:
                return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
            raw = Raw(file, mode.replace("b", "").replace("t", ""))
            if buffering == 0:
                return raw
            size = io.DEFAULT_BUFFER_SIZE
            buffered = io.BufferedRandom(raw, size) if "+" in mode else io.BufferedWriter(raw, size)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

        io.open = builtins.open = open_  # type: ignore[assignment]

    def _wrap_native(self) -> None:
        """Count files that are written by compiled code. A kill leaves the first half of the file."""
        import safetensors.torch

        def wrapped(original: Callable[..., Any], place: int) -> Callable[..., Any]:
            def call(*arguments: Any, **named: Any) -> Any:
                path = os.path.abspath(arguments[place] if len(arguments) > place else named["filename"])
                self.event("open", path)
                result = original(*arguments, **named)
                self.event("write", path, lambda: os.truncate(path, os.stat(path).st_size // 2))  # noqa: PTH116
                return result

            return call

        save = safetensors.torch.save_file
        replace_everywhere(save, wrapped(save, 1))


def replace_everywhere(old: object, new: object) -> None:
    """Replace a function in every module that has imported it."""
    for module in list(sys.modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is old:
                setattr(module, name, new)


def kill() -> NoReturn:
    """End this process as SIGKILL from outside does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL ends the process")
