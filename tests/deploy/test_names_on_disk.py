"""Names planted in a running system, and looked for in every file it leaves: databases, histories, logs, mails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
from google.protobuf.json_format import MessageToJson
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client, WorkflowUpdateFailedError

from deploy.ports import LOOPBACK
from starter.client import Ombud
from storage.keys import Keyring
from tests.starter.conftest import command_line, opening
from tests.support.machine import Machine
from tests.support.wait import eventually
from tests.system.test_planted_names import FACTS, LIFE, NAME, planted
from wire.client import DATA_CONVERTER, sealing

pytestmark = pytest.mark.timeout(240)

UNSEALED = "Mr-Unsealed-of-Cobble-Square"
"""Sent by a program without the codec: it shows that the search below finds what is there."""

REFERENCE = "R-on-disk-0815"


async def test_no_file_holds_a_name(machine: Machine) -> None:
    """Invariant 19 with the codec on: after a whole life no file has the name, and ids stand where they belong.

    What a sender left in the clear stands in Temporal's database alone.
    """
    process = await machine.ready(OMBUD_PAYLOAD_CODEC="on")
    ring = Keyring.parse(machine.announced("OMBUD_MASTER_KEY"))
    address = machine.announced("TEMPORAL_ADDRESS")
    client = await Client.connect(address, data_converter=sealing(ring, seals=True))
    cli = command_line({"PATH": ""}, machine.path)
    await _life(machine, client)
    said = await cli("tell", f"maintenance-service/{REFERENCE}", "note", "--text", f"{NAME} on the phone")
    assert said.code == 0, said.err
    plain = await Client.connect(address, data_converter=DATA_CONVERTER)
    await Ombud(plain).open(opening(reference="R-unsealed", content=UNSEALED, received_at=datetime.now(UTC)))
    await _served(machine, client)
    connection = await machine.database()
    await eventually(lambda: _all_on_record(connection, client))
    await connection.close()
    assert await machine.stop(process) == 0
    files = [path for path in machine.folder.path.rglob("*") if path.is_file()]
    assert _holding(files, NAME) == []
    assert {path.name.partition("-")[0] for path in _holding(files, UNSEALED)} == {"temporal.db"}
    by_id = {path.relative_to(machine.folder.path).parts[0].partition("-")[0] for path in _holding(files, REFERENCE)}
    assert by_id >= {"temporal.db", "postgres", "mail"}


async def _life(machine: Machine, client: Client) -> None:
    """Every command that carries text, with the name in each, some of it refused."""
    received = datetime.now(UTC) - timedelta(days=4)
    texts = {"content": f"{NAME} is angry.", "remedy_sought": f"An apology to {NAME}"}
    opened = await Ombud(client).open(opening(reference=REFERENCE, received_at=received, **texts))
    handle = client.get_workflow_handle(opened.workflow_id)
    at: dict[str, int] = {}
    for name, about in FACTS:
        at[name] = (await handle.execute_update(name, planted(name, about(at))))["seq"]
    for name, body in LIFE:
        await handle.execute_update(name, planted(name, body))
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("answer", {"text": NAME, NAME: "red"})
    await handle.signal("respond", {"text": NAME, NAME: NAME})
    await handle.signal("respond", {"text": NAME, "occurred_at": NAME})
    await client.start_workflow(
        "Complaint",
        {"content": NAME, "contract": f"{NAME} says so.", NAME: NAME},
        id="complaint/maintenance-service/R-bad",
        task_queue="ombud",
    )


async def _served(machine: Machine, client: Client) -> None:
    """The Web UI has what it shows opened by the pages' server, which keeps none of it."""
    handle = client.get_workflow_handle(f"complaint/maintenance-service/{REFERENCE}")
    async for event in handle.fetch_history_events():
        started: Payloads = event.workflow_execution_started_event_attributes.input
        break
    token = machine.announced("OMBUD_CODEC_TOKEN")
    async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{machine.ports.pages}") as browser:
        opened = await browser.post(
            "/codec/decode",
            content=MessageToJson(started),
            headers={"Authorization": f"Bearer {token}", "X-Namespace": "default"},
        )
    assert opened.status_code == 200
    assert opened.json()["payloads"][0]["metadata"]["encoding"] == "anNvbi9wbGFpbg=="


async def _all_on_record(connection: asyncpg.Connection, client: Client) -> bool:
    """Whether Postgres has all that was decided, the refused signals and the bad start, and every mail has left."""
    case = await client.get_workflow_handle(f"complaint/maintenance-service/{REFERENCE}").query("state")
    counts = await connection.fetchrow(
        "SELECT (SELECT max(seq) FROM ledger WHERE stream = $1) AS entries, (SELECT count(*) FROM rejects) AS rejects, "
        "(SELECT count(*) FROM notices WHERE state IN ('planned', 'claimed')) AS waiting",
        f"complaint/maintenance-service/{REFERENCE}",
    )
    return tuple(counts) == (case["seq"], 1, 0)


def _holding(files: list[Path], name: str) -> list[Path]:
    """The files with this name in them, as it is or in hex."""
    wanted = (name.encode(), name.encode().hex().encode())
    return [path for path in files if any(each in path.read_bytes() for each in wanted)]
