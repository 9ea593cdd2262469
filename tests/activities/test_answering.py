"""An update that the server gives back is sent again, whichever way it was sent."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities import answering, waking
from activities.answering import answered

GIVEN_BACK = "Unable to perform workflow execution update due to unexpected workflow task failure."


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two tries."""
    monkeypatch.setattr(answering, "AGAIN", 0)


class Server:
    """Gives an update back so many times before it answers; keeps what it was asked."""

    def __init__(self, times: int, message: str = GIVEN_BACK) -> None:
        self.times = times
        self.message = message
        self.asked: list[Any] = []

    async def answer(self, *_: Any, **options: Any) -> dict[str, Any]:
        self.asked.append(options)
        if len(self.asked) <= self.times:
            raise RPCError(self.message, RPCStatusCode.FAILED_PRECONDITION, b"")
        return {"seq": 7}


async def test_an_update_that_is_given_back_is_sent_again() -> None:
    """A run that ends in the same moment does not turn somebody away whose act it would have taken."""
    server = Server(2)
    assert await answered(server.answer) == {"seq": 7}
    assert len(server.asked) == 3


async def test_whatever_else_is_wrong_is_said() -> None:
    """A complaint that is not there, or a server that is gone, is no reason to ask for ever."""
    server = Server(1, "workflow not found")
    with pytest.raises(RPCError, match="not found"):
        await answered(server.answer)
    assert len(server.asked) == 1


async def test_a_complaint_that_is_woken_is_asked_again_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A survey answered in the moment in which the woken complaint ends again: the same id, and each time a start of
    its own."""
    server = Server(1)
    client = Client.__new__(Client)
    monkeypatch.setattr(client, "execute_update_with_start_workflow", server.answer, raising=False)
    told = await waking.update(client, "queue", "small/R-1", "answer_survey", {}, "key-1")
    assert told == {"seq": 7}
    first, second = server.asked
    assert first["id"] == second["id"] == "key-1"
    assert first["start_workflow_operation"] is not second["start_workflow_operation"]
