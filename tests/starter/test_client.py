"""The Python client: opens once, commands once, and says in one sentence why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from rules.commands import Accept, Answer, Note, Resolve, Respond
from starter.client import Ombud
from starter.errors import (
    Closed,
    Conflict,
    Invalid,
    NotFound,
    NoWorker,
    OmbudError,
    Refused,
    Unreachable,
)
from storage.database import create_engine
from tests.starter.conftest import opening
from tests.support.system import System
from tests.support.temporal import start_real
from tests.support.wait import eventually
from worker import worker


async def test_the_same_content_opens_once(ombud: Ombud) -> None:
    """Opened again with the same content, a complaint is found and not started again."""
    start = opening()
    first, again = await ombud.open(start), await ombud.open(start)
    assert first.new
    assert not again.new
    assert (again.complaint, again.run_id) == (first.complaint, first.run_id)


async def test_other_content_under_a_reference_is_a_conflict(ombud: Ombud) -> None:
    """A reference in use with other content is refused, with Postgres and without it."""
    start = opening()
    await ombud.open(start)
    other = start.model_copy(update={"content": "It burns."})
    for client in (ombud, Ombud(ombud.temporal, task_queue=ombud.task_queue)):
        with pytest.raises(Conflict, match="opened before with other content"):
            await client.open(other)
        assert not (await client.open(start)).new


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"contract": "nowhere"}, "Unknown contract 'nowhere'"),
        ({"category": "weather"}, "Unknown category 'weather'; the contract has product_quality, serv"),
        ({"level": "9"}, "Unknown level '9'; the contract has 1, 2, 3"),
        ({"contract": "consumer-finance", "kind": "request", "category": None}, "Unknown kind 'request'"),
        ({"received_at": datetime.now(UTC) + timedelta(minutes=30)}, "at most 2 minutes ahead"),
    ],
)
async def test_what_the_contract_does_not_know_starts_nothing(
    ombud: Ombud, fields: dict[str, object], reason: str
) -> None:
    """A bad opening is refused with what is allowed, and no workflow has begun."""
    start = opening(**fields)
    with pytest.raises(Refused, match=reason):
        await ombud.open(start)
    with pytest.raises(NotFound):
        await ombud.tell(f"{start.contract}/{start.reference}", Note(text="Is it there?"))


async def test_a_key_is_taken_once(ombud: Ombud) -> None:
    """The same key gets the same answer and one entry; with other content it is refused."""
    opened = await ombud.open(opening())
    told = [await ombud.tell(opened.complaint, Respond(text="We look."), key="desk-1") for _ in range(2)]
    assert told[0] == told[1]
    with pytest.raises(Refused, match="was used for another command"):
        await ombud.tell(opened.complaint, Respond(text="Other words."), key="desk-1")
    state = await eventually(lambda: _with(ombud, opened.complaint, "responded"))
    assert [entry.type for entry in state.entries].count("responded") == 1


async def test_without_a_key_every_command_counts(ombud: Ombud) -> None:
    """Two equal notes without keys are two notes."""
    opened = await ombud.open(opening())
    first, second = [await ombud.tell(opened.complaint, Note(text="Called, no answer.")) for _ in range(2)]
    assert first.seq < second.seq


async def test_wrong_order_is_refused_with_what_comes_first(ombud: Ombud) -> None:
    """A resolution before a proposal is refused, and the refusal says so."""
    opened = await ombud.open(opening())
    with pytest.raises(Refused, match="resolve comes after propose"):
        await ombud.tell(opened.complaint, Resolve(outcome="upheld"))
    early = Respond(text="Early.", occurred_at=datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(Refused, match="lies before the receipt"):
        await ombud.tell(opened.complaint, early)


async def test_after_closure_the_same_key_gets_the_same_answer(ombud: Ombud, system: System) -> None:
    """A closed complaint repeats its answers from the ledger, refuses anything new, and is not opened again."""
    start = opening(kind="enquiry", category="usage", level="1")
    opened = await ombud.open(start)
    answer = Answer(text="Press the red button.")
    told = await ombud.tell(opened.complaint, answer, key="a")
    await ombud.tell(opened.complaint, Accept(), key="b")
    await system.client.get_workflow_handle(opened.workflow_id).result()
    assert await ombud.tell(opened.complaint, answer, key="a") == told
    await ombud.send(opened.complaint, answer, key="a")
    with pytest.raises(Refused, match="was used for another command"):
        await ombud.tell(opened.complaint, Answer(text="The blue one."), key="a")
    for late in (ombud.tell, ombud.send):
        with pytest.raises(Closed, match=r"is closed \(accepted\).* It was closed at 20"):
            await late(opened.complaint, Respond(text="One more thing."))
    again = await ombud.open(start)
    assert (again.new, again.run_id) == (False, opened.run_id)
    with pytest.raises(Conflict):
        await ombud.open(start.model_copy(update={"content": "Something else."}))


async def test_nobody_there(ombud: Ombud) -> None:
    """An unknown complaint is named as such, and a name that is none is told apart."""
    with pytest.raises(NotFound, match="no complaint maintenance-service/nobody"):
        await ombud.tell("maintenance-service/nobody", Note(text="Hello?"))
    with pytest.raises(NotFound):
        await ombud.state("maintenance-service/nobody")
    with pytest.raises(Invalid, match="contract/reference"):
        await ombud.tell("nobody", Note(text="Hello?"))


async def test_without_a_worker_a_command_can_be_left(system: System) -> None:
    """While no worker runs, opening and `send` hold and `tell` says why not; a worker then finds both."""
    quiet = system.settings.model_copy(update={"task_queue": f"quiet-{uuid4().hex}"})
    ombud = Ombud(system.client, system.engine, task_queue=quiet.task_queue, patience=0.5)
    start = opening()
    opened = await ombud.open(start)
    assert not (await ombud.open(start)).new
    with pytest.raises(NoWorker, match="no worker seems to run"):
        await ombud.tell(opened.complaint, Respond(text="We look."), key="a")
    await ombud.send(opened.complaint, Respond(text="We look."), key="a")
    async with worker(system.client, quiet):
        state = await eventually(lambda: _with(ombud, opened.complaint, "responded"))
        patient = Ombud(system.client, system.engine, task_queue=quiet.task_queue)
        told = await patient.tell(opened.complaint, Respond(text="We look."), key="a")
    (responded,) = [entry for entry in state.entries if entry.type == "responded"]
    assert (told.seq, responded.via) == (responded.seq, "client")


async def test_without_postgres_complaints_still_run(system: System) -> None:
    """Postgres away: opening and telling work, reading says what is missing (invariant 15)."""
    away = create_engine("postgresql+asyncpg://ombud:x@127.0.0.1:1/none")
    ombud = Ombud(system.client, away, task_queue=system.settings.task_queue)
    opened = await ombud.open(opening())
    assert (await ombud.tell(opened.complaint, Respond(text="We look."))).event == "responded"
    with pytest.raises(Unreachable, match="OMBUD_DATABASE_URL"):
        await ombud.state(opened.complaint)
    with pytest.raises(Unreachable, match="made without it"):
        await Ombud(system.client).state(opened.complaint)
    await away.dispose()


async def test_a_new_namespace_takes_a_complaint_before_any_worker_came() -> None:
    """Backends may start before the first worker has registered search attributes: a start needs none."""
    async with await start_real([]) as env:
        assert (await Ombud(env.client).open(opening())).new


async def test_state_shows_the_whole_case(ombud: Ombud) -> None:
    """The state has the clocks with their dues, the ledger, and the zone in which to show times."""
    opened = await ombud.open(opening(received_at="2026-11-20T17:50:00+08:00"))
    state = await eventually(lambda: _with(ombud, opened.complaint, "clock_started"))
    assert (state.id, state.stage, state.level, state.zone) == (
        opened.complaint,
        "classified",
        "2",
        "Asia/Shanghai",
    )
    due = {clock.obligation: clock.due_at for clock in state.clocks}
    assert due["first_response"] == datetime(2026, 11, 20, 10, 5, tzinfo=UTC)


@pytest.mark.parametrize("kind", OmbudError.__subclasses__())
def test_an_error_without_words_says_its_docstring(kind: type[OmbudError]) -> None:
    """Every error says what to do even when nobody gave it a message."""
    assert str(kind()) == " ".join((kind.__doc__ or "").split())
    assert kind.exit_code in (1, 2, 3)


async def _with(ombud: Ombud, complaint: str, event: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The state once an entry of this type stands in Postgres."""
    try:
        state = await ombud.state(complaint)
    except NotFound:
        return None
    return state if any(entry.type == event for entry in state.entries) else None
