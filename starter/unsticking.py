"""What stands in the queue is tried again or given up, one thing after the other; each says what was done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from activities.poke import poke, poke_webhook
from rules.commands import GiveUp
from rules.duty import Nobody
from rules.values import Actor
from starter.client import Ombud
from starter.errors import Invalid, NotFound, OmbudError
from starter.temporal_errors import temporal_errors
from storage import recording, unsticking
from storage.content import Vault
from storage.stuck import Stuck, stuck

INSTEAD = {
    "refused signal": "only its sender knows what it said: correct it, send it again, and give this one up",
    "rejected start": "only its sender knows what it said: have it corrected and started again, and give this one up",
    "role with nobody": "add a holder to the directory and import it",
    "paused webhook": "see `ombud webhook resume`",
    "waiting webhook": "pause or remove it with `ombud webhook`, or pass over events: `ombud webhook replay --skip`",
}
"""Why something cannot be done about what is stuck, and what can."""

NO_RETRY = ("refused signal", "rejected start", "role with nobody", "paused webhook")
NO_GIVING_UP = ("role with nobody", "paused webhook", "waiting webhook")


@dataclass(frozen=True)
class Chosen:
    """Which of what is stuck is meant: by name, or all of it, of one kind or one contract."""

    names: Sequence[str] = ()
    everything: bool = False
    what: str | None = None
    contract: str | None = None


@dataclass(frozen=True)
class Done:
    """What became of one thing."""

    item: Stuck
    done: bool
    said: str


async def chosen(ombud: Ombud, which: Chosen) -> list[Stuck]:
    """The stuck things that are meant, however short they wait. Raises NotFound, naming what is not stuck."""
    if bool(which.names) == which.everything:
        raise Invalid("Name what `ombud stuck` lists, or say --all, which --what and --contract narrow down.")
    async with ombud.reading() as connection:
        there = await stuck(connection, datetime.now(UTC), waiting=timedelta(), past=timedelta(days=36500))
    if which.everything:
        return [
            item
            for item in there
            if (which.what is None or item.what == which.what)
            and (which.contract is None or _contract(item) == which.contract)
        ]
    by_name = {name: item for item in there for name in (item.where, item.where.partition(" ")[0])}
    by_name |= {item.where: item for item in there}
    if unknown := [name for name in which.names if name not in by_name]:
        raise NotFound(f"Not stuck: {', '.join(unknown)}. `ombud stuck` lists what is.")
    return [by_name[name] for name in dict.fromkeys(which.names)]


def _contract(item: Stuck) -> str:
    return item.where.removeprefix("complaint/").partition("/")[0].partition(" ")[0]


async def retry(ombud: Ombud, vault: Vault, items: Sequence[Stuck], by: Actor) -> AsyncIterator[Done]:
    """Try each again, at once. Raises Unreachable."""
    sent: set[str] = set()
    for item in items:
        if item.what in NO_RETRY:
            yield Done(item, False, INSTEAD[item.what])
        elif item.what == "waiting webhook":
            with temporal_errors(ombud.task_queue, ombud.patience):
                await poke_webhook(ombud.temporal, ombud.task_queue, item.where.partition(" ")[0], at_once=True)
            yield Done(item, True, "it is tried now")
        else:
            yield await _retry_notice(ombud, vault, item, by, sent)


async def _retry_notice(ombud: Ombud, vault: Vault, item: Stuck, by: Actor, sent: set[str]) -> Done:
    now = datetime.now(UTC)
    async with ombud.reading() as connection:
        carried = (await unsticking.carriers(connection, [item.where])).get(item.where)
        if carried is None:
            behind = (await recording.addressees(connection, [item.where], now)).get(item.where)
        elif item.what == "undeliverable notice" and carried[0] not in sent:
            await unsticking.send_again(connection, vault, carried[0], by, now)
    if carried is not None:
        person, said = carried[1], f"its message is sent to {carried[1]} now"
        sent.add(carried[0])
    elif behind is None:
        return Done(item, False, "nobody was on duty, and its ladder has gone on: tell them another way and give it up")
    elif isinstance(behind, Nobody):
        return Done(item, False, f"{behind.reason}: mend the directory")
    else:
        person, said = behind, f"it is sent to {behind} now"
    with temporal_errors(ombud.task_queue, ombud.patience):
        await poke(ombud.temporal, ombud.task_queue, person, urgent=True)
    return Done(item, True, said)


async def give_up(ombud: Ombud, vault: Vault, items: Sequence[Stuck], by: Actor, reason: str) -> AsyncIterator[Done]:
    """Give each up, on the record of its complaint where it has one. Raises Unreachable."""
    for item in items:
        if item.what in NO_GIVING_UP:
            yield Done(item, False, INSTEAD[item.what])
        elif item.what == "rejected start":
            async with ombud.reading() as connection:
                await unsticking.drop_start(connection, vault, item.where, by, reason, datetime.now(UTC))
            yield Done(item, True, "given up; its reference is free")
        else:
            yield await _give_up_one(ombud, item, by, reason)


async def _give_up_one(ombud: Ombud, item: Stuck, by: Actor, reason: str) -> Done:
    if item.what == "refused signal":
        complaint, _, entry = item.where.rpartition("#")
        command = GiveUp(refused=int(entry), text=reason, by=by, via="cli")
    else:
        complaint = "/".join(item.where.split("/", 2)[:2])
        command = GiveUp(notices=(item.where,), text=reason, by=by, via="cli")
    # A person who gives up the same thing a second time, after a retry, says something new.
    key = sha256(f"{item.where}\n{item.since}".encode()).hexdigest()[:24]
    try:
        told = await ombud.tell(complaint, command, key=f"give-up-{key}")
    except OmbudError as error:
        return Done(item, False, str(error))
    if item.what == "waiting notice":
        async with ombud.reading() as connection:
            carried = (await unsticking.carriers(connection, [item.where])).get(item.where)
        if carried is not None:  # whoever waits to try it again looks at once, and finds it given up
            with temporal_errors(ombud.task_queue, ombud.patience):
                await poke(ombud.temporal, ombud.task_queue, carried[1], urgent=True)
    return Done(item, True, f"given up, entry {told.seq}")
