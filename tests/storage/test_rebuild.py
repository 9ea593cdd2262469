"""The ledger is enough: every projection can be derived from it again (invariant 18)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.decide import decide, deliver, tick
from rules.ledger import Refused
from rules.notices import Outcome
from storage import registry
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.rebuild import UnregisteredError, rebuild
from storage.recording import record, record_message
from storage.tables import PROJECTIONS, clocks, complaints, messages, notices
from tests.support.postgres import Databases
from tests.support.random_stories import BODIES, STEPS, Step, command
from tests.support.recorded import at_noon, batch, claim, on_record, published, said
from tests.support.story import Story, at, law

OPENINGS: list[dict[str, Any]] = [
    {},
    {"level": "2", "channel": "fax"},
    {"kind": "complaint", "level": "3"},
    {"kind": "complaint", "category": "product"},
]


class Told(Story):
    """A story whose notices are also claimed, accepted and refused."""

    def __init__(self) -> None:
        super().__init__()
        self.claimed: dict[str, tuple[datetime, bool]] = {}
        """Notice to when its message was claimed, and whether the server took it."""

    def step(self, name: str, which: int, now: datetime, before: int) -> None:
        told = command(self.case, name, which, now, now - timedelta(minutes=before))
        try:
            self.note(decide(self.case, self.law, told, now, f"{len(self.entries)}", "cli"))
        except Refused:
            self.note(tick(self.case, self.law, now))
        for notice in [n for n in self.case.notices if n.key not in self.claimed][:1]:
            self.claimed[notice.key] = now, bool(which % 3)
            outcome = Outcome(notice=notice.key, accepted=bool(which % 3), at=now, reason="said the server")
            self.note(deliver(self.case, self.law, outcome, now))


@settings(
    max_examples=20,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # shrinking takes minutes where each try needs a database
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    openings=st.lists(st.sampled_from(OPENINGS), min_size=1, max_size=3),
    steps=STEPS,
    together=st.booleans(),
)
async def test_random_histories_leave_no_difference(
    databases: Databases,
    vault: Vault,
    openings: list[dict[str, Any]],
    steps: list[Step],
    together: bool,
) -> None:
    """Whatever was done, and however it was cut into batches, what was recorded live equals what a rebuild derives."""
    engine = create_engine(await databases.fresh())
    stories = [_lived(f"R-{n}", opening, steps[n:]) for n, opening in enumerate(openings)]
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        for story in stories:
            await registry.register(connection, [claim(story.case.reference)])
        if together:
            await record(connection, vault, [batch(story, version) for story in stories])
        for story in stories:
            if together:
                await _delivered(connection, vault, story, story.claimed)
            else:
                await _entry_by_entry(connection, vault, story, version)
    assert await rebuild(engine, apply=False) == []
    async with transaction(engine) as connection:
        assert len((await connection.execute(select(complaints))).all()) == len(stories)
        kept = {row.key: row.state for row in await connection.execute(select(notices))}
        for story in stories:
            for key, (_, accepted) in story.claimed.items():
                assert kept[key] in ("acknowledged", "accepted" if accepted else "undeliverable")
    await engine.dispose()


def _lived(reference: str, opening: dict[str, Any], steps: Sequence[tuple[str, int, int, int, bool]]) -> Told:
    story = Told()
    story.open("2026-03-02 10:00", reference=reference, **opening)
    now = at("2026-03-02 10:00")
    for name, which, minutes, before, _ in steps:
        now += timedelta(minutes=minutes)
        story.step(name, which, now, before)
    return story


async def _entry_by_entry(connection: Any, vault: Vault, story: Told, version: str) -> None:
    """Each entry on its own, every other one twice, and each message before its complaint hears of it."""
    for number, entry in enumerate(story.entries):
        for _ in range(1 + number % 2):
            await record(connection, vault, [batch(story, version, [entry])])
        await _delivered(connection, vault, story, [notice.key for notice in entry.notices])


async def _delivered(connection: Any, vault: Vault, story: Told, keys: Iterable[str]) -> None:
    """A message for each of these notices that was claimed; its server answered before or after the complaint says."""
    for key in keys:
        if key in story.claimed:
            when, accepted = story.claimed[key]
            answered = when + timedelta(seconds=len(key) % 3 - 1)
            message = hashlib.sha256(key.encode()).hexdigest()
            begun = said(1, "claimed", when, person="ann", channel="email", language="en", notices=[key])
            took, refused = said(2, "accepted", answered, reply="250"), said(2, "undeliverable", answered, reason="550")
            await record_message(connection, vault, message, [begun], {1: f"Subject: {key}"})
            await record_message(connection, vault, message, [took if accepted else refused])


DAMAGE = {
    "a row lost": ("DELETE FROM clocks WHERE obligation = 'handover'", "clocks", "missing", ()),
    "a row too many": (
        "INSERT INTO messages (id, person, channel, language, claimed_at) VALUES ('x', 'eve', 'email', 'en', now())",
        "messages",
        "extra",
        (),
    ),
    "a value changed": (
        "UPDATE complaints SET level = '3', owner = 'eve'",
        "complaints",
        "different",
        ("level", "owner"),
    ),
    "a miss hidden": (
        "UPDATE clocks SET missed_at = NULL WHERE obligation = 'first_response'",
        "clocks",
        "different",
        ("status", "missed_at"),
    ),
    "a message gone": ("DELETE FROM messages", "messages", "missing", ()),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_damage_is_found_and_repaired(engine: AsyncEngine, vault: Vault, damage: str) -> None:
    """Each kind of damage to a projection is named to its column, mended only when asked, and gone afterwards."""
    statement, table, kind, columns = DAMAGE[damage]
    await _a_sad_story(engine, vault)
    before = await _projections(engine)
    async with transaction(engine) as connection:
        assert (await connection.execute(text(statement))).rowcount == 1
    (found,) = await rebuild(engine, apply=False)
    assert (found.table, found.kind, found.columns) == (table, kind, columns)
    assert await rebuild(engine, apply=True) == [found]
    assert await rebuild(engine, apply=False) == []
    assert await _projections(engine) == before


async def test_everything_lost_comes_back(engine: AsyncEngine, vault: Vault) -> None:
    """From the sources alone every projection is derived again, row for row."""
    await _a_sad_story(engine, vault)
    before = await _projections(engine)
    async with transaction(engine) as connection:
        for table in PROJECTIONS:
            await connection.execute(text(f"TRUNCATE {table.name}"))
    found = await rebuild(engine, apply=True)
    assert {difference.kind for difference in found} == {"missing"}
    assert await _projections(engine) == before


async def test_a_delivery_under_way_is_left_alone(engine: AsyncEngine, vault: Vault) -> None:
    """What says how a delivery is going stands in no ledger: no difference, and a repair beside it keeps it."""
    await _a_sad_story(engine, vault)
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE messages SET attempts = 7, last_error = '451 later'"))
    assert await rebuild(engine, apply=False) == []
    async with transaction(engine) as connection:
        await connection.execute(text("UPDATE messages SET person = 'eve'"))
    assert [str(d).partition(":")[2] for d in await rebuild(engine, apply=True)] == [" different in person"]
    async with transaction(engine) as connection:
        (row,) = await connection.execute(select(messages.c.person, messages.c.attempts, messages.c.last_error))
    assert tuple(row) == ("ann", 7, "451 later")


async def test_a_ledger_without_registration_is_named(engine: AsyncEngine, vault: Vault) -> None:
    """A complaint that nobody registered has no contract version, and the rebuild says so instead of guessing."""
    async with transaction(engine) as connection:
        await record(connection, vault, [batch(Story().open("2026-03-02 10:00"), "unknown")])
    with pytest.raises(UnregisteredError, match="small/R-1"):
        await rebuild(engine, apply=True)


async def test_what_the_projections_say(engine: AsyncEngine, vault: Vault) -> None:
    """Complaint, clocks and the record table of rule 15 tell a story with a miss, a late act and a closure."""
    story = Story().open("2026-03-02 10:00", kind="complaint", level="2", channel="fax")
    story.live("2026-03-02 10:30")
    story.tell("assign", "2026-03-02 10:31", person="ann")
    story.tell("respond", "2026-03-02 10:35")
    story.tell("withdraw", "2026-03-02 11:00", by={"role": "complainant"})
    await on_record(engine, vault, story)
    async with transaction(engine) as connection:
        case = (await connection.execute(select(complaints))).mappings().one()
        rows = {row.obligation: row for row in await connection.execute(select(clocks))}
        table = (await connection.execute(text("SELECT * FROM record_table"))).mappings().one()
    assert (case["stage"], case["owner"], case["closed_reason"]) == ("closed", "ann", "withdrawn")
    assert case["flags"] == {"1": ["channel not in the contract: fax"]}
    late = rows["first_response"]
    assert (late.status, late.missed_at, late.late_seconds) == ("missed", at("2026-03-02 10:15"), 20 * 60)
    assert late.reached["due"]["at"] == at("2026-03-02 10:15").isoformat()
    assert (rows["handover"].status, rows["handover"].end_reason) == ("ended", "withdrawn")
    assert (table["responsible"], table["missed"], table["missed_clauses"]) == ("ann", 1, ["E 2.1.1"])
    assert table["next_due_at"] is None


async def test_what_a_correction_changes(engine: AsyncEngine, vault: Vault) -> None:
    """A later receipt moves the due and lifts the miss, which stays; a rebuild finds the same."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    people = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    (asked, *_) = story.tell("correct", "2026-03-02 10:21", entry=1, happened_at=at("2026-03-02 10:20"), by=people[0])
    story.tell("approve_correction", "2026-03-02 10:22", entry=asked.seq, by=people[1])
    await on_record(engine, vault, story)
    async with transaction(engine) as connection:
        (case,) = await connection.execute(select(complaints))
        (clock,) = await connection.execute(select(clocks))
    assert case.received_at == at("2026-03-02 10:20")
    assert (clock.status, clock.due_at, clock.missed_at) == ("running", at("2026-03-02 10:35"), at("2026-03-02 10:15"))
    assert (clock.replans, clock.lifted_at) == (1, at("2026-03-02 10:22"))
    assert await rebuild(engine, apply=False) == []


async def test_whose_time_it_was(engine: AsyncEngine, vault: Vault) -> None:
    """A clock that was missed says gross, net and the principal's share; a rebuild finds the same."""
    story = Story().open("2026-03-02 10:00", level="2")
    role = "principal.responsible_person"
    (asked, *_) = story.tell("request", "2026-03-02 10:10", of=role, due=at("2026-03-02 11:00"))
    story.tell("answer_request", "2026-03-02 11:30", request=asked.seq)
    story.live("2026-03-02 12:01")
    await on_record(engine, vault, story)
    async with transaction(engine) as connection:
        rows = {row.obligation: row for row in await connection.execute(select(clocks))}
    clock = rows["handover"]
    assert (clock.gross_seconds, clock.net_seconds, clock.waited) == (7200, 5400, {"principal": 1800})
    assert await rebuild(engine, apply=False) == []


async def test_how_a_late_report_stands(engine: AsyncEngine, vault: Vault) -> None:
    """The clock's row says that it was reported late, with which lag, and what the role that must agree said."""
    story = Story(law(**{"late reports": {"confirmed by": "handler.director"}})).open("2026-03-02 10:00")
    story.live("2026-03-02 10:16")
    version = await on_record(engine, vault, story)
    seen = []
    for command_, fields in (
        ("respond", {"occurred": "2026-03-02 10:10"}),
        ("confirm_report", {"clock": "first_response#1", "agrees": True, "by": {"role": "handler.director"}}),
    ):
        told = story.tell(command_, "2026-03-02 10:40", **fields)
        async with transaction(engine) as connection:
            await record(connection, vault, [batch(story, version, told)])
            (row,) = await connection.execute(select(clocks))
        seen.append((row.status, row.report, row.lag_seconds))
    assert seen == [("missed", "unconfirmed", 1800), ("missed", "confirmed", 1800)]
    assert await rebuild(engine, apply=False) == []


async def test_a_rejection_reopens(engine: AsyncEngine, vault: Vault) -> None:
    """A rejected result is no result: the outcome goes, each rejection is counted, and the stage falls back."""
    story = Story(law(confirmation={"silence": "7 working days", "reopenings": 2}))
    story.open("2026-03-02 10:00", kind="complaint", level="1")
    version = await on_record(engine, vault, story)
    seen = []
    async with transaction(engine) as connection:
        for again in range(2):
            for minute, name in enumerate(("findings", "propose", "resolve", "tell_result", "reject")):
                told = story.tell(name, f"2026-03-02 10:{again}{minute}", **BODIES[name][0])
                await record(connection, vault, [batch(story, version, told)])
                row = (await connection.execute(select(complaints))).one()
                seen.append((row.stage, row.outcome, row.rejections))
    assert seen[3:5] == [("confirming", "upheld", 0), ("investigating", None, 1)]
    assert seen[8:] == [("confirming", "upheld", 1), ("investigating", None, 2)]
    assert await rebuild(engine, apply=False) == []


async def _a_sad_story(engine: AsyncEngine, vault: Vault) -> None:
    """One complaint with a missed clock, notices, an acknowledgement and one message under way."""
    story = Story().open("2026-03-02 10:00", level="2")
    story.live("2026-03-02 10:40")
    story.tell("acknowledge", "2026-03-02 10:41", by={"role": "handler.manager"})
    await on_record(engine, vault, story)
    key = "small/R-1/first_response#1@50%/handler.owner"
    begun = said(1, "claimed", at_noon(2), person="ann", channel="email", language="en", notices=[key])
    async with transaction(engine) as connection:
        await record_message(connection, vault, "m1", [begun])


async def _projections(engine: AsyncEngine) -> list[list[Any]]:
    async with transaction(engine) as connection:
        return [
            list((await connection.execute(select(table).order_by(*table.primary_key))).mappings())
            for table in PROJECTIONS
        ]
