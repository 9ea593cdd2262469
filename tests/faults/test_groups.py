"""The judge of group robots catches what it is there for, and the robots read, check and go wrong as the real ones."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from activities import robots as product
from activities.caller import NotTakenError
from activities.parcels import GAP, Outgoing, parcels
from faults.feed import Feed
from faults.groups import HEADING, Groups
from faults.receiver import Hooks
from faults.robots import GONE_WRONG, ROBOTS, TAKEN, Said, address, heard, secret_of
from rules.events import TO_ACT_ON, Event
from storage.webhooks import Sealed, Webhook
from templates.events import Announcer, told_of
from templates.rendering import FOLDER, Renderer
from tests.support.receiver import Call
from tests.support.story import Story, at, law

NAMES = tuple(ROBOTS)
SERVER = "http://127.0.0.1:1"
ANNOUNCER = Announcer()
NOON = at("2026-03-02 12:00")


def told(contract: str, reference: str) -> Story:
    """Warned, missed and done late, and then the same twice over with what the customer writes."""
    story = Story(law(contract=contract))
    story.open("2026-03-02 10:00", reference=reference)
    for moment in ("10:20", "10:50", "11:20"):
        story.live(f"2026-03-02 {moment}")
        story.tell("respond", f"2026-03-02 {moment}")
        story.tell("customer_writes", f"2026-03-02 {moment[:3]}{int(moment[3:]) + 5}")
    return story


STORIES = {story.case.id: story for name in NAMES for story in (told(name, f"{name}-1"), told(name, f"{name}-2"))}
LEDGERS = {complaint: story.entries for complaint, story in STORIES.items()}
CONTRACTS = {complaint: story.law.contract for complaint, story in STORIES.items()}
_PLACED = sorted(((complaint, e.seq) for complaint, es in LEDGERS.items() for e in es), key=lambda one: one[1])
FEED = Feed(LEDGERS, {entry: number for number, entry in enumerate(_PLACED, 1)})
DUE = {name: FEED.of(name, TO_ACT_ON, quiet=False) for name in NAMES}


def message(
    events: Sequence[Event], seconds: float = 0, *, contract: str = "", taken: bool = True, late: float = 1
) -> Said:
    """One message to a robot, heard so many seconds after noon, and made a moment before."""
    name, now = contract or events[0].contract, NOON + timedelta(seconds=seconds)
    about = [told_of(event, CONTRACTS[event.complaint], "") for event in events]
    blocks = [ANNOUNCER.block(one, now - timedelta(seconds=late)) for one in about]
    title = ANNOUNCER.title(about)
    heading = [HEADING + title] if len(events) > 1 and ROBOTS[name] != "feishu" else []
    return heard(name, sent(name, title, GAP.join([*heading, *blocks]), now), now, taken=taken)


def sent(name: str, title: str, text: str, now: datetime) -> Call:
    """A message of Ombud on the wire."""
    robot: product.Robot = next(one for one in product.ROBOTS if one == ROBOTS[name])
    made = product.request(robot, address(SERVER, name), secret_of(name), title, text, now)
    return Call(made.url.removeprefix(SERVER), {}, made.body)


def run_of(name: str) -> list[Said]:
    """All of it, in three messages."""
    due = DUE[name]
    return [message(due[:1]), message(due[1:5], 10), message(due[5:], 20)]


def judge(name: str, said: Sequence[Said], **more: Announcer | Sequence[str]) -> Groups:
    """Of one group."""
    return Groups({name: DUE[name]}, CONTRACTS, said, **more)  # type: ignore[arg-type]


def found(name: str, said: Sequence[Said], **more: Announcer | Sequence[str]) -> list[str]:
    """What the judge says."""
    return [str(finding) for finding in judge(name, said, **more).findings()]


@pytest.mark.parametrize("name", NAMES)
def test_what_robots_say_as_they_should_is_no_finding(name: str) -> None:
    """In three messages; refused before they are taken; and with copies, which begin earlier, end elsewhere and are
    dated anew."""
    due, calls = DUE[name], run_of(name)
    assert len(due) > 10
    assert found(name, calls, words=["It does not work."]) == []
    assert found(name, [one for call in calls for one in (replace(call, taken=False), call)]) == []
    copied = [message(due[:1]), message(due[:4], 5), message(due[:4], 65), message(due[1:], 75), message(due[5:], 90)]
    copied.append(message(due[8:11], 99))
    groups = judge(name, copied)
    assert list(groups.findings()) == []
    assert (groups.messages, len(groups.copies), groups.lost) == (6, 1 + 4 + 3 + len(due) - 5 + 3, [])


@pytest.mark.parametrize("name", NAMES)
def test_what_the_product_sends_is_what_the_judge_expects(name: str) -> None:
    """Made as a worker makes it, cut as its robot wants it: signed, in order, in the words of the templates."""
    due = DUE[name]
    hook = Webhook(**dict.fromkeys(Webhook.__slots__) | {"format": ROBOTS[name]})  # type: ignore[arg-type]
    outgoing = [Outgoing(n, event, told_of(event, CONTRACTS[event.complaint], "")) for n, event in enumerate(due)]
    sealed = Sealed(address(SERVER, name), (secret_of(name),))
    made = list(parcels(hook, sealed, outgoing, ANNOUNCER, most=700))
    assert len(made) > 2
    said = []
    for number, parcel in enumerate(made):
        call = Call(parcel.request.url.removeprefix(SERVER), {}, parcel.request.body)
        said.append(heard(name, call, datetime.now(UTC) + timedelta(seconds=number * 0.01), taken=True))
    problems = found(name, said)
    assert all("seconds of a message" in line for line in problems)
    assert len(problems) == len(made) - 1


ONE = DUE["storm-b"]
CALLS = run_of("storm-b")


def reworded(said: Said, old: str, new: str) -> Said:
    """The same message in other words."""
    assert old in said.text
    return replace(said, text=said.text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (CALLS[:-1], "was never said by a robot"),
        ([*CALLS[:-1], replace(CALLS[-1], taken=False)], "was never said by a robot"),
        ([CALLS[0], message([*ONE[1:3], *ONE[4:5]], 10), message(ONE[5:], 20)], "where"),
        ([CALLS[0], message([ONE[2], ONE[1], *ONE[3:5]], 10), CALLS[2]], "where"),
        ([CALLS[1], CALLS[0], CALLS[2]], "was said before the event of entry"),
        ([CALLS[0], CALLS[2]], "was said before the event of entry"),
        ([*CALLS[:2], reworded(CALLS[2], "**Done late**", "**Done**")], "is said as"),
        ([reworded(CALLS[0], "of time used", "of all time used"), *CALLS[1:]], "not its to say"),
        ([*CALLS[:2], reworded(CALLS[2], "Time since due: ", "Time since due: 1")], "is said as"),
        ([*CALLS[:2], message(ONE[5:], 20, late=90)], "is said as"),
        ([*CALLS[:2], replace(CALLS[2], text=f"{CALLS[2].text}{GAP}And more.")], "no more"),
        ([*CALLS, message(DUE["storm-a"][:2], 30, contract="storm-b")], "not its to say"),
        ([*CALLS[:2], replace(CALLS[2], signed=False)], "not signed"),
        ([*CALLS[:2], replace(CALLS[2], fits=False)], "longer than it takes"),
        ([*CALLS[:2], replace(CALLS[2], title="3 × Missed")], "is entitled"),
        ([*CALLS[:2], reworded(CALLS[2], HEADING, f"{HEADING}1 × Opened, ")], "is entitled"),
        ([message(ONE[:1]), message(ONE[1:], 3)], "within 4 seconds of a message"),
    ],
)
def test_what_is_wrong_with_messages_is_found(said: list[Said], what: str) -> None:
    """A lost event, one left out, out of order, in other words, of another time, in the wrong group, without signature,
    too long, under another title, too soon; and one more than there are."""
    assert any(what in line for line in found("storm-b", said))


def test_what_somebody_wrote_is_found_in_a_message() -> None:
    """In its text as well as in its title."""
    words = ["It does not work."]
    assert found("storm-b", [*CALLS[:2], replace(CALLS[2], title=words[0])], words=words)[0].startswith(
        "the robot of storm-b: it repeats what somebody wrote"
    )
    assert any("repeats" in line for line in found("storm-b", [reworded(CALLS[0], "x", words[0])], words=words))


def test_a_template_that_forgets_the_complaint_is_found(tmp_path: Path) -> None:
    """What is said and what has to be said come from the same template; the reference is looked for by itself."""
    folder = tmp_path / "templates"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    template = folder / "event.txt"
    template.write_text(template.read_text(encoding="utf-8").replace("{{ told.reference ", "{{ '' "), encoding="utf-8")
    forgetful = Announcer(Renderer(folder))
    text = forgetful.block(told_of(ONE[0], CONTRACTS[ONE[0].complaint], ""), NOON)
    said = heard("storm-b", sent("storm-b", ANNOUNCER.title([told_of(ONE[0], None, "")]), text, NOON), NOON, taken=True)
    assert any("is said without its complaint" in line for line in found("storm-b", [said], announcer=forgetful))


@pytest.mark.parametrize("name", NAMES)
def test_a_message_for_another_group_is_not_signed_for_this_one(name: str) -> None:
    """The secret, the hour and the form are looked at as the robot does; WeCom looks at the form alone."""
    good = sent(name, "T", "M", NOON)
    assert heard(name, good, NOON, taken=True).signed
    assert heard(name, good, NOON, taken=True).text == "M"
    assert not heard(name, replace(good, body=b"{}"), NOON, taken=True).signed
    assert not heard(name, replace(good, body=b"no JSON"), NOON, taken=True).signed
    assert not heard(name, replace(good, body=b'{"msgtype":"text"}'), NOON, taken=True).text
    if ROBOTS[name] != "wecom":
        assert not heard(name, good, NOON + timedelta(hours=2), taken=True).signed
        robot: product.Robot = next(one for one in product.ROBOTS if one == ROBOTS[name])
        forged = product.request(robot, address(SERVER, name), "another", "T", "M", NOON)
        assert not heard(name, Call(forged.url.removeprefix(SERVER), {}, forged.body), NOON, taken=True).signed
    assert not heard(name, sent(name, "T", "M" * 20_000, NOON), NOON, taken=True).fits
    assert heard(name, sent(name, "T", "M" * 4000, NOON), NOON, taken=True).fits


async def test_robots_answer_as_their_cards_say_and_ombud_believes_their_codes() -> None:
    """Every trouble comes up; what Ombud takes for taken stands in the group, and nothing that a code refuses does."""
    server = Hooks(seed=1, calm=0)
    server.robots.deck.clear_up()
    await server.start()
    try:
        for name in NAMES:
            assert await _call(server, name) == TAKEN[ROBOTS[name]]
        server.robots = type(server.robots)(seed=1, calm=0)
        for name in (NAMES * len(GONE_WRONG))[: len(GONE_WRONG)]:
            answer = await _call(server, name)
            if answer is not None:
                with pytest.raises(NotTakenError):
                    product.judge(answer)
        assert server.robots.deck.missing == []
        assert sum(one.taken for one in server.robots.said) == sum(taken for _, taken in GONE_WRONG.values())
        assert all(one.signed and one.fits and one.text == "M" for one in server.robots.said)
        assert server.heard == []
    finally:
        await server.stop()


async def _call(server: Hooks, name: str) -> bytes | None:
    """What a robot answers within a moment, where that is 200."""
    call = sent(name, "T", "M", datetime.now(UTC))
    try:
        async with httpx.AsyncClient(timeout=0.5) as client:
            answer = await client.post(f"http://127.0.0.1:{server.port}{call.target}", content=call.body)
    except httpx.HTTPError:
        return None
    return answer.content if answer.status_code == 200 else None
