"""Invalid requests get a status and a reason, and no request makes the server fail."""

from __future__ import annotations

import socket

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

import manyheads
from manyheads.errors import ServeError, on_command_line
from manyheads.inference.server.options import ServerOptions
from manyheads.inference.server.run import run_server

BAD = [
    (b"{", 422),
    (b"[" * 100_000, 422),
    (b'{"texts": ["\xff\xfe"]}', 400),
    (b"[]", 422),
    (b'{"texts": "one"}', 422),
    (b'{"texts": [1]}', 422),
    (b'{"texts": [null]}', 422),
    (b'{"texts": []}', 422),
    (b'{"texts": [""]}', 422),
    (b'{"texts": [" \\t "]}', 422),
    (b'{"texts": ["a\\u0000b"]}', 422),
    (b'{"texts": ["\\ud800"]}', 422),
    (b'{"texts": [["a", "b"]]}', 422),
    (b'{"texts": ["a"], "more": 1}', 422),
    (b'{"texts": ["' + b"a" * 1_000_000 + b'"]}', 413),
    (b'{"texts": ["' + b"a" * 2_000_000 + b'"]}', 413),
    (b'{"texts": [' + b'"a",' * 300 + b'"a"]}', 413),
]


@pytest.mark.parametrize(("body", "status"), BAD)
def test_a_bad_body_is_refused_with_a_reason(server, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/json"}
    response = httpx.post(f"{server.address}/v1/predict/sentiment", content=body, headers=headers)
    assert response.status_code in ((400, 422) if status != 413 else (413,)), response.text
    assert response.json()["error"]


def test_a_long_body_without_a_length_is_refused(server) -> None:
    """Uses a socket because HTTP clients fail on writing before they read the response."""
    host, port = server.address.removeprefix("http://").split(":")
    head = "POST /v1/predict/sentiment HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.encode())
        for _ in range(17):  # the limit is 16 chunks
            connection.sendall(chunk)
        response = connection.recv(65536)
    assert response.startswith(b"HTTP/1.1 413 ")


def test_an_unknown_task_is_named_with_the_nearest(server) -> None:
    response = httpx.post(f"{server.address}/v1/predict/sentimnt", json={"texts": ["a"]})
    assert (response.status_code, response.json()["hint"]) == (404, "did you mean 'sentiment'?")
    body = b'{"tasks": ["\\ud800"], "texts": ["a"]}'
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{server.address}/v1/predict", content=body, headers=headers).status_code in (404, 422)
    mixed = {"tasks": ["sentiment", "similarity"], "texts": ["a"]}
    assert httpx.post(f"{server.address}/v1/predict", json=mixed).status_code == 422


def test_an_unknown_path_is_named(server) -> None:
    response = httpx.get(f"{server.address}/v1/nothing")
    assert (response.status_code, response.json()) == (404, {"error": "Not Found", "hint": "see /docs for the routes"})


def test_an_address_in_use_is_named(server, trained: manyheads.Run) -> None:
    port = int(server.address.rsplit(":", 1)[1])
    with on_command_line(), pytest.raises(ServeError, match="--port 0"):
        run_server(manyheads.load(trained), "127.0.0.1", port, ServerOptions())


OPERATIONS = (
    ("GET", "/v1/tasks", "POSITIVE"),
    ("POST", "/v1/predict", "POSITIVE"),
    ("POST", "/v1/predict", "NEGATIVE"),
    ("POST", "/v1/predict/{task}", "POSITIVE"),
    ("POST", "/v1/predict/{task}", "NEGATIVE"),
    ("POST", "/v1/explain/{task}", "POSITIVE"),
    ("POST", "/v1/explain/{task}", "NEGATIVE"),
)
"""Every operation of the schema. An operation without input has no invalid requests."""


@pytest.mark.parametrize(("method", "path", "mode"), OPERATIONS)
def test_valid_and_invalid_requests_do_not_make_the_server_fail(server, method: str, path: str, mode: str) -> None:
    schema = schemathesis.openapi.from_dict(httpx.get(f"{server.address}/openapi.json").json())
    operations = {(each.ok().method.upper(), each.ok().path): each.ok() for each in schema.get_all_operations()}
    assert set(operations) == {each[:2] for each in OPERATIONS}
    operation = operations[method, path]

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode]))
    def send(case) -> None:
        response = case.call(base_url=server.address)
        assert response.status_code < 500, case.as_curl_command()
        if mode == "NEGATIVE":
            assert response.status_code >= 400, case.as_curl_command()

    send()
