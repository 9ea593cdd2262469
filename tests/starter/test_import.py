"""The import: good rows go in once, bad ones are named, and nobody is told about old cases."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import WorkflowExecutionStatus

from rules.history import relive
from rules.ledger import Refused
from starter.import_fields import RowError
from starter.import_map import read_map
from starter.table import opened
from storage import reading
from storage.database import transaction
from tests.starter.conftest import Cli
from tests.support.system import ROOT, System

MAP = ROOT / "contracts" / "maps" / "cfpb.yaml"
DATA = Path(os.environ.get("OMBUD_TEST_DATA", ROOT.parent / "shared" / "data")) / "complaints_us.csv.gz"
with_data = pytest.mark.skipif(
    not DATA.exists(), reason="the CFPB table is not there; OMBUD_TEST_DATA names the folder of complaints_us.csv.gz"
)

HEADER = sorted(read_map(MAP).columns())
ROW = {
    "product": "Mortgage",
    "submitted_via": "Web",
    "date_received": "2019-03-29",
    "date_sent_to_company": "2019-04-01",
    "company_response": "Closed with explanation",
    "timely_response": "Yes",
    "narrative": "They lost my payment.",
}


def write(file: Path, *rows: dict[str, str]) -> Path:
    """A gzipped CSV with these rows over the plain one."""
    with gzip.open(file, "wt", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, HEADER, restval="")
        writer.writeheader()
        writer.writerows(ROW | row for row in rows)
    return file


def counted(out: str) -> list[int]:
    """Recorded, started, there and rejected, as the summary says."""
    return [int(line.split(": ")[1].split(",")[0]) for line in out.splitlines()[1:5]]


async def test_rows_go_in_once_and_bad_ones_are_named(cli: Cli, system: System, tmp_path: Path) -> None:
    """Closed and open rows go in, two bad ones come out with line and reason; a second run changes nothing."""
    prefix = uuid4().hex[:8]
    file = write(
        tmp_path / "cases.csv.gz",
        {"complaint_id": f"{prefix}-1"},
        {"complaint_id": f"{prefix}-2", "timely_response": "No"},
        {"complaint_id": f"{prefix}-3", "company_response": "In progress"},
        {"complaint_id": f"{prefix}-4", "product": "Weather"},
        {"complaint_id": f"{prefix}-1"},
        {"complaint_id": f"{prefix}-1", "narrative": "Other words."},
    )
    arguments = ("import", str(file), "--contract", "consumer-finance", "--map", str(MAP), "--history")

    dry = await cli(*arguments, "--dry-run")
    assert dry.code == 1
    assert dry.out.startswith("6 rows")
    assert await system.rows("SELECT 1 FROM registry") == []

    first = await cli(*arguments, "--rate", "1000")
    assert (first.code, counted(first.out)) == (1, [2, 1, 1, 2])
    with (tmp_path / "cases.csv.gz.rejects.csv").open(newline="") as rejects:
        rows = list(csv.DictReader(rejects))
    assert [(row["line"], row["complaint_id"][-1]) for row in rows] == [("5", "4"), ("7", "1")]
    assert [row["reason"] for row in rows] == [
        "product: 'Weather' is not among the map's values",
        "this reference went in before with other content",
    ]
    again = await cli(*arguments)
    assert counted(again.out) == [0, 0, 4, 2]

    cases = await system.rows("SELECT id, stage, history FROM complaints WHERE closed_at IS NOT NULL ORDER BY id")
    assert [(case["id"][-1], case["stage"], case["history"]) for case in cases] == [
        ("1", "closed", True),
        ("2", "closed", True),
    ]
    assert await system.rows("SELECT 1 FROM notices") == []
    assert (await cli("rebuild")).out.startswith("No difference")
    handle = system.client.get_workflow_handle(f"complaint/consumer-finance/{prefix}-3")
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING


async def test_without_history_every_row_begins_to_run(cli: Cli, system: System, tmp_path: Path) -> None:
    """A table of new complaints starts workflows whatever its outcome columns say, and acts on none of them."""
    reference = uuid4().hex[:12]
    file = write(tmp_path / "new.csv.gz", {"complaint_id": reference})
    ended = await cli("import", str(file), "--contract", "consumer-finance", "--map", str(MAP))
    assert (ended.code, counted(ended.out)) == (0, [0, 1, 0, 0])
    described = await system.client.get_workflow_handle(f"complaint/consumer-finance/{reference}").describe()
    assert described.status == WorkflowExecutionStatus.RUNNING


async def test_what_cannot_begin_is_said_at_once(cli: Cli, tmp_path: Path) -> None:
    """A contract, column or obligation that is not there stops the import before its first row."""
    file = write(tmp_path / "a.csv.gz", {"complaint_id": "1"})
    other = tmp_path / "other.csv"
    other.write_text("id\n1\n")
    mapping = tmp_path / "other.yaml"
    mapping.write_text(MAP.read_text().replace("due of response", "due of nothing"))
    for arguments, reason in [
        ((str(file), "--contract", "demo", "--map", str(MAP)), "was written for the contract consumer-finance"),
        ((str(other), "--contract", "consumer-finance", "--map", str(MAP)), "has no column company_public_response"),
        ((str(file), "--contract", "consumer-finance", "--map", str(mapping)), "takes the due of nothing"),
        (
            (str(file), "--contract", "consumer-finance", "--map", str(MAP), "--rejects", str(file)),
            "would overwrite what is to be imported",
        ),
    ]:
        ended = await cli("import", *arguments)
        assert ended.code == 1
        assert reason in ended.err


@with_data
@pytest.mark.timeout(600)
async def test_the_public_table_goes_in_whole(system: System) -> None:
    """Of the 9,949 public complaints at most 20 are refused, each with a reason; every other is closed or open."""
    mapping = read_map(MAP)
    async with transaction(system.engine) as connection:
        laws = await reading.laws(connection, "consumer-finance")
    assert laws is not None
    became: Counter[str] = Counter()
    references = set()
    with opened(DATA) as table:
        for line in table:
            assert line.row is not None
            try:
                case = mapping.case(line.row, "consumer-finance", history=True)
                past = relive(case.start, case.acts, laws.at(case.start.received_at).law, datetime.now(UTC))
            except (RowError, Refused):
                became["refused"] += 1
                continue
            references.add(case.start.reference)
            became["closed" if past.decision.case.closed else "open"] += 1
    assert became.total() == 9949
    assert became["refused"] <= 20
    assert len(references) == became["closed"] + became["open"]
    assert became["open"] == 107


@with_data
@pytest.mark.timeout(600)
async def test_public_complaints_go_in_twice_and_stand_once(cli: Cli, system: System, tmp_path: Path) -> None:
    """Every twentieth public complaint, imported twice: all are there once, and the tables are what the ledger says."""
    sample = tmp_path / "sample.csv"
    with opened(DATA) as table, sample.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.header)
        rows = [line.fields for n, line in enumerate(table) if n % 20 == 0]
        writer.writerows([[f"{uuid4().hex[:8]}-{row[0]}", *row[1:]] for row in rows])
    arguments = ("import", str(sample), "--contract", "consumer-finance", "--map", str(MAP), "--history")
    first, second = await cli(*arguments), await cli(*arguments)
    assert (first.code, second.code) == (0, 0)
    closed, started, there, rejected = counted(first.out)
    assert (closed + started, there, rejected) == (len(rows), 0, 0)
    assert counted(second.out) == [0, 0, len(rows), 0]
    assert await system.rows("SELECT count(*) FROM complaints WHERE stage = 'closed'") == [{"count": closed}]
    assert (await cli("rebuild")).out.startswith("No difference")
