"""The examples of docs/examples run as they stand, against a server on a real port."""

from __future__ import annotations

import asyncio
import os
import shutil

import pytest

from tests.support.front import Api, listening
from tests.support.system import ROOT

EXAMPLES = ROOT / "docs" / "examples"


async def run(api: Api, *command: str) -> str:
    """What an example prints, once it has ended well."""
    token = await api.token()
    async with listening(api) as port:
        environment = os.environ | {"OMBUD_URL": f"http://127.0.0.1:{port}/v1", "OMBUD_TOKEN": token}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe, stderr=pipe)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    return out.decode()


async def test_the_shell_example_runs(api: Api) -> None:
    """curl opens, answers, waits for the clock to be met, lists, counts and streams."""
    said = await run(api, "bash", str(EXAMPLES / "complaint.sh"), "S-1")
    assert '"complaint":"maintenance-service/S-1"' in said
    assert '"event":"answered"' in said
    assert '"counts":[{"value":"answered","complaints":1,"open":1,"missed":0}]' in said
    assert said.strip().splitlines()[-1].startswith("maintenance-service,S-1,")


async def test_the_node_example_runs(api: Api) -> None:
    """fetch alone opens, answers, waits, walks the pages and streams."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: apt-get install nodejs")
    said = await run(api, node, str(EXAMPLES / "complaint.mjs"), "N-1")
    assert said.splitlines()[0] == "opened maintenance-service/N-1 new: true"
    assert "E 2.1.3 standard_answer met" in said
    assert said.splitlines()[-1] == "records: 1 paged, 1 streamed"


@pytest.mark.parametrize(
    ("program", "arguments", "reference"),
    [("java", ["Complaint.java"], "J-1"), ("go", ["run", "complaint.go"], "GO-1")],
    ids=["Java", "Go"],
)
async def test_the_compiled_examples_run(api: Api, program: str, arguments: list[str], reference: str) -> None:
    """So do those of Java and Go, where they are installed."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    *options, file = arguments
    said = await run(api, found, *options, str(EXAMPLES / file), reference)
    assert f"maintenance-service/{reference}" in said.splitlines()[0]
    assert said.strip().splitlines()[-1] == "records: 1"
