"""Planned notices become mails: each once, together where many wait, and none lost when anything in between fails."""

import asyncio
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.exceptions import ApplicationError

from activities.interface import Delivered, post_id
from activities.mailer import Mailer
from activities.poke import poke
from rules.law import InForce
from storage import contracts, directory, posts, unclaimed
from storage.database import create_engine, transaction
from storage.ledger import message_stream
from templates.rendering import Renderer
from tests.support.desk import PEOPLE, Desk, missed, posting
from tests.support.smtp import DROP, NO_SUCH_USER, TRY_LATER
from tests.support.story import SMALL, Story, law


class Crash(BaseException):
    """The process dies: nothing after it runs."""


def proposed(reference: str = "R-1", in_force: InForce | None = None) -> Story:
    """A proposal of which the principal is told: the contract counts it once the principal's server accepted it."""
    story = Story(in_force)
    story.open("2026-03-02 10:00", reference=reference, kind="complaint", level="1")
    story.tell("respond", "2026-03-02 10:01")
    story.tell("findings", "2026-03-02 11:00", cause="A loose screw.")
    story.tell("propose", "2026-03-02 12:00")
    return story


async def held(connection: AsyncConnection, person: str) -> list[unclaimed.Group]:
    """What waits for a person now."""
    return (await unclaimed.behind(connection, datetime.now(UTC), person)).persons[person]


def body(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


async def test_a_missed_clock_reaches_the_manager(desk: Desk) -> None:
    """The manager gets one mail that names clause, case, due time with zone and where to answer; Postgres says so."""
    await desk.record(missed())
    assert (await desk.deliver("cy")).sent == 1
    (mail,) = desk.sink.messages
    assert mail.recipients == ("cy@example.com",)
    said = body(mail.message)
    for fact in ("E 2.1.1", "First response", "R-1", "Mon 2 Mar 2026, 10:15 UTC+8", "https://ombud.example.com/a/"):
        assert fact in said
    (row,) = await desk.rows("SELECT * FROM messages")
    assert (row["state"], row["reply"], row["person"]) == ("accepted", "250 2.0.0 taken", "cy")
    (notice,) = await desk.rows("SELECT * FROM notices WHERE role = 'handler.manager'")
    assert (notice["state"], notice["message"], notice["person"]) == ("accepted", row["id"], "cy")


async def test_a_notice_is_sent_once(desk: Desk) -> None:
    """Another round finds nothing to send."""
    await desk.record(missed())
    await desk.deliver("cy")
    again = await desk.deliver("cy")
    assert (again.sent, again.waiting, len(desk.sink.messages)) == (0, 0, 1)


async def test_a_crowd_travels_in_one_mail(desk: Desk) -> None:
    """Twenty cases missed at one instant are one mail to the manager, with a line for each."""
    stories = [missed(f"R-{n:02}") for n in range(20)]
    await desk.record(*stories)
    assert (await desk.deliver("cy")).sent == 1
    (mail,) = desk.sink.messages
    said = body(mail.message)
    assert all(story.case.reference in said for story in stories)
    assert mail.message["Subject"] == "20 missed · E 2.1.1 · 20 cases"


async def test_no_line_is_lost_to_the_limit_of_one_mail(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into one mail is said to wait, and leaves with the next."""
    monkeypatch.setattr(unclaimed, "MOST", 2)
    await desk.record(*(missed(f"R-{n}") for n in range(5)))
    done = [await desk.deliver("cy") for _ in range(3)]
    assert [(r.sent, r.waiting) for r in done] == [(1, 3), (1, 1), (1, 0)]
    claimed = await desk.rows("SELECT DISTINCT message FROM notices WHERE role = 'handler.manager'")
    assert len(claimed) == 3


async def test_no_message_left_behind_is_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 21: of two messages claimed before a crash the first round says that another waits, and it leaves."""
    monkeypatch.setattr(unclaimed, "MOST", 1)
    await desk.record(missed("R-1"), missed("R-2"))
    async with transaction(desk.engine) as connection:
        who = await directory.person(connection, "cy")
        assert who is not None
        for _ in range(2):
            await desk.office._claim(connection, who, await held(connection, "cy"), datetime.now(UTC))
    done = [await desk.deliver("cy") for _ in range(2)]
    assert [(r.sent, r.waiting) for r in done] == [(1, 1), (1, 0)]


async def test_a_temporary_refusal_is_tried_again(desk: Desk) -> None:
    """A 4xx is an error that is retried; why it failed stands with the message; the second try is the same mail."""
    await desk.record(missed())
    desk.sink.answer(TRY_LATER)
    with pytest.raises(ApplicationError, match="451"):
        await desk.deliver("cy")
    (row,) = await desk.rows("SELECT * FROM messages")
    assert (row["state"], row["attempts"]) == ("claimed", 1)
    assert "451" in row["last_error"]
    assert (await desk.deliver("cy")).sent == 1
    (row,) = await desk.rows("SELECT * FROM messages")
    assert (row["state"], row["attempts"]) == ("accepted", 2)


async def test_everything_leaves_once_after_an_outage(desk: Desk) -> None:
    """While the mail server is down notices gather; when it is back each of them leaves exactly once."""
    await desk.record(missed("R-1"))
    await desk.sink.stop()
    with pytest.raises(ApplicationError, match="mail server"):
        await desk.deliver("cy")
    await desk.record(missed("R-2"), missed("R-3"))
    with pytest.raises(ApplicationError, match="mail server"):
        await desk.deliver("cy")
    await desk.sink.start()
    while (await desk.deliver("cy")).waiting:
        pass
    said = [body(mail.message) for mail in desk.sink.messages]
    assert [sum(f"Case: {r} " in text for text in said) for r in ("R-1", "R-2", "R-3")] == [1, 1, 1]
    assert {row["state"] for row in await desk.rows("SELECT state FROM notices WHERE role = 'handler.manager'")} == {
        "accepted"
    }


async def test_a_crash_before_the_record_sends_the_same_message_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying between the server's 250 and our commit sends the same bytes and Message-ID, nothing else."""
    await desk.record(missed())

    async def die(*_: Any, **__: Any) -> None:
        raise Crash

    with monkeypatch.context() as crashing:
        crashing.setattr(posts, "settled", die)
        with pytest.raises(Crash):
            await desk.deliver("cy")
    (row,) = await desk.rows("SELECT state FROM messages")
    assert row["state"] == "claimed"
    await desk.record(missed("R-2"))
    assert (await desk.deliver("cy")).sent == 1
    first, second = desk.sink.messages
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.message.as_bytes() == second.message.as_bytes()
    assert "R-2" not in body(second.message)


async def test_a_lost_answer_sends_the_same_message_again(desk: Desk) -> None:
    """A connection that breaks after the message and before the answer leads to the same Message-ID once more."""
    await desk.record(missed())
    desk.sink.answer(DROP)
    with pytest.raises(ApplicationError, match="mail server"):
        await desk.deliver("cy")
    await desk.deliver("cy")
    assert len({mail.message["Message-ID"] for mail in desk.sink.messages}) == 1
    assert len(desk.sink.messages) == 2


async def test_a_message_id_follows_from_the_notices(desk: Desk) -> None:
    """The Message-ID is the digest of the notices' keys, so that whoever holds the ledger can recognise the mail."""
    await desk.record(missed("R-1"), missed("R-2"))
    await desk.deliver("cy")
    keys = [row["key"] for row in await desk.rows("SELECT key FROM notices WHERE role = 'handler.manager'")]
    digest = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:40]
    assert desk.sink.messages[0].message["Message-ID"] == f"<{digest}@example.com>"


async def test_the_mail_as_sent_is_kept_and_proved(desk: Desk) -> None:
    """Rule 124: the bytes that went over the wire lie in Postgres, encrypted, and their digest in the ledger."""
    await desk.record(missed())
    await desk.deliver("cy")
    (row,) = await desk.rows("SELECT id FROM messages")
    async with transaction(desk.engine) as connection:
        kept = (await desk.vault.read(connection, message_stream(row["id"])))[1]["mail"].encode()
    (entry,) = await desk.rows("SELECT body FROM ledger WHERE type = 'claimed'")
    assert hashlib.sha256(kept).hexdigest() == entry["body"]["data"]["sha256"]
    assert kept.replace(b"\r\n", b"\n") == desk.sink.messages[0].message.as_bytes().replace(b"\r\n", b"\n")
    (stored,) = await desk.rows("SELECT ciphertext FROM content WHERE field = 'mail'")
    assert b"Message-ID" not in stored["ciphertext"]


async def test_no_address_stands_in_the_ledger(desk: Desk) -> None:
    """Invariant 19: servers like to repeat the address; the ledger has the person's id in its place."""
    await desk.record(missed())
    desk.sink.refused = {"cy@example.com": "550 5.1.1 <cy@example.com> no such user"}
    await desk.deliver("cy")
    found = await desk.rows("SELECT body::text AS body FROM ledger")
    assert any("no such user" in row["body"] for row in found)
    assert all("cy@example.com" not in row["body"] for row in found)


async def test_a_permanent_refusal_is_undeliverable_and_the_complaint_hears_of_it(desk: Desk) -> None:
    """A 5xx for this recipient ends the tries, stands in the queue with its reason, and is told to the complaint."""
    story = missed()
    await desk.record(story)
    complaint = await desk.listen(story)
    desk.sink.refused = {"cy@example.com": NO_SUCH_USER}
    assert (await desk.deliver("cy")).sent == 0
    (row,) = await desk.rows("SELECT * FROM messages")
    assert (row["state"], row["reason"]) == ("undeliverable", NO_SUCH_USER)
    (heard,) = await complaint.query("heard")
    assert (heard["accepted"], heard["notice"]) == (False, "small/R-1/first_response#1@due/handler.manager")
    await desk.deliver("cy")
    assert len(await complaint.query("heard")) == 1
    assert desk.sink.messages == []


async def test_an_acceptance_is_told_where_the_contract_counts_it(desk: Desk) -> None:
    """A proposal counts once the principal was told, so the complaint hears it; of a warning it hears nothing."""
    story = proposed()
    await desk.record(story)
    complaint = await desk.listen(story)
    await desk.deliver("bo")
    (heard,) = await complaint.query("heard")
    assert (heard["accepted"], heard["notice"].rpartition("/")[2]) == (True, "principal.responsible_person")
    warned = missed("R-2")
    await desk.record(warned)
    other = await desk.listen(warned)
    await desk.deliver("cy")
    assert await other.query("heard") == []


async def test_a_complaint_hears_of_it_after_a_crash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dying between the record and the telling loses nothing: the next round tells, and sends no second mail."""
    story = proposed()
    await desk.record(story)
    complaint = await desk.listen(story)

    async def die(*_: Any) -> None:
        raise Crash

    office = desk.office
    with monkeypatch.context() as crashing:
        crashing.setattr(office, "_tell", die)
        with pytest.raises(Crash):
            await desk.deliver("bo", office)
    assert await complaint.query("heard") == []
    await desk.deliver("bo")
    assert len(await complaint.query("heard")) == 1
    assert len(desk.sink.messages) == 1


async def test_a_complaint_that_has_ended_holds_nothing_up(desk: Desk) -> None:
    """A notice of a closed case is delivered though no workflow is there to hear of it."""
    await desk.record(proposed())
    assert (await desk.deliver("bo")).sent == 1
    (row,) = await desk.rows("SELECT untold FROM messages")
    assert not row["untold"]


async def test_roles_are_resolved_when_the_message_is_made(desk: Desk) -> None:
    """Invariant 8: whoever holds the role when the message is made gets it, not who held it when it was planned."""
    await desk.record(missed())
    await desk.people(PEOPLE.replace("handler.manager: [cy]", "handler.manager: [ann]"))
    assert (await desk.deliver("cy")).sent == 0
    assert (await desk.deliver("ann")).sent == 1
    async with transaction(desk.engine) as connection:
        behind = await unclaimed.behind(connection, datetime.now(UTC))
        assert await unclaimed.who_waits(connection, behind) == ["bo"]


PAST = "    shifts: [{from: 2026-01-01, to: 2026-03-03}]"
"""Somebody who was on duty when the stories here were planned, and no longer is."""


def off_duty(person: str, text: str = PEOPLE) -> str:
    """The directory, with a person who went off duty after the notices were planned."""
    return re.sub(rf"({person}: \{{.*)\}}", rf"\1, {PAST.strip()}}}", text)


async def test_who_went_off_duty_hands_over(desk: Desk) -> None:
    """Invariant 8: what was planned for one shift and not sent goes to the next, whose Post is told of it."""
    await desk.record(missed())
    heir = f"heir.{desk.queue[-8:]}"
    people = PEOPLE.replace("  di: ", f"  {heir}: ").replace("[di]", f"[{heir}]").replace("[cy]", f"[cy, {heir}]")
    await desk.people(off_duty("cy", people))
    own = replace(desk, settings=desk.settings.model_copy(update={"task_queue": f"post-{desk.queue}"}))
    async with posting(own, own.settings.task_queue):
        assert await own.deliver("cy") == Delivered()
        await desk.client.get_workflow_handle(post_id(heir)).result()
    (mail,) = desk.sink.messages
    assert mail.recipients == ("di@example.com",)
    (notice,) = await desk.rows("SELECT * FROM notices WHERE accepted_at IS NOT NULL")
    assert (notice["person"], notice["role"]) == (heir, "handler.manager")


async def test_nobody_left_on_duty_is_told_to_the_complaint(desk: Desk) -> None:
    """Invariant 13: the last one went off duty before the mail was made; the complaint hears of it at once."""
    story = missed()
    await desk.record(story)
    await desk.people(off_duty("cy"))
    complaint = await desk.listen(story)
    assert await desk.deliver("cy") == Delivered()
    (heard,) = await complaint.query("heard")
    assert heard["notice"] == "small/R-1/first_response#1@due/handler.manager"
    assert (heard["accepted"], heard["reason"]) == (False, "nobody on duty")
    assert desk.sink.messages == []


async def test_who_was_there_all_the_time_is_not_poked_again(desk: Desk) -> None:
    """Colleagues who share a role do not poke each other: only whoever came on duty since has to be told."""
    people = PEOPLE.replace("[cy]", "[cy, di]")
    await desk.record(missed())
    for who, late in ((people, set()), (off_duty("cy", people), {"di"})):
        await desk.people(who)
        async with transaction(desk.engine) as connection:
            behind = await unclaimed.behind(connection, datetime.now(UTC), "di")
        assert behind.late == late


async def test_somebody_who_left_is_undeliverable(desk: Desk) -> None:
    """A message claimed for a person who then left the directory does not wait for ever: it is undeliverable."""
    await desk.record(missed())
    desk.sink.answer(TRY_LATER)
    with pytest.raises(ApplicationError):
        await desk.deliver("cy")
    await desk.people(PEOPLE.replace("  cy: ", "  ed: ").replace("[cy]", "[ed]"))
    await desk.deliver("cy")
    (row,) = await desk.rows("SELECT * FROM messages")
    assert row["state"] == "undeliverable"
    assert "left the directory" in row["reason"]


async def test_the_person_complained_about_is_not_told(desk: Desk) -> None:
    """Rule 37: the holder of the role who is complained about gets no mail; the next holder does."""
    await desk.people(PEOPLE.replace("handler.manager: [cy]", "handler.manager: [cy, di]"))
    story = Story()
    story.open("2026-03-02 10:00", against="cy")
    story.live("2026-03-02 10:20")
    await desk.record(story)
    await desk.people(PEOPLE.replace("handler.manager: [cy]", "handler.manager: [cy, di]"))
    assert (await desk.deliver("cy")).sent == 0
    assert (await desk.deliver("di")).sent == 1


async def test_two_rounds_at_once_claim_nothing_twice(desk: Desk) -> None:
    """Even if two workers deliver to one person at the same moment, no notice is in two messages."""
    await desk.record(*(missed(f"R-{n}") for n in range(10)))
    await asyncio.gather(*(desk.deliver("cy") for _ in range(4)), return_exceptions=True)
    while (await desk.deliver("cy")).waiting:
        pass
    lines = [
        line for mail in desk.sink.messages for line in body(mail.message).splitlines() if line.startswith("Case: ")
    ]
    distinct = {mail.message["Message-ID"]: body(mail.message) for mail in desk.sink.messages}
    told = [line for text in distinct.values() for line in text.splitlines() if line.startswith("Case: ")]
    assert len(told) == len(set(told)) == 10
    assert set(lines) == set(told)


async def test_what_one_round_holds_no_other_round_claims(desk: Desk) -> None:
    """Invariant 12: while one round is claiming, another sees only what came since."""
    await desk.record(missed("R-1"))
    async with transaction(desk.engine) as first:
        taken = await unclaimed.take(first, await held(first, "cy"))
        await desk.record(missed("R-2"))
        async with transaction(desk.engine) as second:
            free = await unclaimed.take(second, await held(second, "cy"))
    assert [notice.key.split("/")[1] for notice in taken] == ["R-1"]
    assert [notice.key.split("/")[1] for notice in free] == ["R-2"]


async def test_the_web_ui_is_linked_for_the_house_alone(desk: Desk) -> None:
    """Temporal's Web UI shows all cases and what is internal: the handler's mails lead there, the principal's and a
    third party's to the file of the case alone, in each of many lines too."""
    third = law(
        roles=SMALL["roles"] | {"third_party": {"title": {"en": "Laboratory"}}},
        notices={"propose": ["principal.responsible_person", "third_party"]},
    )
    late = Story(third)
    late.open("2026-03-02 10:00", reference="R-9")
    late.live("2026-03-02 10:20")
    await desk.record(late, *(proposed(f"R-{n}", third) for n in range(6)))
    apart = PEOPLE.replace("handler.team_lead: [bo]", "handler.team_lead: [ann]")
    await desk.people(apart + "    third_party: [di]\n")
    for person, address in (("bo", "bo@example.com"), ("di", "di@example.com"), ("cy", "cy@example.com")):
        await desk.deliver(person)
        (mail,) = (mail.message for mail in desk.sink.messages if mail.recipients == (address,))
        for kind in ("plain", "html"):
            assert ("https://temporal.example.com" in body(mail, kind)) == (person == "cy"), (person, kind)
        assert body(mail, "html").count("https://ombud.example.com/c/") == (1 if person == "cy" else 6)


async def test_words_of_the_customer_stay_out_unless_the_contract_lets_them_in(desk: Desk) -> None:
    """Rule 112: the complaint's text is in no mail; a contract that says so has it quoted, and escaped."""
    await desk.record(missed())
    await desk.deliver("cy")
    assert "It does not work." not in body(desk.sink.messages[0].message)
    open_hearted = Story(law(contract="open", privacy={"content in mail": True}))
    open_hearted.open("2026-03-02 10:00", content="<script>alert(1)</script> It does not work.")
    open_hearted.live("2026-03-02 10:20")
    await desk.record(open_hearted)
    await desk.deliver("cy")
    mail = desk.sink.messages[1].message
    assert "It does not work." in body(mail)
    assert "<script>" not in body(mail, "html")
    assert "&lt;script&gt;" in body(mail, "html")


async def test_a_broken_template_holds_no_notice_back(desk: Desk, tmp_path: Path) -> None:
    """With broken templates the notice leaves in plain words, and the error stands with its message."""
    (tmp_path / "subject.txt").write_text("{{ oops")
    await desk.record(missed())
    office = desk.office_of(Mailer(desk.settings), renderer=Renderer(tmp_path))
    assert (await desk.deliver("cy", office)).sent == 1
    assert "First response" in body(desk.sink.messages[0].message)
    (row,) = await desk.rows("SELECT * FROM messages")
    assert row["state"] == "accepted"
    assert "TemplateSyntaxError" in row["last_error"]


async def test_a_contract_nobody_can_read_holds_no_notice_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice whose contract version cannot be read leaves with what is known, and the others with it."""
    await desk.record(missed("R-1"), missed("R-2"))

    def unreadable(_: object) -> None:
        raise ValueError("of another time")

    monkeypatch.setattr(contracts.Version, "parsed", unreadable)
    assert (await desk.deliver("cy")).sent == 1
    said = body(desk.sink.messages[0].message)
    assert "R-1" in said
    assert "R-2" in said


async def test_an_outage_of_postgres_is_one_clear_error(desk: Desk) -> None:
    """Without Postgres a round fails with one message that says what to do, and is retried."""
    lost = desk.settings.model_copy(update={"database_url": "postgresql+asyncpg://x:y@127.0.0.1:1/none"})
    desk_without = Desk(create_engine(lost.database_url), desk.client, desk.sink, lost, desk.vault, desk.queue)
    with pytest.raises(ApplicationError, match="Postgres does not answer") as failed:
        await desk_without.deliver("cy")
    assert not failed.value.non_retryable
    await desk_without.engine.dispose()


async def test_a_poke_starts_the_post_of_a_person(desk: Desk) -> None:
    """From poke to mail without anybody else: whoever takes a role over is poked and gets what waits for it."""
    await desk.record(missed())
    heir = f"heir.{desk.queue[-8:]}"
    await desk.people(PEOPLE.replace("  cy: ", f"  {heir}: ").replace("[cy]", f"[{heir}]"))
    async with transaction(desk.engine) as connection:
        assert heir in await unclaimed.who_waits(connection, await unclaimed.behind(connection, datetime.now(UTC)))
    queue = f"post-{desk.queue}"
    async with posting(desk, queue):
        await poke(desk.client, queue, heir)
        await desk.client.get_workflow_handle(post_id(heir)).result()
    (mail,) = desk.sink.messages
    assert "R-1" in body(mail.message)
