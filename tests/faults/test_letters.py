"""Circulars in the midst of a story: the judge tells the fault-free run of them, and finds those that were lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from faults.judge import CLOSED, changed, crossed, differences, step_by_step
from faults.laws import SWEPT
from faults.letters import Letter, Letters, Sweep, retold
from faults.stories import NUMBERS, Story, as_sent
from faults.sweeps import sweep
from faults.tale import Tale
from faults.writer import Writer
from rules.circular import letter
from rules.commands import COMMANDS, Command, OpenComplaint
from rules.decide import refuse
from rules.fold import fold
from rules.ledger import Entry
from tests.faults.test_judge import BEGAN, GRANT, LAWS, SECOND, renumbered

LAW = LAWS.first[SWEPT]


LETTERS: dict[str, Command] = {
    f"circular/sweep-{number}": letter(sweep(number, BEGAN), f"sweep-{number}", BEGAN) for number in (5, 4, 3)
}


def swept(*sweeps: int) -> tuple[Story, list[Entry]]:
    """A story of five steps and more whose complaint got these two circulars, one after its second step, one later."""
    writer = Writer(2, LAWS, GRANT)
    stories = (writer.write(number, BEGAN) for number in range(3, 400, 4))
    story = next(one for one in stories if not one.refused and len(one.steps) > 5 and not one.steps[-1].refused)
    tale = Tale(LAW, GRANT.opening(OpenComplaint.model_validate(story.opening)), story.began)
    numbers: dict[int | None, int] = {}
    for index, step in enumerate(story.steps):
        at = story.began + step.at
        if index in (2, 4):
            tale.tell(LETTERS[f"circular/sweep-{sweeps[0 if index == 2 else 1]}"], at - SECOND)
        if not step.refused:
            about = {NUMBERS[step.name]: numbers[step.of]} if step.of is not None else {}
            sent = as_sent(GRANT, COMMANDS[step.name].model_validate(step.body | about), story.key(index))
            numbers[index] = tale.tell(sent, at).seq
    return story, tale.entries


def commands(story: Story, found: list[Entry]) -> dict[str, Command]:
    """All that the complaint was told, by its key."""
    numbers = {entry.key: entry.seq for entry in found if entry.key is not None}
    sent = dict(LETTERS)
    for index, step in enumerate(story.steps):
        if not step.refused:
            about = {NUMBERS[step.name]: numbers[story.key(step.of)]} if step.of is not None else {}
            body = COMMANDS[step.name].model_validate(step.body | about)
            sent[story.key(index)] = as_sent(GRANT, body, story.key(index))
    return sent


def test_a_story_is_told_again_with_its_circulars() -> None:
    """It is the ledger that was found: where they came, nothing differs, and it differs from the story without them."""
    story, found = swept(5, 4)
    assert story.tale is not None
    again = retold(story, LAW, GRANT, found, LETTERS)
    assert differences(again, found) == changed(again, found) == []
    assert differences(story.tale.entries, found)
    later = [e.model_copy(update={"recorded_at": e.recorded_at + timedelta(minutes=9)}) for e in found]
    assert differences(retold(story, LAW, GRANT, later, LETTERS), later) == []
    assert retold(story, LAW, GRANT, story.tale.entries, LETTERS) == story.tale.entries


def test_a_story_is_told_again_with_what_was_said_about_its_incident() -> None:
    """A word to all customers of an incident belongs to the fault-free run where it came."""
    story, found = swept(3, 4)
    assert story.tale is not None
    assert LETTERS["circular/sweep-3"].name == "note"
    assert differences(retold(story, LAW, GRANT, found, LETTERS), found) == []
    start = GRANT.opening(OpenComplaint.model_validate(story.opening))
    assert step_by_step(found, start, LAW, commands(story, found)) is None
    assert any("circular/sweep-3" in line for line in differences(story.tale.entries, found))


def test_a_circular_that_came_while_the_last_mails_were_on_their_way_belongs_before_the_end() -> None:
    """The end is told once all is settled, so what came before it is not crowded into the time of the story."""
    story, found = swept(5, 4)
    end = next(entry for entry in found if entry.type == "withdrawn")
    assert story.steps[-1].settled
    minute = timedelta(minutes=1)
    said = LETTERS["circular/sweep-3"].model_copy(update={"occurred_at": end.occurred_at + minute / 2})
    tale = Tale(LAW, GRANT.opening(OpenComplaint.model_validate(story.opening)), story.began)
    for entry in found:
        if entry.key in commands(story, found):
            told = commands(story, found)[str(entry.key)]
            late = entry.key == end.key
            if late:
                tale.tell(said, end.recorded_at + minute / 2)
            tale.tell(told, entry.recorded_at + (minute if late else timedelta()))
    again = retold(story, LAW, GRANT, tale.entries, LETTERS | {"circular/sweep-3": said})
    assert differences(again, tale.entries) == []
    assert said.occurred_at in [entry.occurred_at for entry in again if entry.key == said.key]


def test_what_a_circular_did_not_move_is_found() -> None:
    """The clock that it re-plans is missing in the ledger."""
    story, found = swept(5, 4)
    at = next(n for n, entry in enumerate(found) if entry.type == "clock_replanned")
    less = renumbered([*found[:at], *found[at + 1 :]])
    assert differences(retold(story, LAW, GRANT, less, LETTERS), less)
    start = GRANT.opening(OpenComplaint.model_validate(story.opening))
    assert step_by_step(less, start, LAW, LETTERS)


def test_a_circular_that_came_late_is_seen_from_when_it_could_have_come() -> None:
    """A rung between its place in the story and its hearing may be judged either way."""
    _, found = swept(5, 4)
    at = next(n for n, entry in enumerate(found) if entry.key in LETTERS)
    rung = next(entry for entry in found if entry.type == "rung_reached")
    told = found[at].model_copy(update={"occurred_at": rung.occurred_at - SECOND})
    heard = {"occurred_at": rung.occurred_at + SECOND, "recorded_at": rung.occurred_at + SECOND}
    assert crossed([told, rung], [told.model_copy(update=heard)], timedelta())
    assert not crossed([told, rung], [told.model_copy(update={"recorded_at": told.occurred_at})], timedelta())


_, FOUND = swept(5, 4)
NAME = f"{SWEPT}/S"
SENT = ["sweep-5", "sweep-4"]
ENDED = [Sweep(id_, None, BEGAN + timedelta(seconds=3), BEGAN + timedelta(seconds=6)) for id_ in SENT]
TAKEN = [Letter(id_, NAME, "taken") for id_ in SENT]


def said(
    entries: list[Entry] = FOUND, sweeps: list[Sweep] = ENDED, letters: list[Letter] = TAKEN, late: int = 0
) -> list[str]:
    """What the judge says."""
    recorded = {NAME: BEGAN + timedelta(seconds=late)}
    return [finding.what for finding in Letters({NAME: entries}, recorded, SENT, sweeps, letters).findings()]


NONE = [entry for entry in FOUND if entry.key not in LETTERS]


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (said(sweeps=ENDED[:1]), "never ended"),
        (said(sweeps=[ENDED[0], ENDED[1]._replace(finished_at=None)]), "never ended"),
        (said(entries=NONE), "has taken"),
        (said(letters=TAKEN[:1]), "has None"),
        (said(letters=[TAKEN[0], TAKEN[1]._replace(outcome="refused")]), "has refused"),
        (said(entries=NONE, letters=[]), "never reached it"),
    ],
)
def test_what_is_wrong_with_circulars_is_found(found: list[str], what: str) -> None:
    """One that never ends, an answer that the ledger does not have, an open complaint that was left out."""
    assert any(what in line for line in found)


def test_a_circular_about_an_incident_goes_to_those_that_report_it() -> None:
    """Told to somebody else it is a finding; not told to somebody else it is none."""
    about = [ENDED[0]._replace(incident="OUTAGE-1"), ENDED[1]]
    assert any("does not report" in line for line in said(sweeps=about))
    one = [entry for entry in FOUND if entry.key != "circular/sweep-5"]
    assert said(entries=one, sweeps=about, letters=TAKEN[1:]) == []
    first = FOUND[0].model_copy(update={"data": FOUND[0].data | {"incident": "OUTAGE-1"}})
    assert said(entries=[first, *FOUND[1:]], sweeps=about) == []
    assert any("never reached it" in line for line in said([first, *one[1:]], about, TAKEN[1:]))


def test_circulars_as_they_should_be_are_no_finding() -> None:
    """Taken where the ledger has it; not told to whoever came on record later."""
    assert said() == []
    assert said(entries=NONE, letters=[], late=5) == []
    assert said(entries=NONE, letters=[Letter(id_, NAME, "gone") for id_ in SENT], late=5) == []


def test_a_letter_behind_a_closing_is_on_record_as_refused_and_no_difference() -> None:
    """A run that died had the closing on record, and the next one heard the letter first. Nothing else stands so."""
    story, found = swept(5, 4)
    start = GRANT.opening(OpenComplaint.model_validate(story.opening))
    case = fold(found)
    assert case.closed is not None
    late = refuse(case, "replan", CLOSED, found[-1].recorded_at + SECOND).entries
    other = refuse(case, "assign", CLOSED, found[-1].recorded_at + SECOND).entries
    assert differences(found, [*found, *late]) == []
    sent = commands(story, found)
    assert step_by_step(found, start, LAW, sent) is None
    assert step_by_step([*found, *late], start, LAW, sent) is None
    assert step_by_step([*found, *other], start, LAW, sent)
