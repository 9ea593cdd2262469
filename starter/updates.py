"""An update of a workflow, sent until it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode


async def answer(handle: WorkflowHandle[Any, Any], command: str, body: Any, id_: str) -> Any:
    """The answer, as a dictionary if it can be read. Raises what `execute_update` raises.

    Where a message comes in as a run ends, the server has the task done again and gives the updates in it back; under
    the same id each is taken once, so it is sent again.
    """
    while True:
        try:
            return await handle.execute_update(command, body, id=id_, result_type=dict)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION or "workflow task failure" not in error.message:
                raise
        await asyncio.sleep(0.05)
