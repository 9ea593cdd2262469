"""What tells of an act and finds nobody on duty is undeliverable at once, and mailed to whoever comes next."""

import re
from datetime import UTC, datetime, timedelta

from activities.interface import Delivered
from rules.directory_file import read_directory
from rules.duty import AHEAD, comes_next
from rules.ledger import Entry
from storage import unclaimed
from storage.database import transaction
from storage.rebuild import rebuild
from storage.recording import record, record_message
from storage.stuck import Stuck, stuck
from tests.notices.test_delivery import proposed
from tests.support.desk import PEOPLE, Desk, missed
from tests.support.recorded import batch, published, said
from tests.support.story import Story

NOW = datetime.now(UTC).replace(microsecond=0)
SHIFT = NOW + timedelta(hours=2)


def from_then(person: str, begins: datetime, hours: float = 1000) -> str:
    """The directory, with a person who is on duty from a moment on for some hours."""
    shift = f"{{from: '{begins.isoformat()}', to: '{(begins + timedelta(hours=hours)).isoformat()}'}}"
    return re.sub(rf"({person}: \{{.*)\}}", rf"\1, shifts: [{shift}]}}", PEOPLE)


async def heard(desk: Desk, story: Story) -> None:
    """The complaint hears that nobody is on duty for any of its notices that wait, and puts it on record."""
    waiting = await desk.rows(
        "SELECT key FROM notices WHERE state = 'planned' AND role = :bo", bo=BO[story.case.reference]
    )
    entries: list[Entry] = []
    for row in waiting:
        entries += story.outcome(row["key"], f"{NOW.astimezone():%Y-%m-%d %H:%M}", accepted=False)
    async with transaction(desk.engine) as connection:
        version = (await published(connection, story.law.contract)).version
        await record(connection, desk.vault, [batch(story, version, entries)])


BO = {"R-1": "principal.responsible_person", "R-2": "handler.team_lead"}
"""As whom bo is told of the stories here."""


async def test_an_act_is_told_at_the_next_shift(desk: Desk) -> None:
    """Nobody of the principal is on duty: the complaint hears so at once, the Post rests until the shift begins, then
    the proposal is mailed, the complaint hears that too, and a rebuild agrees."""
    story = proposed()
    await desk.record(story)
    await desk.people(from_then("bo", SHIFT))
    complaint = await desk.listen(story)
    rests = await desk.deliver("bo", desk.office_at(NOW))
    assert rests == Delivered(hold_seconds=7200)
    assert [outcome["accepted"] for outcome in await complaint.query("heard")] == [False]
    await heard(desk, story)
    assert await desk.deliver("bo", desk.office_at(NOW)) == Delivered(hold_seconds=7200)
    assert len(await complaint.query("heard")) == 1
    assert "Whoever comes on duty is mailed it." in (await queue(desk))[0].do
    assert (await desk.deliver("bo", desk.office_at(SHIFT))).sent == 1
    assert [outcome["accepted"] for outcome in await complaint.query("heard")] == [False, True]
    (notice,) = await desk.rows("SELECT * FROM notices WHERE command = 'propose'")
    assert (notice["state"], notice["person"]) == ("accepted", "bo")
    assert notice["undeliverable_at"] is not None
    assert await queue(desk) == []
    assert await rebuild(desk.engine, apply=False) == []


async def test_what_bounces_after_all_has_bounced(desk: Desk) -> None:
    """Mailed at the next shift, then it comes back: it bounced, whatever was before, and a rebuild agrees."""
    await desk.record(proposed())
    await desk.people(from_then("bo", SHIFT))
    await heard(desk, proposed())
    await desk.deliver("bo", desk.office_at(SHIFT))
    (row,) = await desk.rows("SELECT message FROM notices WHERE command = 'propose'")
    bounced = said(3, "bounced", SHIFT + timedelta(hours=1), reason="550 mailbox gone")
    async with transaction(desk.engine) as connection:
        await record_message(connection, desk.vault, row["message"], [bounced])
    (notice,) = await desk.rows("SELECT state FROM notices WHERE command = 'propose'")
    assert notice["state"] == "bounced"
    assert [item.what for item in await queue(desk)] == ["undeliverable notice"]
    assert await rebuild(desk.engine, apply=False) == []


async def test_a_rung_is_not_told_again(desk: Desk) -> None:
    """A warning that reached nobody is past when the shift begins: the ladder went on, nothing is mailed."""
    story = missed("R-2")
    await desk.record(story)
    await desk.people(from_then("bo", SHIFT))
    await heard(desk, story)
    assert await desk.deliver("bo", desk.office_at(NOW)) == Delivered()
    assert await desk.deliver("bo", desk.office_at(SHIFT)) == Delivered()


async def test_what_is_acknowledged_meanwhile_is_not_mailed(desk: Desk) -> None:
    """Somebody told them another way and said so: the mail is not needed any more."""
    story = proposed()
    await desk.record(story)
    await desk.people(from_then("bo", SHIFT))
    await heard(desk, story)
    entries = story.tell(
        "acknowledge", f"{NOW.astimezone():%Y-%m-%d %H:%M}", by={"role": "principal.responsible_person"}
    )
    async with transaction(desk.engine) as connection:
        version = (await published(connection, story.law.contract)).version
        await record(connection, desk.vault, [batch(story, version, entries)])
    assert await desk.deliver("bo", desk.office_at(SHIFT)) == Delivered()


async def test_another_directory_may_have_somebody(desk: Desk) -> None:
    """Whoever imports a directory pokes those who come on duty next, and those who are on duty by it."""
    await desk.record(proposed())
    for people, whom in ((from_then("bo", SHIFT), "bo"), (PEOPLE.replace("person: [bo]", "person: [ann]"), "ann")):
        await desk.people(people)
        async with transaction(desk.engine) as connection:
            assert whom in await unclaimed.who_waits(connection, await unclaimed.behind(connection, NOW))
    assert (await desk.deliver("ann")).sent == 1


def test_the_next_shift_is_found() -> None:
    """The first who comes, and when; nobody where no shift begins, and never the person complained about."""
    found = read_directory(from_then("bo", SHIFT), "people.yaml")
    assert comes_next(found, "small", "handler.team_lead", NOW) == (SHIFT, "bo")
    assert comes_next(found, "small", "handler.team_lead", NOW, against="bo") is None
    assert comes_next(found, "small", "handler.emperor", NOW) is None
    assert comes_next(None, "small", "handler.team_lead", NOW) is None
    far = read_directory(from_then("bo", NOW + AHEAD + timedelta(days=1)), "people.yaml")
    assert comes_next(far, "small", "handler.team_lead", NOW) is None


async def queue(desk: Desk) -> list[Stuck]:
    """What `ombud stuck` says of notices."""
    async with transaction(desk.engine) as connection:
        found = await stuck(connection, NOW, waiting=timedelta(days=400), past=timedelta(days=400))
    return [item for item in found if "notice" in item.what]
