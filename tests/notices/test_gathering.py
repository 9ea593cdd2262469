"""What follows a mail gathers for the next one: until it is quiet, until the last clock, until something is urgent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.interface import Delivered
from activities.mailer import Mailer
from activities.post import PostOffice
from storage import rounds
from storage.database import questions, transaction
from tests.notices.test_delivery import body
from tests.support.desk import Desk, missed
from tests.support.story import Story


async def look(office: PostOffice, person: str, before: Delivered, *, woken: bool = False) -> Delivered:
    """Whether more has come since a round or a look."""
    seen = before.waiting, before.quiet_seconds, woken
    looked: Delivered = await ActivityEnvironment().run(office.gathering.look, person, *seen)
    return looked


def urgent(reference: str) -> Story:
    """A case whose first rung must not wait for company."""
    story = Story()
    story.open("2026-03-02 10:00", reference=reference, level="3", kind="complaint")
    return story


async def test_what_follows_a_mail_gathers_unless_it_is_urgent(desk: Desk) -> None:
    """The first mail leaves at once, the next waits for company, and an urgent notice takes everything along now."""
    office = desk.office_of(Mailer(desk.settings), gather=timedelta(hours=1))
    await desk.record(missed("R-1"))
    assert (await desk.deliver("cy", office)).sent == 1
    await desk.record(missed("R-2"))
    held = await desk.deliver("cy", office)
    assert (held.sent, held.waiting) == (0, 1)
    assert 0 < held.hold_seconds <= 3600
    await desk.record(urgent("R-3"))
    assert (await desk.deliver("cy", office)).sent == 1
    said = body(desk.sink.messages[1].message)
    assert said.index("R-3") < said.index("R-2")


async def test_it_waits_the_longer_for_company_the_more_mails_there_were(desk: Desk) -> None:
    """A second of quiet ends the first gathering, two the next: what trickles in does not become a mail each. What has
    gathered leaves."""
    office = desk.office_of(Mailer(desk.settings), gather=timedelta(seconds=15))
    await desk.record(missed("R-1"))
    assert (await desk.deliver("cy", office)).quiet_seconds == 0
    for number, quiet in enumerate((1, 2, 4, 8, 15, 15), 2):
        await desk.record(missed(f"R-{number}"))
        held = await desk.deliver("cy", office)
        assert (held.sent, held.waiting, held.quiet_seconds) == (0, 1, quiet)
        assert await look(office, "cy", held) == Delivered(waiting=1)
        assert (await ActivityEnvironment().run(office.deliver, "cy", True)).sent == 1
    assert len(desk.sink.messages) == 7


async def test_a_look_sees_whether_more_has_come(desk: Desk) -> None:
    """What gathers waits on, and longer, while more comes; it leaves when nothing did, when its time is up, or when
    something urgent came."""
    start = datetime.now(UTC)
    at = {"now": start}
    office = desk.office_of(Mailer(desk.settings), gather=timedelta(seconds=15), clock=lambda: at["now"])
    await desk.record(missed("R-1"))
    assert (await desk.deliver("cy", office)).sent == 1
    await desk.record(missed("R-2"))
    held = await desk.deliver("cy", office)
    for number, quiet in enumerate((2, 4, 4), 3):
        await desk.record(missed(f"R-{number}"))
        at["now"] += timedelta(seconds=held.hold_seconds)
        held = await look(office, "cy", held)
        assert (held.waiting, held.quiet_seconds) == (number - 1, quiet)
        assert 0 < held.hold_seconds <= quiet
    assert await look(office, "cy", held) == Delivered(waiting=4)
    await desk.record(missed("R-6"))
    at["now"] = start + timedelta(seconds=16)
    assert (await look(office, "cy", held)).hold_seconds == 0
    at["now"] = start + timedelta(seconds=9)
    await desk.record(urgent("R-7"))
    assert (await look(office, "cy", held)).hold_seconds == 0
    assert len(desk.sink.messages) == 1


async def test_a_round_says_that_it_comes_by_itself(desk: Desk) -> None:
    """While notices gather, whoever records more need not poke; a round takes the word back before it reads, and one
    that was lost is believed for a minute."""
    office = desk.office_of(Mailer(desk.settings), gather=timedelta(seconds=15))

    async def coming(now: datetime) -> set[str]:
        async with questions(desk.engine) as connection:
            return await rounds.gathering(connection, ["cy", "di"], now)

    await desk.record(missed("R-1"))
    await desk.deliver("cy", office)
    assert await coming(datetime.now(UTC)) == set()
    await desk.record(missed("R-2"))
    held = await desk.deliver("cy", office)
    now = datetime.now(UTC)
    assert await coming(now) == {"cy"}
    await look(office, "cy", held)
    assert await coming(now + timedelta(seconds=60)) == {"cy"}
    assert await coming(now + timedelta(seconds=80)) == set()
    await ActivityEnvironment().run(office.deliver, "cy", True)
    assert await coming(now) == set()


async def test_what_gathers_waits_for_the_last_clock_that_is_due(desk: Desk) -> None:
    """In a herd nobody looks before the time is up; the poke that tells that all are judged lets it leave at once. No
    second mail leaves like that right behind the first."""
    office = desk.office_of(Mailer(desk.settings), gather=timedelta(seconds=15))
    await desk.record(missed("R-1"))
    assert (await desk.deliver("cy", office)).sent == 1
    due = Story()
    due.open("2026-03-02 10:00", reference="R-2", kind="enquiry")
    await desk.record(due)
    async with transaction(desk.engine) as connection:
        just_now = {"at": datetime.now(UTC) - timedelta(seconds=2)}
        await connection.execute(text("UPDATE clocks SET due_at = :at WHERE complaint LIKE '%/R-2'"), just_now)
    await desk.record(missed("R-3"))
    held = await desk.deliver("cy", office)
    assert held.wakes
    assert 14 < held.hold_seconds <= 15
    assert (await look(office, "cy", held, woken=True)).hold_seconds > 14
    async with transaction(desk.engine) as connection:
        await connection.execute(text("UPDATE clocks SET ended_at = now() WHERE complaint LIKE '%/R-2'"))
    assert (await look(office, "cy", held, woken=True)).hold_seconds == 0
    assert (await ActivityEnvironment().run(office.deliver, "cy", True)).sent == 1
    await desk.record(missed("R-4"))
    assert not (await desk.deliver("cy", office)).wakes
