"""`ombud link` and `ombud file`: a link to a page for one person, and the file of a case as a page to keep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

User = Annotated[str, typer.Option("--by", envvar="USER", help="Who does it; it stands on record.")]


def mount(app: typer.Typer) -> None:
    app.command()(link)
    app.command("file")(file_)


def link(
    page: Annotated[str, typer.Argument(metavar="case|desk|standard|principal|status|survey", help="Which page.")],
    subject: Annotated[
        str, typer.Argument(metavar="CONTRACT[/REFERENCE]", help="A case, or a contract; of a desk also '*' for all.")
    ],
    person: Annotated[
        str | None,
        typer.Option("--for", metavar="PERSON", help="An id of the directory; status and survey are the customer's."),
    ] = None,
    by: User = "unknown",
) -> None:
    """Print the link to a page, for one person. It ends by itself, and opens only while the person holds an office;
    those of status and survey are for the customer of the case, whom a backend sends them to."""
    from starter import linking
    from starter.errors import Invalid
    from starter.postgres import postgres, settings_in_force
    from storage.database import transaction

    wanted = next((name for name in linking.PAGES if name == page), None)
    of_customer = next((name for name in linking.OF_CUSTOMERS if name == page), None)
    if wanted is None and of_customer is None:
        raise Invalid(f"There is no page {page!r}; there are {', '.join((*linking.PAGES, *linking.OF_CUSTOMERS))}.")
    if wanted and not person:
        raise Invalid("Name whom the link is for: --for PERSON, an id of the directory.")
    if of_customer and person:
        raise Invalid(f"The link to {page} is for the customer of the case; leave --for out.")

    async def made() -> str:
        settings = settings_in_force()
        async with postgres(settings) as engine, transaction(engine) as db:
            if wanted and person:
                return await linking.link(db, settings, wanted, subject, person, by)
            return await linking.customer_link(db, settings, of_customer or "status", subject, by)

    print(asyncio.run(made()))


def file_(
    complaint: Annotated[str, typer.Argument(metavar="CONTRACT/REFERENCE")],
    out: Annotated[Path, typer.Option(help="Where to write it, as HTML; a browser prints it on A4.")],
    language: Annotated[str | None, typer.Option(help="en or zh-CN; the contract's own when left out.")] = None,
    party: Annotated[
        str, typer.Option("--as", metavar="PARTY", help="handler sees everything, principal nothing internal.")
    ] = "handler",
    by: User = "unknown",
) -> None:
    """Write the whole file of a case: clocks, entries, notices with their proof, evidence, words. It goes on record."""
    from starter import filed
    from starter.cli_contract import written

    written(out, asyncio.run(filed.page(complaint, language, party, by)))
