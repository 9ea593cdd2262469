"""The wire: what is written about it is what it is, and a foreign starter needs nothing else."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from jsonschema import Draft202012Validator

from deploy.temporal import binary
from rules.commands import COMMANDS, Command
from rules.contract_file import read
from starter import reference
from tests.support.system import ROOT, System
from tests.support.wait import eventually

WIRE = (ROOT / "docs" / "wire.md").read_text("utf-8")


def example() -> dict[str, Any]:
    """The start that docs/wire.md shows."""
    found = re.search(r"```json\n(.*?)```", WIRE, re.DOTALL)
    assert found
    start: dict[str, Any] = json.loads(found[1])
    return start


def test_the_pages_of_reference_are_those_of_the_code() -> None:
    """docs/commands.md, the wire schema and the OpenAPI document are what `python -m starter.reference` writes now."""
    contract = read(reference.CONTRACT.read_text("utf-8"), "x", datetime.now(UTC)).contract
    assert reference.COMMANDS_PAGE.read_text("utf-8") == reference.commands_page(contract)
    assert json.loads(reference.WIRE_SCHEMA.read_text("utf-8")) == reference.wire_schema()
    assert json.loads(reference.OPENAPI.read_text("utf-8")) == reference.openapi()


def test_every_field_of_a_command_is_explained() -> None:
    """The page names every field that all commands share."""
    page = reference.COMMANDS_PAGE.read_text("utf-8")
    assert [name for name in Command.model_fields if f"`{name}`" not in page] == []


def test_the_schema_refuses_what_a_complaint_refuses() -> None:
    """The schema is valid JSON Schema, takes the example, and refuses an unknown field and a missing one."""
    schema = reference.wire_schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    assert set(schema["properties"]) == {"Complaint", "Circular", "answer", *COMMANDS}
    assert validator.is_valid({"Complaint": example(), "respond": {"text": "We look."}})
    assert not validator.is_valid({"Complaint": example() | {"colour": "red"}})
    assert not validator.is_valid({"Complaint": {"contract": "c"}})
    assert not validator.is_valid({"respond": {}})


async def temporal(system: System, *arguments: str) -> tuple[int, str]:
    """The bare Temporal CLI against this test's server: exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        str(binary()),
        "workflow",
        *arguments,
        "--address",
        system.client.service_client.config.target_host,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_bare_temporal_cli_runs_a_complaint(system: System) -> None:
    """Started, commanded, refused and closed with the CLI's default policies, twice started and once opened."""
    asked = example() | {"reference": f"W-{uuid4().hex[:12]}", "kind": "enquiry", "category": "usage"}
    asked["received_at"] = datetime.now(UTC).isoformat()
    name = f"maintenance-service/{asked['reference']}"
    where = ("--workflow-id", f"complaint/{name}")
    start = ("start", "--type", "Complaint", "--task-queue", system.settings.task_queue, *where, "--input")
    assert (await temporal(system, *start, json.dumps(asked)))[0] == 0
    assert (await temporal(system, *start, json.dumps(asked)))[0] == 0

    execute = ("update", "execute", *where, "--name")
    code, said = await temporal(system, *execute, "respond", "--input", '{"text": "We look into it."}')
    assert (code, f"complaint:{name} event:responded" in said) == (0, True), said
    code, said = await temporal(system, *execute, "accept", "--input", "{}")
    assert (code, "accept comes after answer" in said) == (1, True), said
    code, said = await temporal(system, *execute, "respond", "--input", '{"txt": "x"}')
    assert (code, "txt: unknown field" in said) == (1, True), said
    assert (await temporal(system, "signal", *where, "--name", "answer", "--input", '{"text": "Press it."}'))[0] == 0
    code, said = await temporal(system, *execute, "accept", "--input", "{}")
    assert code == 0, said

    await eventually(lambda: system.rows("SELECT 1 FROM complaints WHERE id = :id AND stage = 'closed'", id=name))
    assert (await temporal(system, *start, json.dumps(asked)))[0] == 0
    code, said = await temporal(system, "result", *where)
    assert (code, "duplicate" in said) == (0, True), said
    assert (
        len(await system.rows("SELECT 1 FROM ledger WHERE stream = :s AND type = 'opened'", s=f"complaint/{name}")) == 1
    )
