"""What the user did, where, and the way out: every error a user can cause is one of these."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ManyheadsError(Exception):
    """A mistake or a limit that the user can do something about.

    The message is built from parts, so that no part is forgotten: `what` is wrong, `where` it stands
    (`file:line`, a key, a column), what was `found`, what is `allowed`, and what to do (`hint`).
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
            parts.append(f"  found:   {self.found!r}" if isinstance(self.found, str) else f"  found:   {self.found}")
        if self.allowed is not None:
            parts.append(f"  allowed: {self.allowed}")
        if self.hint is not None:
            parts.append(f"  try:     {self.hint}")
        return "\n".join(parts)


class RecipeError(ManyheadsError):
    """A recipe (or an override of it) that cannot be understood or cannot work."""


class DataError(ManyheadsError):
    """A data file that is missing, empty, or has rows that cannot be used."""


class EncoderError(ManyheadsError):
    """An encoder that cannot be found, verified or run."""


class RunError(ManyheadsError):
    """A run folder that exists, is in use, is incomplete or belongs to another recipe."""


class TrainingError(ManyheadsError):
    """Training that cannot go on: a loss that is not finite, for one."""


class BundleError(ManyheadsError):
    """A saved model that is changed, truncated or foreign."""


class ServeError(ManyheadsError):
    """A server that cannot start: an address in use, an option out of range."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is most like `name`, or None where nothing is alike."""
    names = list(names)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """The hint "did you mean 'x'?", or None where nothing is alike."""
    found = nearest(name, names)
    return f"did you mean '{found}'?" if found else None
