"""Whether an absence leaves a role with nobody: asked when a directory is imported, and refused unless it says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rules.directory import NONE, Directory, Fault
from rules.duty import holder, on_shift, stretches


def uncovered(directory: Directory, since: datetime | None = None) -> Iterator[Fault]:
    """Each absence during which the person would have been on duty and nobody else stands behind a role of theirs.

    Absences with `deputy: none` say so themselves, and those that are over by `since` (aware) matter no more.
    """
    for person, member in directory.people.items():
        for index, absence in enumerate(member.absences):
            span = absence.interval(member.clock)
            if span is None or absence.deputy == NONE or (since is not None and span.end <= since):
                continue
            for contract, roles in directory.roles.items():
                held = (role for role, persons in roles.items() if person in persons)
                left = [role for role in held if _left(directory, contract, role, person, span)]
                if left:
                    yield Fault(
                        ("people", person, "absences", index),
                        f"from {absence.starts} to {absence.ends} nobody else is on duty as {', '.join(left)} in "
                        f"{contract}; name a deputy, or say `deputy: none` to leave it so",
                    )


def _left(directory: Directory, contract: str, role: str, person: str, span: tuple[datetime, datetime]) -> bool:
    wanted = False
    for start, _ in stretches(directory, directory.roles[contract][role], *span):
        if isinstance(holder(directory, contract, role, start), str):
            return False
        wanted = wanted or on_shift(directory.people[person], start)
    return wanted
