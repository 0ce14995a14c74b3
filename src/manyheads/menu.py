"""A menu: the members of one sort by name, to which members from outside the package can be added."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from manyheads.errors import ManyheadsError

NAME = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


class MemberError(ManyheadsError):
    """A member cannot be added to its menu."""


class Named(Protocol):
    """A member of a menu."""

    @property
    def name(self) -> str:
        """The name in recipes, on the command line and in messages."""


Member = TypeVar("Member", bound=Named)


class Menu(dict[str, Member]):
    """The members of one sort by name.

    `noun`: what a member is called in messages, such as "head". `origins`: the plug-in of each member from outside the
    package. `check`: raises a ValueError with the reason if a new member cannot be used.
    """

    def __init__(self, noun: str, members: Iterable[Member], check: Callable[[Member], None]) -> None:
        super().__init__({member.name: member for member in members})
        self.noun = noun
        self.origins: dict[str, str] = {}
        self._check = check

    def add(self, member: Member, origin: str) -> None:
        """Add a member of a plug-in, after a short check. The plug-in `origin` may add its own member again.

        Raises:
            MemberError: The name is taken or not valid, or the member fails the check.
        """
        name = member.name
        if not isinstance(name, str) or not NAME.fullmatch(name):
            allowed = "lower-case letters and digits, with - or _ between them"
            raise MemberError(f"the name of a {self.noun} is not valid", where=origin, found=name, allowed=allowed)
        if name in self and self.origins.get(name) != origin:
            raise MemberError(
                f"there is a {self.noun} with this name already",
                where=origin,
                found=f"{name}, which {self.origins.get(name, 'manyheads')} has",
                hint="choose another name",
            )
        try:
            self._check(member)
        except (ValueError, TypeError, AttributeError, RuntimeError) as error:
            what = f"the {self.noun} {name} cannot be added"
            raise MemberError(what, where=origin, found=f"{type(error).__name__}: {error}") from error
        self[name] = member
        self.origins[name] = origin

    def remove(self, name: str) -> None:
        """Remove a member that was added."""
        del self.origins[name]
        del self[name]


def require(condition: bool, reason: str) -> None:
    """Raise a ValueError with the reason if a condition does not hold."""
    if not condition:
        raise ValueError(reason)
