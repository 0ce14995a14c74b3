"""Requests: valid and invalid ones to a server process, over real sockets, from several clients at once.

A valid request gets the prediction of `manyheads.load`. An invalid one gets a status from 400 to 499 with the reason.
The server's log has no error, and the server still serves and stops in time at the end.
"""

from __future__ import annotations

import http.client
import io
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.ledger import ERROR, HANG, SAME, TRACEBACK, WRONG, Trial, Verdict
from tests.torture.world import World

BATCHES, EACH, CLIENTS = 20, 250, 3

PATIENCE = 30.0
"""Seconds to wait for a response."""

STOP_SECONDS = 10.0

SINGLE, PAIRS = ("sentiment",), ("paraphrase", "similarity")

TEXTS = (
    *("a fine film", "The lamp is broken.", "I want to polish a brass lamp.", "x", "word " * 90, "é à ü", "日本語"),
    *(
        "\U0001f600 smile",
        "a\u2028b",
        "tab\there",
        "line\nbreak",
        "\u200b zero",
        "\ufeffmark",
        "[CLS] a [SEP]",
        "a\u0301",
    ),
    *("\u202eback", "0", "null", "=1+1", "<b>bold</b>", "\x7f\x1b[31m", "\U0010ffff", "fi\ufb01", "İ", "%s {x} $y \\n"),
)


@dataclass(frozen=True)
class Sent:
    """A request: its bytes, and what is expected.

    "valid": a prediction or a page. "invalid": a status from 400 to 499 with the reason. "either": one of both.
    "protocol": a page, a status from 400 to 499, or a closed connection. "nothing": the client leaves.

    `calls`: the tasks and texts of a valid request.
    """

    content: bytes
    expected: str
    kind: str
    calls: tuple[tuple[str, ...], list[Any]] | None = None
    explain: bool = False


def trials(world: World, *, short: bool) -> list[Trial]:
    """Return the batches. Each has its own server."""
    del world
    batches, count = (1, 60) if short else (BATCHES, EACH)
    return [Trial(f"requests/{number:02}", "requests", {"seed": number, "count": count}) for number in range(batches)]


def attempt(world: World, trial: Trial, folder: Path) -> Verdict:
    """Send a batch of requests to a server, and stop it."""
    generator = random.Random(trial.values["seed"])
    sent = [make(generator) for _ in range(trial.values["count"])]
    log = folder / "log"
    process = serve(world.run_folder, folder, log)
    counts: Counter[str] = Counter()
    details: list[str] = []
    try:
        port = _port(process, log)
        import manyheads

        predictor = manyheads.load(world.run_folder / "model", threads=1)
        with ThreadPoolExecutor(CLIENTS) as pool:
            ends = pool.map(lambda each: _exchange(port, each), sent)
            for number, (request, end) in enumerate(zip(sent, ends, strict=True)):
                outcome, detail = _judge(request, end, predictor)
                counts[outcome] += 1
                if detail:
                    details.append(
                        f"request {number}, {request.kind}: {outcome}: {detail}; sent {request.content[:600]!r}"
                    )
        ready = _exchange(port, Sent(_get("/readyz"), "valid", "ready"))
        if not isinstance(ready, tuple) or ready[0] != 200:
            counts[HANG] += 1
            details.append(f"the server is not ready at the end: {ready}")
    finally:
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        try:
            process.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            counts[HANG] += 1
            details.append(f"the server did not stop within {time.monotonic() - began:.0f} s")
    text = log.read_text(encoding="utf-8", errors="replace")
    usual = ("{", "Invalid HTTP request received.")
    bad = [line for line in text.splitlines() if not line.startswith(usual) or '"event": "error"' in line]
    if bad:
        counts[TRACEBACK] += 1
        details.append("in the log: " + "\n".join(bad[:20]))
    if '"event": "stopped"' not in text:
        counts[HANG] += 1
        details.append("the log does not say that the server stopped")
    return Verdict(counts, details)


def serve(run: Path, folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start a server as a user does."""
    command = [sys.executable, "-m", "manyheads", "serve", str(run), "--port", "0", "--threads", "1"]
    command += ["--stop-seconds", str(STOP_SECONDS), "--request-texts", "64", "--idle-seconds", "3"]
    with log.open("wb") as file:
        return subprocess.Popen(command, stderr=file, stdout=file, cwd=folder, env=dict(os.environ))


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text(encoding="utf-8").splitlines():
            if '"event": "listening"' in line and line.endswith("}"):
                port = int(json.loads(line)["port"])
                _exchange(port, Sent(_get("/readyz"), "valid", "ready"))
                return port
        time.sleep(0.1)
    raise RuntimeError(f"the server did not start:\n{log.read_text(encoding='utf-8')}")


def _exchange(port: int, request: Sent) -> tuple[int, bytes] | str:
    """Send a request and return the status and the body, or what happened instead."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            try:
                connection.sendall(request.content)
            except OSError:
                if request.expected == "valid":
                    raise
            if request.expected == "nothing":
                return "left"
            received = io.BytesIO()
            try:
                while data := connection.recv(65536):
                    received.write(data)
            except TimeoutError:
                if not received.getvalue():
                    return "no response in time"
            except ConnectionError:
                if not received.getvalue():
                    return "closed"
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    return _parsed(received.getvalue())


class _Received:
    """What `http.client` reads a response from."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._content)


def _parsed(content: bytes) -> tuple[int, bytes] | str:
    if not content:
        return "closed"
    # An interim response to Expect comes before the response.
    content = content.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    response = http.client.HTTPResponse(_Received(content))  # type: ignore[arg-type]
    try:
        response.begin()
        return response.status, response.read()
    except (http.client.HTTPException, ValueError) as error:
        return f"not HTTP: {type(error).__name__}: {content[:200]!r}"


def _judge(request: Sent, end: tuple[int, bytes] | str, predictor: Any) -> tuple[str, str]:
    """Return the outcome, and what was wrong."""
    if isinstance(end, str):
        if request.expected in ("nothing", "protocol", "either") and end in ("left", "closed"):
            return ERROR, ""
        return (HANG if end == "no response in time" else WRONG), end
    status, body = end
    if status == 200 and request.expected in ("valid", "either", "protocol"):
        if request.calls is None:
            return SAME, ""
        fault = _compared(request, body, predictor)
        return (WRONG, f"{fault}: {body[:600]!r}") if fault else (SAME, "")
    if 400 <= status < 500 or status == 503:
        if request.expected == "valid":
            return WRONG, f"status {status}: {body[:300]!r}"
        if request.expected == "protocol":
            return ERROR, ""
        try:
            reason = json.loads(body)["error"]
        except (ValueError, KeyError, TypeError):
            reason = None
        return (ERROR, "") if reason or not body else (WRONG, f"status {status} without the reason: {body[:300]!r}")
    if status >= 500:
        return TRACEBACK, f"status {status}: {body[:300]!r}"
    return WRONG, f"status {status} for an invalid request: {body[:300]!r}"


def _compared(request: Sent, body: bytes, predictor: Any) -> str:
    assert request.calls is not None
    tasks, texts = request.calls
    content = json.loads(body)
    found = content["predictions"]
    if content["answers"] != found:
        return "`answers` differs from `predictions`"
    by_task = found if isinstance(found, dict) else {tasks[0]: found}
    if set(by_task) != set(tasks):
        return "other tasks"
    for task in tasks:
        expected = predictor.predict(task, [text if isinstance(text, str) else tuple(text) for text in texts])
        if len(by_task[task]) != len(expected):
            return f"{len(by_task[task])} predictions of {len(expected)}"
        for got, wanted in zip(by_task[task], expected, strict=True):
            if wanted.probabilities is None:
                if (
                    not math.isclose(got["prediction"], wanted.prediction, abs_tol=1e-5)
                    or got["value"] != got["prediction"]
                ):
                    return f"{wanted} expected"
                continue
            if got["prediction"] != wanted.prediction or set(got["probabilities"]) != set(
                map(str, wanted.probabilities)
            ):
                return f"{wanted} expected"
            for label, share in wanted.probabilities.items():
                if not math.isclose(got["probabilities"][str(label)], share, abs_tol=1e-5):
                    return f"{wanted} expected"
        if request.explain and any(not row["tokens"] for row in by_task[task]):
            return "no tokens"
    return ""


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def _post(
    path: str, body: bytes, *headers: str, kind: str | None = "application/json", host: str = "localhost"
) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"Content-Type: {kind}"] if kind is not None else []
    return "\r\n".join([*lines, *headers, "", ""]).encode("utf-8", "surrogatepass") + body


def make(generator: random.Random) -> Sent:
    """Return a random request."""
    return generator.choice(MAKERS)(generator)


def _texts(generator: random.Random, pairs: bool) -> list[Any]:
    def text() -> str:
        words = [generator.choice(TEXTS) for _ in range(generator.randint(1, 3))]
        return " ".join(words) if generator.random() < 0.5 else words[0]

    count = generator.choice((1, 1, 1, 2, 3, 8))
    return [[text(), text()] if pairs else text() for _ in range(count)]


def _dump(generator: random.Random, content: Any) -> bytes:
    text = json.dumps(
        content,
        ensure_ascii=generator.random() < 0.5,
        indent=generator.choice((None, None, 1)),
        sort_keys=generator.random() < 0.5,
    )
    return text.encode("utf-8", "surrogatepass")


def _one_task(generator: random.Random) -> Sent:
    task = generator.choice((*SINGLE, *PAIRS))
    texts = _texts(generator, task in PAIRS)
    headers = [["Accept: */*"], ["X-Odd: \x7f"], ["Cookie: a=b"], ["Expect: 100-continue"], []]
    kinds = (
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    )
    content = _post(
        f"/v1/predict/{task}",
        _dump(generator, {"texts": texts}),
        *generator.choice(headers),
        kind=generator.choice(kinds),
    )
    return Sent(content, "either" if b"\x7f" in content else "valid", "one task", ((task,), texts))


def _several_tasks(generator: random.Random) -> Sent:
    tasks = list(PAIRS) if generator.random() < 0.7 else list(SINGLE)
    generator.shuffle(tasks)
    texts = _texts(generator, tasks[0] in PAIRS)
    body = _dump(generator, {"tasks": tasks, "texts": texts})
    return Sent(_post("/v1/predict", body), "valid", "several tasks", (tuple(tasks), texts))


def _explained(generator: random.Random) -> Sent:
    task = generator.choice((*SINGLE, *PAIRS))
    texts = _texts(generator, task in PAIRS)
    content = _post(f"/v1/explain/{task}", _dump(generator, {"texts": texts}))
    return Sent(content, "valid", "explain", ((task,), texts), explain=True)


def _chunked(generator: random.Random) -> Sent:
    texts = _texts(generator, False)
    body = _dump(generator, {"texts": texts})
    lines = ["POST /v1/predict/sentiment HTTP/1.1", "host: LOCALHOST:80", "connection: close"]
    lines += ["content-type: application/json", "transfer-encoding: chunked", "", ""]
    content = "\r\n".join(lines).encode()
    while body:
        size = generator.randint(1, len(body))
        content += f"{size:x}\r\n".encode() + body[:size] + b"\r\n"
        body = body[size:]
    return Sent(content + b"0\r\n\r\n", "valid", "chunked", (("sentiment",), texts))


def _pages(generator: random.Random) -> Sent:
    path = generator.choice(("/healthz", "/readyz", "/metrics", "/docs", "/", "/v1/tasks", "/openapi.json"))
    return Sent(_get(path), "valid", "page")


WRONG_VALUES: tuple[Any, ...] = (
    *(None, True, 1, 1.5, 10**400, "text", [], {}, [[]], [None], [1], [["a", "b", "c"]], [[["a"]]], [{"a": "b"}]),
    *([""], [" \t\n"], ["a\0b"], ["\ud800"], ["a", "\udfff"], ["a"] * 65, ["a" * 200_000], [["a", ""]], [["a", None]]),
    *([float("nan")], float("inf"), {"0": "a"}, ["a", ["b", "c"]]),
)


def _wrong_value(generator: random.Random) -> Sent:
    value = generator.choice(WRONG_VALUES)
    body: Any = generator.choice(({"texts": value}, {"tasks": ["sentiment"], "texts": value}, value))
    path = "/v1/predict" if isinstance(body, dict) and "tasks" in body else "/v1/predict/sentiment"
    return Sent(_post(path, json.dumps(body).encode()), "invalid", "wrong value")


def _wrong_tasks(generator: random.Random) -> Sent:
    names: tuple[Any, ...] = (
        *([], None, "sentiment", ["nothing"], ["sentiment", "sentiment"], ["sentiment", "similarity"], [1], ["\ud800"]),
        *([""], ["../x"], ["sentiment"] * 1000, [["sentiment"]], {"a": 1}, ["SENTIMENT"], ["sentiment\0"]),
    )
    body = {"tasks": generator.choice(names), "texts": ["a"]}
    return Sent(_post("/v1/predict", json.dumps(body).encode()), "invalid", "wrong tasks")


def _wrong_keys(generator: random.Random) -> Sent:
    bodies = (
        {"texts": ["a"], "more": 1},
        {"text": ["a"]},
        {},
        {"texts": ["a"], "": 1},
        {"texts": ["a"], "\ud800": 1},
        {"Texts": ["a"]},
        {"texts": ["a"], "tasks": ["sentiment"]},
        {"texts": ["a"], "x" * 5000: 1},
    )
    return Sent(_post("/v1/predict/sentiment", json.dumps(generator.choice(bodies)).encode()), "invalid", "wrong keys")


def _broken_json(generator: random.Random) -> Sent:
    valid = json.dumps({"texts": _texts(generator, False)}).encode()
    body = generator.choice(
        (
            valid[: generator.randrange(len(valid))],
            valid + b"}",
            valid + b"\0",
            valid.replace(b'"texts"', b"texts"),
            valid.replace(b'"', b"'"),
            b"[" * generator.choice((100, 10_000, 200_000)),
            b'{"texts":' * generator.choice((50, 5_000)) + b"1" + b"}" * 50,
            b'{"texts": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
            b'{"texts": ["\xff\xfe"]}',
            b'{"texts": ["\xed\xa0\x80"]}',
            b'{"texts": ["a\x01b"]}',
            b'{"texts": ["\\x41"]}',
            b'{"texts": ["\\ud83d"]}',
            b'{"texts": [' + b"9" * 5_000 + b"]}",
            b'{"texts": [1e999999]}',
            b"NaN",
            b"",
            b" " * 1000,
            generator.randbytes(generator.randint(1, 300)),
            b'{"texts": ["' + b"a" * 3_000_000 + b'"]}',
        )
    )
    return Sent(_post("/v1/predict/sentiment", body), "invalid", "broken JSON")


def _lenient_json(generator: random.Random) -> Sent:
    texts = ["a film"]
    body = generator.choice(
        (
            b'\xef\xbb\xbf{"texts": ["a film"]}',
            b'{"texts": ["b"], "texts": ["a film"]}',
            b'\r\n\t {"texts":["a film"]}\r\n',
            b'{"texts": [["a film"]]}',
            '{"texts": ["a film"]}'.encode("utf-16"),
            '{"texts": ["a film"]}'.encode("utf-32-le"),
        )
    )
    return Sent(_post("/v1/predict/sentiment", body), "either", "lenient JSON", (("sentiment",), texts))


def _wrong_headers(generator: random.Random) -> Sent:
    body = b'{"texts": ["a film"]}'
    path = "/v1/predict/sentiment"
    content = generator.choice(
        (
            _post(path, body, kind=None),
            _post(path, body, kind="text/plain"),
            _post(path, body, kind="application/xml"),
            _post(path, body, kind=""),
            _post(path, body, kind="application/json; charset=utf-16"),
            _post(path, body, kind="application/json; charset=\x01"),
            _post(path, body, kind="multipart/form-data; boundary=x"),
            _post(path, body, "Content-Encoding: gzip"),
            _post(path, body, "Content-Encoding: br, gzip"),
            _post(path, body, host="evil.example"),
            _post(path, body, host="localhost.evil.example:80"),
            _post(path, body, host="a@localhost"),
            _post(path, body, host="127.0.0.1:99999999"),
            _post(path, body, host="["),
            _post(path, body, host=""),
            _post(path, body, "X-Long: " + "a" * 100_000),
        )
    )
    return Sent(
        content, "invalid" if b"\x01" not in content and b"a" * 60_000 not in content else "protocol", "headers"
    )


def _wrong_path(generator: random.Random) -> Sent:
    path = generator.choice(
        (
            *(
                "/v1/predict/nothing",
                "/v1/predict/..",
                "/v1/predict/%2e%2e%2fetc",
                "/v1/predict/sentiment/",
                "/v2/predict",
            ),
            *("/v1/explain/", "//", "/assets/../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/v1/predict/%00"),
            *("/v1/predict/%ff", "/v1/predict/" + "x" * 9000, "/v1/predict/sentiment%0d%0aX:1", "/static/page.html"),
        )
    )
    if generator.random() < 0.5:
        return Sent(_post(path, b'{"texts": ["a"]}'), "invalid", "path")
    return Sent(_get(path if path != "//" else "/nothing"), "invalid", "path")


def _wrong_method(generator: random.Random) -> Sent:
    method = generator.choice(("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW", "get", "CONNECT"))
    content = f"{method} /v1/predict/sentiment HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    return Sent(content, "protocol", "method")


def _broken_http(generator: random.Random) -> Sent:
    valid = _post("/v1/predict/sentiment", b'{"texts": ["a film"]}')
    content = generator.choice(
        (
            generator.randbytes(200) + b"\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + generator.randbytes(100),
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
            b"GET http:// HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            b"POST /v1/predict/sentiment HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
            valid.replace(b"Content-Length: ", b"Content-Length: 999999999999999999"),
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nA\0B: c\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(5000)) + b"\r\n",
            valid.replace(b"\r\n", b"\n"),
            valid.replace(b"HTTP/1.1", b"HTTP/1.0"),
            valid.replace(b"Host: localhost\r\n", b""),
        )
    )
    return Sent(content, "protocol", "broken HTTP")


def _leaves(generator: random.Random) -> Sent:
    body = json.dumps({"texts": ["a film"] * 30}).encode()
    valid = _post("/v1/predict/sentiment", body).replace(b"Connection: close\r\n", b"")
    return Sent(
        valid[: generator.choice((len(valid), generator.randrange(len(valid))))], "nothing", "the client leaves"
    )


MAKERS: tuple[Callable[[random.Random], Sent], ...] = (
    *(_one_task, _one_task, _one_task, _several_tasks, _several_tasks, _explained, _chunked, _pages),
    *(_wrong_value, _wrong_value, _wrong_tasks, _wrong_keys, _broken_json, _broken_json, _lenient_json),
    *(_wrong_headers, _wrong_headers, _wrong_path, _wrong_method, _broken_http, _leaves),
)
"""What requests are drawn from. Kinds with more cases are in it several times."""
