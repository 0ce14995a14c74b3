"""The server under load: `python -m benchmarks.serving RUN --task TASK [--clients 64] [--seconds 60]`.

Each client on loopback sends one request of one text at a time, as fast as the server responds. This is measured with
and without dynamic batching. In a third measurement SIGTERM arrives half way, and the server must respond to every
request that it accepted. Clients and server share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Load:
    """The clients' results. `seconds`: time of each request with status 200. `refused`: 503s. `failed`: all others."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    failed: int = 0
    wall: float = 0.0


def load(
    address: str,
    task: str,
    texts: Sequence[str],
    *,
    clients: int,
    seconds: float,
    after: tuple[float, Callable[[], None]] | None = None,
) -> Load:
    """Send requests for some seconds.

    `after`: a time in seconds and a function to call then. From then on a closed connection is not a failure.
    """
    return asyncio.run(_load(address, task, texts, clients, seconds, after))


async def _load(
    address: str,
    task: str,
    texts: Sequence[str],
    clients: int,
    seconds: float,
    after: tuple[float, Callable[[], None]] | None,
) -> Load:
    result = Load()
    started = time.perf_counter()
    stopping = asyncio.Event()

    async def interrupt(when: float, what: Callable[[], None]) -> None:
        await asyncio.sleep(when)
        stopping.set()
        what()

    host, port = address.removeprefix("http://").split(":")

    async def client(number: int) -> None:
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            result.failed += not stopping.is_set()
            return
        try:
            turn = number
            while time.perf_counter() - started < seconds:
                body = json.dumps({"texts": [f"{texts[turn % len(texts)]} {turn}"]}).encode()
                turn += clients
                begun = time.perf_counter()
                try:
                    status, closing = await _ask(reader, writer, f"/v1/predict/{task}", host, body)
                except (OSError, EOFError):
                    result.failed += not stopping.is_set()
                    return
                if status == 200:
                    result.seconds.append(time.perf_counter() - begun)
                elif status == 503:
                    result.refused += 1
                    await asyncio.sleep(0.05)
                else:
                    result.failed += 1
                if closing:
                    break
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    jobs = [client(number) for number in range(clients)]
    await asyncio.gather(*jobs, *([interrupt(*after)] if after else []))
    result.wall = time.perf_counter() - started
    return result


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, host: str, body: bytes
) -> tuple[int, bool]:
    """Send one request over an open connection. Return its status, and whether the server closes the connection.

    This costs less time than a client library.

    Raises:
        EOFError: the connection ended before the whole response.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    response = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(response.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(response.split(b" ", 2)[1]), b"connection: close" in response


def measure(
    run: Path, task: str, texts: Sequence[str], clients: int, seconds: float, *, batching: bool, stop: bool
) -> dict:
    """Start a server and measure it under load. With `stop` it receives SIGTERM half way."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        words = ["-m", "manyheads", "serve", str(run), "--port", "0", "--batching" if batching else "--no-batching"]
        with log.open("wb") as file:
            process = subprocess.Popen([sys.executable, *words], stderr=file)
        try:
            port = _port(process, log)
            after = (seconds / 2, lambda: process.send_signal(signal.SIGTERM)) if stop else None
            result = load(f"http://127.0.0.1:{port}", task, texts, clients=clients, seconds=seconds, after=after)
        finally:
            process.terminate()
            process.wait(timeout=60)
        stopped = json.loads(log.read_text().splitlines()[-1])
    times = np.array(result.seconds or [float("nan")])
    return {
        "batching": "on" if batching else "off",
        "stopped": "half way" if stop else "no",
        "clients": clients,
        "texts/s": round(len(result.seconds) / (seconds / 2 if stop else result.wall), 1),
        "p50 ms": round(1000 * float(np.quantile(times, 0.5)), 1),
        "p99 ms": round(1000 * float(np.quantile(times, 0.99)), 1),
        "failed": result.failed,
        "lost": stopped["accepted"] - len(result.seconds) - result.refused - result.failed,
    }


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while process.poll() is None:
        lines = [line for line in log.read_text().splitlines() if '"listening"' in line]
        if lines:
            return int(json.loads(lines[0])["port"])
        time.sleep(0.05)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def main() -> None:
    """Measure, print and save."""
    from benchmarks.record import save, table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", required=True, help="a task of one text")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--texts", type=Path, help="a file with one text per line (default: the demo's sentiment texts)"
    )
    parser.add_argument("--keep", action="store_true", help="write measured/serving.json")
    arguments = parser.parse_args()
    corpus = Path(__file__).parents[1] / "src/manyheads/demo/corpus/sentiment-dev.tsv"
    lines = (arguments.texts or corpus).read_text(encoding="utf-8").splitlines()
    texts = [line.rsplit("\t", 1)[0] for line in lines if line.strip()]
    common = (arguments.run, arguments.task, texts, arguments.clients, arguments.seconds)
    rows = [
        measure(*common, batching=True, stop=False),
        measure(*common, batching=False, stop=False),
        measure(*common, batching=True, stop=True),
    ]
    print(f"clients and server share {len(os.sched_getaffinity(0))} cores")
    print(table(rows, tuple(rows[0])))
    if arguments.keep:
        save("serving", rows)
    if any(row["failed"] or row["lost"] for row in rows):
        raise SystemExit("requests were lost")


if __name__ == "__main__":
    main()
