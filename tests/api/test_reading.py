"""Reading one complaint over HTTP, each look on record."""

from __future__ import annotations

from typing import Any

from tests.support.front import CONTRACT, Api, problem
from tests.support.wait import eventually

SECRET = "She shouted at the customer."


async def test_everything_about_a_complaint(api: Api) -> None:
    """State, clocks, notices, ledger and texts say what happened, and each look is on record."""
    token = await api.token()
    complaint = await api.open(token, level="3", remedy_sought="A new one.")
    seq = await api.tell(token, complaint, "respond", text="We look.")
    await eventually(lambda: api.system.rows("SELECT 1 FROM notices WHERE complaint = :c", c=complaint))

    async def read(part: str = "", **query: Any) -> Any:
        answer = await api.get(f"/complaints/{complaint}{part}", token, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    state = await read()
    assert (state["id"], state["level"], state["zone"]) == (complaint, "3", "Asia/Shanghai")
    clocks = {clock["obligation"]: clock["status"] for clock in (await read("/clocks"))["clocks"]}
    assert (clocks["first_response"], clocks["closed_loop"]) == ("met", "running")
    assert {notice["role"] for notice in (await read("/notices"))["notices"]} >= {"handler.manager"}
    ledger = (await read("/ledger"))["entries"]
    assert [entry["type"] for entry in ledger if entry["seq"] in (1, seq)] == ["opened", "responded"]
    assert "We look." not in str(ledger)
    texts = (await read("/texts"))["texts"]
    assert [(text["field"], text["text"]) for text in texts] == [
        ("content", "It leaks."),
        ("remedy_sought", "A new one."),
        ("text", "We look."),
    ]
    assert [text["text"] for text in (await read("/texts", entry=seq))["texts"]] == ["We look."]
    assert await api.accesses(complaint) == [
        *("read:state", "read:clocks", "read:notices", "read:ledger"),
        *("read:texts", "read:texts"),
    ]


async def test_what_is_internal_stays_with_the_handler(api: Api) -> None:
    """The principal sees neither an internal entry nor its text, nor what corrects it; the handler sees all."""
    token = await api.token()
    complaint = await api.open(token)
    note = await api.tell(token, complaint, "note", text=SECRET, internal=True)
    by = {"role": "handler.owner", "person": "li"}
    fix = await api.tell(token, complaint, "correct", entry=note, void=True, text="Hearsay.", by=by)
    plain = await api.tell(token, complaint, "note", text="Called twice.")
    theirs = await api.token("read", roles=("principal.supervisor",), contracts=(CONTRACT,))
    for reader, sees in ((token, True), (theirs, False)):
        ledger = (await api.get(f"/complaints/{complaint}/ledger", reader)).json()["entries"]
        numbers = {entry["seq"] for entry in ledger}
        assert ({note, fix} <= numbers, plain in numbers) == (sees, True)
        said = (await api.get(f"/complaints/{complaint}/texts", reader)).text
        assert ((SECRET in said), ("Hearsay." in said), ("Called twice." in said)) == (sees, sees, True)
        one = (await api.get(f"/complaints/{complaint}/texts", reader, entry=note)).json()["texts"]
        assert bool(one) == sees
        for part in ("", "/clocks", "/notices"):
            assert SECRET not in (await api.get(f"/complaints/{complaint}{part}", reader)).text


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    """A complaint nobody opened, and an erased content, say so."""
    token = await api.token()
    assert "There is no complaint" in problem(await api.get(f"/complaints/{CONTRACT}/H-0", token), 404, "not-found")
    complaint = await api.open(token)
    await api.system.rows(
        "UPDATE content_keys SET wraps = NULL, destroyed_at = now() WHERE stream = :s RETURNING 1",
        s=f"complaint/{complaint}",
    )
    assert "was erased" in problem(await api.get(f"/complaints/{complaint}/texts", token), 410, "erased")
