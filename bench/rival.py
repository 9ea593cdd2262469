"""What the rivals share: the misses they must tell of, a mail for each, kept connections to the mail server.

A rival's misses lie in a table of its own: reference, recipient, when due, and when it was told.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.message import EmailMessage
from typing import NamedTuple

import aiosmtplib
import asyncpg

SENDERS = 8
"""Connections to the mail server, as many as mails are sent at once."""


class Miss(NamedTuple):
    """A clock that somebody has to be told of."""

    reference: str
    recipient: str
    due: datetime


def table(name: str) -> str:
    """The table of a rival, with the index that its question needs."""
    return (
        f"CREATE TABLE {name} (reference text PRIMARY KEY, recipient text NOT NULL, due timestamptz NOT NULL, "
        f"told_at timestamptz); CREATE INDEX ON {name} (due) WHERE told_at IS NULL"
    )


async def pool() -> asyncpg.Pool[asyncpg.Record]:
    """Connections to the database that the environment names."""
    made = await asyncpg.create_pool(os.environ["RIVAL_DATABASE"], min_size=2, max_size=10)
    assert made
    return made


class Senders:
    """Sends mails over kept connections."""

    def __init__(self) -> None:
        self._idle: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()
        for _ in range(SENDERS):
            self._idle.put_nowait(
                aiosmtplib.SMTP(hostname=os.environ["OMBUD_SMTP_HOST"], port=int(os.environ["OMBUD_SMTP_PORT"]))
            )

    @asynccontextmanager
    async def _one(self) -> AsyncIterator[aiosmtplib.SMTP]:
        smtp = await self._idle.get()
        try:
            if not smtp.is_connected:
                await smtp.connect()
            yield smtp
        finally:
            self._idle.put_nowait(smtp)

    async def send(self, reference: str, recipient: str) -> None:
        """Returns once the server has taken it."""
        mail = EmailMessage()
        mail["Message-ID"] = f"<{reference}@rival.example.com>"
        mail["From"], mail["To"] = "rival@example.com", f"{recipient}@example.com"
        mail["Subject"] = f"Missed: First response · {reference}"
        mail.set_content(f"The first response to {reference} is late.\n")
        async with self._one() as smtp:
            await smtp.send_message(mail)
