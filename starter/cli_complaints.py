"""`ombud open` and `ombud tell`: start a complaint, and report what people did to it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

JsonFile = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="All fields as one JSON object.")]
Pairs = Annotated[
    list[str] | None,
    typer.Argument(metavar="FIELD=VALUE", help="Any other field; deeper ones as by.role=handler.owner."),
]


def mount(app: typer.Typer) -> None:
    app.command("open")(open_)
    app.command()(tell)
    app.command()(schema)


def open_(
    pairs: Pairs = None,
    contract: str | None = None,
    reference: Annotated[str | None, typer.Option(help="Your own number of the complaint.")] = None,
    kind: Annotated[str | None, typer.Option(help="complaint, suggestion, request or enquiry.")] = None,
    category: str | None = None,
    level: str | None = None,
    channel: str | None = None,
    content: Annotated[str | None, typer.Option(metavar="TEXT|-", help="What the customer said.")] = None,
    received_at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="RFC 3339 with offset. Left out: now, so a repetition is new content."),
    ] = None,
    raised_at: Annotated[str | None, typer.Option(metavar="TIME", help="When the customer first spoke.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Open a complaint: from now on it runs under its contract. The same content again opens nothing twice."""
    from rules.commands import OpenComplaint
    from starter import fields

    given = {
        "contract": contract,
        "reference": reference,
        "kind": kind,
        "category": category,
        "level": level,
        "channel": channel,
        "content": fields.read_text("-") if content == "-" else content,
        "received_at": received_at,
        "raised_at": raised_at,
    }
    asked = _merged(json_file, pairs, given)
    if "received_at" not in asked:
        asked |= {"received_at": _now(), "received_how": "stamped"}
    asked.setdefault("via", "cli")
    start = fields.made(OpenComplaint, "The complaint", asked)

    async def run() -> None:
        from starter.client import Ombud

        async with Ombud.connect() as ombud:
            opened = await ombud.open(start)
        print(f"{'opened' if opened.new else 'already open'}: {opened.complaint} · workflow {opened.workflow_id}")

    asyncio.run(run())


def tell(
    complaint: Annotated[str, typer.Argument(metavar="CONTRACT/REFERENCE", help="Left out with --incident.")],
    command: Annotated[str, typer.Argument(help="respond, answer, propose, resolve … (docs/commands.md).")] = "",
    pairs: Pairs = None,
    text: Annotated[str | None, typer.Option(metavar="TEXT|-", help="The command's text.")] = None,
    by: Annotated[str | None, typer.Option(metavar="ROLE[/PERSON]", help="Who did it.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened, RFC 3339 with offset.")] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: the same key is taken once.")] = None,
    json_file: JsonFile = None,
    durable: Annotated[
        bool, typer.Option("--durable", help="Leave it there even while no worker runs; nobody answers.")
    ] = False,
    incident: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Tell every open complaint of an incident: tell --incident ID COMMAND …"),
    ] = None,
    contract: Annotated[str | None, typer.Option(help="With --incident: only complaints under it.")] = None,
    why: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --incident: why it goes to all of them.")
    ] = None,
) -> None:
    """Tell a complaint what was done; it judges its clocks by it. With --incident, tell many the same."""
    from rules.commands import COMMANDS
    from rules.commands.naming import unknown
    from starter import cli_circulars, fields
    from starter.errors import Invalid

    if incident:
        command, pairs = complaint, [*filter(None, [command]), *(pairs or ())]
    if not command:
        raise Invalid("Name the command: ombud tell CONTRACT/REFERENCE COMMAND, or ombud tell --incident ID COMMAND.")
    if command not in COMMANDS:
        raise Invalid(unknown(command))
    role, _, person = (by or "").partition("/")
    given = {
        "text": fields.read_text("-") if text == "-" else text,
        "by": {"role": role} | ({"person": person} if person else {}) if by else None,
        "occurred_at": at,
        "key": key,
    }
    asked = _merged(json_file, pairs, given)
    asked.setdefault("via", "cli")
    act = fields.made(COMMANDS[command], command, asked)
    if incident:
        if durable:
            raise Invalid("--durable is for one complaint; what goes to an incident waits for a worker anyway.")
        cli_circulars.tell_incident(incident, act, contract=contract, why=why)
        return
    if contract or why:
        raise Invalid("--contract and --why belong to --incident; a complaint is named as contract/reference.")

    async def run() -> None:
        from starter.client import Ombud

        async with Ombud.connect() as ombud:
            if durable:
                await ombud.send(complaint, act)
                print(f"left with {complaint}: {command}")
            else:
                told = await ombud.tell(complaint, act)
                more = f"; opened {told.complaint.partition('/')[0]}/{told.opens}" if told.opens else ""
                print(f"{told.complaint}: {told.event}, entry {told.seq}{more}")

    asyncio.run(run())


def schema() -> None:
    """Print the JSON Schema of everything a complaint takes (docs/wire.md)."""
    import json

    from starter.reference import wire_schema

    print(json.dumps(wire_schema(), indent=2, ensure_ascii=False))


def _merged(json_file: str | None, pairs: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Options over `field=value` pairs over JSON."""
    from starter import fields

    base = fields.read_json(json_file) if json_file else {}
    return base | fields.pairs(pairs or ()) | {name: value for name, value in options.items() if value is not None}


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()
