"""What `ombud webhook` takes, looked at before anything is stored. Every mistake is an error people can act on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from settings import Settings


def stated(value: str | None) -> str:
    """What was given, or the next line of standard input: an argument can be read by everybody on the machine."""
    return sys.stdin.readline().strip() if value == "-" else value or ""


def known_format(format_: str) -> str:
    from activities.robots import ROBOTS
    from starter.errors import Invalid

    known = ("cloudevents", *ROBOTS)
    if format_ not in known:
        raise Invalid(f"--format {format_} is none of {', '.join(known)}.")
    return format_


def wanted_events(format_: str, given: list[str]) -> list[str]:
    """The types asked for. Programs want to hear all of it, people what they have to act on."""
    from rules.events import EVENTS, TO_ACT_ON
    from starter.errors import Invalid

    if unknown := [event for event in given if event not in EVENTS]:
        raise Invalid(f"--event {unknown[0]} is none of {', '.join(EVENTS)}.")
    if given:
        return [event for event in EVENTS if event in given]
    return list(EVENTS if format_ == "cloudevents" else TO_ACT_ON)


def signing_secret(given: str, *, robot: bool) -> str:
    from activities.cloudevents import check_secret
    from starter.errors import Invalid

    if given and not robot:
        try:
            check_secret(given)
        except ValueError as error:
            raise Invalid(f"--secret: {error}") from None
    return given


def shown_origin(settings: Settings, url: str) -> str:
    """What may be shown of an address, once it is clear that a webhook may go there as far as its name tells."""
    from activities.guard import ForbiddenAddressError, Guard
    from starter.errors import Invalid

    try:
        parts = Guard(settings.webhook_allow).check_url(url)
    except ForbiddenAddressError as error:
        raise Invalid(str(error)) from None
    return f"{parts.scheme}://{parts.netloc}"


async def check_published(db: AsyncConnection, contract: str | None) -> None:
    from starter.errors import Invalid
    from storage import contracts

    names = {version.contract for version in await contracts.published(db)}
    if contract is not None and contract not in names:
        raise Invalid(f"No contract {contract} is published; there is {', '.join(sorted(names)) or 'none yet'}.")


async def first_position(db: AsyncConnection, given: str) -> int:
    from pydantic import TypeAdapter, ValidationError

    from rules.ledger import explain_invalid
    from rules.values import Stated
    from starter.errors import Invalid, NotFound
    from storage import feed

    if given.isascii() and given.isdigit():
        return int(given)
    try:
        moment = TypeAdapter(Stated).validate_python(given)
    except ValidationError as error:
        raise Invalid(explain_invalid("--from", error)) from None
    await feed.head(db)
    position = await feed.since(db, moment)
    if position is None:
        raise NotFound(f"Nothing was recorded since {given}.")
    return position
