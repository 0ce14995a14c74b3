"""The errors that a user can cause. Each names what is wrong, where, and what to do.

Messages name arguments as their reader writes them: `--resume` on the command line, `resume=True` in Python.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

SHOWN = 2000
"""Characters of a found value that a message shows."""


class ManyheadsError(Exception):
    """A mistake or a limit that the user can correct. The base class of all errors below.

    Args:
        what: What is wrong, as a short statement.
        where: The place: `file:line`, a key, a column, a folder.
        found: The value that was found there.
        allowed: The values that are allowed.
        hint: What to do.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        found: object = None,
        allowed: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.found = found
        self.allowed = allowed
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [self.what]
        if self.where is not None:
            parts.append(f"  where:   {self.where}")
        if self.found is not None:
            parts.append(f"  found:   {_shown(self.found)}")
        if self.allowed is not None:
            parts.append(f"  allowed: {self.allowed}")
        if self.hint is not None:
            parts.append(f"  try:     {self.hint}")
        return "\n".join(parts)


def _shown(found: object) -> str:
    """Return a value for a message. A long one is truncated."""
    try:
        text = repr(found[:SHOWN]) if isinstance(found, str) else str(found)
    except (ValueError, RecursionError):
        # Python does not write numbers of more than some thousand digits, or values that are nested deeply.
        return f"a value that is too large to show ({type(found).__name__})"
    if "\n" in text and not isinstance(found, str):  # such as a DataFrame or a tensor
        return f"a value of the type {type(found).__name__}"
    long = len(found) > SHOWN if isinstance(found, str) else len(text) > SHOWN
    return f"{text[:SHOWN]}... (truncated)" if long else text


class RecipeError(ManyheadsError):
    """A recipe, or an override of it, is invalid or cannot work."""


class DataError(ManyheadsError):
    """A data file is missing, empty, or has rows that cannot be used."""


class EncoderError(ManyheadsError):
    """An encoder cannot be found, verified or run."""


class RunError(ManyheadsError):
    """A run folder already exists, is in use, is incomplete or belongs to another recipe."""


class TrainingError(ManyheadsError):
    """Training cannot continue, for example because a loss is not finite."""


class BundleError(ManyheadsError):
    """A saved model was changed, is truncated or was not written by manyheads."""


class ServeError(ManyheadsError):
    """A server cannot start, for example because its address is in use or an option is out of range."""


class ManyheadsWarning(UserWarning):
    """What may need attention, such as rows that were skipped. The call continues after it."""


_ON_COMMAND_LINE = [False]
"""Whether the command line runs, the last value. It is one for all threads of the process."""


@contextmanager
def on_command_line(is_on: bool = True) -> Iterator[None]:
    """Let messages name options of the command line while the block runs, or arguments if `is_on` is false."""
    _ON_COMMAND_LINE.append(is_on)
    try:
        yield
    finally:
        _ON_COMMAND_LINE.pop()


def is_on_command_line() -> bool:
    """Return whether the command line runs, for a process that is started on its behalf."""
    return _ON_COMMAND_LINE[-1]


def by_caller(command_line: str, python: str) -> str:
    """Return what to write: on the command line if it runs, otherwise in Python."""
    return command_line if is_on_command_line() else python


def argument(name: str, value: object = None, *, option: str | None = None) -> str:
    """Return an argument as the reader of a message writes it: `--seeds 2`, or `seeds=2`.

    Args:
        name: its name in Python.
        value: its value. True: the option is a flag. None: only the name.
        option: the name of the option without dashes, if it is another one.
    """
    flag = f"--{option or name.replace('_', '-')}"
    if value is None:
        return by_caller(flag, f"{name}=")
    return by_caller(flag if value is True else f"{flag} {value}", f"{name}={value!r}")


def call(command: str, *values: object, **arguments: object) -> str:
    """Return a call as the reader of a message writes it: `manyheads export RUN --to onnx`, or the call in Python.

    Args:
        command: the name of the command and of the function.
        values: the values without a name.
        arguments: the arguments by their names in Python, which are those of the options.
    """
    words = ["manyheads", command, *map(str, values)]
    for name, value in arguments.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    parts = [*map(_literal, values), *(f"{name}={_literal(value)}" for name, value in arguments.items())]
    return by_caller(shlex.join(words), f"manyheads.{command}({', '.join(parts)})")


def _literal(value: object) -> str:
    return repr(value) if isinstance(value, bool | int | float) else repr(str(value))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name in `names` that is most similar to `name`, or None if no name is similar."""
    if not isinstance(name, str):  # such as None in a call from Python
        return None
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """Return the hint "did you mean 'x'?", or None if no name is similar."""
    suggestion = nearest(name, names)
    return f"did you mean '{suggestion}'?" if suggestion else None
