"""Standard output that cannot be written: a full disk, or a pipe whose reader has ended (`| head`)."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

from manyheads.errors import RunError

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
