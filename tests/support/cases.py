"""Cases worth looking at: much happens in them, on time, late, and not at all."""

from __future__ import annotations

from datetime import timedelta

from tests.support.shelf import Shelf, in_force
from tests.support.story import SHANGHAI, Story, at

EVIL = "</style><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}<svg onload=alert(3)>'\"`"
"""What nobody may get past a page: HTML, SVG, the template language, quotes."""

PROOF = {"id": "recording-7", "sha256": "ab" * 32, "media_type": "audio/mpeg", "source": "phone system"}


def grave(reference: str = "K-4711", content: str = "The kettle burst and burnt my hand.") -> Story:
    """A grave complaint: contact in time, plan late, the closed loop reported late, a wait for the principal."""
    story = Story(in_force())
    story.open(
        "2026-11-02 10:00",
        reference=reference,
        kind="complaint",
        category="product_quality",
        level="3",
        channel="wechat",
        content=content,
        remedy_sought="A new kettle.",
        complainant={"id": "C-77", "grade": "key"},
        evidence=[PROOF],
    )
    story.tell("assign", "2026-11-02 10:02", person="chen.lin", by={"role": "handler.team_lead", "person": "wu.fang"})
    owner = {"role": "handler.owner", "person": "chen.lin"}
    story.tell("contact", "2026-11-02 10:06", role="principal.responsible_person", outcome="reached", by=owner)
    story.tell("respond", "2026-11-02 10:09", text="We call you at once.", channel="phone", by=owner)
    story.live("2026-11-02 10:41")
    story.tell("preliminary_plan", "2026-11-02 10:42", text="A courier fetches the kettle.", by=owner)
    story.live("2026-11-02 12:00")
    story.tell("note", "2026-11-02 12:00", text="The batch was recalled in May.", internal=True, by=owner)
    story.tell("request", "2026-11-02 14:00", of="principal.department.quality", due=at("2026-11-03 12:00"), by=owner)
    story.live("2026-11-03 11:00")
    story.tell("findings", "2026-11-05 16:00", text="The seal was faulty.", cause="Seal of batch 17.", by=owner)
    story.live("2026-11-06 09:00")
    story.tell("answer_request", "2026-11-06 10:00", request=_request(story), text="Batch 17 is faulty.")
    story.tell("propose", "2026-11-09 11:00", text="A new kettle and 200 CNY.", by=owner, measures=[_refund()])
    story.live("2026-11-10 10:00")
    return story


def closed(reference: str = "K-4712") -> Story:
    """An enquiry, answered and accepted."""
    story = Story(in_force())
    story.open(
        "2026-11-03 11:00", reference=reference, kind="enquiry", category="usage", content="How do I descale it?"
    )
    story.tell("answer", "2026-11-03 11:20", text="With vinegar.", by={"role": "handler.owner", "person": "chen.lin"})
    story.tell("accept", "2026-11-03 12:00", occurred="2026-11-03 11:40")
    return story


async def told(shelf: Shelf, story: Story) -> None:
    """The case on record, with the first mails of it: taken, acknowledged, on its way."""
    keys = [n.key for entry in story.entries for n in entry.notices]
    manager = [key for key in keys if key.endswith("handler.manager")]
    director = [key for key in keys if key.endswith("handler.director")]
    await shelf.put(story)
    first = story.case.received_at.astimezone(SHANGHAI) + timedelta(seconds=3)
    await shelf.mailed("a1" * 32, "maya.brandt", manager[:2], first, "250 2.0.0 Ok: queued as 4F1B2")
    await shelf.mailed(
        "b2" * 32, "liu.yan", director[:2], first + timedelta(minutes=30), "250 2.0.0 Ok: queued as 77A1C"
    )
    await shelf.mailed("c3" * 32, "maya.brandt", manager[2:3], first + timedelta(hours=1))


def acknowledged(story: Story, when: str) -> None:
    """The manager takes over what was told first."""
    key = next(n.key for entry in story.entries for n in entry.notices if n.key.endswith("handler.manager"))
    story.tell(
        "acknowledge",
        when,
        notices=[key],
        follow="taken_over",
        until=at("2026-11-30 18:00"),
        by={"role": "handler.manager", "person": "maya.brandt"},
    )


def undeliverable(story: Story, when: str) -> None:
    """A notice that nobody could be told."""
    keys = [n.key for entry in story.entries for n in entry.notices if n.key.endswith("principal.responsible_person")]
    story.outcome(keys[0], when, accepted=False)


def _request(story: Story) -> int:
    return next(entry.seq for entry in story.entries if entry.type == "requested")


def _refund() -> dict[str, str]:
    return {"type": "refund", "amount": "200.00", "currency": "CNY"}
