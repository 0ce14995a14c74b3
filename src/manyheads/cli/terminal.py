"""Output for terminals and other readers.

Control characters in names, labels and texts are shown and have no effect. Standard output may be impossible to write:
a full disk, or a pipe whose reader has ended (`| head`).
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

import typer

from manyheads.errors import RunError
from manyheads.tasks.written import visible

if TYPE_CHECKING:
    from rich.console import Console

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE)
"""The errors of the system for an output that cannot be written."""


class Shown:
    """A listener that shows a run until its output cannot be written, and then asks the run to stop with a checkpoint.

    `failure`: why the output cannot be written, or None.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self.failure: OSError | None = None

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        if self.failure is not None:
            return
        try:
            self._display(event, **fields)
        except OSError as error:
            if error.errno not in UNWRITABLE:
                raise
            self.failure = error
            drop_output()
            if signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, None):
                raise unwritable(error, "nothing was trained yet") from error
            # The run catches the signal as one from outside: it ends after a checkpoint.
            signal.raise_signal(signal.SIGTERM)


def unwritable(error: OSError, hint: str) -> RunError:
    """Return the error for an output that cannot be written. `hint`: what is kept, and how to continue."""
    number = error.errno or errno.EIO
    where = str(error.filename or "standard output")
    return RunError("the output cannot be written", where=where, found=os.strerror(number), hint=hint)


def drop_output() -> None:
    """Discard what is in the buffer of standard output and what is written later. Python would try again at its end."""
    try:
        target = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, target)
    os.close(nowhere)


def say(text: object, *, error: bool = False, colour: str | None = None) -> None:
    """Print a message, to standard error if it is about a problem."""
    typer.secho(visible(str(text)), fg=colour, err=error)


def show(text: str) -> None:
    """Print a document to standard output. Its control characters are shown if that is a terminal."""
    typer.echo(visible(text) if sys.stdout.isatty() else text, nl=False)


class _Shown(io.TextIOBase):
    """Standard output if it is a terminal. Control characters in what is written are shown."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return sys.stdout.write(visible(text))


def shown_output() -> TextIO:
    """Return standard output for data, which are changed only if it is a terminal."""
    return cast(TextIO, _Shown()) if sys.stdout.isatty() else sys.stdout


@contextmanager
def standard_output() -> Iterator[None]:
    """Explain a standard output that is closed or full.

    Raises:
        RunError: Standard output cannot be written.
        Exit: The reader of the output has closed it (`... | head`). This is not an error.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if not _fails():
            raise
        if error.errno == errno.EPIPE:
            say("standard output was closed, so the rest of the output was not written", error=True)
            raise typer.Exit(0) from None
        raise unwritable(error, "write to another file or device, or free disk space") from None


def _fails() -> bool:
    """Return whether standard output cannot be written, by writing to it. What waits to be written is then dropped."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError:
        drop_output()
        return True
    return False


def make_console(**options: Any) -> Console:
    """Return a console of rich on which control characters are shown.

    It raises BrokenPipeError. Rich itself ends the program at once and in silence. Only a terminal gets lines that are
    updated in place; with FORCE_COLOR, which the kernels of notebooks set, rich would write them elsewhere as well.
    """
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
    from rich.segment import Segment

    class Shown:
        """What is printed, with visible control characters. The console's own control codes do not change."""

        def __init__(self, content: ConsoleRenderable) -> None:
            self.content = content

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for segment in console.render(self.content, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    class Hook(RenderHook):
        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Shown(each) for each in renderables]

    class Plain(Console):
        def on_broken_pipe(self) -> NoReturn:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    console = Plain(**{"force_terminal": sys.stdout.isatty(), **options})
    console.push_render_hook(Hook())
    return console
