"""Whose clocks run out in a measurement: desks, each with a contract, a manager and complaints of its own.

A desk's contract is the shipped maintenance contract, whole, but open day and night, since a measurement must not
depend on the hour at which it is run, and with one rung on the clock that is measured: its manager is told of the miss.
Every complaint is an enquiry of level 2: besides the clock of 15 minutes that is measured, one of two hours runs.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from ruamel.yaml import YAML
from temporalio.client import Client

from activities.interface import complaint_id
from bench.ground import ROOT, Ground
from rules.commands import OpenComplaint
from rules.contract_file import read
from rules.directory_file import read_directory
from storage import contracts, directory
from storage.database import transaction

BUDGET = timedelta(minutes=15)
"""Of the clock that is measured, from receipt."""

CONTENT = "The valve leaks since Tuesday, and nobody called back. " * 8
AT_ONCE = 16


ALONE, URGENT = "alone", "urgent"
"""A desk for what one manager alone is told, and one where that is urgent. Both are always published."""


async def publish(at: Ground, desks: int) -> list[str]:
    """Publish so many desks, ALONE and URGENT, and their people; the names of the desks."""
    now, since = datetime.now(UTC), datetime(2000, 1, 1, tzinfo=UTC)
    names = [f"desk-{number:02}" for number in range(1, desks + 1)]
    async with transaction(at.engine) as connection:
        for name in (*names, ALONE, URGENT):
            contract = read(_contract(name, urgent=name == URGENT), name, now).contract
            await contracts.publish(connection, contract, since, "bench", now)
        await directory.replace(connection, read_directory(_people([*names, ALONE, URGENT]), "people"))
    return names


def _contract(name: str, *, urgent: bool) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    body = yaml.load((ROOT / "contracts" / "maintenance-service.yaml").read_text("utf-8"))
    body |= {"contract": name, "calendar": {"zone": "Asia/Shanghai", "hours": {"mon-sun": ["00:00-24:00"]}}}
    measured = body["obligations"]["first_response"]
    body["obligations"]["first_response"] = measured | {
        "due": "15 minutes",
        "urgent": urgent,
        "ladder": [{"at": "due", "tell": "handler.manager"}],
    }
    text = io.StringIO()
    yaml.dump(body, text)
    return text.getvalue()


def _people(names: Iterable[str]) -> str:
    everybody = ["others", *names]
    who = "\n".join(
        f"  {n}: {{name: {n.title()}, email: {n}@example.com, language: en, zone: Asia/Shanghai}}" for n in everybody
    )
    roles = "\n".join(f"  {n}: {{handler.manager: [{n}]}}" for n in names)
    others = ("handler.owner", "handler.team_lead", "handler.manager", "handler.director")
    rest = ", ".join(f"{role}: [others]" for role in (*others, "principal.responsible_person"))
    return f'people:\n{who}\nroles:\n  "*": {{{rest}}}\n{roles}\n'


def complaint(contract: str, reference: str, due: datetime, **fields: Any) -> OpenComplaint:
    """A complaint of ordinary size whose measured clock is due at this instant."""
    return OpenComplaint.model_validate(
        {
            "contract": contract,
            "reference": reference,
            "kind": "enquiry",
            "category": "logistics",
            "level": "2",
            "channel": "wechat",
            "received_at": due - BUDGET,
            "content": CONTENT,
            **fields,
        }
    )


async def start(at: Ground, asked: OpenComplaint) -> None:
    """Start it as a backend without our client would."""
    await at.client.start_workflow(
        "Complaint",
        asked,
        id=complaint_id(asked.contract, asked.reference),
        task_queue=at.queue,
    )


async def start_bare(client: Client, name: str, due: datetime | None) -> None:
    """Start a bare workflow with as much to carry."""
    start_ = {"due": due.isoformat() if due else None, "content": CONTENT}
    await client.start_workflow("Bare", start_, id=f"bare/{name}", task_queue="bare")


async def side_by_side(calls: Iterable[Callable[[], Awaitable[None]]], at_once: int = AT_ONCE) -> None:
    """Make all these calls, so many at once."""
    waiting = iter(calls)

    async def work() -> None:
        for call in waiting:
            await call()

    await asyncio.gather(*(work() for _ in range(at_once)))
