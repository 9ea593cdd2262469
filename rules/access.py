"""Who may do what: what a token grants, what its holder may claim, and what the other side never sees.

Proving that somebody holds a token is the front door's work; here it is proved already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from rules.commands import Command, OpenComplaint
from rules.ledger import Entry
from rules.values import Actor, Name, Value

Scope = Literal["open", "act", "read", "supervise", "admin"]
"""`open` complaints, `act` by commands, `read` them, read the lists of who supervises, manage tokens and read who had
access."""

Party = Literal["handler", "principal", "third_party", "complainant"]
PARTIES: tuple[str, ...] = get_args(Party)

ComplaintId = Annotated[str, StringConstraints(pattern=r"^[^/]{1,100}/[^/]{1,100}$")]
"""`contract/reference`."""


class Denied(Exception):
    """Not for the holder of this token; the message says what it lacks."""


class Grant(Value):
    """What the holder of a token may do. Of several contracts or complaints each is named; None means all."""

    token: str
    """Its id, which is no secret."""
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    roles: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Whose acts it reports, all of one party; the first stands in where a command names nobody. A person has exactly
    these roles; a system that has `handler` reports for every role of the handler's."""
    reports_for: tuple[Party, ...] = ()
    """Other parties whose words it may pass on, as the handler does for a customer who wrote to it."""
    contracts: tuple[Name, ...] | None = None
    complaints: tuple[ComplaintId, ...] | None = None
    person: Name | None = None
    """Whose token it is: an id of the directory, of a complainant the backend's own; nobody for a system."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        parties = {role.partition(".")[0] for role in self.roles}
        if len(parties) > 1 or not parties <= set(PARTIES):
            raise ValueError(f"roles must all belong to one party of {', '.join(PARTIES)}")
        if self.party in self.reports_for:
            raise ValueError(f"a token of the {self.party} need not report for it")
        if self.party == "handler":
            return self
        if "admin" in self.scopes or self.reports_for:
            raise ValueError("only a token of the handler can have the scope admin or report for others")
        if self.contracts is None:
            raise ValueError(f"a token of the {self.party} needs its contracts named (rule 111)")
        if self.party == "third_party" and self.complaints is None:
            raise ValueError("a token of a third party needs its complaints named (rule 52)")
        if self.party == "complainant" and self.person is None:
            raise ValueError("a token of a complainant needs its person: the complainant's id")
        return self

    @property
    def party(self) -> str:
        return self.roles[0].partition(".")[0]

    @property
    def confined(self) -> bool:
        """Not of the handler: what is internal stays hidden (invariant: `Command.internal`)."""
        return self.party != "handler"

    @property
    def authenticated_as(self) -> str:
        """How the ledger names the proved identity."""
        return f"token:{self.token}"

    @property
    def own(self) -> Actor:
        """Who speaks when nobody else is named."""
        return Actor(role=self.roles[0], person=self.person)

    def require(self, scope: Scope) -> None:
        """Raises Denied."""
        if scope not in self.scopes:
            raise Denied(f"This token lacks the scope {scope}; it has {', '.join(self.scopes)}.")

    def reach(self, contract: str, reference: str | None = None) -> None:
        """Raises Denied for a contract, or a complaint of it, that is not the token's."""
        if self.contracts is not None and contract not in self.contracts:
            raise Denied(f"This token is not for the contract {contract}; it is for {', '.join(self.contracts)}.")
        if self.complaints is not None and (reference is None or f"{contract}/{reference}" not in self.complaints):
            raise Denied("This token is for the complaints named in it alone.")

    @property
    def looks(self) -> bool:
        """Whether its reach hangs on the complaint itself: on who complains, and about whom."""
        return self.person is not None

    def meet(self, against: str | None, complainant: str | None) -> None:
        """Raises Denied where the holder is complained about (rule 37), or is another complainant.

        `against` are the ids of those who stay out, with blanks between them.
        """
        if self.person is not None and self.person in (against or "").split():
            raise Denied(
                f"{self.person} is complained about and may neither read this complaint nor act on it (rule 37)."
            )
        if self.party == "complainant" and self.person != complainant:
            raise Denied("This token is for the complaints of its own complainant alone.")

    def bestow(self, other: Grant) -> None:
        """Raises Denied unless this token, having the scope admin, may make or end the other one."""
        self.require("admin")
        if self.contracts is not None and not set(other.contracts or ("*",)) <= set(self.contracts):
            raise Denied(f"This token manages tokens of {', '.join(self.contracts)} alone; name those contracts.")
        if self.complaints is not None:
            raise Denied("A token for single complaints manages no other tokens.")

    def opening(self, start: OpenComplaint) -> OpenComplaint:
        """The start as this token may send it, with the proved identity. Raises Denied for a claim it may not make."""
        if start.by is None and self.party not in ("handler", "complainant"):
            # Whoever passes a complaint on (rule 16) reports it; it is the handler that takes it in.
            claimed: tuple[Actor, Actor | None] = (Actor(role="handler"), self._self(start.reported_by or self.own))
        else:
            claimed = self._claimed(start.by or self.own, start.reported_by)
        who = start.complainant
        if self.party == "complainant":
            who = who.model_copy(update={"id": who.id or self.person})
            self.meet(None, who.id)
        proved = {"via": "http", "authenticated_as": self.authenticated_as}
        return start.model_copy(update={"by": claimed[0], "reported_by": claimed[1], "complainant": who} | proved)

    def acting(self, command: Command) -> Command:
        """The command as this token may send it: whoever it leaves out filled in, with the proved identity.

        Raises Denied for a claim it has no right to.
        """
        by = command.by or self._doer(command)
        by, reporter = self._claimed(by, command.reported_by)
        if by.role.partition(".")[0] not in command.who:
            raise Denied(f"{by.role} may not {command.name}; {' or '.join(command.who)} may.")
        if (behalf := command.on_behalf_of) and not self._may_name(behalf):
            raise Denied(f"This token cannot say that something was done on behalf of {behalf.role}.")
        proved = {"via": "http", "authenticated_as": self.authenticated_as}
        return command.model_copy(update={"by": by, "reported_by": reporter} | proved)

    def _doer(self, command: Command) -> Actor:
        """Who did it, where the command does not say."""
        if self.party in command.who:
            return self.own
        passed_on = next((party for party in self.reports_for if party in command.who), None)
        if passed_on is None:
            raise Denied(f"A token of {self.roles[0]} may not {command.name}; {' or '.join(command.who)} may.")
        return Actor(role=passed_on)

    def _claimed(self, by: Actor, reporter: Actor | None) -> tuple[Actor, Actor | None]:
        """Who did it and who tells us, as far as this token may say so."""
        if self._is_own(by):
            by = self._self(by)
            return by, self._self(reporter) if reporter else None
        if by.role.partition(".")[0] in self.reports_for:
            return by, self._self(reporter or self.own)
        raise Denied(
            f"This token cannot act as {by.role}; it stands for {', '.join(self.roles)}"
            + (f" and passes on what {', '.join(self.reports_for)} said." if self.reports_for else ".")
        )

    def _is_own(self, actor: Actor) -> bool:
        below = self.person is None and any(actor.role.startswith(f"{role}.") for role in self.roles)
        return below or actor.role in self.roles

    def _self(self, actor: Actor) -> Actor:
        """The actor, who must be this token's own. Raises Denied."""
        if not self._is_own(actor):
            raise Denied(f"This token cannot speak as {actor.role}; it stands for {', '.join(self.roles)}.")
        if self.person is None:
            return actor
        if actor.person not in (None, self.person):
            raise Denied(f"This token is {self.person}'s and cannot speak as {actor.person}.")
        return Actor(role=actor.role, person=self.person)

    def _may_name(self, actor: Actor) -> bool:
        return actor.role.partition(".")[0] in (self.party, *self.reports_for)


def hidden(entries: Iterable[Entry]) -> set[int]:
    """The numbers of entries that are not for the other parties: internal ones, and what corrects those."""
    found: set[int] = set()
    for entry in entries:
        if entry.internal or entry.data.get("entry") in found:
            found.add(entry.seq)
    return found
