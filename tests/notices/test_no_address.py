"""A mail server likes to repeat the address it was given; nothing but the directory and the mail itself keeps it."""

import logging

import pytest
from temporalio.exceptions import ApplicationError

from tests.support.desk import Desk, missed


@pytest.mark.parametrize("code", [450, 550])
async def test_an_address_in_a_refusal_goes_nowhere(desk: Desk, caplog: pytest.LogCaptureFixture, code: int) -> None:
    """Invariant 19: refused for now or for good, the reply names the person's id in Postgres, logs and failures."""
    caplog.set_level(logging.DEBUG)
    await desk.record(missed())
    desk.sink.refused = {"cy@example.com": f"{code} 1.1 <cy@example.com> is not taken"}
    failure = ""
    try:
        await desk.deliver("cy")
    except ApplicationError as error:
        failure = str(error)
    tables = ("ledger", "messages", "notices", "complaints", "clocks")
    rows = [row["row"] for table in tables for row in await desk.rows(f"SELECT t::text AS row FROM {table} t")]
    logged = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the mail server's own
    assert any("<cy> is not taken" in row for row in rows)
    for text in (*rows, *logged, failure):
        assert "cy@example.com" not in text
