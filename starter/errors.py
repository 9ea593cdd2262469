"""What can go wrong for whoever opens, commands or reads a complaint. Every message says what to do."""

from __future__ import annotations

from typing import ClassVar


class OmbudError(Exception):
    """It was not done. Without a message of its own an error says what its docstring says."""

    exit_code: ClassVar[int] = 1
    """What the command line ends with: 1 refused or invalid, 2 wrongly set up, 3 nothing that could answer."""

    def __str__(self) -> str:
        return super().__str__() or " ".join((type(self).__doc__ or "").split())


class Invalid(OmbudError):
    """The input does not fit its form; correct the named field and send it again."""


class Refused(OmbudError):
    """The complaint or its contract does not allow it now; the message says why and what is possible instead."""

    def __init__(self, message: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        """The stable name of the refusal (`rules.ledger.Refused`); nothing where it has none."""


class Conflict(OmbudError):
    """This reference was opened with other content; use a new reference, or send exactly what was sent before."""


class NotFound(OmbudError):
    """There is no such complaint; check the contract and the reference, written as contract/reference."""


class Closed(OmbudError):
    """The complaint is closed and takes nothing more; open a new one that `follows` it."""


class NoWorker(OmbudError):
    """No worker took the command in time; start one, or send it in a way that waits for a worker."""

    exit_code = 3


class Misconfigured(OmbudError):
    """A setting is missing or wrong; set it in the environment or in .env."""

    exit_code = 2


class Unreachable(OmbudError):
    """Temporal or Postgres does not answer; start it, or correct the setting that says where it is."""

    exit_code = 3
