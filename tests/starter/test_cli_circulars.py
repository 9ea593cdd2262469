"""Commands to many from the command line: an incident told, a calendar re-planned, and what came of it."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta

from rules.contract import Contract
from storage import contracts
from storage.database import transaction
from tests.starter.conftest import Cli
from tests.support.system import System
from tests.support.wait import eventually
from tests.system.test_circulars import NOW, calendar_of, opened


async def test_an_incident_is_told_from_the_command_line(cli: Cli, system: System) -> None:
    """One act in each case, counts and refusals as tables; the sender is asked for, and a second look is possible."""
    incident = f"INC-{uuid.uuid4().hex[:8]}"
    ids = await opened(system, 3, incident, category="usage", level="1")
    nobody = await cli("tell", "--incident", incident, "update_customer", "--text", "Soon.")
    assert (nobody.code, "add --by" in nobody.err) == (1, True)
    sender = ("--by", "handler.manager/wang", "--why", "Power cut.")
    told = await cli("tell", "--incident", incident, "update_customer", "--text", "Soon.", "--key", "noon", *sender)
    assert told.code == 0, told.err
    assert told.out.split()[-4:] == ["3", "3", "0", "0"]
    refused = await cli("tell", "--incident", incident, "explain", "reason=Rain.", "--key", "end", *sender)
    assert (refused.code, refused.out.count("nothing to explain")) == (1, 3)
    alone = await cli("tell", "--incident", incident, "acknowledge", *sender)
    assert (alone.code, "cannot go to many complaints" in alone.err) == (1, True)
    again = await cli("circular", "noon")
    assert (again.code, f"update_customer · {incident} · by handler.manager/wang" in again.out) == (0, True)
    late = json.loads((await cli("circular", "end", "--json")).out)
    assert {one["complaint"] for one in late["unmoved"]} == set(ids)
    unknown = await cli("circular", "never")
    assert (unknown.code, "There is no circular never" in unknown.err) == (1, True)


async def test_a_calendar_is_re_planned_from_the_command_line(cli: Cli, system: System) -> None:
    """Looked at first, then done, then nothing to do; `show` says that a due was counted anew, and by which entry."""
    year = NOW.year + 1
    await _published(system, calendar_of(year, None), NOW - timedelta(days=400))
    await asyncio.gather(*(system.open("small", f"CAL-{n}", kind="complaint") for n in range(2)))
    await eventually(lambda: _clocks(system, 4))
    await _published(system, calendar_of(year, [f"{year}-02-01", f"{year}-02-02"]), datetime.now(UTC))
    signed = ("calendar", "replan", "small", "--by", "p.wang", "--why", "Notice.")
    looked = await cli(*signed, "--dry-run")
    assert (looked.code, "Nothing was changed." in looked.out) == (0, True), looked.err
    assert str(year) in looked.out
    assert await system.rows("SELECT 1 FROM ledger WHERE type = 'replanned'") == []
    done = await cli(*signed)
    assert (done.code, done.out.split()[-4:]) == (0, ["2", "2", "0", "0"]), done.err
    await eventually(lambda: system.rows("SELECT 1 FROM clocks WHERE replans > 0"))
    again = await cli(*signed)
    assert (again.code, "Nothing to do" in again.out) == (0, True)
    shown = (await cli("show", "small/CAL-0")).out
    assert f"calendar of {year}: as entry" in shown
    assert "due counted anew" in shown
    nameless = await cli("calendar", "replan", "small", "--by", "a b", "--why", "x")
    assert (nameless.code, "names nobody" in nameless.err) == (1, True)
    unknown = await cli("calendar", "replan", "other", "--by", "p.wang", "--why", "x")
    assert (unknown.code, "Unknown contract 'other'" in unknown.err) == (1, True)


async def _published(system: System, body: dict[str, object], since: datetime) -> None:
    async with transaction(system.engine) as connection:
        await contracts.publish(connection, Contract.model_validate(body), since, "owner", datetime.now(UTC))


async def _clocks(system: System, count: int) -> bool:
    return len(await system.rows("SELECT 1 FROM clocks WHERE complaint LIKE 'small/%'")) == count
