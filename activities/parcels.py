"""Makes calls of events: a backend gets each by itself, a group robot as many as one message holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from activities import cloudevents, robots
from activities.caller import Caller, Request
from rules.contract import Language
from rules.events import Event
from storage.webhooks import Sealed, Webhook
from templates.events import Announcer, Told

GAP = "\n\n"
"""Between two events in one message."""


class Outgoing(NamedTuple):
    """An event that a subscription hears of."""

    position: int
    event: Event
    told: Told


class Parcel(NamedTuple):
    """One call, and how far the subscription has come once it was taken."""

    request: Request
    through: int
    events: int


def of_robot(webhook: Webhook) -> bool:
    """Whether people read it; else a program does."""
    return webhook.format in robots.ROBOTS


def parcels(
    webhook: Webhook, sealed: Sealed, outgoing: Sequence[Outgoing], announcer: Announcer, *, most: int | None = None
) -> Iterator[Parcel]:
    """Calls in the order of the events, each made when it is asked for: a signature is dated.

    `most` is how many bytes of text one message of a robot holds.
    """
    if not of_robot(webhook):
        for position, event, _ in outgoing:
            body = cloudevents.body(event, position)
            request = cloudevents.request(sealed.url, sealed.secrets, event.id, body, datetime.now(UTC))
            yield Parcel(request, position, 1)
        return
    rest = list(outgoing)
    while rest:
        now = datetime.now(UTC)
        blocks = _fitting([announcer.block(one.told, now) for one in rest], most or robots.ROOM[webhook.format])
        taken, rest = rest[: len(blocks)], rest[len(blocks) :]
        title = announcer.title([one.told for one in taken])
        # Feishu shows the title above the message, the others only where it stands in the text.
        heading = [f"### {title}"] if len(taken) > 1 and webhook.format != "feishu" else []
        yield Parcel(_robot(webhook, sealed, title, GAP.join([*heading, *blocks])), taken[-1].position, len(taken))


async def deliver(caller: Caller, webhook: Webhook, request: Request) -> None:
    """Returns once the receiver has taken it. Raises NotTakenError, GoneError."""
    robot = of_robot(webhook)
    answer = await caller.post(request, read=robot)
    if robot:
        robots.judge(answer)


def trial(webhook: Webhook, sealed: Sealed, announcer: Announcer, language: Language) -> Request:
    """A call that says only that it is a test."""
    if of_robot(webhook):
        said = announcer.trial(language)
        return _robot(webhook, sealed, said, said)
    now = datetime.now(UTC)
    id_, body = cloudevents.trial(webhook.contract or "all", now)
    return cloudevents.request(sealed.url, sealed.secrets, id_, body, now)


def _robot(webhook: Webhook, sealed: Sealed, title: str, markdown: str) -> Request:
    secret = sealed.secrets[0] if sealed.secrets else ""
    robot: Any = webhook.format
    return robots.request(robot, sealed.url, secret, title, markdown, datetime.now(UTC))


def _fitting(blocks: Sequence[str], most: int) -> list[str]:
    """As many as one message holds, and one at least; the heading of a crowd has its room."""
    taken: list[str] = []
    size = 200
    for block in blocks:
        size += len(block.encode()) + len(GAP)
        if taken and size > most:
            break
        taken.append(block)
    return taken
