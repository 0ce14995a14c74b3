"""Options of the server, and who may reach it: its address, and the names in the header `Host`.

A page of another site can make a browser send requests to a server of this machine under its own name (DNS rebinding).
The header then has that name, so a server without a token accepts only names that belong to it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import ServeError, argument, by_caller

LIMITS = (
    *("batch_texts", "queue_texts", "body_bytes", "request_texts", "text_characters"),
    *("body_seconds", "header_bytes", "connections", "idle_seconds", "stop_seconds"),
)

LONGEST_DELAY = 1.0

TOKEN = "MANYHEADS_TOKEN"
"""The variable of the environment that has the token of a server."""


@dataclass(frozen=True)
class ServerOptions:
    """Limits and behaviour of the server.

    Attributes:
        batching: predict texts of several requests in one pass. If False, every request has its own pass.
        delay: seconds that a text waits for further texts while the model is idle.
        batch_texts: maximum number of texts per pass. A request with more texts has its own pass.
        queue_texts: maximum number of waiting texts.
        body_bytes: maximum size of a request body.
        request_texts: maximum number of texts per request.
        text_characters: maximum length of a text.
        body_seconds: seconds in which a request body must arrive.
        header_bytes: maximum size of the headers of a request, with its address.
        connections: maximum number of connections. A new one ends the one that has waited longest for a request.
        idle_seconds: seconds that a connection may wait: for the next request, or for the client to read.
        stop_seconds: seconds in which a server that gets a signal ends.
        token: bearer token that clients must send. None accepts every client.
        hosts: names in the header `Host` that are accepted. None: every name if the server has a token, otherwise
            the names of its own address.
        without_token: listen on an address that other machines can reach without a token.
        log_requests: write a line for every request to standard error. Errors are always written.

    Raises:
        ServeError: the token is empty, or a limit is not above 0.
    """

    batching: bool = True
    delay: float = 0.005
    batch_texts: int = 64
    queue_texts: int = 1024
    body_bytes: int = 1 << 20
    request_texts: int = 256
    text_characters: int = 10_000
    body_seconds: float = 10.0
    header_bytes: int = 32 << 10
    connections: int = 512
    idle_seconds: float = 30.0
    stop_seconds: float = 30.0
    token: str | None = None
    hosts: tuple[str, ...] | None = None
    without_token: bool = False
    log_requests: bool = True

    def __post_init__(self) -> None:
        for name in LIMITS:
            if not getattr(self, name) > 0:
                raise ServeError("the limit is out of range", where=name, found=getattr(self, name), allowed="above 0")
        if not 0 <= self.delay <= LONGEST_DELAY:
            raise ServeError("the delay is out of range", where="delay", found=self.delay, allowed="0 to 1 second")
        if self.token is not None and not self.token.strip():
            hint = "set a token, or omit it"
            raise ServeError("the token is empty", where="token", hint=hint)


HEADER = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::\d{1,5})?")
"""The form of the header: a name or an address, and perhaps a port."""

ANY = "*"


@dataclass(frozen=True)
class Hosts:
    """The names that requests may use.

    Attributes:
        names: names in lower case. "*.example.org" stands for every name that ends so. None accepts every name.
        addresses: whether every address is accepted, too. A browser does not look up an address, so no other site can
            use one.
    """

    names: frozenset[str] | None
    addresses: bool = False

    def allow(self, header: bytes | None) -> bool:
        """Return whether a header `Host` is accepted. Names of this machine's loopback interface always are."""
        if self.names is None:
            return True
        name = name_of((header or b"").decode("latin-1"))
        if name is None:
            return False
        address = _address(name)
        if address is not None and (self.addresses or address.is_loopback):
            return True
        if name == "localhost" or name.endswith(".localhost") or name in self.names:
            return True
        return any(each.startswith("*.") and name.endswith(each[1:]) for each in self.names)


def hosts_for(host: str, allowed: Sequence[str] | None, *, token: bool) -> Hosts:
    """Return the names that a server accepts.

    `allowed` names them. Otherwise a server with a token accepts every name, one on the loopback interface only names
    of that interface, and any other one addresses and the names of the machine.

    Raises:
        ServeError: an allowed name is not a host name.
    """
    own = frozenset({host.lower().rstrip(".")})
    if allowed:
        if ANY in allowed:
            return Hosts(None)
        return Hosts(frozenset(_checked(each) for each in allowed))
    if token:
        return Hosts(None)
    if is_loopback(host):
        return Hosts(own)
    return Hosts(own | {socket.gethostname().lower(), socket.getfqdn().lower()}, addresses=True)


def name_of(header: str) -> str | None:
    """Return the name in a header `Host` without its port, in lower case, or None if it is not a host name."""
    found = HEADER.fullmatch(header.strip())
    return None if found is None else found["name"].strip("[]").lower().rstrip(".")


def is_loopback(host: str) -> bool:
    """Return whether a server that listens on `host` can be reached from this machine only."""
    address = _address(host)
    if address is not None:
        return address.is_loopback
    if not host:  # every interface
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ipaddress.ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)


def require_token(host: str, *, token: bool, without_token: bool) -> None:
    """Check that a server that other machines can reach has a token, unless the user wants it without.

    Raises:
        ServeError: it has none, or both a token and `without_token` are given.
    """
    if token and without_token:
        without = argument("without_token", True)
        raise ServeError(f"a token is set, and {without} is given", where=without, hint=f"omit {without} or the token")
    if not token and not without_token and not is_loopback(host):
        own = by_caller(f"--token-file or {TOKEN}", "token=")
        hint = f"set one with {own}, or accept everyone with {argument('without_token', True)}"
        what = "a server that other machines can reach needs a token"
        raise ServeError(what, where=argument("host", host), found="no token", hint=hint)


def read_token(file: Path | None) -> str | None:
    """Return the token of a file, or else of the environment. All users of a machine can read command lines.

    Raises:
        ServeError: the file cannot be read, or the token is empty or has a control character.
    """
    if file is None and TOKEN not in os.environ:
        return None
    where = f"${TOKEN}" if file is None else str(file)
    try:
        token = (os.environ[TOKEN] if file is None else file.read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeError) as error:
        raise ServeError("the token file cannot be read", where=where, found=str(error)) from error
    if not token:
        hint = f"set a token, or unset {TOKEN}" if file is None else None
        raise ServeError("the token is empty", where=where, hint=hint)
    if not token.isprintable():
        raise ServeError("the token has a control character", where=where, hint="a token is one line of text")
    return token


def _checked(allowed: str) -> str:
    name = name_of(allowed.removeprefix("*."))
    if not name:
        example = "model.example.org, *.example.org or an address"
        raise ServeError(
            "not the name of a host", where=argument("hosts", option="allowed-host"), found=allowed, allowed=example
        )
    return f"*.{name}" if allowed.startswith("*.") else name


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
