"""`ombud doctor`: one look at everything Ombud stands on, a line each, and what to do where something is wrong.

Nothing is changed and no mail is sent. Each look is bounded in time, and one that fails hides none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.mailer import Mailer, NotSentError
from rules.calendar import calendar_for
from rules.coverage import gaps
from settings import Settings
from starter.mailboxes import MailboxError, opened
from starter.releases import asking
from storage import contracts, rotation
from storage.content import Vault
from storage.database import PostgresUnreachableError, SchemaMissingError, create_engine, transaction
from storage.directory import stored
from storage.keys import Keyring
from storage.migrate import standing
from storage.stuck import unheld
from wire.client import TemporalUnreachableError, connect_temporal
from workflows.search_attributes import ALL

Standing = Literal["ok", "warning", "wrong", "unseen"]
"""`warning`: it works, and somebody should know. `unseen`: what it stands on is wrong, so it was not looked at."""

PATIENCE = 15
"""Seconds for one look."""

OLDEST_POSTGRES = 15
AHEAD = timedelta(days=60)
"""How far the holidays should be known: 30 working days from now end within it, unless they lie very badly."""

DUTY_AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found."""

    what: str
    standing: Standing
    said: str
    do: str = ""
    """For anything but ok: what to do."""


Look = Callable[[AsyncConnection], Awaitable[Finding]]


async def examine(settings: Settings) -> list[Finding]:
    """Everything, in the order in which one thing stands on another."""
    temporal, postgres, mail = await asyncio.gather(
        _temporal(settings), _postgres(settings), _bounded("mail server", _mail(settings))
    )
    found = [*temporal, *postgres, mail]
    if settings.bounce_mailbox is not None:
        found.append(await _bounded("bounce mailbox", _bounces(settings.bounce_mailbox.get_secret_value())))
    return found


async def _bounded(what: str, look: Awaitable[Finding]) -> Finding:
    try:
        async with asyncio.timeout(PATIENCE):
            return await look
    except TimeoutError:
        return Finding(what, "wrong", f"no answer within {PATIENCE} seconds", "See whether it hangs, and the network.")


async def _temporal(settings: Settings) -> list[Finding]:
    def unseen() -> list[Finding]:
        return [Finding(what, "unseen", "Temporal was not reached") for what in ("search attributes", "worker")]

    try:
        async with asyncio.timeout(PATIENCE):
            client = await connect_temporal()
            version = (await client.workflow_service.get_system_info(GetSystemInfoRequest())).server_version
    except (TemporalUnreachableError, RPCError) as error:
        said, _, do = str(error).partition("\n")
        return [Finding("Temporal", "wrong", said, do), *unseen()]
    except TimeoutError:
        do = "Set TEMPORAL_ADDRESS to where Temporal is, and see whether the network lets it through."
        return [Finding("Temporal", "wrong", f"no answer within {PATIENCE} seconds", do), *unseen()]
    where = f"{client.service_client.config.target_host}, namespace {client.namespace}, server {version or 'unknown'}"
    return [
        Finding("Temporal", "ok", where),
        await _bounded("search attributes", _search_attributes(client)),
        await _bounded("worker", _worker(client, settings.task_queue)),
    ]


async def _search_attributes(client: Client) -> Finding:
    what = "search attributes"
    try:
        answer = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as error:
        return Finding(what, "warning", f"cannot be looked up: {error.message}", "Let this login list them.")
    known = answer.custom_attributes
    wrong = [key.name for key in ALL if known.get(key.name, key.indexed_value_type) != key.indexed_value_type]
    if wrong:
        do = "Remove them with `temporal operator search-attribute remove --name NAME`, then start a worker."
        return Finding(what, "wrong", f"of a wrong type: {', '.join(wrong)}", do)
    missing = [key for key in ALL if key.name not in known]
    if missing:
        names = " ".join(f"--name {key.name} --type {key.indexed_value_type.name.title()}" for key in missing)
        do = f"Start a worker, or: temporal operator search-attribute create {names}"
        return Finding(what, "wrong", f"missing: {', '.join(key.name for key in missing)}", do)
    return Finding(what, "ok", f"all {len(ALL)} are registered")


async def _worker(client: Client, task_queue: str) -> Finding:
    """Whether somebody asked for workflows and for activities of late, and gets them."""
    try:
        asked = await asking(client, task_queue)
    except RPCError as error:
        return Finding("worker", "wrong", f"cannot be looked up: {error.message}", "Let this login look it up.")
    if all(one.working for one in asked.values()):
        workflows = asked["workflows"]
        versions = " and ".join(sorted(filter(None, workflows.current & workflows.workers.keys())))
        release = f", release {versions}" if versions else ""
        return Finding("worker", "ok", f"{workflows.working} on task queue {task_queue}{release}")
    idle = " and ".join(name for name, one in asked.items() if not one.working)
    waiting = sorted({v for one in asked.values() if not one.working for v in one.workers})
    if waiting:
        current = " and ".join(sorted(filter(None, asked["workflows"].current))) or "no release"
        said = f"{' and '.join(v or 'a worker without a release' for v in waiting)} asks the task queue {task_queue}, "
        do = (
            "Give it the work: `ombud release current RELEASE` (docs/upgrades.md); or start workers of the current one."
        )
        return Finding("worker", "wrong", f"{said}but {current} is current: nobody gets {idle}", do)
    do = "Start one: python worker.py (on one machine: `ombud up`). Until then timers wait, and nothing is lost."
    return Finding("worker", "wrong", f"nobody asks the task queue {task_queue} for {idle}", do)


async def _postgres(settings: Settings) -> list[Finding]:
    """The database, then what lies in it. The looks share one connection, one after the other."""
    engine = create_engine(settings.database_url, connections=1, statement_seconds=PATIENCE)
    looks: dict[str, Look] = {
        "migrations": _migrations,
        "master key": lambda connection: _master_key(connection, settings.keyring),
        "contracts": _contracts,
        "calendar": _calendar,
        "directory": _directory,
    }
    found: list[Finding] = []
    try:
        async with transaction(engine) as connection:
            found.append(await _version(connection))
        for what, look in looks.items():
            async with transaction(engine) as connection:
                found.append(await look(connection))
            if what == "migrations" and found[-1].standing == "wrong":
                break  # tables of another version would only fail
    except (PostgresUnreachableError, SchemaMissingError) as error:
        said, _, do = str(error).partition("\n")
        what = ("Postgres", *looks)[len(found)]
        found.append(Finding(what, "wrong", said, do))
    finally:
        await engine.dispose()
    left = list(looks)[len(found) - 1 :]
    return [*found, *(Finding(what, "unseen", f"{found[-1].what} comes first") for what in left)]


async def _version(connection: AsyncConnection) -> Finding:
    number = int(await connection.scalar(text("SELECT current_setting('server_version_num')")))
    name = await connection.scalar(text("SELECT current_setting('server_version')"))
    if number < OLDEST_POSTGRES * 10_000:
        return Finding("Postgres", "wrong", f"is version {name}", f"Use version {OLDEST_POSTGRES} or newer.")
    if await connection.scalar(text("SELECT pg_is_in_recovery()")):
        return Finding("Postgres", "wrong", "is a standby", "Set OMBUD_DATABASE_URL to the primary.")
    return Finding("Postgres", "ok", f"version {name}")


async def _migrations(connection: AsyncConnection) -> Finding:
    stands, wanted, known = await standing(connection)
    if stands == wanted:
        return Finding("migrations", "ok", f"at {stands}")
    if not known:
        do = "A newer Ombud was here: run that version, or restore the backup made before it."
        return Finding("migrations", "wrong", f"at {stands}, which this version does not know", do)
    return Finding("migrations", "wrong", f"at {stands or 'none'}, {wanted} is needed", "Run `ombud migrate`.")


async def _master_key(connection: AsyncConnection, ring: Keyring) -> Finding:
    do = "Set OMBUD_MASTER_KEY to the keys in use then (`ombud keys check`); without them that cannot be read."
    if not await Vault(ring).fits(connection):
        return Finding("master key", "wrong", "does not open what was sealed with it", do)
    lost = sum(use.alone for use in await rotation.uses(connection, ring) if ring.get(use.key_id) is None)
    if lost:
        return Finding("master key", "wrong", f"{lost} keys were sealed under another master key", do)
    return Finding("master key", "ok", "opens what is sealed")


async def _contracts(connection: AsyncConnection) -> Finding:
    in_force = sorted(await contracts.latest(connection, datetime.now(UTC)))
    if not in_force:
        return Finding("contracts", "wrong", "none is in force", "Publish one: ombud contract publish FILE")
    return Finding("contracts", "ok", f"{len(in_force)} in force: {', '.join(in_force)}")


async def _calendar(connection: AsyncConnection) -> Finding:
    """Whether due times from now on can be counted through published holidays (invariant 9)."""
    now = datetime.now(UTC)
    unknown: dict[int, list[str]] = {}
    for name, contract in sorted((await contracts.latest(connection, now)).items()):
        calendar = calendar_for(contract.calendar)
        today = calendar.local(now).date()
        for year in calendar.unknown_years(today, today + AHEAD):
            unknown.setdefault(year, []).append(name)
    if not unknown:
        return Finding("calendar", "ok", f"holidays are known for the next {AHEAD.days} days")
    said = "; ".join(f"{year} is not published in {', '.join(names)}" for year, names in sorted(unknown.items()))
    do = "Due times in it are provisional. Add the year to the contract file once it is announced, and publish it."
    return Finding("calendar", "wrong" if now.year in unknown else "warning", said, do)


async def _directory(connection: AsyncConnection) -> Finding:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    directory = await stored(connection)
    if directory is None:
        return Finding("directory", "wrong", "is empty", "Import one: ombud directory import FILE")
    if alone := await unheld(connection, now):
        said = "nobody holds " + ", ".join(f"{role} of {name}" for name, role in alone)
        return Finding("directory", "wrong", said, "Add holders and import it: ombud directory import FILE")
    in_force = await contracts.latest(connection, now)
    empty = [
        f"{role} of {name} from {gap.start:%Y-%m-%d %H:%M}"
        for name, contract in sorted(in_force.items())
        for role, gap in gaps(directory, contract, now, now + DUTY_AHEAD)
    ]
    if empty:
        said = f"nobody will be on duty: {empty[0]}" + (f" and {len(empty) - 1} more" if empty[1:] else "")
        return Finding("directory", "warning", said, "See `ombud directory check`, and name a deputy or a shift.")
    said = f"{len(directory.people)} people; every role is held for the next {DUTY_AHEAD.days} days"
    return Finding("directory", "ok", said)


async def _mail(settings: Settings) -> Finding:
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        offers = (await Mailer(settings).greet()).split()
    except NotSentError as error:
        do = "Start it, or correct OMBUD_SMTP_HOST, _PORT, _SECURITY, _USERNAME and _PASSWORD. Notices wait meanwhile."
        return Finding("mail server", "wrong", f"{where}: {error}", do)
    login = ", logged in" if settings.smtp_username else ""
    tells = "tells of deliveries (DSN)" if "dsn" in offers else "does not tell of deliveries (no DSN)"
    said = f"{where}, {settings.smtp_security.value}{login}, {tells}"
    if settings.base_url is None:
        do = "Set OMBUD_BASE_URL to the public address of `ombud serve`."
        return Finding("mail server", "warning", f"{said}; mails carry no links", do)
    return Finding("mail server", "ok", said)


async def _bounces(url: str) -> Finding:
    def unseen() -> int:
        with opened(url) as box:
            return len(box.unseen())

    try:
        waiting = await asyncio.to_thread(unseen)
    except MailboxError as error:
        return Finding("bounce mailbox", "wrong", str(error), "Correct OMBUD_BOUNCE_MAILBOX; reports wait meanwhile.")
    return Finding("bounce mailbox", "ok", f"{waiting} to take in")
