"""Opening and telling over HTTP: once, with the proved identity, and a clear answer to what cannot be."""

from __future__ import annotations

import asyncio

from rules.commands import COMMANDS
from tests.support.front import CONTRACT, Api, problem, starting
from tests.support.wait import eventually


async def test_a_complaint_lives_over_http(api: Api) -> None:
    """Opened, answered, accepted and closed; the ledger says by whom, via what, and whose identity was proved."""
    token = await api.token(reports_for=("complainant",))
    complaint = await api.open(token, kind="enquiry", category="usage")
    await api.tell(token, complaint, "respond", text="We look.", by={"role": "handler.owner", "person": "li"})
    await api.tell(token, complaint, "answer", text="Press it.")
    await api.tell(token, complaint, "accept")
    await eventually(
        lambda: api.system.rows("SELECT 1 FROM complaints WHERE id = :id AND closed_at IS NOT NULL", id=complaint)
    )

    entries = (await api.get(f"/complaints/{complaint}/ledger", token)).json()["entries"]
    by_type = {entry["type"]: entry for entry in entries}
    proved = f"token:{token.split('_')[1]}"
    for kind in ("opened", "responded", "answered", "accepted"):
        assert (by_type[kind]["via"], by_type[kind]["authenticated_as"]) == ("http", proved)
    assert by_type["responded"]["by"] == {"role": "handler.owner", "person": "li"}
    assert by_type["accepted"]["by"]["role"] == "complainant"
    assert by_type["accepted"]["reported_by"]["role"] == "handler"
    answer = await api.post(f"/complaints/{complaint}/commands/respond", token, {"text": "More."})
    assert "was closed at" in problem(answer, 409, "closed")


async def test_opening_twice_opens_once(api: Api) -> None:
    """The same content answers 200 and the same run, also under another token; other content is a conflict."""
    token, other = await api.token(), await api.token()
    body = starting()
    first = await api.post("/complaints", token, body)
    again = await api.post("/complaints", other, body, **{"Idempotency-Key": "desk-1"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.headers["location"] == f"/v1/complaints/{CONTRACT}/{body['reference']}"
    assert (first.json()["new"], again.json()["new"]) == (True, False)
    assert first.json()["run_id"] == again.json()["run_id"]
    assert "other content" in problem(
        await api.post("/complaints", token, body | {"content": "Else."}), 409, "conflict"
    )


async def test_a_command_is_taken_once_under_its_key(api: Api) -> None:
    """The header is the key: sent again it gets the same answer, with other content or another key in the body a
    conflict."""
    token = await api.token()
    path = f"/complaints/{await api.open(token)}/commands/respond"
    key = {"Idempotency-Key": "desk-4711"}
    first, *again = await asyncio.gather(*(api.post(path, token, {"text": "We look."}, **key) for _ in range(3)))
    assert first.status_code == 200
    assert {answer.text for answer in again} == {first.text}
    assert "used for another command" in problem(await api.post(path, token, {"text": "Else."}, **key), 409)
    assert "differ" in problem(await api.post(path, token, {"text": "We look.", "key": "x"}, **key), 409, "conflict")


async def test_a_command_is_left_durably(api: Api) -> None:
    """With durable=true it is accepted with 202 and taken when a worker gets to it."""
    token = await api.token()
    complaint = await api.open(token)
    answer = await api.post(f"/complaints/{complaint}/commands/note?durable=true", token, {"text": "Called twice."})
    assert (answer.status_code, answer.json()["complaint"]) == (202, complaint)
    stream = f"complaint/{complaint}"
    await eventually(lambda: api.system.rows("SELECT 1 FROM ledger WHERE stream = :s AND type = 'noted'", s=stream))


async def test_refusals_say_what_to_do(api: Api) -> None:
    """What the contract does not allow, what does not fit a form, and what is not there."""
    token = await api.token()
    complaint = await api.open(token)
    resolve = await api.post(f"/complaints/{complaint}/commands/resolve", token, {"outcome": "upheld"})
    assert "comes after propose" in problem(resolve, 409, "refused")
    misspelt = await api.post(f"/complaints/{complaint}/commands/respond", token, {"txt": "x"})
    assert "text: is missing; txt: unknown field" in problem(misspelt, 422, "invalid")
    nowhere = await api.post(f"/complaints/{CONTRACT}/H-nowhere/commands/respond", token, {"text": "x"})
    assert "There is no complaint" in problem(nowhere, 404, "not-found")
    assert "the contract has 1, 2, 3" in problem(await api.post("/complaints", token, starting(level="9")), 409)
    assert "has no offset" in problem(
        await api.post("/complaints", token, starting(received_at="2026-11-20T10:00:00")), 422, "invalid"
    )


async def test_every_command_has_its_route(api: Api) -> None:
    """Each command of the rules is reached by its own address and judged by its own fields."""
    token = await api.token()
    for command in COMMANDS:
        answer = await api.post(f"/complaints/{CONTRACT}/H-nowhere/commands/{command}", token, {"no_such_field": 1})
        assert problem(answer, 422, "invalid").startswith(f"{command} is not valid.")
