"""What a reader may see of a complaint, by the offices they hold (rules 52, 54, 111, 112)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

HANDLER, PRINCIPAL = "handler", "principal"


class Sight(NamedTuple):
    """What is shown besides times, clauses, clocks and notices, which every party to the contract may read."""

    content: bool
    """The words of the customer and of those who handle the case."""
    internal: bool
    """Entries that the handler marked as internal."""


def sight(roles: Iterable[str]) -> Sight:
    """Of somebody with these roles of the complaint's contract: the handler sees everything, the principal all but what
    is internal, a third party facts alone, since its access to words needs the consent of both parties (rule 51)."""
    parties = {role.partition(".")[0] for role in roles}
    return Sight(content=bool(parties & {HANDLER, PRINCIPAL}), internal=HANDLER in parties)
