"""What a server does under load: `python -m benchmarks.serving RUN --task TASK [--clients 64] [--seconds 60]`.

Clients on loopback, each with one request of one text open at a time, ask as fast as they are answered: with dynamic
batching and without. Then once more, with SIGTERM in the middle: what the server accepted must be what was answered.
Clients and server share the machine's cores, as the table says.
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
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Load:
    """What clients saw. `seconds`: of every request answered 200; `refused`: 503s; `failed`: anything else."""

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
    """Ask for some seconds. `after`: when to do something; a closed connection is no failure from then on."""
    return asyncio.run(_load(address, task, texts, clients, seconds, after))


async def _load(
    address: str,
    task: str,
    texts: Sequence[str],
    clients: int,
    seconds: float,
    after: tuple[float, Callable[[], None]] | None,
) -> Load:
    found = Load()
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
            found.failed += not stopping.is_set()
            return
        turn = number
        while time.perf_counter() - started < seconds:
            body = json.dumps({"texts": [f"{texts[turn % len(texts)]} {turn}"]}).encode()
            turn += clients
            begun = time.perf_counter()
            try:
                status, closing = await _ask(reader, writer, f"/v1/predict/{task}", host, body)
            except (OSError, EOFError):
                found.failed += not stopping.is_set()
                return
            if status == 200:
                found.seconds.append(time.perf_counter() - begun)
            elif status == 503:
                found.refused += 1
                await asyncio.sleep(0.05)
            else:
                found.failed += 1
            if closing:
                break
        writer.close()

    jobs = [client(number) for number in range(clients)]
    await asyncio.gather(*jobs, *([interrupt(*after)] if after else []))
    found.wall = time.perf_counter() - started
    return found


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, host: str, body: bytes
) -> tuple[int, bool]:
    """One request over an open connection: its status, and whether the server closes. Costs less than a client library.

    Raises:
        EOFError: the connection ended before the whole response.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()
    answer = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(answer.split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(answer.split(b" ", 2)[1]), b"connection: close" in answer


def measure(
    run: Path, task: str, texts: Sequence[str], clients: int, seconds: float, *, batching: bool, stop: bool
) -> dict:
    """A server of its own under load; with `stop`, told to stop half way."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        words = ["-m", "manyheads", "serve", str(run), "--port", "0", "--batching" if batching else "--no-batching"]
        with log.open("wb") as file:
            process = subprocess.Popen([sys.executable, *words], stderr=file)
        try:
            port = _port(process, log)
            after = (seconds / 2, lambda: process.send_signal(signal.SIGTERM)) if stop else None
            found = load(f"http://127.0.0.1:{port}", task, texts, clients=clients, seconds=seconds, after=after)
        finally:
            process.terminate()
            process.wait(timeout=60)
        stopped = json.loads(log.read_text().splitlines()[-1])
    times = np.array(found.seconds or [float("nan")])
    return {
        "batching": "on" if batching else "off",
        "stopped": "half way" if stop else "no",
        "clients": clients,
        "texts/s": round(len(found.seconds) / (seconds / 2 if stop else found.wall), 1),
        "p50 ms": round(1000 * float(np.quantile(times, 0.5)), 1),
        "p99 ms": round(1000 * float(np.quantile(times, 0.99)), 1),
        "failed": found.failed,
        "lost": stopped["accepted"] - len(found.seconds) - found.refused - found.failed,
    }


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    while process.poll() is None:
        lines = [line for line in log.read_text().splitlines() if '"listening"' in line]
        if lines:
            return int(json.loads(lines[0])["port"])
        time.sleep(0.05)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def main() -> None:
    """Measure, print and keep."""
    from benchmarks.record import save, table

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--task", required=True, help="a task of one text")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--texts", type=Path, help="plain lines; by default the demo's opinions")
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
    print(f"{len(os.sched_getaffinity(0))} cores for clients and server")
    print(table(rows, tuple(rows[0])))
    if arguments.keep:
        save("serving", rows)
    if any(row["failed"] or row["lost"] for row in rows):
        raise SystemExit("requests were lost")


if __name__ == "__main__":
    main()
