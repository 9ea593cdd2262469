"""A directory whose people no other test knows: mail to a person is delivered by one workflow of the server."""

from __future__ import annotations

import uuid

from rules.directory import Directory, Member
from storage import directory
from storage.database import transaction
from tests.support.story import SMALL
from tests.support.system import System


async def everybody(system: System) -> str:
    """Put one new person behind every role of the small contract; the person's id."""
    person = f"p.{uuid.uuid4().hex[:12]}"
    who = Member(name="Somebody", email=f"{person}@example.com", language="en", zone="UTC")
    whole = Directory(people={person: who}, roles={"*": dict.fromkeys(SMALL["roles"], (person,))})
    async with transaction(system.engine) as connection:
        await directory.replace(connection, whole)
    return person
