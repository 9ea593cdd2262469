"""`ombud survey` and `ombud evidence`: what customers answered, and proofs that lie beside a complaint's words."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from storage.surveys import Figure


def mount(app: typer.Typer) -> None:
    app.command()(survey)
    app.command()(evidence)


def survey(
    contract: Annotated[str, typer.Argument(metavar="CONTRACT")],
    as_json: Annotated[bool, typer.Option("--json", help="For programs: JSON.")] = False,
) -> None:
    """Show what customers answered: by month and question the answers, the mean score, the share of dissatisfied."""
    import json
    from dataclasses import asdict

    from starter.cli_reading import table
    from starter.postgres import postgres
    from storage.database import transaction
    from storage.surveys import figures

    async def read() -> list[Figure]:
        async with postgres() as engine, transaction(engine) as connection:
            return await figures(connection, contract)

    found = asyncio.run(read())
    if as_json:
        print(json.dumps([asdict(figure) for figure in found], default=str, indent=2, ensure_ascii=False))
        return
    rows = [
        (
            figure.month,
            figure.about,
            figure.question,
            str(figure.n),
            "" if figure.mean is None else f"{figure.mean:.2f}",
            "" if figure.dissatisfied is None else f"{figure.dissatisfied:.0%}",
        )
        for figure in found
    ]
    table(f"survey of {contract}", ("month", "about", "question", "answers", "mean", "dissatisfied"), rows)
    print(f"{sum(figure.n for figure in found)} answers")


def evidence(
    complaint: Annotated[str, typer.Argument(metavar="CONTRACT/REFERENCE")],
    id_: Annotated[str, typer.Argument(metavar="ID", help="As the ledger names it: `ombud show`.")],
    out: Annotated[Path, typer.Option(help="Where to write it.")],
    by: Annotated[str, typer.Option("--by", envvar="USER", help="Who does it; it stands on record.")] = "unknown",
) -> None:
    """Write a proof that came by a page, such as a signed waiver, to a file. It goes on record."""
    from starter.errors import NotFound, Refused
    from starter.linking import accessed
    from starter.postgres import postgres, settings_in_force
    from storage import access_log
    from storage.content import ErasedError, MasterKeyError, Vault
    from storage.database import transaction
    from storage.evidence import read

    async def kept() -> bytes:
        settings = settings_in_force()
        vault = Vault(settings.keyring)
        async with postgres(settings) as engine, transaction(engine) as connection:
            try:
                found = await read(connection, vault, complaint, id_)
            except (ErasedError, MasterKeyError) as error:
                raise Refused(str(error)) from None
            if found is None:
                raise NotFound(f"{complaint} has no proof {id_} here; one that lies elsewhere is named by its source.")
            await access_log.record(connection, accessed("evidence:read", complaint, by, id_))
            return found

    data = asyncio.run(kept())
    try:
        out.write_bytes(data)
    except OSError as error:
        raise Refused(f"Cannot write {out}: {error.strerror}.") from None
    print(f"{out}: {len(data):,} bytes")
