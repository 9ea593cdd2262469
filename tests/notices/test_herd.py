"""Five hundred grave complaints of one incident miss a clock at once: a handful of mails, and no line lost."""

import re
import uuid
from email.message import EmailMessage

import httpx
from temporalio.testing import WorkflowEnvironment

from activities.interface import post_id
from activities.poke import poke
from rules.contract_file import read
from rules.law import InForce, law_of
from settings import Settings
from starter.client import Ombud
from starter.serve import application
from tests.pages.conftest import BASE, link, text
from tests.support.desk import PEOPLE, Desk, opened, posting
from tests.support.smtp import SmtpSink
from tests.support.story import Story
from tests.support.system import ROOT

HERD = 500


def grave_law() -> InForce:
    """The maintenance contract with one promise: ten minutes to the responsible person of a grave case."""
    file = ROOT / "contracts" / "maintenance-service.yaml"
    contract = read(file.read_text(encoding="utf-8"), file.name).contract
    contact = contract.obligations["principal_contact"]
    contact = contact.model_copy(update={"ladder": contact.ladder[2:]})
    only = contract.model_copy(update={"obligations": {"principal_contact": contact}})
    return law_of(only.model_dump(mode="json", by_alias=True, exclude_none=True))


async def test_a_herd_is_a_handful_of_mails(
    temporal_env: WorkflowEnvironment, settings: Settings, smtp_sink: SmtpSink
) -> None:
    """From 500 complaints on record, through the Posts of manager and director and a real mail server, to the answer:
    every case is a line with clause, due, lateness and link, the director's later step is one line for all of them, and
    one press of a button answers every line of a mail."""
    unique = uuid.uuid4().hex[:6]
    names = [f"{unique}-{n:03}" for n in range(HERD)]
    people = re.sub(r"\b(cy|di)\b(?!@)", rf"\1.{unique}", PEOPLE)  # Posts are known by their person over all tests
    async with opened(temporal_env.client, settings, smtp_sink) as desk:
        law = grave_law()
        stories = [_missed(law, name, f"INC-{unique}") for name in names]
        await desk.record(*stories)
        await desk.people(people)
        await _delivered(desk, f"cy.{unique}", f"di.{unique}")
        to_manager = _mails(desk, "cy@example.com")
        assert len(to_manager) == 3
        lines = [part for mail in to_manager for part in text(mail).split("―" * 24) if "Case: " in part]
        assert sorted(found[1] for part in lines if (found := re.search(r"Case: (\S+)", part))) == names
        for part in lines:
            for fact in ("E 2.1.3", "Due: Mon 2 Mar 2026, 10:10 UTC+8", "Late: ", "https://temporal.example.com/"):
                assert fact in part
        told = [text(mail) for mail in _mails(desk, "di@example.com")]
        assert len(told) == 3
        assert sum(said.count(f"Incident: INC-{unique}") for said in told) == 1
        assert f"{HERD} complaints so far" in "".join(told)
        rows = await desk.rows("SELECT state, count(*) AS n FROM notices GROUP BY state")
        assert {row["state"]: row["n"] for row in rows} == {"accepted": 3 * HERD}
        await _one_press(desk, to_manager[-1], stories)


def _missed(law: InForce, name: str, incident: str) -> Story:
    story = Story(law)
    story.open("2026-03-02 10:00", reference=name, kind="complaint", level="3", incident=incident)
    story.live("2026-03-02 10:21")
    return story


def _mails(desk: Desk, address: str) -> list[EmailMessage]:
    return [mail.message for mail in desk.sink.messages if mail.recipients == (address,)]


async def _delivered(desk: Desk, *persons: str) -> None:
    """Poke the Posts as whoever records does, and wait until they end."""
    queue = f"post-{desk.queue}"
    async with posting(desk, queue):
        for person in persons:
            await poke(desk.client, queue, person, urgent=True)
        for person in persons:
            await desk.client.get_workflow_handle(post_id(person)).result()


async def _one_press(desk: Desk, mail: EmailMessage, stories: list[Story]) -> None:
    """Everything that one mail tells of is answered by the form as it is shown."""
    told = [story for story in stories if f"Case: {story.case.reference} " in text(mail)]
    handles = [await desk.listen(story) for story in told]
    app = application(desk.engine, Ombud(desk.client, desk.engine), desk.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE) as browser:
        page = (await browser.get(link(mail))).text
        shown = re.search(r'name="shown" value="([\d ]+)"', page)
        assert shown is not None
        form = {"which": "all", "shown": shown[1], "follow": "noted"}
        done = await browser.post(link(mail), data=form)
    assert done.status_code == 200
    assert f"{len(told)} cases" in done.text
    for handle in handles:
        (command,) = await handle.query("told")
        assert len(command["notices"]) == 1
