"""A circular's dealings with the outside: who is told, the telling, and what each complaint answered.

Everything may be done again: the addresses are written down once, and a complaint that has answered gives the same
answer under the same key (invariant 16).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from activities.alive import alive
from activities.interface import (
    ADDRESS,
    FINISH,
    SEND,
    Addressed,
    Addressing,
    Counts,
    Finished,
    Sending,
    Sent,
    Unmoved,
    complaint_id,
)
from rules.circular import Circular
from rules.commands import COMMANDS, Command, Replan
from rules.fold import fold
from rules.ledger import digest
from settings import Settings
from storage import circulars, contracts, ledger
from storage.content import MasterKeyError, Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.settling import settle

ROUND = 100
"""Letters in one round; what they came to is recorded when the round is over."""
AT_ONCE = 24
"""Complaints told at the same time: more of them would only wait for the same workers."""
PATIENCE = 20
"""Seconds for one answer. A complaint that does not give it is asked again in a later round."""
SHOWN = 100
"""Complaints named in the result; all stand in Postgres."""


class Circulars:
    """The activities of a circular. `engine` and `client` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, client: Client, settings: Settings) -> None:
        self._engine = engine
        self._client = client
        self._vault = Vault(settings.keyring)

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.address, self.send, self.finish]

    @activity.defn(name=ADDRESS)
    async def address(self, asked: Addressing) -> Addressed:
        """Write down who is told, once. A refusal leaves nothing behind."""
        return await alive(self._address(asked))

    async def _address(self, asked: Addressing) -> Addressed:
        circular = asked.circular
        async with self._transaction() as connection:
            sent = await circulars.head(connection, asked.id)
            contract, refusal = (sent["contract"], "") if sent else await self._contract(connection, circular)
            if refusal:
                return Addressed(refusal=refusal)
            head = circulars.Head(
                id=asked.id,
                digest=asked.digest,
                command=circular.command,
                incident=circular.incident,
                contract=contract,
                by="/".join(filter(None, (circular.by.role, circular.by.person))),
                sent_at=asked.sent_at,
            )
            start = circular.model_dump_json(exclude_none=True)
            there = await circulars.begin(connection, self._vault, head, circular.why, start)
            if there.digest != asked.digest:
                other = f"Circular {asked.id} was sent on {there.sent_at:%Y-%m-%d %H:%M} UTC with other content."
                return Addressed(refusal=f"{other} Give a new one an id of its own.")
            counts = await circulars.counts(connection, asked.id)
            if not counts["complaints"] and there.finished_at is None:
                await self._write_down(connection, asked.id, circular, contract)
                counts = await circulars.counts(connection, asked.id)
            version = await contracts.in_force(connection, contract, datetime.now(UTC))
        language = version.body["language"] if version else "en"
        return Addressed(sent_at=there.sent_at, complaints=counts["complaints"], language=language)

    @activity.defn(name=SEND)
    async def send(self, sending: Sending) -> Sent:
        """Tell the next complaints and keep their answers. Whoever does not answer now stays for a later round."""
        async with self._transaction() as connection:
            waiting = await circulars.waiting(connection, sending.id, sending.after, ROUND)
        command = COMMANDS[sending.command].model_validate(sending.body)
        limit = asyncio.Semaphore(AT_ONCE)

        async def tell(complaint: str) -> circulars.Answer | None:
            async with limit:
                answer = await self._tell(complaint, command)
            activity.heartbeat()
            return answer

        answers = await asyncio.gather(*(tell(complaint) for complaint in waiting))
        # So that whoever looks once all have answered sees what they did.
        await settle(self._engine, [(a.complaint, a.seq) for a in answers if a and a.seq is not None])
        async with self._transaction() as connection:
            await circulars.answered(connection, sending.id, [answer for answer in answers if answer])
            counts = await circulars.counts(connection, sending.id)
        return Sent(counts=Counts(**counts), last=waiting[-1] if waiting else "")

    @activity.defn(name=FINISH)
    async def finish(self, id_: str) -> Finished:
        """Close the circular and say what came of it."""
        return await alive(self._finish(id_))

    async def _finish(self, id_: str) -> Finished:
        async with self._transaction() as connection:
            await circulars.finish(connection, id_, datetime.now(UTC))
            counts = await circulars.counts(connection, id_)
            unmoved = await circulars.unmoved(connection, id_, SHOWN)
        shown = (Unmoved(complaint=a.complaint, outcome=a.outcome, reason=a.reason) for a in unmoved)
        return Finished(counts=Counts(**counts), unmoved=tuple(shown))

    async def _contract(self, connection: AsyncConnection, circular: Circular) -> tuple[str, str]:
        """The contract whose complaints are told, or why none are."""
        if circular.incident is None:
            contract = circular.contract or ""
            known = await contracts.in_force(connection, contract, datetime.now(UTC))
            return (
                contract,
                "" if known else f"Unknown contract {contract!r}; publish it with `ombud contract publish`.",
            )
        found = await circulars.contracts_of(connection, circular.incident)
        if not found:
            return "", f"Nobody has reported incident {circular.incident}; look for a mistyped id. Nothing was done."
        wanted = {name: n for name, n in found.items() if n and circular.contract in (None, name)}
        if not wanted:
            under = f" under {circular.contract}" if circular.contract else ""
            return "", f"Incident {circular.incident} has no open complaint{under}. Nothing was done."
        if len(wanted) > 1:
            named = " and ".join(f"{name} ({n})" for name, n in wanted.items())
            several = f"Incident {circular.incident} has open complaints under {named}"
            return "", f"{several}; name the `contract` that is meant. Nothing was done."
        return next(iter(wanted)), ""

    async def _write_down(self, connection: AsyncConnection, id_: str, circular: Circular, contract: str) -> None:
        if circular.incident is not None:
            await circulars.address_incident(connection, id_, circular.incident, contract)
            return
        years = Replan.model_validate(circular.body | {"by": circular.by}).years
        await circulars.address_behind(connection, id_, contract, years)

    async def _tell(self, complaint: str, command: Command) -> circulars.Answer | None:
        """What a complaint makes of the command; nothing when it cannot answer now."""
        handle = self._client.get_workflow_handle(complaint_id(*complaint.split("/", 1)))
        body = command.model_dump(mode="json", exclude_none=True)
        update_id = f"{command.key}:{command.name}:{digest(command)[:16]}"
        try:
            async with asyncio.timeout(PATIENCE):
                taken: dict[str, Any] = await handle.execute_update(command.name, body, id=update_id, result_type=dict)
            return circulars.Answer(complaint, "taken", taken["seq"])
        except WorkflowUpdateFailedError as error:
            said = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            return circulars.Answer(complaint, "refused", reason=said)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND and not await self._runs(complaint):
                return await self._after_the_end(complaint, command)
            activity.logger.warning("%s does not answer: %s", complaint, error.message)
        except TimeoutError:
            activity.logger.warning("%s does not answer within %s seconds", complaint, PATIENCE)
        return None

    async def _runs(self, complaint: str) -> bool:
        """Whether it only went from one run to the next while it was told."""
        try:
            described = await self._client.get_workflow_handle(complaint_id(*complaint.split("/", 1))).describe()
        except RPCError as error:
            return error.status is not RPCStatusCode.NOT_FOUND
        return described.status == WorkflowExecutionStatus.RUNNING

    async def _after_the_end(self, complaint: str, command: Command) -> circulars.Answer:
        """It runs no more: it took the command before it ended, or is gone."""
        async with self._transaction() as connection:
            entries = await ledger.read(connection, ledger.stream_of(complaint))
        taken = next((entry for entry in entries if entry.key == command.key), None)
        if taken is not None:
            return circulars.Answer(complaint, "taken", taken.seq)
        closed = fold(entries).closed if entries else None
        why = f"closed since ({closed.reason})" if closed else "runs nowhere: `ombud reconcile --apply`"
        return circulars.Answer(complaint, "gone", reason=why)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """One transaction; an outage is one clear line, and tried again."""
        try:
            async with transaction(self._engine) as connection:
                yield connection
        except (PostgresUnreachableError, SchemaMissingError, MasterKeyError) as error:
            activity.logger.warning("%s", error)
            kind = type(error).__name__.removesuffix("Error")
            raise ApplicationError(str(error), type=kind, category=ApplicationErrorCategory.BENIGN) from None
