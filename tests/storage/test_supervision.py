"""What whoever supervises must see stands on its list, and nothing else does."""

from __future__ import annotations

from typing import get_args

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.decide import deliver
from rules.notices import Outcome
from starter.cli_supervise import NAMES
from storage.content import Vault
from storage.database import transaction
from storage.supervision import List, Listed, supervised
from tests.support.recorded import on_record
from tests.support.story import Story, at

PRINCIPAL = "principal.responsible_person"
PROOF = [{"id": "letter", "sha256": "0" * 64}]


async def on_list(engine: AsyncEngine, wanted: List, contract: str | None = "small") -> list[Listed]:
    async with transaction(engine) as connection:
        return await supervised(connection, wanted, contract)


async def test_each_list_has_what_belongs_there(engine: AsyncEngine, vault: Vault) -> None:
    """One untidy complaint comes up once on each of the lists; another contract's lists stay empty."""
    story = Story().open("2026-03-02 10:00", recorded="2026-03-02 10:09", kind="complaint", level="3")
    story.live("2026-03-02 10:16")
    (missed,) = [n.key for n in story.case.notices if n.clock == "first_response#1" and n.rung == "due"]
    nobody = Outcome(notice=missed, accepted=False, at=at("2026-03-02 10:16"), reason="nobody stands behind the role")
    story.note(deliver(story.case, story.law, nobody, at("2026-03-02 10:17")))
    refused = next(n.key for n in story.case.notices if n.rung == "0%")
    story.outcome(refused, "2026-03-02 10:17", accepted=False)
    (demand, *_) = story.tell("demand", "2026-03-02 10:20", wants="remedy")
    (answered, *_) = story.tell("answer_demand", "2026-03-02 10:30", demand=demand.seq)
    story.tell("respond", "2026-03-02 10:40", "2026-03-02 10:10")
    by = [{"role": "handler.owner", "person": person} for person in ("p.ann", "p.bob")]
    (note, *_) = story.tell("note", "2026-03-02 10:41")
    (asked, *_) = story.tell("correct", "2026-03-02 10:42", entry=note.seq, void=True, by=by[0])
    story.tell("approve_correction", "2026-03-02 10:43", entry=asked.seq, by=by[1])
    (wait, *_) = story.tell("request", "2026-03-02 10:44", of=PRINCIPAL, due=at("2026-03-02 11:00"))
    story.tell("answer_request", "2026-03-02 11:30", request=wait.seq)
    story.tell("waive", "2026-03-02 11:31", clock="proposal#1", evidence=PROOF)
    approved = {"role": "handler.manager"}
    story.tell("reclassify", "2026-03-02 11:32", level="1", reason="misjudged", approved_by=approved)
    story.tell("withdraw", "2026-03-02 11:33")
    await on_record(engine, vault, story)
    (late,) = await on_list(engine, "reported late")
    assert (late.clock, late.detail["report"], late.detail["lag_seconds"]) == ("first_response#1", "confirmed", 1800)
    (corrected,) = await on_list(engine, "corrected")
    assert (corrected.by, corrected.detail["approved_by"], corrected.detail["entry"]) == ("p.ann", "p.bob", note.seq)
    (waited,) = await on_list(engine, "waited for us")
    assert (waited.detail["answer"], waited.detail["of"]) == ("request_answered", PRINCIPAL)
    (demanded,) = await on_list(engine, "demanded")
    assert (demanded.seq, demanded.detail["wants"], demanded.detail["answer"]) == (demand.seq, "remedy", answered.seq)
    (lowered,) = await on_list(engine, "lowered")
    assert (lowered.detail["lowered_from"], lowered.detail["level"]) == ("3", "1")
    assert [item.clock for item in await on_list(engine, "waived")] == ["proposal#1"]
    assert len(await on_list(engine, "withdrawn")) == 1
    assert {item.detail["rung"] for item in await on_list(engine, "passed before registration")} == {"0%", "50%"}
    (gap,) = await on_list(engine, "nobody on duty")  # what the server refused is another matter
    assert gap.detail["notice"] == missed
    for name in NAMES:
        assert await on_list(engine, name, "another") == []


def test_the_command_line_knows_every_list() -> None:
    """A list that storage offers can be asked for."""
    assert get_args(List) == NAMES
