"""Two complaints that become one: the judges hold both to the same story."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from faults.between import asked
from faults.judge import changed, crossed, differences
from faults.stories import Story
from faults.writer import Writer
from rules.commands import Absorb
from rules.ledger import Entry
from tests.faults.test_judge import BEGAN, GRANT, LAWS, renumbered, wrong


def pair(wanted: Callable[[list[Entry], list[Entry]], bool]) -> tuple[Story, list[Entry], list[Entry]]:
    """The first story of two that is worth looking at: that of the other complaint, and the ledgers of both."""
    writer = Writer(1, LAWS, GRANT)
    for number in range(400):
        story = writer.write(number, BEGAN)
        if story.twin is not None and story.tale is not None and story.twin.tale is not None:
            one, other = list(story.tale.entries), list(story.twin.tale.entries)
            if wanted(one, other):
                return story.twin, one, other
    raise AssertionError("no story of this seed is so")


def at_type(entries: list[Entry], kind: str) -> int | None:
    """Where the first entry of a type stands."""
    return next((at for at, entry in enumerate(entries) if entry.type == kind), None)


def test_what_one_complaint_hands_over_is_what_it_had() -> None:
    """An act that is missing in what the other one absorbed is found, and so is one of another time."""
    twin, one, other = pair(lambda _, o: any(e.type == "absorbed" and e.data.get("done") for e in o))
    law = LAWS.first[twin.opening["contract"]]
    assert wrong(twin, other, asked(one, law)) is None
    at = at_type(other, "absorbed") or 0
    done = other[at].data["done"]
    for less in ([], [done[0] | {"at": (twin.began + timedelta(seconds=1)).isoformat()}, *done[1:]]):
        other[at] = other[at].model_copy(update={"data": other[at].data | {"done": less}})
        assert wrong(twin, other, asked(one, law))


def test_a_merge_that_only_one_side_knows_is_found() -> None:
    """Absorbed without a merge on record there; merged without being absorbed here; parted on one side alone."""
    twin, one, other = pair(lambda _, o: at_type(o, "released") is not None)
    law = LAWS.first[twin.opening["contract"]]
    merged = at_type(one, "merged") or 0
    assert "nobody sent the key" in str(wrong(twin, other, asked(one[:merged], law)))
    for kind in ("absorbed", "released"):
        at = at_type(other, kind) or 0
        less = renumbered([*other[:at], *other[at + 1 :]])
        assert changed(other, less)
        assert differences(other, less)


def test_what_the_other_complaint_heard_late_is_told_by_the_story() -> None:
    """It dates what it absorbs when it hears of it: whether that was late is seen from when the other one was told, and
    from when the acts were done that it got."""
    _, _, other = pair(lambda _, o: at_type(o, "absorbed") is not None and at_type(o, "clock_missed") is not None)
    at = at_type(other, "absorbed") or 0
    zero, rung = timedelta(), next(e for e in other if e.type == "clock_missed")
    told = other[at].model_copy(update={"occurred_at": rung.occurred_at - timedelta(seconds=2)})
    heard = rung.occurred_at + timedelta(seconds=1)
    late = told.model_copy(update={"occurred_at": heard, "recorded_at": heard})
    assert crossed([told, rung], [late], zero)
    soon = told.model_copy(update={"recorded_at": told.occurred_at, "data": told.data | {"done": []}})
    assert not crossed([told, rung], [soon], zero)
    acts = [{"at": (rung.occurred_at - timedelta(seconds=9)).isoformat(), "names": ["respond"], "proved": False}]
    behind = {"occurred_at": heard, "recorded_at": heard, "data": told.data | {"done": acts}}
    assert crossed([rung], [told.model_copy(update=behind)], zero)
    assert not differences([told], [late])


def test_what_was_decided_again_may_be_learned_later_there_and_not_earlier() -> None:
    """A run that died had an act on record; the next one decides it again, and asks before it sees that."""
    twin, one, other = pair(lambda _, o: any(e.type == "absorbed" and e.data.get("done") for e in o))
    law = LAWS.first[twin.opening["contract"]]
    at = at_type(other, "absorbed") or 0
    entry = other[at]
    key = str(entry.key)
    moved = {}
    for seconds in (-1, 0, 1):
        done = [dict(act) for act in entry.data["done"]]
        learned = datetime.fromisoformat(done[-1]["recorded_at"]) + timedelta(seconds=seconds)
        done[-1]["recorded_at"] = learned.isoformat()
        late = entry.recorded_at + timedelta(minutes=1)
        heard = entry.model_copy(update={"recorded_at": late, "data": entry.data | {"done": done}})
        sent = asked(one, law, [heard])[key]
        assert isinstance(sent, Absorb)
        moved[seconds] = sent.done[-1].recorded_at == learned
    assert moved == {-1: False, 0: True, 1: True}
    assert asked(one, law, [entry.model_copy(update={"data": {}})]) == asked(one, law)


def test_in_a_story_of_two_nothing_is_told_at_the_instant_of_something_else() -> None:
    """The players tell it in the order of the times: a merge at the instant of an act could come before it."""
    writer = Writer(5, LAWS, GRANT)
    pairs = [(story, story.twin) for number in range(400) if (story := writer.write(number, BEGAN)).twin is not None]
    for pair_ in pairs:
        times = [step.at for story in pair_ for step in story.steps if not step.settled]
        assert len(times) == len(set(times))
    assert len(pairs) > 20
