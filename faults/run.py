"""One run: the machines, the players and, in a storm, the injector; then quiet, and the judges."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from faults.deck import Deck
from faults.eraser import Eraser
from faults.injector import PARTING, SERVERS, Injected, Injector, Plan
from faults.judge import Finding
from faults.laws import NAMES, Laws, anew, contract, laws, people
from faults.machines import Machines
from faults.pen import HORIZON
from faults.players import Database, Played, Pulse, Stage
from faults.points import PATIENCE, POINTS
from faults.post import MailServer
from faults.quiet import restless
from faults.receiver import Hooks
from faults.results import DOMAIN, Left, Results, results
from faults.subscriptions import subscribe
from faults.sweeps import Sweeps, connect
from faults.writer import Writer
from rules.access import Grant
from storage import contracts, directory, tokens
from storage.content import Vault
from storage.database import PostgresUnreachableError, create_engine, transaction
from storage.keys import Keyring
from storage.migrate import upgrade

SETTINGS = {
    "OMBUD_MAIL_FROM": f"Ombud <ombud@{DOMAIN}>",
    "OMBUD_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "OMBUD_SIGNING_KEY": "a key for storms alone, 32 letters or more",
    "OMBUD_SMTP_TIMEOUT": "3",
    "OMBUD_WEBHOOK_ALLOW": "127.0.0.1",
    "OMBUD_RATE_TOKEN": "1000000/second",
    "OMBUD_RATE_ADDRESS": "1000000/second",
}
BRIEF = {PATIENCE: "2"}
"""What a run at a quicker pace sets besides, so that it need not wait ten seconds for each worker that dies."""

AHEAD = timedelta(seconds=15)
"""By how much a second version of a contract is published before it is in force: nobody can be sure of Postgres."""

LEAVE = 12
"""Events that a receiver takes before it says 410, where no storm says when."""

SWEEP_EVERY = 12.0
"""Seconds between two circulars."""

JUDGED_WITHIN = 600.0
"""Seconds for the judges; what they ask waits for ever only where something holds a table."""

Say = Callable[[int, int, str], None]
"""Told now and then how many complaints have ended of how many, and what goes on."""


@dataclass
class Outcome:
    """What came of one run."""

    results: Results
    played: int
    figures: Counter[str]
    injected: list[Injected]
    reached: Counter[str]
    troubles: Counter[str]
    seconds: float

    @property
    def longest_recovery(self) -> float:
        """Seconds from a kill to the first thing told after it that stood on record."""
        return max(
            [one.recovery for one in self.injected if one.recovery and one.plan.victim not in SERVERS], default=0.0
        )


async def run(
    folder: Path,
    seed: int,
    complaints: int,
    spread: float,
    wanted: list[Plan] | None,
    say: Say,
    *,
    horizon: timedelta = HORIZON,
    pace: float = 1.0,
) -> Outcome:
    """Play so many stories, opened over `spread` seconds. With plans there is a storm, until all of them have happened.
    In each story people act up to the `horizon`; `pace` is that of the injector, and a quicker run has no circulars and
    one sweep of what is erased, at its end.

    More stories than asked for are played, at most thrice as many, while a point has not been reached yet, or a server
    has not done its worst.
    """
    began = asyncio.get_running_loop().time()
    mail = MailServer(seed if wanted is not None else None)
    hooks = _receiver(seed, complaints, wanted)
    decks = {SERVERS["mail"]: mail.deck, SERVERS["receiver"]: hooks.deck, "group robot": hooks.robots.deck}
    injector = Injector(seed, wanted or [], mail, hooks, pace)
    await asyncio.gather(mail.start(), hooks.start(), injector.start())
    machines = Machines(folder, smtp_port=mail.port, points_port=injector.port)
    database = Database(machines.database)
    engine = create_engine(machines.database)
    try:
        await machines.start_neighbours()
        await asyncio.to_thread(upgrade, machines.database)
        grant, token = await _publish(engine, hooks)
        await machines.start_ours(SETTINGS if pace >= 1 else SETTINGS | BRIEF)
        eraser = Eraser(machines.environment() | SETTINGS, database, seed)
        stage = Stage(machines.http_port, token, grant, database, eraser.erase)
        pulse = Pulse(stage, seed)
        await pulse.start()
        address = f"127.0.0.1:{machines.temporal_port}"
        sweeps = Sweeps(address, machines.environment()["OMBUD_TASK_QUEUE"], SWEEP_EVERY)
        if pace >= 1:
            sweeps.start()
            eraser.start()
        storm = asyncio.create_task(injector.run(machines, pulse)) if wanted is not None else None
        known = laws(datetime.now(UTC) + max(AHEAD, timedelta(seconds=spread / 2)))
        again = asyncio.create_task(_publish_anew(engine, known))
        played = await _play(stage, Writer(seed, known, grant, horizon), complaints, spread, injector, decks, say)
        if storm is not None:
            storm.cancel()
            await asyncio.gather(storm, return_exceptions=True)
        await _calm(machines, mail, hooks)
        await sweeps.finish()
        waiting = await _quiet(pulse, database, engine, len(sweeps.sent), say)
        waiting += await eraser.finish()
        left = Left(played, mail.received, hooks, injector.outages, sweeps.sent, grant, eraser.erased)
        found = await _judged(results(folder, engine, await connect(address), left))
        found.findings += waiting + _anew(found, played, known, await again) + unreached(injector, decks, wanted)
        found.findings += await _pulse_findings(pulse, database)
        await stage.close()
    finally:
        await engine.dispose()
        await database.close()
        await machines.stop()
        await injector.stop()
        mail.refuse()
        await hooks.stop()
    seconds = asyncio.get_running_loop().time() - began
    troubles = _troubles(decks, eraser)
    return Outcome(found, len(played), stage.figures, injector.injected, injector.reached, troubles, seconds)


def _troubles(decks: Mapping[str, Deck], eraser: Eraser) -> Counter[str]:
    """What went wrong besides the kills of machines."""
    of_servers = {f"{name} {what}": n for name, deck in decks.items() for what, n in deck.happened.items()}
    return Counter(of_servers | {"erasure killed, once it is on record": eraser.broken_off})


def _receiver(seed: int, complaints: int, wanted: list[Plan] | None) -> Hooks:
    """The receiver of all webhooks. As many leave as somebody is to be killed over."""
    calm = min(12, complaints // 4)
    if wanted is None:
        return Hooks(seed=None, calm=calm, leaving=NAMES, leave_after=LEAVE)
    kills = sum(plan.point == PARTING for plan in wanted)
    return Hooks(seed=seed, calm=calm, leaving=NAMES[:kills])


async def _publish(engine: AsyncEngine, hooks: Hooks) -> tuple[Grant, str]:
    """Contracts in force since ever, people, a token that speaks for everybody, and who hears of each contract."""
    vault = Vault(Keyring.parse(SETTINGS["OMBUD_MASTER_KEY"]))
    now, since = datetime.now(UTC), datetime(2020, 1, 1, tzinfo=UTC)
    grant = Grant(
        token=tokens.new_id(),
        scopes=("open", "act", "read"),
        roles=("handler",),
        reports_for=("complainant", "principal", "third_party"),
    )
    async with transaction(engine) as connection:
        for which in range(len(NAMES)):
            await contracts.publish(connection, contract(which), since, "storm", now)
        await subscribe(connection, vault, hooks, now)
        await directory.replace(connection, people())
        expires = now + timedelta(days=1)
        secret = await tokens.create(connection, grant, name="storm", expires_at=expires, by="storm", now=now)
    return grant, tokens.written(grant.token, secret)


async def _publish_anew(engine: AsyncEngine, known: Laws) -> datetime:
    """Publish the second versions shortly before they are in force, whatever becomes of Postgres; when it was done."""
    await asyncio.sleep((known.anew - AHEAD - datetime.now(UTC)).total_seconds())
    while True:
        try:
            async with transaction(engine) as connection:
                for one in anew():
                    await contracts.publish(connection, one, known.anew, "storm", datetime.now(UTC))
            return datetime.now(UTC)
        except PostgresUnreachableError:
            await asyncio.sleep(0.1)


def _anew(found: Results, played: Sequence[Played], known: Laws, published_at: datetime) -> list[Finding]:
    """Whether the second versions came in time, and to whom."""
    opened = [one.start for one in played if one.start is not None]
    found.anew = sum(known.of(start) is known.second.get(start.contract) for start in opened)
    late = published_at >= known.anew
    problems = ["the second versions were published too late"] if late else []
    problems += [] if found.anew else ["no complaint came under a second version"]
    return [Finding("the storm", problem) for problem in problems]


async def _play(
    stage: Stage,
    writer: Writer,
    complaints: int,
    spread: float,
    injector: Injector,
    decks: Mapping[str, Deck],
    say: Say,
) -> list[Played]:
    """Every story, each begun at its turn; and some more while a fault is still to happen."""
    playing: list[asyncio.Task[list[Played]]] = []
    while len(playing) < complaints or (_more(injector, decks) and len(playing) < 3 * complaints):
        playing.append(asyncio.create_task(stage.play(writer, len(playing))))
        await asyncio.sleep(spread / complaints)
        say(sum(task.done() for task in playing), max(complaints, len(playing)), injector.now)
    injector.finish()
    for deck in decks.values():
        deck.clear_up()
    while not all(task.done() for task in playing):
        await asyncio.wait(playing, timeout=1, return_when="ALL_COMPLETED")
        say(sum(task.done() for task in playing), len(playing), "calm again, until every story has ended")
    return [one for task in playing for one in task.result()]


def _more(injector: Injector, decks: Mapping[str, Deck]) -> bool:
    """Whether something is still to happen that only more stories can bring about."""
    return bool(injector.left) or any(deck.missing for deck in decks.values())


async def _calm(machines: Machines, mail: MailServer, hooks: Hooks) -> None:
    """The storm is over: everything runs, and every mail and every event is taken. Raises NotServingError."""
    for server in (mail, hooks):
        server.deck.clear_up()
        server.refuse()
        await server.start()
    await asyncio.gather(*(machine.back() for machine in machines.by_name.values()))


async def _quiet(pulse: Pulse, database: Database, engine: AsyncEngine, sweeps: int, say: Say) -> list[Finding]:
    """What does not come to its end in time."""
    await pulse.stop()
    say(1, 1, "waiting until all is quiet")
    return await restless(database, engine, sweeps)


async def _judged(judging: Awaitable[Results]) -> Results:
    """What the judges say, or that they cannot say it."""
    try:
        return await asyncio.wait_for(judging, JUDGED_WITHIN)
    except TimeoutError:
        return Results([Finding("the run", f"it could not be judged within {JUDGED_WITHIN:g} seconds")])


async def _pulse_findings(pulse: Pulse, database: Database) -> list[Finding]:
    """Every beat that was answered stands in the ledger, once."""
    query = (
        "SELECT count(*) || '/' || count(DISTINCT body ->> 'key') FROM ledger "
        "WHERE stream = $1 AND type = 'noted' AND starts_with(body ->> 'key', 'pulse-')"
    )
    stands = await database.ask(query, f"complaint/{pulse.complaint}")
    wanted = f"{len(pulse.begun)}/{len(pulse.begun)}"
    return [] if stands == wanted else [Finding(pulse.complaint, f"notes on record {stands} instead of {wanted}")]


def unreached(injector: Injector, decks: Mapping[str, Deck], wanted: list[Plan] | None) -> list[Finding]:
    """What had to happen and did not: a storm without it proves nothing about it."""
    asked = POINTS if wanted is None else {plan.point for plan in wanted if plan.point}
    missing = [Finding("the storm", f"{point} was never reached") for point in asked if not injector.reached[point]]
    if wanted is None:
        return missing
    missing += [Finding("the storm", f"{plan} never happened") for plan in injector.left]
    missing += [Finding("the storm", failed) for failed in injector.failed]
    return missing + [
        Finding("the storm", f"the {name} never {trouble}") for name, deck in decks.items() for trouble in deck.missing
    ]


def leave(code: int) -> None:
    """At the interpreter's own end a process that spoke to Temporal may crash (worker.end)."""
    sys.stdout.flush()
    os._exit(code)
