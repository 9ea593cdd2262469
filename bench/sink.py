"""A mail server as a process of its own that takes everything at once: `python -m bench.sink FILE`.

It prints the port it listens on. For each mail it writes a line to the file: when it said 250, as seconds since 1970,
the Message-ID and the recipient.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import IO

_ID = re.compile(rb"^message-id:\s*<([^@>]+)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rb"<([^>]*)>")


class Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, mails: IO[str]) -> None:
        self.mails = mails
        self.waiting = b""
        self.data = False
        self.to = ""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.say("220 sink")

    def say(self, line: str) -> None:
        self.transport.write(f"{line}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while True:
            end = b"\r\n.\r\n" if self.data else b"\r\n"
            taken, found, rest = self.waiting.partition(end)
            if not found:
                return
            self.waiting = rest
            if self.data:
                self.data = False
                self.take(taken)
            else:
                self.command(taken)

    def command(self, line: bytes) -> None:
        match line[:4].upper():
            case b"EHLO":
                self.say("250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8")
            case b"RCPT":
                address = _ADDRESS.search(line)
                self.to = address[1].decode() if address else ""
                self.say("250 2.1.5 ok")
            case b"DATA":
                self.data = True
                self.say("354 go on")
            case b"QUIT":
                self.say("221 bye")
                self.transport.close()
            case _:
                self.say("250 2.0.0 ok")

    def take(self, mail: bytes) -> None:
        self.say("250 2.0.0 taken")
        id_ = _ID.search(mail)
        self.mails.write(f"{time.time():.4f} {id_[1].decode() if id_ else '-'} {self.to}\n")
        self.mails.flush()


async def main(file: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with file.open("a", encoding="utf-8") as mails:
        server = await asyncio.get_running_loop().create_server(lambda: Talk(mails), "127.0.0.1", 0, backlog=512)
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await stop.wait()
        server.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
