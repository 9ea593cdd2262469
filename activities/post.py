"""One round of delivery for one person: what waits becomes one message, which is sent, recorded and reported.

Three steps, each of which may be the last before a crash; the next round goes on from there:

1. In one transaction notices are claimed, put into words, and kept as the bytes that will be sent.
2. The mail server takes the bytes, refuses them for good, or has to be asked again.
3. In one transaction its answer is recorded; then the complaints that must know of it are told.

Before that, whoever has to be told of an earlier round is told: complaints, of what became of their notices and of the
answer to a crowd they stand in. A provider with a rate is asked for a turn first; what has to wait then goes on
gathering.

Between the server's answer and its record lies the one moment in which a crash sends a message twice: the same bytes
under the same Message-ID (invariant 12).
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from activities.alive import alive
from activities.covering import cover
from activities.gathering import Gathering
from activities.interface import DELIVER, Delivered
from activities.mailer import Mailer, NotSentError, RefusedForGoodError
from activities.poke import poke, report
from activities.writing import Writer
from rules.coverage import awaited
from rules.gathering import GATHER
from rules.ledger import Entry
from rules.notices import Outcome
from rules.values import SYSTEM
from settings import Settings
from storage import crowds, posts, rounds, turns, unclaimed
from storage.content import ErasedError, MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, Way, questions, transaction
from storage.directory import Person
from storage.ledger import message_stream, read
from storage.recording import record_message, record_next
from storage.unclaimed import Behind, Group, Unmanned
from telemetry import meters
from telemetry.logs import about
from templates.rendering import Renderer

CHANNEL = "email"
CLAIM = 1
"""Where the first entry of a message stands in its stream."""


def _now() -> datetime:
    return datetime.now(UTC)


class PostOffice:
    """The activity of a Post. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(
        self,
        engine: AsyncEngine,
        client: Client,
        mailer: Mailer,
        settings: Settings,
        *,
        renderer: Renderer | None = None,
        gather: timedelta = GATHER,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._engine = engine
        self._client = client
        self._mailer = mailer
        self._task_queue = settings.task_queue
        self._rate_of = settings.rate_of
        self._clock = clock
        self._vault = Vault(settings.keyring)
        self._writer = Writer(settings, self._vault, client.namespace, renderer)
        self.gathering = Gathering(self._questions, gather, clock)

    @property
    def activities(self) -> list[Any]:
        """What a worker registers for the mails."""
        return [self.deliver]

    @activity.defn(name=DELIVER)
    async def deliver(self, person: str, gathered: bool = False) -> Delivered:
        """Send this person one message with everything that waits, if anything does. What has `gathered` does not do
        so again.
        """
        return await alive(self._round(person, gathered))

    async def _round(self, person: str, gathered: bool) -> Delivered:
        async with self._questions() as db:
            now = self._clock()
            standing = await self.gathering.standing(db, person, now)
            if standing.gathers:  # nobody has poked for what came meanwhile: from now on they do, and then it looks
                await rounds.begin(db, person)
                standing = await self.gathering.standing(db, person, now)
            behind = await unclaimed.behind(db, now, person)
            unmanned = await unclaimed.unmanned(db, behind)
        await self._hear(person, standing)
        who, message = standing.who, standing.unsent
        held = None if gathered else await self.gathering.hold(standing, behind, now)
        if who and message is None and behind.crowds(person) and (held or self._rate_of(who.email)[1]):
            # What joins a message that was sent has nothing to wait for. What is claimed now joins as it is claimed.
            async with self._transaction() as db:
                if await self._join(db, who, behind.persons[person], now):
                    behind = await unclaimed.behind(db, now, person)
                    held = held if behind.count(person) else None
            await self._cover(person)
        await self._hand_over(person, behind, unmanned, now)
        if held is None and who is not None:
            held = await self._turn(who, behind, message, now)
        if held:
            return await self.gathering.announce(person, standing, held, now)
        mail = None
        if message is None and who is not None and behind.count(person):
            crowds_wait = behind.crowds(person)
            async with self._transaction() as db:
                message, mail = await self._claim(db, who, behind.persons[person], now)
                behind = behind if message else await unclaimed.behind(db, now, person)
            if message is None and crowds_wait:  # all of it may have joined what was told and answered before
                await self._cover(person)
        if message is None:
            return self._idle(person, behind, now)
        sent = await self._send(message, who, mail)
        async with self._questions() as db:
            now = self._clock()
            standing = await self.gathering.standing(db, person, now)
            behind = await unclaimed.behind(db, now, person)
            done = {"sent": sent, "message": message, "entries": tuple(await read(db, message_stream(message)))}
        await self._hear(person, standing)
        if held := await self.gathering.hold(standing, behind, now):  # known now already, without another round
            return (await self.gathering.announce(person, standing, held, now)).model_copy(update=done)
        idle = self._idle(person, behind, now)
        return idle.model_copy(update={**done, "waiting": idle.waiting + (standing.unsent is not None)})

    async def _hear(self, person: str, standing: rounds.Standing) -> None:
        """Tell complaints what they have to hear."""
        if standing.untold:
            await self._report(person)
        if standing.answered:
            await self._cover(person)

    def _idle(self, person: str, behind: Behind, now: datetime) -> Delivered:
        """What a round leaves: how much waits, and when nothing does, until when this person's next shift begins, if
        something waits for that."""
        waiting, begins = behind.count(person), behind.begins(person)
        hold = begins - now if begins and not waiting else timedelta()
        return Delivered(waiting=waiting, hold_seconds=max(hold, timedelta()).total_seconds())

    async def _turn(self, who: Person, behind: Behind, message: str | None, now: datetime) -> Delivered | None:
        """How long until this mail may be sent to its provider; nothing when it may leave now."""
        domain, rate = self._rate_of(who.email)
        if rate is None or (message is None and not behind.count(who.id)):
            return None
        async with self._transaction() as db:
            urgent = await unclaimed.urgent(db, behind.persons.get(who.id, ()), message)
            mails, period = rate
            hold = await turns.ask(db, who.id, domain, mails=mails, period=period, urgent=urgent, now=now)
        waiting = behind.count(who.id) + (message is not None)
        return Delivered(waiting=waiting, hold_seconds=hold.total_seconds()) if hold else None

    async def _hand_over(self, person: str, behind: Behind, unmanned: Sequence[Unmanned], now: datetime) -> None:
        """What came while this person was on duty and no longer is for them: to whoever is, or back to its complaint.

        Stands in no record until then, so that a round that breaks off here does it again.
        """
        try:
            heirs = {one.heir for one in unmanned if one.heir}
            for other in sorted((behind.late | heirs) - {person}):
                await poke(self._client, self._task_queue, other)
            for one in unmanned:
                nobody = Outcome(notice=one.notice, accepted=False, at=now, reason=one.reason)
                await report(self._client, one.complaint, nobody)
        except RPCError as error:
            raise _retry(error) from None

    async def _join(self, db: AsyncConnection, who: Person, groups: Sequence[Group], now: datetime) -> bool:
        """What waits and stands in a crowd that this person was told of joins the message that told it, if any does."""
        await unclaimed.alone(db, who.id)
        joining = await crowds.joining(db, who.id, groups, now)
        for message, keys in joining.items():
            await crowds.join(db, self._vault, message, who.id, keys, now)
        return bool(joining)

    async def _cover(self, person: str) -> None:
        """Tell complaints of answers to crowds that they stand in, or have just joined."""
        try:
            await cover(self._questions, self._transaction, self._client, person)
        except RPCError as error:
            raise _retry(error) from None

    async def _claim(
        self, db: AsyncConnection, who: Person, groups: Sequence[Group], now: datetime
    ) -> tuple[str, bytes] | tuple[None, None]:
        """Make one message of what waits: its id, and the mail."""
        crowds_wait = any(group.crowds for group in groups)
        if crowds_wait:
            await self._join(db, who, groups, now)
        # Of a crowd that came in this moment nobody has looked yet whether a message told it: the next round does.
        waiting = [one for one in await unclaimed.take(db, groups) if crowds_wait or one.crowd is None]
        if not waiting:
            return None, None
        keys = sorted(notice.key for notice in waiting)
        message = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:40]
        mail, problem = await self._writer.write(db, who, message, keys, now)
        data = {
            "person": who.id,
            "channel": CHANNEL,
            "language": who.language,
            "notices": keys,
            "sha256": hashlib.sha256(mail).hexdigest(),
        }
        entry = Entry(
            seq=CLAIM,
            type="claimed",
            by=SYSTEM,
            occurred_at=now,
            recorded_at=now,
            data=data | ({"problem": problem} if problem else {}),
        )
        await record_message(db, self._vault, message, [entry], {CLAIM: mail.decode()})
        if problem:
            await posts.flawed(db, message, problem)
        return message, mail

    async def _send(self, message: str, who: Person | None, mail: bytes | None) -> int:
        """Have the mail server take the message and record what it says; how many it took. One that was claimed before
        is read from where it was kept."""
        try:
            if who is None:
                raise RefusedForGoodError("the recipient left the directory after the message was written")
            if mail is None:
                async with self._questions() as db:
                    if await posts.given_up(db, message):
                        raise RefusedForGoodError("given up")
                    mail = (await self._vault.read(db, message_stream(message)))[CLAIM]["mail"].encode()
            reply = await self._mailer.send(who.email, mail, envelope=message)
        except NotSentError as failure:
            said = NotSentError(_masked(str(failure), who))
            async with self._transaction() as db:
                await posts.failed(db, message, str(said), self._clock())
            meters.message("failed")
            raise _retry(said) from None
        except ErasedError:
            await self._record(message, "undeliverable", {"reason": "its content was erased before it could be sent"})
            return 0
        except RefusedForGoodError as refused:
            reason = _masked(str(refused), who)
            await self._record(message, "undeliverable", {"reason": reason})
            return 0
        await self._record(message, "accepted", {"reply": _masked(reply, who)})
        return 1

    async def _record(self, message: str, became: str, data: dict[str, str]) -> None:
        now = self._clock()

        def entry(seq: int) -> Entry:
            return Entry(seq=seq, type=became, by=SYSTEM, occurred_at=now, recorded_at=now, data=data)

        async with self._transaction() as db:
            recorded = await record_next(db, self._vault, message, entry, unsettled=True)
            if recorded:
                await posts.settled(db, message, now)
                delays = await posts.delays(db, message)
        if recorded:
            meters.message(became)
            meters.accepted(delays)

    async def _report(self, person: str) -> None:
        """Tell complaints what became of their notices, where a ladder or an obligation must know."""
        async with self._questions() as db:
            ended = await posts.untold(db, person)
            matter = [
                e for e in ended if e.undeliverable_at or awaited(await self._writer.contract(db, e.version), e.command)
            ]
        for one in matter:
            await self._tell(one)
        if ended:
            async with self._transaction() as db:
                await posts.heard(db, sorted({one.message for one in ended}))

    async def _tell(self, one: posts.Ended) -> None:
        at = one.undeliverable_at or one.accepted_at or self._clock()
        outcome = Outcome(notice=one.notice, accepted=one.undeliverable_at is None, at=at, reason=one.reason)
        try:
            await report(self._client, one.complaint, outcome)
        except RPCError as error:
            with about(one.complaint):
                raise _retry(error) from None

    @asynccontextmanager
    async def _transaction(self, way: Way = transaction) -> AsyncIterator[AsyncConnection]:
        """One transaction, unless another way is given; an outage is one clear line, and tried again."""
        try:
            async with way(self._engine) as db:
                yield db
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError) as error:
            raise _retry(error) from None

    def _questions(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._transaction(questions)


def _masked(reply: str, who: Person | None) -> str:
    """A server's reply without the address it may repeat: the ledger carries ids (invariant 19)."""
    return reply.replace(who.email, who.id) if who else reply


def _retry(error: Exception) -> ApplicationError:
    """Worth another try, and no reason to fill the log with a traceback."""
    activity.logger.warning("%s", error)
    kind = type(error).__name__.removesuffix("Error")
    return ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN)
