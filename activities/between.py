"""What one complaint asks of another before anything is recorded on either side: to take over its facts, or to give
them back.
"""

from __future__ import annotations

from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities import waking
from activities.answering import answered
from activities.interface import ASK, Answer, Question, complaint_id


class Between:
    """The activity by which complaints speak with each other."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    @property
    def activities(self) -> list[Any]:
        """What a worker registers."""
        return [self.ask]

    @activity.defn(name=ASK)
    async def ask(self, question: Question) -> Answer:
        """Put the question under its key, so that asking again asks nothing new. A refusal is an answer."""
        try:
            if question.also_when_closed:
                asked = self._task_queue, question.complaint, question.command, question.body, question.key
                await waking.update(self._client, *asked)
            else:
                handle = self._client.get_workflow_handle(complaint_id(*question.complaint.split("/", 1)))
                await answered(lambda: handle.execute_update(question.command, question.body, id=question.key))
        except WorkflowUpdateFailedError as error:
            said = error.cause.message if isinstance(error.cause, ApplicationError) else str(error.cause)
            return Answer(refusal=said)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Answer(refusal=f"{question.complaint} is closed, or there is no such complaint.")
        return Answer()
