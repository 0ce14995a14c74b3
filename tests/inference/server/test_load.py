"""Many clients at once: no request is lost, also when the server stops."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx
import pytest
from benchmarks.serving import load

TEXTS = ["A fine film.", "The soup was bad, but the room was wonderful."]


@pytest.mark.parametrize("batching", ["--batching", "--no-batching"])
def test_every_client_gets_responses(serve, tmp_path: Path, batching: str) -> None:
    with serve(tmp_path / "log", batching) as server:
        found = load(server.address, "sentiment", TEXTS, clients=64, seconds=3)
    assert found.failed == 0
    assert len(found.seconds) > 64
    stopped = server.events()[-1]
    assert (stopped["event"], stopped["accepted"]) == ("stopped", stopped["responded"])
    assert stopped["answered"] == stopped["responded"]


def test_a_signal_loses_no_accepted_request(serve, tmp_path: Path) -> None:
    with serve(tmp_path / "log") as server:
        found = load(
            server.address,
            "sentiment",
            TEXTS,
            clients=64,
            seconds=20,
            after=(1.5, lambda: server.process.send_signal(signal.SIGTERM)),
        )
        assert server.process.wait(timeout=20) == -signal.SIGTERM
    stopped = server.events()[-1]
    assert stopped["event"] == "stopped"
    # The fixture sends one request in addition to those of the clients.
    assert stopped["accepted"] == stopped["responded"] == len(found.seconds) + found.refused + 1
    assert len(found.seconds) > 64


def test_a_full_queue_refuses_at_once(serve, tmp_path: Path) -> None:
    with serve(tmp_path / "log", "--queue-texts", "2", "--no-batching") as server:
        found = load(server.address, "sentiment", TEXTS, clients=32, seconds=2)
    assert found.refused > 0
    assert found.failed == 0
    assert found.seconds


def test_a_token_is_required(serve, tmp_path: Path) -> None:
    with serve(tmp_path / "log", token="open sesame") as server:
        path = f"{server.address}/v1/tasks"
        for shown in ({}, {"Authorization": "Bearer open"}, {"Authorization": "open sesame"}):
            response = httpx.get(path, headers=shown)
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert httpx.get(path, headers={"Authorization": "Bearer open sesame"}).status_code == 200
        assert httpx.get(f"{server.address}/metrics").status_code == 401
        assert httpx.get(f"{server.address}/healthz").status_code == 200
        started = time.perf_counter()
    assert time.perf_counter() - started < 10
