"""A server that takes webhooks, keeps them and answers as the test wants."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.wait import eventually

HANG = "hang"
"""Takes the call and never answers."""
DRIP = "drip"
"""Says 200, then a byte of its body now and then, for ever."""
BREAK = "break"
"""Takes the call and breaks off without an answer."""


@dataclass(frozen=True)
class Call:
    """One request as it came over the wire."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def subject(self) -> str:
        """Of a CloudEvent: complaint and entry, as `small/R-1#4`."""
        return f"{self.json['subject']}#{self.json['data']['seq']}"


@dataclass
class Receiver:
    """A web server on loopback. `calls` holds what it was sent, in order, whatever it answered."""

    tls: Any = None
    calls: list[Call] = field(default_factory=list)
    default: int | str = 200
    said: bytes = b""
    """The body of every answer that has none of its own."""
    patience: int = 77
    """Seconds after which it wants to be asked again where it says 429."""
    port: int = 0
    _script: deque[int | str] = field(default_factory=deque)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hooks?token=planted-token-1"

    def answer(self, *answers: int | str) -> None:
        """Answer the next calls with these, one each: a status, HANG, DRIP or BREAK."""
        self._script.extend(answers)

    def choose(self, _call: Call) -> int | str | tuple[int, bytes]:
        """What this call is answered, with a body or without."""
        return self._script.popleft() if self._script else self.default

    async def start(self) -> None:
        """Listen; after a `stop` on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse connections until the next start, and break those that hang."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Refuse connections once all that hang are broken."""
        self.refuse()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def received(self, count: int) -> list[Call]:
        """The calls, once there are at least `count`."""
        await eventually(lambda: len(self.calls) >= count)
        return list(self.calls)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._answer(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        call = Call(first.split()[1], headers, body)
        self.calls.append(call)
        chosen = self.choose(call)
        answer, said = chosen if isinstance(chosen, tuple) else (chosen, self.said)
        if answer == BREAK:
            writer.transport.abort()
        elif answer == HANG:
            await asyncio.Event().wait()
        elif answer == DRIP:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        else:
            extra = b"Location: http://127.0.0.1:1/elsewhere\r\n" if 300 <= int(answer) < 400 else b""
            extra += f"Retry-After: {self.patience}\r\n".encode() if answer == 429 else b""
            size = f"Content-Length: {len(said)}\r\n".encode()
            writer.write(f"HTTP/1.1 {answer} Said\r\n".encode() + size + extra + b"\r\n" + said)
            await writer.drain()
