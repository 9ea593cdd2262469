"""`ombud token …` and `ombud access`: who may come in over HTTP, and who did. Needs the database, and no token."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from starter.granting import By, Made
    from storage.access_log import Access
    from storage.tokens import Stored

token_app = typer.Typer(help="Who may come in over HTTP.", no_args_is_help=True)

Several = list[str] | None
T = TypeVar("T")


def mount(app: typer.Typer) -> None:
    app.add_typer(token_app, name="token")
    app.command("access")(access)


@token_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for: a system, or a person.")],
    scope: Annotated[list[str], typer.Option(help="open, act, read, supervise or admin; several times for several.")],
    role: Annotated[list[str], typer.Option(help="Whose acts it reports: a role, or a party for all of its roles.")],
    reports_for: Annotated[
        Several, typer.Option(metavar="PARTY", help="Whose words it may pass on too, such as complainant.")
    ] = None,
    contract: Annotated[Several, typer.Option(help="Only this contract; several times for several.")] = None,
    complaint: Annotated[Several, typer.Option(metavar="CONTRACT/REF", help="Only this complaint.")] = None,
    person: Annotated[str | None, typer.Option(help="Whose it is, an id of the directory.")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lives.")] = 90,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there, for your eyes alone, and do not print it.")
    ] = None,
) -> None:
    """Make a token. It is shown this once; Ombud keeps only its hash."""
    from starter import fields, granting

    given = {
        "name": name,
        "scopes": scope,
        "roles": role,
        "reports_for": reports_for or [],
        "contracts": contract or None,
        "complaints": complaint or None,
        "person": person,
        "days": days,
    }
    wanted = fields.made(granting.TokenWanted, "The token", given)
    _show(_run(lambda connection, by: granting.create(connection, wanted, by)), out)


@token_app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False) -> None:
    """List every token, without its secret."""
    import json
    from datetime import UTC, datetime

    from starter.cli_reading import local, table
    from storage import tokens

    async def read(connection: AsyncConnection, _: By) -> list[tuple[Stored, datetime | None]]:
        return await tokens.every(connection)

    found, now = _run(read), datetime.now(UTC)
    if as_json:
        rows = [
            stored.grant.model_dump(mode="json")
            | {"name": stored.name, "standing": stored.standing(now), "expires_at": stored.expires_at, "seen_at": seen}
            for stored, seen in found
        ]
        print(json.dumps(rows, default=str, indent=2, ensure_ascii=False))
        return
    shown = [
        (
            stored.grant.token,
            stored.name,
            stored.standing(now),
            " ".join(stored.grant.scopes),
            " ".join(stored.grant.roles) + "".join(f" (+{party})" for party in stored.grant.reports_for),
            stored.grant.person or "",
            " ".join(stored.grant.complaints or stored.grant.contracts or ("all",)),
            local(stored.expires_at, "UTC"),
            local(seen, "UTC"),
        )
        for stored, seen in found
    ]
    table("", ("token", "name", "", "scopes", "as", "person", "for", "expires", "last seen"), shown)


@token_app.command("rotate")
def rotate(
    token: Annotated[str, typer.Argument(metavar="ID")],
    grace: Annotated[int, typer.Option(min=0, max=168, help="Hours that the old secret stays good.")] = 24,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there, for your eyes alone, and do not print it.")
    ] = None,
) -> None:
    """Give a token a new secret. The old one stays good for a while, so that its holder can change over."""
    from starter import granting

    _show(_run(lambda connection, by: granting.rotate(connection, token, grace, by)), out)


@token_app.command("revoke")
def revoke(token: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """End a token at once and for good."""
    from starter import granting

    done = _run(lambda connection, by: granting.revoke(connection, token, by))
    print(f"{token} is revoked." if done else f"{token} was revoked before.")


def access(
    token: Annotated[str | None, typer.Option(metavar="ID", help="Only what was done under it.")] = None,
    contract: str | None = None,
    complaint: Annotated[str | None, typer.Option(metavar="CONTRACT/REF")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="RFC 3339 with offset.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON, times in UTC.")] = False,
) -> None:
    """List who had access to complaints over HTTP and who was refused, the latest first."""
    import json
    from dataclasses import asdict

    from pydantic import TypeAdapter, ValidationError

    from rules.ledger import explain_invalid
    from rules.values import Stated
    from starter.cli_reading import local, table
    from starter.errors import Invalid
    from storage import access_log

    try:
        from_ = TypeAdapter(Stated).validate_python(since) if since else None
    except ValidationError as error:
        raise Invalid(explain_invalid("--since", error)) from None

    async def read(connection: AsyncConnection, _: By) -> list[tuple[int, Access]]:
        return await access_log.listed(
            connection, token=token, contract=contract, complaint=complaint, refused=refused, since=from_
        )

    found = [seen for _, seen in _run(read)]
    if as_json:
        print("[" + ",\n".join(json.dumps(asdict(seen), default=str, ensure_ascii=False) for seen in found) + "]")
        return
    rows = [
        (
            local(seen.at, "UTC"),
            "/".join(filter(None, (seen.token or "nobody", seen.person))) if seen.via == "http" else seen.person or "",
            f"{seen.via} {seen.address or ''}".strip(),
            seen.action,
            seen.complaint or seen.contract or "",
            "allowed" if seen.allowed else "refused",
            seen.reason or "",
        )
        for seen in found
    ]
    table("", ("at", "who", "via", "action", "about", "", "why"), rows)
    print(f"{len(found)} on record")


def _run(work: Callable[[AsyncConnection, By], Awaitable[T]]) -> T:
    """Do it in one transaction, in the name of whoever sits at this machine."""
    from datetime import UTC, datetime

    from starter.granting import By
    from starter.postgres import postgres
    from storage.access_log import Access
    from storage.database import transaction

    user = getpass.getuser()

    def record(action: str, said: str) -> Access:
        return Access(datetime.now(UTC), "cli", action, allowed=True, person=user, reason=said)

    async def run() -> T:
        by = By(f"cli:{user}", record, lambda _: None)
        async with postgres() as engine, transaction(engine) as connection:
            return await work(connection, by)

    return asyncio.run(run())


def _show(made: Made, out: Path | None) -> None:
    import os

    from starter.errors import Invalid

    expires = f", until {made.expires_at:%Y-%m-%d %H:%M} UTC" if made.expires_at else ""
    if out is None:
        print(made.token)
        typer.echo(f"Token {made.id}{expires}. It is shown this once.", err=True)
        return
    draft = out.with_name(out.name + ".new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made.token + "\n")
        draft.replace(out)
    except OSError as error:
        raise Invalid(
            f"Cannot write {out}: {error.strerror}. The token was made; give it a new secret where it can be written: "
            f"ombud token rotate {made.id} --out FILE"
        ) from None
    print(f"Token {made.id}{expires}, in {out}.")
