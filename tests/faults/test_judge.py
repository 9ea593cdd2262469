"""The judges of `make faults` catch what they are there for: each check fails when there is something to find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from faults import robots
from faults.between import asked
from faults.injector import Injector, plans
from faults.judge import changed, crossed, differences, step_by_step
from faults.laws import GONE, laws
from faults.mails import Claim, Mails, NoticeRow, Recused
from faults.points import OF_GATEWAY, OF_WORKER, POINTS
from faults.post import TALKS, MailServer, Received
from faults.receiver import GONE_WRONG, Hooks
from faults.run import unreached
from faults.stories import NUMBERS, PROOF, Story, as_sent
from faults.tale import Tale
from faults.writer import Writer
from rules.access import Grant
from rules.commands import (
    BETWEEN,
    COMMANDS,
    Acknowledge,
    Answer,
    Command,
    CustomerWrites,
    NoReplyNeeded,
    OpenComplaint,
)
from rules.decide import decide, tick
from rules.divergence import go_on
from rules.fold import fold
from rules.ledger import Entry

GRANT = Grant(
    token="t1", scopes=("open", "act"), roles=("handler",), reports_for=("complainant", "principal", "third_party")
)
LAWS = laws()
ZERO, SECOND = timedelta(), timedelta(seconds=1)
BEGAN = datetime(2026, 11, 20, 9, 50, tzinfo=UTC)


def told(wanted: Callable[[Story, list[Entry]], bool], seed: int = 1) -> tuple[Story, list[Entry]]:
    """The first story of a seed that is worth looking at, with its fault-free ledger."""
    writer = Writer(seed, LAWS, GRANT)
    for number in range(400):
        story = writer.write(number, BEGAN)
        if story.tale is not None and wanted(story, story.tale.entries):
            return story, list(story.tale.entries)
    raise AssertionError("no story of this seed is so")


def wrong(story: Story, entries: Sequence[Entry], asked: Mapping[str, Command] | None = None) -> str | None:
    """What the first judge says of a ledger; `asked` is what another complaint asked of this one."""
    assert story.tale is not None
    numbers = {entry.key: entry.seq for entry in story.tale.entries if entry.key is not None}
    sent: dict[str, Command] = dict(asked or {})
    for index, step in enumerate(story.steps):
        if not step.refused:
            body = step.body | ({NUMBERS[step.name]: numbers[story.key(step.of)]} if step.of is not None else {})
            sent[story.key(index)] = as_sent(GRANT, COMMANDS[step.name].model_validate(body), story.key(index))
    start = GRANT.opening(OpenComplaint.model_validate(story.opening))
    return step_by_step(entries, start, story.tale.law, sent)


def test_a_complaint_under_the_wrong_version_is_found() -> None:
    """Received before the second version was in force and judged by it, or the other way round (rule 126)."""
    for known, other in ((laws(BEGAN), LAWS), (LAWS, laws(BEGAN))):
        story = Writer(1, known, GRANT).write(0, BEGAN)
        assert story.tale is not None
        start = GRANT.opening(OpenComplaint.model_validate(story.opening))
        opened = [entry for entry in story.tale.entries if entry.recorded_at == BEGAN]
        assert step_by_step(opened, start, known.of(start), {}) is None
        assert step_by_step(opened, start, other.of(start), {}) is not None


def renumbered(entries: Sequence[Entry]) -> list[Entry]:
    """The entries as a ledger without a gap."""
    return [entry.model_copy(update={"seq": seq}) for seq, entry in enumerate(entries, 1)]


def rungs(entries: Sequence[Entry]) -> list[int]:
    """Where rungs stand that told somebody."""
    return [at for at, entry in enumerate(entries) if entry.type == "rung_reached" and entry.notices]


@pytest.fixture(scope="module")
def missed() -> tuple[Story, list[Entry]]:
    """A story with several rungs."""
    return told(lambda _, entries: len(rungs(entries)) > 4)


def test_a_ledger_as_it_should_be_is_no_finding() -> None:
    """Forty stories of every kind, played without faults: no judge finds anything."""
    writer = Writer(7, LAWS, GRANT)
    for number in range(40):
        story = writer.write(number, BEGAN)
        for one in (story, story.twin):
            if one is not None and one.tale is not None and story.tale is not None:
                entries = one.tale.entries
                assert wrong(one, entries, asked(story.tale.entries, story.tale.law)) is None
                assert differences(entries, entries) == changed(entries, entries) == []


def test_a_story_is_the_same_whenever_it_is_played() -> None:
    """Seed and number decide it: seven hours later each act and each judgement comes at the same second of it."""
    for number in range(20):
        one, other = (Writer(3, LAWS, GRANT).write(number, BEGAN + timedelta(hours=h, seconds=h)) for h in (0, 7))
        if one.tale is not None and other.tale is not None:
            first, second = (
                [(e.type, e.key, e.occurred_at - began) for e in tale.entries]
                for tale, began in ((one.tale, one.began), (other.tale, other.began))
            )
            assert first == second


def test_a_lost_rung_is_found(missed: tuple[Story, list[Entry]]) -> None:
    """A rung that never came on record, though all around it stands."""
    story, entries = missed
    at = rungs(entries)[1]
    less = renumbered([*entries[:at], *entries[at + 1 :]])
    assert wrong(story, less)
    assert differences(entries, less)


def test_a_rung_out_of_order_is_found(missed: tuple[Story, list[Entry]]) -> None:
    """Two rungs that were recorded the wrong way round."""
    story, entries = missed
    one, other = rungs(entries)[:2]
    swapped = list(entries)
    swapped[one], swapped[other] = entries[other], entries[one]
    assert wrong(story, renumbered(swapped))


def test_a_rung_that_fired_twice_is_found(missed: tuple[Story, list[Entry]]) -> None:
    """The same step of a ladder a second time."""
    story, entries = missed
    at = rungs(entries)[0]
    more = renumbered([*entries[: at + 1], entries[at], *entries[at + 1 :]])
    assert wrong(story, more)
    assert differences(entries, more)


def test_a_judgement_may_be_put_off_behind_another_act_but_not_be_left_out() -> None:
    """A run that took over two acts judges after both: no finding. Where it never judges, one."""

    def place(entries: Sequence[Entry]) -> int | None:
        """Where an act that met a clock is followed by one that did nothing else."""
        for at, (act, met, after, then) in enumerate(zip(*(entries[n:] for n in range(4)), strict=False)):
            apart = not after.notices and then.recorded_at > after.recorded_at
            if act.key and met.type == "clock_met" and after.key and apart:
                return at
        return None

    story, entries = told(lambda _, e: place(e) is not None)
    at = place(entries) or 0
    act, met, after = entries[at : at + 3]
    put_off = met.model_copy(update={"recorded_at": after.recorded_at})
    assert wrong(story, renumbered([*entries[:at], act, after, put_off])) is None
    assert wrong(story, renumbered([*entries[:at], act, after]))


def test_a_changed_ledger_is_found(missed: tuple[Story, list[Entry]]) -> None:
    """Another time, another word, another recipient in any single entry."""
    story, entries = missed
    for at, entry in enumerate(entries):
        later = entry.model_copy(update={"occurred_at": entry.occurred_at + timedelta(seconds=1)})
        if not entry.data.get("occurred_at_given"):
            assert wrong(story, [*entries[:at], later, *entries[at + 1 :]]), entry.type
    at = rungs(entries)[0]
    notice = entries[at].notices[0].model_copy(update={"role": "handler.director"})
    assert wrong(story, [*entries[:at], entries[at].model_copy(update={"notices": (notice,)}), *entries[at + 1 :]])


def test_an_act_that_was_lost_is_found() -> None:
    """A command that was answered and does not stand in the ledger changes acts and outcome."""
    _, entries = told(lambda _, e: any(entry.type == "clock_met" and entry.data.get("parts") for entry in e))
    acts = [at for at, entry in enumerate(entries) if entry.key is not None]
    for at in acts:
        assert changed(entries, renumbered([*entries[:at], *entries[at + 1 :]]))
        assert differences(entries, renumbered([*entries[:at], *entries[at + 1 :]]))


def test_another_outcome_of_a_clock_is_found() -> None:
    """Met where the fault-free run misses it, by whichever entry."""
    _, entries = told(lambda _, e: any(entry.type == "clock_missed" for entry in e))
    at = next(at for at, entry in enumerate(entries) if entry.type == "clock_missed")
    met = entries[at].model_copy(update={"type": "clock_met"})
    without = [entry for entry in entries[at + 1 :] if entry.type not in ("clock_done", "miss_refuted", "clock_ended")]
    assert any("instead of" in line for line in changed(entries, renumbered([*entries[:at], met, *without])))


def test_a_clock_that_ended_and_was_missed_is_found_unless_its_end_was_heard_late() -> None:
    """Two ends of one clock are the same only where somebody may have looked between the end and its hearing."""

    def one_that_ends(_: Story, entries: list[Entry]) -> bool:
        end = next((e for e in entries if e.type == "clock_ended" and e.data["obligation"] == "resolution"), None)
        return (
            end is not None
            and not any(e.type == "clock_missed" for e in entries)
            and not crossed(entries, entries, ZERO)
        )

    _, entries = told(one_that_ends)
    at = next(at for at, e in enumerate(entries) if e.type == "clock_ended" and e.data["obligation"] == "resolution")
    missed = entries[at].model_copy(update={"type": "clock_missed"})
    other = [*entries[:at], missed, *entries[at + 1 :]]
    assert any("never done instead of" in line for line in changed(entries, other))
    after = fold(entries).clock(missed.data["clock"]).due_at + SECOND
    done = missed.model_copy(update={"type": "clock_done", "occurred_at": after})
    later = [*entries[:at], missed, done, *entries[at + 1 :]]
    assert any("late, done" in line for line in changed(entries, later))
    assert changed(entries, other, {"an act that came too late"}) == []
    last = next(n for n, entry in reversed(list(enumerate(entries))) if entry.key is not None)
    before = {"occurred_at": missed.occurred_at - SECOND, "recorded_at": missed.occurred_at + SECOND}
    for found in (other, later):
        found[last] = found[last].model_copy(update=before)
        assert not any("resolution" in line for line in changed(entries, found))


def test_an_act_is_heard_late_only_across_a_moment() -> None:
    """What is taken for the reason of a difference is one: something happens by itself between act and hearing, or
    before the act, and nobody looked at it until that was heard; an acknowledgement came before a rung that was reached
    earlier."""
    _, entries = told(lambda _, e: any(entry.key for entry in e) and bool(rungs(e)))
    act = next(entry for entry in entries if entry.key is not None)
    rung = entries[rungs(entries)[0]]
    before = act.model_copy(update={"occurred_at": rung.occurred_at - timedelta(seconds=2)})
    heard = {"recorded_at": rung.occurred_at + timedelta(seconds=1)}
    assert crossed([rung], [before.model_copy(update=heard)], timedelta())
    assert not crossed([rung], [before.model_copy(update={"recorded_at": before.occurred_at})], timedelta())
    at_once = {"occurred_at": rung.occurred_at, "recorded_at": rung.occurred_at + SECOND / 100}
    assert crossed([rung], [before.model_copy(update=at_once)], ZERO)
    heard = {"occurred_at": rung.occurred_at + SECOND, "recorded_at": rung.occurred_at + 9 * SECOND}
    after = act.model_copy(update=heard)
    assert not crossed([rung], [rung, after], ZERO)
    untold = {"recorded_at": after.recorded_at, "data": rung.data | {"passed": "over before it could be told"}}
    assert crossed([rung], [after, rung.model_copy(update=untold)], ZERO)
    assert not crossed([rung], [after, rung.model_copy(update={"recorded_at": after.recorded_at})], ZERO)
    answer = after.model_copy(update={"type": "acknowledged", "seq": rung.seq - 1})
    assert crossed([rung], [answer, rung], ZERO)
    assert not crossed([rung], [rung, answer.model_copy(update={"seq": rung.seq + 1})], ZERO)
    earlier = {"occurred_at": rung.occurred_at - SECOND, "recorded_at": rung.occurred_at - SECOND}
    assert not crossed([rung], [answer.model_copy(update=earlier), rung], ZERO)


KEY, OTHER = "small/R-1/first_response#1@due/handler.manager", "small/R-1/visit#1@due/handler.gone"
PLANNED = {KEY: "small/R-1", OTHER: "small/R-1"}
ROW = NoticeRow(KEY, "small/R-1", "handler.manager", "m1", accepted=True, undeliverable=False, acknowledged=False)
GONE_ROW = NoticeRow(OTHER, "small/R-1", GONE, "m2", accepted=False, undeliverable=True, acknowledged=False)
CLAIMS = [Claim("m1", [KEY], "p.ann", BEGAN), Claim("m2", [OTHER], "p.bob", BEGAN)]
WIRE = [Received("<m1@x>", ("a@example.com",), "1")]


def said(
    rows: Sequence[NoticeRow] = (ROW, GONE_ROW),
    claims: Sequence[Claim] = CLAIMS,
    received: Sequence[Received] = WIRE,
    recused: Sequence[Recused] = (),
) -> list[str]:
    """What the judge of mails says, without whom of."""
    return [finding.what for finding in Mails(PLANNED, rows, claims, received, "x", recused).findings()]


def test_mails_as_they_should_be_are_no_finding() -> None:
    """One notice that was accepted, one that could not be, and a copy of the same mail on the wire."""
    assert said() == []
    assert said(received=WIRE * 3) == []
    before = [Recused("small/R-1", "p.ann", BEGAN + SECOND), Recused("small/R-2", "p.ann", BEGAN - SECOND)]
    assert said(recused=before) == []
    assert Mails(PLANNED, (ROW, GONE_ROW), CLAIMS, WIRE * 3, "x").copies == 2


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (said(rows=(GONE_ROW,)), "stands in no table"),
        (said(rows=(ROW._replace(message=None, accepted=False), GONE_ROW), received=[]), "never claimed"),
        (said(rows=(ROW._replace(accepted=False), GONE_ROW)), "never sent"),
        (said(rows=(ROW._replace(accepted=False, undeliverable=True), GONE_ROW)), "became undeliverable"),
        (said(rows=(ROW, GONE_ROW._replace(accepted=True, undeliverable=False))), "became accepted"),
        (said(rows=(ROW, GONE_ROW, ROW._replace(key="small/R-1/x"))), "in no ledger"),
        (said(claims=[*CLAIMS, Claim("m3", [KEY], "p.ann", BEGAN)]), "claimed 2 times"),
        (said(recused=[Recused("small/R-1", "p.ann", BEGAN - SECOND)]), "may know nothing of it"),
        (said(received=[]), "no mail server took it"),
        (said(received=[*WIRE, Received("<m9@x>", (), "1")]), "was never claimed"),
        (said(received=[*WIRE, Received("<m1@x>", (), "2")]), "2 contents"),
    ],
)
def test_what_is_wrong_with_mails_is_found(found: list[str], what: str) -> None:
    """A lost notice, a doubled claim, another end than the story's, a copy that cannot be recognised."""
    assert any(what in line for line in found)


def test_a_notice_acknowledged_before_it_was_sent_is_not_lost() -> None:
    """Whoever answered a notice need not be mailed it any more."""
    answered = ROW._replace(message=None, accepted=False, acknowledged=True)
    assert said(rows=(answered, GONE_ROW), claims=CLAIMS[1:], received=[]) == []


def test_every_point_has_its_victims() -> None:
    """All three die at each point of a worker, the gateway at each of its own, and each of them at any moment."""
    wanted = plans(1, 3)
    assert {(plan.point, plan.victim) for plan in wanted if plan.point} == {
        *((point, victim) for point in OF_WORKER for victim in ("worker", "temporal", "postgres")),
        *((point, "gateway") for point in OF_GATEWAY),
    }
    moments = {plan.victim for plan in wanted if not plan.point}
    assert moments == {"worker", "temporal", "postgres", "gateway", "mail", "receiver"}
    assert plans(1, 3) == wanted


def test_a_storm_in_which_something_never_happened_fails() -> None:
    """A point that nobody reached, a kill that never came, a trouble of a server that never came up."""
    wanted, mail, hooks = plans(1, 1), MailServer(1), Hooks(seed=1)
    injector = Injector(1, wanted, mail, hooks)
    injector.left.clear()
    injector.reached.update(list(POINTS))
    decks = {"mail server": mail.deck, "receiver of webhooks": hooks.deck, "group robot": hooks.robots.deck}
    mail.deck.happened.update(list(TALKS))
    hooks.deck.happened.update(list(GONE_WRONG))
    hooks.robots.deck.happened.update(list(robots.GONE_WRONG))
    assert unreached(injector, decks, wanted) == []
    del injector.reached["taken"], mail.deck.happened["drips"], hooks.deck.happened["drips"]
    del hooks.robots.deck.happened["fails (502)"]
    injector.left.append(wanted[0])
    injector.failed.append("worker: nothing was recorded")
    assert len(unreached(injector, decks, wanted)) == 6


def test_every_command_is_part_of_the_stories() -> None:
    """What people may tell a complaint is told in some of four hundred stories, what complaints tell each other too."""
    writer = Writer(1, LAWS, GRANT)
    stories = [writer.write(number, BEGAN) for number in range(400)]
    told = {step.name for story in stories for one in (story, story.twin) if one is not None for step in one.steps}
    assert told == set(COMMANDS)
    twins = [story.twin.tale for story in stories if story.twin is not None]
    heard = {entry.data.get("command") for tale in twins if tale is not None for entry in tale.entries}
    assert set(BETWEEN) <= heard


def test_an_acknowledgement_that_a_run_heard_before_what_one_that_died_recorded_answers_less() -> None:
    """It lacks what the last record before it tells, and nothing else; what was on record longer it has to answer."""
    law = LAWS.first["storm-a"]
    opening = {"contract": "storm-a", "reference": "R-1", "channel": "phone", "content": "It does not work."}
    opening |= {"kind": "complaint", "category": "product", "level": "2", "received_at": BEGAN.isoformat()}
    start = GRANT.opening(OpenComplaint.model_validate(opening))
    tale = Tale(law, start, BEGAN)
    acknowledge = Acknowledge.model_validate({"by": {"role": "handler.owner"}, "key": "a-1"})
    tale.live(BEGAN + 5 * SECOND)
    fewer = decide(tale.case, law, acknowledge, BEGAN + 6 * SECOND, "a-1", "http")
    alone = len(tale.entries)
    tale.live(BEGAN + 20 * SECOND)
    # All of it in one record, by a run that died; the next one heard the acknowledgement first.
    at = tale.entries[-1].recorded_at
    dead = tick(fold(tale.entries[:alone]), law, at).entries
    ledger = [*tale.entries[:alone], *dead]
    found = [*ledger, *go_on(ledger, fewer.entries, {}, law, at + SECOND).entries]
    (answer,) = [entry for entry in found if entry.type == "acknowledged"]
    owners = {notice.key for entry in ledger for notice in entry.notices if notice.role == "handler.owner"}
    assert set(answer.data["notices"]) < owners
    assert step_by_step(found, start, law, {"a-1": acknowledge}) is None
    nothing = answer.model_copy(update={"data": answer.data | {"notices": []}})
    less = [nothing if entry is answer else entry for entry in found]
    assert step_by_step(less, start, law, {"a-1": acknowledge}) is not None


@pytest.mark.parametrize("contract", ["storm-d", "storm-c"])
def test_a_clock_whose_end_was_heard_before_its_due_was_judged_may_end_without_a_miss(contract: str) -> None:
    """Where somebody looked in between it is missed, and what is told later refutes that, at once or once it is
    confirmed."""
    law = LAWS.first[contract]
    opening = {"contract": contract, "reference": "R-1", "kind": "enquiry", "channel": "phone", "content": "Why?"}
    start = GRANT.opening(OpenComplaint.model_validate(opening | {"received_at": BEGAN.isoformat()}))
    wrote = CustomerWrites.model_validate({"text": "And?", "by": {"role": "complainant"}, "evidence": PROOF})
    due = BEGAN + 9 * SECOND
    acts: list[tuple[Command, datetime]] = [
        (wrote, BEGAN + 2 * SECOND),
        (NoReplyNeeded.model_validate({"occurred_at": due - 4 * SECOND, "text": "Words."}), due + SECOND / 2),
        (Answer.model_validate({"occurred_at": due - 2 * SECOND, "text": "Because."}), due + 4 * SECOND),
    ]

    def played(lag: timedelta) -> list[Entry]:
        tale = Tale(law, start, BEGAN)
        tale.served = lambda at: at + lag  # type: ignore[method-assign]
        for number, (act, at) in enumerate(acts):
            tale.tell(act.model_copy(update={"key": f"a-{number}"}), at)
        return tale.entries

    expected, found = played(ZERO), played(SECOND)
    kinds = [
        [entry.type for entry in entries if entry.data.get("clock") == "message_reply#1"]
        for entries in (expected, found)
    ]
    assert "miss_refuted" in kinds[0]
    assert "clock_missed" not in kinds[1]
    assert changed(expected, found) == []
