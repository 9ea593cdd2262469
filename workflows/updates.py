"""The updates of a complaint: one a command, so that the Web UI offers each with nothing but its own fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from rules.commands import BETWEEN, COMMANDS, Command
    from rules.ledger import explain_invalid
    from rules.values import Value
    from workflows.unreadable import sealed
    from workflows.waiting import until


class Taken(Value):
    """The answer to a command: where it stands in the ledger. The same key gets the same answer."""

    complaint: str
    seq: int
    event: str
    opens: str | None = None
    """The reference of a complaint that this one opened to follow it, when the customer wrote after its end."""


def parse(command: type[Command], body: Any, surplus: tuple[Any, ...]) -> Command:
    if unopened := sealed(body):
        raise ApplicationError(unopened, type="Invalid", non_retryable=True)
    if surplus or not isinstance(body, dict):
        raise ApplicationError(f"`{command.name}` takes one argument: an object.", type="Invalid", non_retryable=True)
    try:
        return command.model_validate(body)
    except ValidationError as error:
        raise ApplicationError(explain_invalid(command.name, error), type="Invalid", non_retryable=True) from None


def _update(command: type[Command]) -> Callable[..., Any]:
    """The update of one command: validated before anything is written, decided again when it is carried out."""

    @workflow.update(name=command.name, description=" ".join((command.__doc__ or "").split()))
    async def handle(self: Any, body: Any = None, *surplus: Any) -> Taken:
        at = workflow.now()
        await until(self.ready)
        taken: Taken = await self.take(command, body, surplus, at)
        return taken

    @handle.validator
    def check(self: Any, body: Any = None, *surplus: Any) -> None:
        self.check(command, body, surplus)

    return handle


class Updates:
    """Gives a workflow the update of every command. It has `ready`, `check` and `take`."""


for _command in (*COMMANDS.values(), *BETWEEN.values()):
    setattr(Updates, _command.name, _update(_command))
