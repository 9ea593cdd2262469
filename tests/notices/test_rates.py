"""A provider that takes only so many mails: what exceeds its rate waits for its turn, and nothing is lost."""

from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from settings import MailRate
from storage.database import transaction
from storage.stuck import stuck
from tests.support.desk import PEOPLE, Desk
from tests.support.story import Story

MINUTE = timedelta(minutes=1)
EVERYBODY = ("ann", "bo", "cy", "di")


def told_to_all(reference: str = "R-1") -> Story:
    """Nobody answers for hours: owner, team lead, manager and director are told."""
    story = Story()
    story.open("2026-03-02 10:00", reference=reference)
    story.live("2026-03-02 12:30")
    return story


def grave() -> Story:
    """A grave case: the manager is told at once."""
    return Story().open("2026-03-02 10:00", reference="R-3", level="3", kind="complaint")


def limited(desk: Desk, **rates: MailRate) -> None:
    """From now on these rates hold, by domain."""
    named = {domain.replace("_", "."): rate for domain, rate in rates.items()}
    desk.settings = desk.settings.model_copy(update={"mail_rates": named})


async def run(desk: Desk, *agenda: tuple[datetime, str]) -> list[tuple[datetime, str]]:
    """Rounds of delivery on a clock of the test's own, each person again when told to: when each mail came, to whom."""
    waiting: list[tuple[datetime, str]] = []
    for entry in agenda:
        heappush(waiting, entry)
    came: list[tuple[datetime, str]] = []
    while waiting:
        now, person = heappop(waiting)
        done = await desk.deliver(person, desk.office_at(now, gather=timedelta()))
        came += [(now, mail.recipients[0]) for mail in desk.sink.messages[len(came) :]]
        if done.waiting:
            heappush(waiting, (now + timedelta(seconds=done.hold_seconds), person))
    return came


async def test_no_minute_holds_more_mails_than_the_rate(desk: Desk) -> None:
    """One mail a minute to a domain: four people get theirs over three minutes, none is lost, none comes twice."""
    limited(desk, example_com=MailRate(1, MINUTE))
    await desk.record(told_to_all())
    start = datetime.now(UTC)
    came = await run(desk, *((start, person) for person in EVERYBODY))
    assert [at - start for at, _ in came] == [n * MINUTE for n in range(4)]
    assert {address for _, address in came} == {f"{person}@example.com" for person in EVERYBODY}
    assert {row["state"] for row in await desk.rows("SELECT state FROM notices")} == {"accepted"}


async def test_an_urgent_mail_goes_first(desk: Desk) -> None:
    """Of those that wait for the same domain, the one about a grave case leaves first, though it came last."""
    limited(desk, example_com=MailRate(1, MINUTE))
    await desk.record(told_to_all())
    start = datetime.now(UTC)
    assert (await desk.deliver("ann", desk.office_at(start))).sent == 1
    for person in ("bo", "di"):
        held = await desk.deliver(person, desk.office_at(start))
        assert (held.sent, held.waiting > 0, held.hold_seconds > 0) == (0, True, True)
    await desk.record(grave())
    came = await run(desk, *((start + timedelta(seconds=n), person) for n, person in enumerate(("cy", "bo", "di"), 1)))
    assert [address for _, address in came[1:]] == ["cy@example.com", "bo@example.com", "di@example.com"]


async def test_other_providers_do_not_wait(desk: Desk) -> None:
    """A rate is that of its domain; `*` is the rate of each domain that is not named."""
    people = PEOPLE.replace("bo@example.com", "bo@qq.com").replace("di@example.com", "di@Example.ORG")
    limited(desk, example_com=MailRate(1, MINUTE), **{"*": MailRate(1, MINUTE)})
    await desk.record(told_to_all())
    await desk.people(people)
    start = datetime.now(UTC)
    came = await run(desk, *((start, person) for person in EVERYBODY))
    assert [at - start for at, _ in came] == [timedelta(), timedelta(), timedelta(), MINUTE]


async def test_what_waits_for_its_turn_gathers(desk: Desk) -> None:
    """A mail is made when it may leave: what came meanwhile travels with it."""
    limited(desk, example_com=MailRate(1, MINUTE))
    await desk.record(told_to_all())
    start = datetime.now(UTC)
    await desk.deliver("ann", desk.office_at(start))
    await desk.deliver("di", desk.office_at(start))
    await desk.record(told_to_all("R-2"))
    await desk.deliver("di", desk.office_at(start + MINUTE))
    assert desk.sink.messages[1].message["Subject"] == "4 still missed · E 2.1.1 · 2 cases"


async def test_what_waits_for_its_turn_is_not_stuck(desk: Desk) -> None:
    """A notice held by a rate is no work for anybody; one that waits for other reasons is."""
    limited(desk, example_com=MailRate(1, MINUTE))
    await desk.record(told_to_all())
    start = datetime.now(UTC)
    for person in EVERYBODY[:3]:
        await desk.deliver(person, desk.office_at(start))
    async with transaction(desk.engine) as db:
        found = await stuck(db, start, waiting=timedelta(), past=timedelta(days=1))
    assert {item.where.rpartition("/")[2] for item in found if item.what == "waiting notice"} == {"handler.director"}
