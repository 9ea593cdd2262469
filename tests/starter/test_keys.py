"""Master keys on the command line: made, changed while a worker runs, and asked after."""

from __future__ import annotations

from datetime import UTC, datetime

from rules.commands import Respond
from starter.client import Ombud
from storage.keys import Keyring
from tests.starter.conftest import Cli, opening
from tests.support.system import System
from tests.support.wait import eventually


async def test_a_key_changes_while_a_worker_runs(system: System, ombud: Ombud, cli: Cli) -> None:
    """The worker keeps its old settings all through it; what is needed, missing and needed no more is said."""
    old = system.settings.master_key.get_secret_value()
    before = Keyring.parse(old).current.id
    opened = await ombud.open(opening(received_at=datetime.now(UTC)))
    await eventually(lambda: system.rows("SELECT 1 FROM content_keys WHERE stream LIKE 'complaint/%'"))
    new = (await cli("keys", "new")).out.strip()
    now = Keyring.parse(new).current.id
    assert new != (await cli("keys", "new")).out.strip()

    missing = await cli("keys", "check", OMBUD_MASTER_KEY=new)
    assert (missing.code, f"{before}  NOT IN THE SETTINGS" in missing.out) == (1, True)
    refused = await cli("keys", "rotate", OMBUD_MASTER_KEY=new)
    assert refused.code == 1
    assert "content keys open under no master key of the settings" in refused.err

    both = f"{new},{old}"
    assert (await cli("keys", "check", OMBUD_MASTER_KEY=both)).code == 0
    done = await cli("keys", "rotate", OMBUD_MASTER_KEY=both)
    assert f"content keys sealed under {now}" in done.out
    assert f"No content needs master key {before} any more. It may be taken out of the settings." in done.out
    await ombud.tell(opened.complaint, Respond(text="We call you at once."))
    await eventually(lambda: system.rows("SELECT 1 FROM content WHERE field = 'text'"))

    await cli("keys", "rotate", OMBUD_MASTER_KEY=both)
    assert (await cli("keys", "check", OMBUD_MASTER_KEY=new)).code == 0
    gone = await cli("keys", "rotate", "--drop-old", OMBUD_MASTER_KEY=both)
    assert "old seals gone" in gone.out
    unreadable = await cli("keys", "check")
    assert (unreadable.code, f"{now}  NOT IN THE SETTINGS" in unreadable.out) == (1, True)
