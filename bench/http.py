"""What the front door adds to opening a complaint: its p99 and its rate, as ratios to a bare workflow start.

`python -m bench.http` opens complaints by turns: rounds of bare starts by the SDK and rounds of POST /v1/complaints to
`ombud serve`, as many at once, on servers as every measurement of speed has them (bench/ground.py). No worker runs, so
that both measure the way to Temporal and nothing behind it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from temporalio.client import Client

from bench.desks import AT_ONCE
from bench.ground import Ground, ground, process
from deploy.ports import free_port
from rules.access import Grant
from storage import tokens
from storage.database import transaction
from tests.support.system import publish
from tests.support.wait import eventually

QUEUE = "nobody-works-here"
PROGRAM = "import sys; from starter.cli import main; sys.argv = ['ombud', 'serve']; main()"

Start = Callable[[dict[str, Any]], Awaitable[None]]


def complaint() -> dict[str, Any]:
    """A start of ordinary size that nobody has sent before."""
    return {
        "contract": "maintenance-service",
        "reference": f"B-{uuid4().hex[:16]}",
        "kind": "complaint",
        "category": "product_quality",
        "level": "2",
        "channel": "wechat",
        "received_at": datetime.now(UTC).isoformat(),
        "content": "The valve leaks since Tuesday, and nobody called back. " * 8,
    }


class Round:
    """Latencies in seconds of one way to start, and the time that each round took."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.rates: list[float] = []

    async def run(self, start: Start, starts: int, at_once: int) -> None:
        """So many starts, so many at once."""
        waiting = iter([complaint() for _ in range(starts)])

        async def work() -> None:
            for body in waiting:
                began = time.perf_counter()
                await start(body)
                self.latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        self.rates.append(starts / (time.perf_counter() - began))

    def percentile(self, part: float) -> float:
        """In milliseconds."""
        return sorted(self.latencies)[int(part * (len(self.latencies) - 1))] * 1000

    @property
    def rate(self) -> float:
        """A second; of the middle round."""
        return statistics.median(self.rates)


class Http:
    """Kept connections to one server; the plainest client there is, since its own time counts too."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def open(self, body: dict[str, Any]) -> None:
        """POST /v1/complaints; anything but 201 ends the measurement."""
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        sent = json.dumps(body).encode()
        writer.write(f"POST /v1/complaints HTTP/1.1\r\n{self._head}Content-Length: {len(sent)}\r\n\r\n".encode() + sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 201"):
            raise RuntimeError(f"{head.decode()}{answer.decode()}")
        self._idle.append((reader, writer))

    def close(self) -> None:
        """Between rounds: the server closes what is idle for some seconds."""
        while self._idle:
            self._idle.pop()[1].close()


@asynccontextmanager
async def serving(at: Ground) -> AsyncIterator[int]:
    """`ombud serve` as a process of its own, on a free port."""
    port = free_port()
    environment = at.environment | {
        "OMBUD_HTTP_PORT": str(port),
        "OMBUD_TASK_QUEUE": QUEUE,
        "OMBUD_RATE_TOKEN": "100000/second",
        "OMBUD_RATE_ADDRESS": "100000/second",
    }
    log = at.folder / "serve.log"
    async with process(sys.executable, "-c", PROGRAM, log=log, environment=environment):
        await eventually(lambda: _listens(port))
        yield port


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def token(at: Ground) -> str:
    """A token that may open, after contracts and people are in place."""
    await publish(at.engine)
    grant = Grant(token=tokens.new_id(), scopes=("open",), roles=("handler",))
    now = datetime.now(UTC)
    async with transaction(at.engine) as connection:
        secret = await tokens.create(
            connection, grant, name="bench", expires_at=now + timedelta(days=1), by="bench", now=now
        )
    return tokens.written(grant.token, secret)


async def measure(client: Client, http: Http, rounds: int, starts: int, at_once: int) -> tuple[Round, Round]:
    """Bare starts and openings by turns, after one round of each that does not count."""

    async def bare(body: dict[str, Any]) -> None:
        id_ = f"bare/{body['reference']}"
        await client.start_workflow("Complaint", body, id=id_, task_queue=QUEUE)

    ways: list[tuple[Start, Round]] = [(bare, Round()), (http.open, Round())]
    for start, _ in ways:
        await Round().run(start, starts, at_once)
        http.close()
    for number in range(rounds):
        for start, result in ways if number % 2 == 0 else reversed(ways):
            await result.run(start, starts, at_once)
            http.close()
    return ways[0][1], ways[1][1]


async def main(rounds: int, starts: int, at_once: int) -> None:
    async with ground() as at:
        secret = await token(at)
        async with serving(at) as port:
            http = Http(port, secret)
            bare, opened = await measure(at.client, http, rounds, starts, at_once)
    table = Table("", "p50 ms", "p99 ms", "a second", title=f"{rounds} rounds of {starts} starts, {at_once} at once")
    for name, result in (("bare workflow start", bare), ("POST /v1/complaints", opened)):
        table.add_row(
            name, *(f"{value:.1f}" for value in (result.percentile(0.5), result.percentile(0.99), result.rate))
        )
    ratios = (opened.percentile(p) / bare.percentile(p) for p in (0.5, 0.99))
    table.add_row("ratio", *(f"{ratio:.2f}" for ratio in (*ratios, opened.rate / bare.rate)))
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--starts", type=int, default=400, help="in each round")
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    given = parser.parse_args()
    asyncio.run(main(given.rounds, given.starts, given.at_once))
