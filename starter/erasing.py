"""Erasure as a person asks for it: the keys in Postgres first, for good, then what Temporal holds."""

from __future__ import annotations

from datetime import UTC, datetime

from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from activities.forgetting import forget_all
from activities.interface import RETENTION, Swept, retention_id
from rules.values import Actor
from starter.client import Ombud
from starter.errors import NotFound, Refused, Unreachable
from starter.temporal_errors import temporal_errors
from storage import erasure
from storage.content import Vault
from storage.erasure import KeptError, Traces
from storage.holds import NoComplaintError
from wire.labels import Label


async def erase_one(ombud: Ombud, vault: Vault, complaint: str, by: Actor, reason: str) -> str:
    """Erase one complaint and say what was done. Done again it does what was left undone.

    Raises NotFound, Refused for what must be kept, Unreachable.
    """
    now = datetime.now(UTC)
    try:
        async with ombud.reading() as connection:
            done = await erasure.erase(connection, vault, complaint, by, "request", now, reason)
            traces = await erasure.traces(connection, complaint)
    except NoComplaintError:
        raise NotFound(f"There is no complaint {complaint}; write it as contract/reference.") from None
    except KeptError as kept:
        raise Refused(str(kept)) from None
    try:
        gone = await forget_all(ombud.temporal, traces.carriers)
    except RPCError as error:
        raise Unreachable(
            f"{complaint} is erased in Postgres, but Temporal does not delete its histories: {error.message}. "
            "Run this again."
        ) from None
    if gone.left:
        raise Unreachable(
            f"{complaint} is erased in Postgres, but a history with its words is open, and no worker left it. "
            "Run this again when a worker runs."
        )
    after = ""
    if done.open:
        after = "; it is open and goes on without words"
    elif gone.running or not await _forgotten(ombud, vault, traces, by):
        after = "; a command came meanwhile, whose words go with the next sweep"
    what = "erased" if done.new else "was erased before"
    mails = f", with {done.mails} mails that quoted it" if done.mails else ""
    return f"{complaint}: {what}{mails}, {gone.runs} {'history' if gone.runs == 1 else 'histories'} deleted{after}"


async def _forgotten(ombud: Ombud, vault: Vault, gone: Traces, by: Actor) -> bool:
    async with ombud.reading() as connection:
        return await erasure.forgotten(connection, vault, gone, by, datetime.now(UTC))


async def sweep(ombud: Ombud) -> Swept:
    """Erase now what is due, or join the sweep that runs. Raises NoWorker, Unreachable."""
    with temporal_errors(ombud.task_queue, ombud.patience):
        handle = await ombud.temporal.start_workflow(
            RETENTION,
            id=retention_id(ombud.task_queue) + "/by-hand",
            task_queue=ombud.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary=Label("erase what is kept no longer"),
            result_type=Swept,
        )
        done: Swept = await handle.result()
    return done
