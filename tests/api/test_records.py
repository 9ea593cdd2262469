"""The record table over HTTP (rule 15): filtered, counted, searched, paged and streamed whole."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starter.api.front import STREAMS_AT_ONCE
from storage import records
from storage.records import Record
from tests.support.front import CONTRACT, Api, problem


async def listed(api: Api, token: str, **query: Any) -> list[dict[str, Any]]:
    """The rows of one page."""
    answer = await api.get("/records", token, **query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["records"]
    return found


async def walked(api: Api, token: str, **query: Any) -> list[str]:
    """The references of every page, one page after the other."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get("/records", token, **query, **cursor)).json()
        found += [record["reference"] for record in page["records"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


async def five(api: Api, token: str) -> list[str]:
    """Five complaints of different makes, the latest first; their references."""
    now = datetime.now(UTC)
    makes: list[dict[str, Any]] = [
        {"content": "The kettle burst.", "level": "3"},
        {"content": "The KETTLE　is late.", "category": "logistics"},
        {"kind": "enquiry", "category": "usage", "content": "How do I descale it?"},
        {"content": "She was rude.", "category": "service_attitude"},
        {"contract": "complaint-handling", "category": "product", "content": "Broken kettle."},
    ]
    found = []
    for minutes, make in enumerate(makes):
        complaint = await api.open(token, received_at=(now - timedelta(minutes=minutes)).isoformat(), **make)
        found.append(complaint.partition("/")[2])
    return found


async def test_rows_are_filtered_counted_and_searched(api: Api) -> None:
    """Each filter leaves the rows it says; counts agree; a search in content opens what the filters leave."""
    token = await api.token()
    kettle, late, usage, rude, other = await five(api, token)
    every = await listed(api, token)
    assert [record["reference"] for record in every] == [kettle, late, usage, rude, other]
    assert {record["content"] for record in every} == {None}
    assert [r["reference"] for r in await listed(api, token, contract=CONTRACT, level="3")] == [kettle]
    assert [r["reference"] for r in await listed(api, token, category="usage", kind="enquiry")] == [usage]
    assert [r["reference"] for r in await listed(api, token, responsible="handler.manager", contract=CONTRACT)] == [
        rude
    ]
    assert await listed(api, token, closed=True) == await listed(api, token, missed=True) == []
    soon = (datetime.now(UTC) + timedelta(minutes=12)).isoformat()
    assert kettle in [r["reference"] for r in await listed(api, token, due_before=soon)]
    assert await listed(api, token, received_before=(datetime.now(UTC) - timedelta(hours=1)).isoformat()) == []
    assert len(await listed(api, token, received_from=(datetime.now(UTC) - timedelta(hours=1)).isoformat())) == 5

    counts = (await api.get("/records/counts", token, by="category", contract=CONTRACT)).json()
    assert counts["complaints"] == 4
    assert {c["value"]: c["complaints"] for c in counts["counts"]} == {
        "product_quality": 1, "logistics": 1, "usage": 1, "service_attitude": 1,
    }  # fmt: skip
    for by in records.DIMENSIONS:
        assert (await api.get("/records/counts", token, by=by)).json()["complaints"] == 5

    said = await listed(api, token, contract=CONTRACT, content="kettle is", texts=True)
    assert [(record["reference"], record["content"]) for record in said] == [(late, "The KETTLE　is late.")]
    assert [r["reference"] for r in await listed(api, token, contract=CONTRACT, content="Kettle")] == [kettle, late]
    assert "need `contract`" in problem(await api.get("/records", token, content="kettle"), 422, "invalid")
    searches = await api.system.rows("SELECT contract FROM access_log WHERE reason = 'content opened'")
    assert [row["contract"] for row in searches] == [CONTRACT, CONTRACT]


async def test_pages_hold_under_inserts(api: Api) -> None:
    """Pages follow one another without gap or repetition while newer complaints come in."""
    token = await api.token()
    known = await five(api, token)
    page = (await api.get("/records", token, limit=2)).json()
    shown = [record["reference"] for record in page["records"]]
    newer = await five(api, token)
    while page["next"]:
        page = (await api.get("/records", token, limit=2, cursor=page["next"])).json()
        shown += [record["reference"] for record in page["records"]]
    assert [reference for reference in shown if reference in known] == known
    assert len(shown) == len(set(shown))
    everything = await walked(api, token, limit=3)
    assert sorted(everything) == sorted([*known, *newer])
    kettles = await listed(api, token, contract=CONTRACT, content="kettle")
    found = await walked(api, token, limit=1, contract=CONTRACT, content="kettle")
    assert found == [record["reference"] for record in kettles]
    assert len(found) == 4


async def test_the_whole_table_is_streamed(api: Api) -> None:
    """CSV and NDJSON hold every row, in the order of the pages, however the pages are cut."""
    token = await api.token()
    await five(api, token)
    wanted = await walked(api, token)
    as_csv = await api.get("/records.csv", token)
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [row["reference"] for row in rows] == wanted
    assert list(rows[0]) == [name for name in Record.model_fields if name != "content"]
    lines = [json.loads(line) for line in (await api.get("/records.ndjson", token)).text.splitlines()]
    assert [line["reference"] for line in lines] == wanted
    said = (await api.get("/records.ndjson", token, contract=CONTRACT, content="kettle", texts=True)).text
    assert [json.loads(line)["content"] for line in said.splitlines()] == ["The kettle burst.", "The KETTLE　is late."]


async def test_a_spreadsheet_runs_nothing(api: Api) -> None:
    """A cell that a spreadsheet would take for a formula is written as text."""
    token = await api.token()
    await api.open(token, content="=HYPERLINK(0)")
    said = (await api.get("/records.csv", token, contract=CONTRACT, texts=True)).text
    assert next(csv.DictReader(io.StringIO(said)))["content"] == "'=HYPERLINK(0)"


async def test_only_so_many_tables_are_on_their_way(api: Api) -> None:
    """While as many tables are streamed as may be, the next is told to wait."""
    token = await api.token()
    front = api.front
    for _ in range(STREAMS_AT_ONCE):
        await front.streams.acquire()
    answer = await api.get("/records.csv", token)
    problem(answer, 429, "too-many-requests")
    assert int(answer.headers["retry-after"]) > 0
    front.streams.release()
    assert (await api.get("/records.csv", token)).status_code == 200
