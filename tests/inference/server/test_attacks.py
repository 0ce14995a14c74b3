"""Clients that send slowly, read nothing, use other names or send what breaks a library: others are served."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from tests.inference.server.conftest import Server, serving
from tests.inference.test_trust import sign
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import EncoderError, ServeError
from manyheads.inference.server.options import Hosts, ServerOptions, hosts_for, is_loopback, name_of

TEXT = {"texts": ["a fine film"]}
LARGE = "/assets/swagger-ui-bundle.js"
"""A response that is larger than the buffers of a connection."""


def connect(server: Server) -> socket.socket:
    host, port = server.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def predicts(server: Server) -> bool:
    return httpx.post(f"{server.address}/v1/predict/sentiment", json=TEXT, timeout=20).status_code == 200


def predicts_soon(server: Server, seconds: float = 30) -> bool:
    """Return whether a request succeeds in time. The server may first have to end connections that wait too long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if predicts(server):
                return True
        time.sleep(0.1)
    return False


def is_closed(connection: socket.socket) -> bool:
    """Wait until the server has closed the connection."""
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True


# Connections


@pytest.fixture(scope="module")
def strict(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with narrow limits."""
    limits = ("--idle-seconds", "2", "--connections", "20", "--header-bytes", "2048", "--stop-seconds", "20")
    with serving(trained.folder.path, tmp_path_factory.mktemp("strict") / "log", *limits) as server:
        yield server


def test_half_sent_headers_are_closed_and_others_are_served(strict: Server) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(strict)) for _ in range(80)]
        for connection in slow:
            # The server may have ended some already, because there are more than it keeps.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert predicts_soon(strict)
        assert all(is_closed(connection) for connection in slow)
    assert predicts(strict)


def is_ended(connection: socket.socket, data: bytes) -> bool:
    """Send a little now and then, and read nothing, until the server has ended the connection."""
    try:
        for _ in range(150):
            connection.sendall(data)
            time.sleep(0.2)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_a_byte_now_and_then_does_not_keep_a_connection(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert is_ended(connection, b"a")


@pytest.mark.parametrize("before", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_an_idle_connection_is_closed(strict: Server, before: bytes) -> None:
    with connect(strict) as connection:
        connection.sendall(before)
        assert is_closed(connection)


def test_a_connection_is_kept_between_requests(strict: Server) -> None:
    connection = HTTPConnection(strict.address.removeprefix("http://"), timeout=20)
    connection.connect()
    kept = connection.sock
    for _ in range(5):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b'{"status":"ok"}'
        assert connection.sock is kept
        time.sleep(0.5)
    connection.close()


def test_a_client_that_does_not_read_is_closed(strict: Server) -> None:
    with connect(strict) as connection:
        connection.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20)
        assert is_ended(connection, b"G")
    assert predicts(strict)


def test_large_headers_are_refused_before_the_token(strict: Server) -> None:
    for name in ("X-Large", "Cookie"):
        response = httpx.get(f"{strict.address}/v1/tasks", headers={name: "a" * 3000})
        assert response.status_code in (400, 431)
    with connect(strict) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        try:
            for number in range(100_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1000))
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            raise AssertionError("100 MB of headers were taken")
    assert predicts(strict)


def test_a_body_that_nobody_reads_does_not_keep_a_connection(strict: Server) -> None:
    head = b"POST /v1/predict/sentiment HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    with connect(strict) as connection:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 415")
        assert is_ended(connection, b"1\r\na\r\n")


def test_a_client_that_does_not_read_does_not_delay_the_end(trained: manyheads.Run, tmp_path: Path) -> None:
    with serving(trained.folder.path, tmp_path / "log", "--stop-seconds", "3") as server, ExitStack() as stack:
        for _ in range(3):
            connection = stack.enter_context(connect(server))
            connection.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20)
        half = stack.enter_context(connect(server))
        half.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert predicts(server)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=15) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert server.events()[-1]["event"] == "stopped"
    assert next(event for event in server.events() if event["event"] == "listening")["stop_seconds"] == 3


STUCK = """
import sys, threading, time
from manyheads.inference.server import run
from manyheads.inference.server.options import ServerOptions
import manyheads

class Stuck:
    def __init__(self, model): self.model = model
    def __getattr__(self, name): return getattr(self.model, name)
    def decode_several(self, requests): time.sleep(600)

run.run_server(Stuck(manyheads.load(sys.argv[1], threads=1)), "127.0.0.1", 0, ServerOptions(stop_seconds=2))
"""


def test_a_model_that_does_not_respond_does_not_delay_the_end(trained: manyheads.Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", STUCK, str(trained.folder.path)], stderr=file)
    try:
        for _ in range(1200):
            if log.read_text().endswith("\n"):
                break
            time.sleep(0.05)
        address = json.loads(log.read_text().splitlines()[0])["url"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(httpx.post, f"{address}/v1/predict/sentiment", json=TEXT, timeout=60)
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=15) in (-signal.SIGTERM, 128 + signal.SIGTERM)
            assert waiting.exception() is not None or waiting.result().status_code >= 500
    finally:
        process.kill()


# A tokenizer that panics


@pytest.fixture(scope="module")
def panicking(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose tokenizer panics on a text of many a: an expression of its normaliser gives up."""
    folder = Path(shutil.copytree(trained.folder.model, tmp_path_factory.mktemp("panics") / "model"))
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    slow = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": "a"}
    content["normalizer"] = {"type": "Sequence", "normalizers": [content["normalizer"], slow]}
    path.write_text(json.dumps(content))
    sign(folder)
    return folder


def test_a_panic_fails_one_request_and_no_other(panicking: Path, tmp_path: Path) -> None:
    with serving(panicking, tmp_path / "log", "--delay-ms", "200") as server:
        url = f"{server.address}/v1/predict/sentiment"
        with ThreadPoolExecutor(8) as pool:
            texts = ["a fine film", "a" * 40 + "!", "not bad", "a" * 40 + "!", "dull"] * 2
            found = [pool.submit(httpx.post, url, json={"texts": [text]}, timeout=60) for text in texts]
            statuses = [each.result().status_code for each in found]
        assert statuses == [200, 500, 200, 500, 200] * 2
        assert httpx.get(f"{server.address}/readyz").status_code == 200
        assert predicts(server)
        assert "aaaa" not in "".join(line for line in server.log.read_text().splitlines() if line.startswith("{"))


def test_a_panic_is_an_error_of_the_program(panicking: Path) -> None:
    model = manyheads.load(panicking)
    with pytest.raises(EncoderError, match="tokenizer fails on a text"):
        model.predict("sentiment", ["a" * 40 + "!"])
    assert model.predict("sentiment", ["a fine film"])


# Hosts, tokens and types


@pytest.fixture(scope="module")
def named(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that other machines can reach, with a token and two names."""
    options = ("--host", "0.0.0.0", "--allowed-host", "model.example.org", "--allowed-host", "*.inner.test")
    log = tmp_path_factory.mktemp("named") / "log"
    with serving(trained.folder.path, log, *options, token="open sesame") as server:
        yield server


def test_a_server_without_a_token_has_only_names_of_this_machine(server: Server) -> None:
    port = server.address.rsplit(":", 1)[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}", "app.localhost", "127.8.8.8"):
        assert httpx.get(f"{server.address}/v1/tasks", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "0.0.0.0", "10.0.0.1", "", "a b"):
        for path in ("/v1/tasks", "/healthz", "/", "/assets", "/docs/"):
            response = httpx.get(f"{server.address}{path}", headers={"Host": host})
            assert response.status_code == 400, host
            assert "evil" not in response.text + str(response.headers)


def test_no_response_redirects(server: Server) -> None:
    for path in ("/v1/tasks/", "/assets", "/docs/", "/healthz/", "//evil.example", "/v1/predict/sentiment/"):
        response = httpx.get(f"{server.address}{path}")
        assert response.status_code in (404, 405), path
        assert "location" not in response.headers


def test_allowed_hosts_are_those_named_and_those_of_this_machine(named: Server) -> None:
    shown = {"Authorization": "Bearer open sesame"}
    for host, status in (
        ("model.example.org", 200),
        ("MODEL.example.org.:443", 200),
        ("a.inner.test", 200),
        ("localhost", 200),
        ("inner.test", 400),
        ("other.example.org", 400),
    ):
        found = httpx.get(f"{named.address}/v1/tasks", headers={**shown, "Host": host}).status_code
        assert found == status, host


def test_the_scheme_of_the_token_may_have_any_case(named: Server) -> None:
    for scheme in ("Bearer", "bearer", "BEARER"):
        shown = {"Authorization": f"{scheme} open sesame"}
        assert httpx.get(f"{named.address}/v1/tasks", headers=shown).status_code == 200
    for wrong in ("Basic open sesame", "Bearer", "bearer Open Sesame", "Beareropen sesame"):
        assert httpx.get(f"{named.address}/v1/tasks", headers={"Authorization": wrong}).status_code == 401


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/json; charset=latin-1",
    ],
)
def test_a_body_of_another_type_is_refused(server: Server, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    for path in ("/v1/predict/sentiment", "/v1/predict", "/v1/explain/sentiment"):
        response = httpx.post(f"{server.address}{path}", content=json.dumps(TEXT).encode(), headers=headers)
        assert (response.status_code, response.json()["allowed"]) == (415, "application/json")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_is_accepted(server: Server, kind: str) -> None:
    body, headers = json.dumps(TEXT).encode(), {"Content-Type": kind}
    assert httpx.post(f"{server.address}/v1/predict/sentiment", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/"])
def test_head_is_supported(server: Server, path: str) -> None:
    response = httpx.head(f"{server.address}{path}")
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", ""])
def test_a_server_that_others_can_reach_needs_a_token(trained: manyheads.Run, host: str) -> None:
    found = CliRunner().invoke(app, ["serve", str(trained.folder.path), "--host", host, "--port", "0"])
    assert isinstance(found.exception, ServeError)
    assert "--without-token" in str(found.exception)


def test_an_empty_token_is_an_error(trained: manyheads.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["serve", str(trained.folder.path), "--port", "0"]
    (tmp_path / "token").write_text(" \n")
    for options in ([], ["--without-token"], ["--token-file", str(tmp_path / "token")]):
        monkeypatch.setenv("MANYHEADS_TOKEN", "")
        found = CliRunner().invoke(app, [*command, *options])
        assert isinstance(found.exception, ServeError)
        assert "token is empty" in str(found.exception)
    monkeypatch.setenv("MANYHEADS_TOKEN", "secret")
    found = CliRunner().invoke(app, [*command, "--without-token"])
    assert isinstance(found.exception, ServeError)
    with pytest.raises(ServeError, match="empty"):
        ServerOptions(token=" ")


def test_an_allowed_host_must_be_a_name(trained: manyheads.Run) -> None:
    for name in ("http://example.org", "a b", "", "example.org/path", "*."):
        found = CliRunner().invoke(app, ["serve", str(trained.folder.path), "--allowed-host", name])
        assert isinstance(found.exception, ServeError), name


def test_a_wide_server_without_a_token_has_addresses_and_names_of_its_machine() -> None:
    hosts = hosts_for("0.0.0.0", None, token=False)
    assert hosts.allow(b"10.1.2.3:8000")
    assert hosts.allow(socket.gethostname().encode())
    assert hosts.allow(b"[2001:db8::1]:8000")
    assert not hosts.allow(b"evil.example")
    assert not hosts.allow(None)
    assert hosts_for("0.0.0.0", None, token=True) == hosts_for("0.0.0.0", ["*"], token=False) == Hosts(None)


def test_parts_of_a_host() -> None:
    assert name_of("A.Example.org.:80") == "a.example.org"
    assert name_of("[::1]:80") == "::1"
    assert name_of("::1") is name_of("a:b") is name_of("a@b") is name_of("a:1:2") is None
    assert is_loopback("localhost")
    assert is_loopback("127.3.2.1")
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "10.0.0.1")))
