"""`ombud webhook …`: who hears of what happens, backends and group robots alike (docs/webhooks.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starter.webhook_fields import (
    check_published,
    first_position,
    known_format,
    shown_origin,
    signing_secret,
    stated,
    wanted_events,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from rules.values import Actor
    from settings import Settings
    from storage.content import Vault
    from storage.webhooks import Webhook

webhook_app = typer.Typer(help="Who hears of what happens: backends and group robots.", no_args_is_help=True)

By = Annotated[str, typer.Option(envvar="USER", help="Who does it; it stands on record.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `ombud webhook list` shows it.")]


def mount(app: typer.Typer) -> None:
    app.add_typer(webhook_app, name="webhook")


@webhook_app.command("add")
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send; - reads it from standard input.")],
    contract: Annotated[str | None, typer.Option(help="Whose complaints; without it those of every contract.")] = None,
    format_: Annotated[
        str, typer.Option("--format", help="cloudevents, or a group robot: wecom, dingtalk, feishu.")
    ] = "cloudevents",
    events: Annotated[
        list[str] | None,
        typer.Option("--event", help="A type such as clock.missed; may be repeated. Without it: see docs/webhooks.md."),
    ] = None,
    secret: Annotated[
        str | None, typer.Option(help="To sign with; - reads it from standard input. Without it one is made.")
    ] = None,
    by: By = "unknown",
) -> None:
    """Subscribe an address to what is recorded from now on, and show the secret that signs, once."""
    from activities.cloudevents import fresh_secret
    from storage import webhooks

    url, secret = stated(url), stated(secret)
    format_, wanted = known_format(format_), wanted_events(format_, events or [])
    robot = format_ != "cloudevents"
    signing = signing_secret(secret, robot=robot) or ("" if robot else fresh_secret())

    async def run(db: AsyncConnection, settings: Settings, vault: Vault, who: Actor, now: datetime) -> Webhook:
        await check_published(db, contract)
        return await webhooks.subscribe(
            db,
            vault,
            contract=contract,
            format_=format_,
            events=wanted,
            origin=shown_origin(settings, url),
            url=url,
            secret=signing,
            by=who,
            at=now,
        )

    made = _run(run, by)
    print(f"Webhook {made.id} sends {', '.join(made.events)} to {made.origin}.")
    if signing and not secret:
        print(f"Its secret, shown this once: {signing}")
    print(f"Try it with: ombud webhook test {made.id}")


@webhook_app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False) -> None:
    """List the subscriptions and how far each is."""
    import json
    from dataclasses import asdict

    from rules.events import EVENTS
    from starter.cli_reading import local, table
    from starter.postgres import postgres
    from storage import feed, webhooks
    from storage.database import transaction

    async def read() -> list[tuple[Webhook, datetime | None]]:
        async with postgres() as engine, transaction(engine) as db:
            found = await webhooks.listing(db)
            return [(one, await feed.waiting_since(db, one.contract, one.position, one.events)) for one in found]

    found = asyncio.run(read())
    if as_json:
        rows = [asdict(one) | {"waiting_since": since} for one, since in found]
        print(json.dumps(rows, default=str, indent=2, ensure_ascii=False))
        return
    heads = ("id", "contract", "format", "to", "events", "state", "position", "last taken", "waiting since", "")
    table(
        "",
        heads,
        [
            (
                one.id,
                one.contract or "all",
                one.format,
                one.origin,
                "all" if set(one.events) == set(EVENTS) else ", ".join(one.events),
                one.state + (f" ({one.paused_why})" if one.paused_why else ""),
                str(one.position),
                local(one.sent_at, "UTC"),
                local(since, "UTC"),
                f"failed {one.attempts} times: {one.last_error}" if one.attempts else "",
            )
            for one, since in found
        ],
    )


@webhook_app.command("remove")
def remove(webhook: Id, by: By = "unknown") -> None:
    """End a subscription and destroy its address and secrets. Its record stays."""
    from storage import webhooks

    _run(lambda db, _, vault, who, now: webhooks.unsubscribe(db, vault, webhook, who, now), by)
    print(f"Webhook {webhook} is removed.")


@webhook_app.command("pause")
def pause(webhook: Id, by: By = "unknown") -> None:
    """Send nothing until it is resumed. What happens meanwhile waits for it."""
    from storage import webhooks

    _run(lambda db, _, vault, who, now: webhooks.pause(db, vault, webhook, "asked", who, now), by)
    print(f"Webhook {webhook} is paused.")


@webhook_app.command("resume")
def resume(webhook: Id, by: By = "unknown") -> None:
    """Go on where it was paused, or try again at once what failed."""
    from storage import webhooks

    async def run(db: AsyncConnection, _: Settings, vault: Vault, who: Actor, now: datetime) -> None:
        if (await webhooks.find(db, webhook)).state == "paused":
            await webhooks.resume(db, vault, webhook, who, now)

    _run(run, by)
    _poke(webhook)
    print(f"Webhook {webhook} goes on.")


@webhook_app.command("rotate")
def rotate(
    webhook: Id,
    secret: Annotated[str | None, typer.Option(help="The new one; - reads it from standard input.")] = None,
    hours: Annotated[int, typer.Option(min=0, help="How long the old one signs too.")] = 24,
    by: By = "unknown",
) -> None:
    """Give it a new secret. For a time calls are signed with both, so that a receiver can change over."""
    from datetime import timedelta

    from activities.cloudevents import fresh_secret
    from starter.errors import Invalid
    from storage import webhooks

    given = stated(secret)

    async def run(db: AsyncConnection, _: Settings, vault: Vault, who: Actor, now: datetime) -> str:
        found = await webhooks.find(db, webhook)
        robot = found.format != "cloudevents"
        if robot and not given:
            raise Invalid("A group robot's secret is made by its group; give it with --secret.")
        made = signing_secret(given, robot=robot) or fresh_secret()
        await webhooks.rotate(db, vault, webhook, made, now + timedelta(hours=0 if robot else hours), who, now)
        return made

    made = _run(run, by)
    print("The new secret signs from now on." if given else f"Its new secret, shown this once: {made}")


@webhook_app.command("test")
def test(webhook: Id) -> None:
    """Send one call that says only that it is a test, now, and say what became of it."""
    from activities import parcels
    from activities.caller import Caller, GoneError, NotTakenError
    from activities.guard import Guard
    from rules.contract import Language
    from starter.errors import Refused
    from storage import contracts, webhooks
    from templates.events import Announcer

    async def run(db: AsyncConnection, settings: Settings, vault: Vault, _: Actor, now: datetime) -> Webhook:
        found = await webhooks.find(db, webhook)
        sealed = await webhooks.unseal(db, vault, found, now)
        contract = (await contracts.latest(db, now)).get(found.contract or "")
        language: Language = contract.language if contract else "en"
        request = parcels.trial(found, sealed, Announcer(), language)
        try:
            await parcels.deliver(Caller(Guard(settings.webhook_allow)), found, request)
        except (NotTakenError, GoneError) as error:
            raise Refused(f"{found.origin} did not take it: {error}") from None
        return found

    print(f"{_run(run, 'unknown').origin} took it.")


@webhook_app.command("replay")
def replay(
    webhook: Id,
    first: Annotated[
        str, typer.Option("--from", metavar="POSITION|TIME", help="Of the first to send again; RFC 3339 with offset.")
    ],
    skip: Annotated[bool, typer.Option("--skip", help="Also when that leaves out what it has not had yet.")] = False,
    by: By = "unknown",
) -> None:
    """Send everything from there on again. Ids stay the same, so a receiver can drop what it had."""
    from storage import webhooks

    async def run(db: AsyncConnection, _: Settings, vault: Vault, who: Actor, now: datetime) -> int:
        await webhooks.find(db, webhook)
        position = await first_position(db, first)
        await webhooks.replay(db, vault, webhook, position, who, now, skip=skip)
        return position

    position = _run(run, by)
    _poke(webhook)
    print(f"Webhook {webhook} is sent everything from position {position} on.")


def _run(work: Callable[[AsyncConnection, Settings, Vault, Actor, datetime], Coroutine[Any, Any, Any]], by: str) -> Any:
    """One transaction with what every command here needs; what is wrong becomes an error people can act on."""
    from datetime import UTC, datetime

    from pydantic import ValidationError

    from rules.ledger import explain_invalid
    from rules.values import Actor
    from starter.errors import Invalid, NotFound, Refused
    from starter.postgres import postgres, settings_in_force
    from storage.content import MasterKeyError, Vault
    from storage.database import transaction
    from storage.webhooks import NotNowError, UnknownWebhookError

    async def run() -> Any:
        settings = settings_in_force()
        vault = Vault(settings.keyring)
        who = Actor(role="operations", person=by)
        async with postgres(settings) as engine, transaction(engine) as db:
            return await work(db, settings, vault, who, datetime.now(UTC))

    try:
        return asyncio.run(run())
    except ValidationError as error:
        raise Invalid(explain_invalid("--by", error)) from None
    except UnknownWebhookError as error:
        raise NotFound(str(error)) from None
    except (NotNowError, MasterKeyError) as error:
        raise Refused(str(error)) from None


def _poke(webhook: str) -> None:
    """Have it looked at now. Without Temporal it is looked at when the next event is recorded."""
    from activities.poke import poke_webhook
    from starter.errors import Unreachable
    from starter.postgres import settings_in_force
    from wire.client import TemporalUnreachableError, connect_temporal

    async def run() -> None:
        await poke_webhook(await connect_temporal(), settings_in_force().task_queue, webhook, at_once=True)

    try:
        asyncio.run(run())
    except TemporalUnreachableError as error:
        raise Unreachable(
            f"It stands on record, but nothing is sent while Temporal is away: {error}\n"
            f"Then say: ombud webhook resume {webhook}"
        ) from None
