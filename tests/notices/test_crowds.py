"""What a step tells once an incident: one line for all its cases, later ones join it, and one answer holds for all."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

from rules.law import InForce
from rules.values import Actor
from storage import crowds, posts, unclaimed
from storage.database import transaction
from storage.rebuild import rebuild
from storage.recording import record_message
from tests.support.desk import PEOPLE, Desk
from tests.support.recorded import said
from tests.support.smtp import NO_SUCH_USER
from tests.support.story import SMALL, Story, at, law

CROWD = "small/INC-7/first_response@+30 minutes/handler.director"


def once_an_incident() -> InForce:
    """The small contract, whose director is told of a first response once an incident."""
    obligations: dict[str, Any] = deepcopy(SMALL["obligations"])
    obligations["first_response"]["ladder"][3]["per"] = "incident"
    return law(obligations=obligations)


LAW = once_an_incident()


def late(reference: str, until: str = "2026-03-02 10:46", incident: str | None = "INC-7", **fields: Any) -> Story:
    """Nobody answered within 15 minutes, nor half an hour later: the manager and the director were told."""
    story = Story(LAW)
    story.open("2026-03-02 10:00", reference=reference, incident=incident, **fields)
    story.live(until)
    return story


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def answer(desk: Desk, follow: str = "noted", until: datetime | None = None, to: str | None = None) -> bool:
    """The director answers for the crowd, as the page does."""
    (row,) = await desk.rows("SELECT message FROM notices WHERE crowd = :crowd AND NOT joined LIMIT 1", crowd=CROWD)
    by = Actor(role="handler.director", person="di")
    async with transaction(desk.engine) as db:
        now = datetime.now(UTC)
        return await crowds.answer(
            db, desk.vault, row["message"], CROWD, by, follow=follow, until=until, to=to, now=now
        )


def test_every_case_plans_its_own_notice() -> None:
    """The ladder of each case goes on by itself: its notice says the crowd it stands in, and only that rung's does."""
    story = late("R-1", until="2026-03-02 12:16")
    crowded = {n.key: n.crowd for entry in story.entries for n in entry.notices if n.crowd}
    assert crowded == {"small/R-1/first_response#1@+30 minutes/handler.director": CROWD}
    alone = late("R-2", incident=None)
    assert [n.crowd for entry in alone.entries for n in entry.notices if n.crowd] == []


def test_what_passed_before_registration_is_told_once_too() -> None:
    """A case registered late tells its passed rungs at once; a role stands in a crowd only where each of them does."""
    story = Story(LAW)
    story.open("2026-03-02 10:00", recorded="2026-03-02 11:00", reference="R-1", incident="INC-7")
    crowded = {n.role: n.crowd for entry in story.entries for n in entry.notices}
    assert crowded["handler.director"] == CROWD
    assert crowded["handler.manager"] is None
    both = Story(LAW)
    both.open("2026-03-02 10:00", recorded="2026-03-02 13:00", reference="R-2", incident="INC-7")
    assert {n.role: n.crowd for entry in both.entries for n in entry.notices}["handler.director"] is None


async def test_a_crowd_is_one_line(desk: Desk) -> None:
    """Of 37 cases the director gets one line: incident, how many, due, lateness and the link; the manager 37."""
    await desk.record(*(late(f"R-{n:02}") for n in range(37)), late("R-alone", incident=None))
    await desk.deliver("di")
    (mail,) = desk.sink.messages
    assert mail.message["Subject"] == "38 still missed · E 2.1.1 · 38 cases"
    words = plain(mail.message)
    assert words.count("Still not done") == 2
    for fact in (
        "Incident: INC-7",
        "37 complaints so far",
        "Mon 2 Mar 2026, 10:15 UTC+8",
        "R-00, R-01",
        "17 more",
        "/a/",
    ):
        assert fact in words
    assert "Case: R-alone" in words
    await desk.deliver("cy")
    manager = plain(desk.sink.messages[1].message)
    assert all(f"Case: R-{n:02} " in manager for n in range(37))
    rows = await desk.rows("SELECT state, joined FROM notices WHERE crowd = :crowd", crowd=CROWD)
    assert [(row["state"], row["joined"]) for row in rows] == [("accepted", False)] * 37


async def test_without_a_page_every_case_is_in_the_mail(desk: Desk) -> None:
    """Where no page can list the cases of a crowd, the mail does, all of them."""
    desk.settings = desk.settings.model_copy(update={"base_url": None})
    await desk.record(*(late(f"R-{n:02}") for n in range(37)))
    await desk.deliver("di")
    words = plain(desk.sink.messages[0].message)
    assert all(f"R-{n:02}" in words for n in range(37))


async def test_what_comes_later_joins_without_a_mail(desk: Desk) -> None:
    """A later case of a crowd that was told brings no mail; it joins that message on record, and a rebuild agrees."""
    await desk.record(late("R-1"), late("R-2"))
    await desk.deliver("di")
    await desk.record(late("R-3"))
    again = await desk.deliver("di")
    assert (again.sent, again.waiting, len(desk.sink.messages)) == (0, 0, 1)
    rows = await desk.rows("SELECT complaint, message, person, state, joined FROM notices WHERE crowd = :c", c=CROWD)
    assert {(row["person"], row["state"]) for row in rows} == {("di", "accepted")}
    assert {row["complaint"]: row["joined"] for row in rows} == {
        "small/R-1": False,
        "small/R-2": False,
        "small/R-3": True,
    }
    (entry,) = await desk.rows("SELECT stream, seq, body FROM ledger WHERE type = 'joined'")
    assert (entry["stream"], entry["seq"]) == (f"message/{rows[0]['message']}", 3)
    assert await rebuild(desk.engine, apply=False) == []


async def test_what_joins_a_delivered_message_is_rebuilt_as_it_stands(desk: Desk) -> None:
    """A report of the server came before a case joined: that case was never in the mail, live or rebuilt."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    (row,) = await desk.rows("SELECT message FROM notices WHERE crowd = :c", c=CROWD)
    delivered = said(3, "delivered", at("2026-03-02 11:00"))
    async with transaction(desk.engine) as connection:
        await record_message(connection, desk.vault, row["message"], [delivered])
    await desk.record(late("R-2"))
    await desk.deliver("di")
    rows = await desk.rows("SELECT state FROM notices WHERE crowd = :c ORDER BY key", c=CROWD)
    assert [row["state"] for row in rows] == ["delivered", "accepted"]
    assert await rebuild(desk.engine, apply=False) == []


async def test_another_incident_is_told(desk: Desk) -> None:
    """A crowd is one incident: a case of another one brings its own mail."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    await desk.record(late("R-2", incident="INC-8"))
    assert (await desk.deliver("di")).sent == 1


async def test_after_an_undeliverable_message_a_crowd_is_told_anew(desk: Desk) -> None:
    """A message that reached nobody told nothing: what comes later is a mail again."""
    await desk.record(late("R-1"))
    desk.sink.refused = {"di@example.com": NO_SUCH_USER}
    await desk.deliver("di")
    desk.sink.refused = {}
    await desk.record(late("R-2"))
    assert (await desk.deliver("di")).sent == 1
    assert "1 complaint so far, of 2 open ones of this incident" in plain(desk.sink.messages[0].message)
    assert await rebuild(desk.engine, apply=False) == []


async def test_another_person_is_told_anew(desk: Desk) -> None:
    """Whoever takes the role over was told nothing yet: what comes from then on is a mail to them."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    await desk.record(late("R-2"))
    await desk.people(PEOPLE.replace("handler.director: [di]", "handler.director: [ann]"))
    assert (await desk.deliver("di")).sent == 0
    assert (await desk.deliver("ann")).sent == 1
    (mail,) = [mail for mail in desk.sink.messages if mail.recipients == ("ann@example.com",)]
    assert "R-2" in plain(mail.message)


async def test_the_person_complained_about_is_not_told_of_a_crowd(desk: Desk) -> None:
    """Rule 37: of a crowd, the cases against its recipient go to nobody through them, neither told nor joined."""
    await desk.record(late("R-1"), late("R-2", against="di"))
    await desk.deliver("di")
    assert "R-2" not in plain(desk.sink.messages[0].message)
    await desk.record(late("R-3", against="di"))
    await desk.deliver("di")
    rows = await desk.rows("SELECT complaint FROM notices WHERE crowd = :c AND message IS NOT NULL", c=CROWD)
    assert [row["complaint"] for row in rows] == ["small/R-1"]


async def test_one_answer_holds_for_all_and_for_what_joins(desk: Desk) -> None:
    """Every complaint of a crowd hears of its answer as by the same person, those that join later too, each once; not
    those that are against the person by now (rule 37)."""
    first, second, third = (late(f"R-{n}") for n in range(1, 4))
    named = late("R-4")
    await desk.record(first, second, named)
    await desk.deliver("di")
    heard = [await desk.listen(story) for story in (first, second)]
    unheard = await desk.listen(named)
    await desk.rows("UPDATE complaints SET against = 'eve di' WHERE id = 'small/R-4' RETURNING 1")
    assert await answer(desk)
    await desk.deliver("di")
    await desk.record(third)
    heard.append(await desk.listen(third))
    await desk.deliver("di")
    await desk.deliver("di")
    assert len(desk.sink.messages) == 1
    for story, handle in zip((first, second, third), heard, strict=True):
        (command,) = await handle.query("covered")
        assert command["by"] == {"role": "handler.director", "person": "di"}
        assert command["notices"] == [f"{story.case.id}/first_response#1@+30 minutes/handler.director"]
        assert (command["follow"], command["via"]) == ("noted", "page")
    assert await unheard.query("covered") == []


async def test_what_joins_an_answered_crowd_hears_of_it_in_the_same_round(desk: Desk) -> None:
    """The round in which a case joins is the last one, if nothing else waits: its complaint is told by then."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    assert await answer(desk)
    await desk.record(late("R-2"))
    handle = await desk.listen(late("R-2"))
    assert (await desk.deliver("di")).waiting == 0
    assert len(await handle.query("covered")) == 1


async def test_a_revived_complaint_hears_of_the_answer_again(desk: Desk) -> None:
    """The run that had heard of an answer is lost before that was on record: whoever revives the complaint has it told
    again, under the same key."""
    story = late("R-1")
    await desk.record(story)
    await desk.deliver("di")
    handle = await desk.listen(story)
    assert await answer(desk)
    await desk.deliver("di")
    async with transaction(desk.engine) as connection:
        await posts.tell_again(connection, story.case.id)
        assert "di" in await unclaimed.who_waits(connection, await unclaimed.behind(connection, datetime.now(UTC)))
    await desk.deliver("di")
    first, again = await handle.query("covered")
    assert first == again
    assert first["key"].startswith("crowd-")


async def test_the_first_answer_stands(desk: Desk) -> None:
    """The same answer again changes nothing; another one is not taken."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    assert await answer(desk)
    assert await answer(desk)
    assert not await answer(desk, "passed", to="handler.manager")
    assert len(await desk.rows("SELECT 1 FROM crowd_answers")) == 1


async def test_once_a_takeover_is_over_a_crowd_is_told_anew(desk: Desk) -> None:
    """Taken over until a time: what comes before it joins, what comes after it is a mail again."""
    await desk.record(late("R-1"))
    await desk.deliver("di")
    until = datetime.now(UTC) + timedelta(hours=1)
    assert await answer(desk, "taken_over", until)
    await desk.record(late("R-2"))
    assert (await desk.deliver("di")).sent == 0
    await desk.record(late("R-3"))
    later = desk.office_at(until + timedelta(minutes=1))
    assert (await desk.deliver("di", later)).sent == 1
    assert "R-3" in plain(desk.sink.messages[1].message)


def test_what_is_passed_on_for_a_crowd_is_a_crowd_again() -> None:
    """Passing a crowd's notice on tells the other role once for the incident; a single notice is passed on as usual."""
    story = late("R-1")
    key = f"{story.case.id}/first_response#1"
    told = story.tell(
        "acknowledge",
        "2026-03-02 11:00",
        by={"role": "handler.director", "person": "di"},
        notices=[f"{key}@+30 minutes/handler.director"],
        follow="passed",
        to="handler.manager",
    )[0]
    assert [(n.role, n.crowd) for n in told.notices] == [("handler.manager", f"{CROWD}/passed/handler.manager")]
    other = story.tell(
        "acknowledge",
        "2026-03-02 11:01",
        by={"role": "handler.manager"},
        notices=[f"{key}@due/handler.manager"],
        follow="passed",
        to="handler.director",
    )[0]
    assert [n.crowd for n in other.notices] == [None]


async def test_what_is_told_together_stays_small_in_the_count_of_lines(desk: Desk) -> None:
    """A crowd of more cases than a mail has lines is one line all the same, with none left behind."""
    await desk.record(*(late(f"R-{n:03}") for n in range(230)))
    assert (await desk.deliver("di")).waiting == 0
    assert "230 complaints so far" in plain(desk.sink.messages[0].message)
    (row,) = await desk.rows("SELECT count(*) AS n FROM notices WHERE crowd = :c AND state = 'accepted'", c=CROWD)
    assert row["n"] == 230
