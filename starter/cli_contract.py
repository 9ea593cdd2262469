"""`ombud contract …` and `ombud due`: what contract owners ask before and after a contract is in force."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from starter import cli_due

if TYPE_CHECKING:
    from rules.contract import Contract, Language
    from rules.contract_file import Loaded

contract_app = typer.Typer(help="Check, show and publish contract files.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A contract file, see docs/contract-file.md.")]


def mount(app: typer.Typer) -> None:
    app.add_typer(contract_app, name="contract")
    app.command()(cli_due.due)


def load(file: Path) -> Loaded:
    """The contract in this file, judged today. Raises BadContract, and Invalid for a file that cannot be read."""
    from rules.contract_file import read
    from starter.errors import Invalid

    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Invalid(f"{file} is not UTF-8 text.") from None
    return read(text, str(file), datetime.now(UTC))


def sound(file: Path) -> Contract:
    """The contract in this file. Raises Invalid, with every error, for one that cannot be in force."""
    from rules.contract_file import BadContract
    from starter.errors import Invalid

    try:
        return load(file).contract
    except BadContract as bad:
        raise Invalid(f"{file} is no contract that can be in force.\n{bad}") from None


@contract_app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Contract files.")]) -> None:
    """Say everything wrong with contract files, by line. Ends with 1 if anything is; warnings do not count."""
    from rules.contract_file import BadContract
    from starter.errors import Invalid

    failed = False
    for file in files:
        errors: list[str] = []
        warnings: list[str] = []
        try:
            warnings = [str(warning) for warning in load(file).warnings]
        except BadContract as bad:
            errors, warnings = [str(error) for error in bad.errors], [str(warning) for warning in bad.warnings]
        except Invalid as unreadable:
            errors = [str(unreadable)]
        for error in errors:
            print(error)
        for warning in warnings:
            print(f"warning: {warning}")
        counts = f"{_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}"
        print(f"{file}: {'refused' if errors else 'ok'}; {counts}")
        failed = failed or bool(errors)
    raise typer.Exit(int(failed))


@contract_app.command()
def show(
    file: File,
    language: Annotated[str | None, typer.Option(help="en or zh-CN; the contract's own when left out.")] = None,
) -> None:
    """Show what a contract file promises: obligations, clauses, starts, dues, ladders, and who is told."""
    from starter.contract_view import show_contract

    contract = sound(file)
    show_contract(contract, contract_language(language, contract))


@contract_app.command()
def standard(
    file: File,
    out: Annotated[Path, typer.Option(help="Where to write it, as HTML; a browser prints it on A4.")],
    language: Annotated[str | None, typer.Option(help="en or zh-CN; the contract's own when left out.")] = None,
) -> None:
    """Write the service standard of a contract: what is promised, by when, by whom, and the flow chart."""
    from starter import filed

    contract = sound(file)
    written(out, filed.standard(contract, contract_language(language, contract)))


@contract_app.command()
def schema() -> None:
    """Print the JSON Schema of contract files, for editors."""
    from rules.contract_file import schema as of_the_file

    print(json.dumps(of_the_file(), indent=2, ensure_ascii=False))


@contract_app.command()
def publish(
    file: File,
    effective: Annotated[
        str, typer.Option(metavar="DATE|TIME", help="In force from then: a date in the contract's zone, or RFC 3339.")
    ],
    by: Annotated[str, typer.Option(envvar="USER", help="Who publishes it; it stands on record.")] = "unknown",
) -> None:
    """Publish a contract: an immutable version in Postgres, pinned by every complaint received from then on."""
    contract = sound(file)
    asyncio.run(_publish(contract, _effective(effective, contract), by))


async def _publish(contract: Contract, effective: datetime, by: str) -> None:
    from starter.errors import Refused
    from starter.postgres import postgres
    from storage import contracts
    from storage.database import transaction

    async with postgres() as engine, transaction(engine) as connection:
        try:
            version = await contracts.publish(connection, contract, effective, by, datetime.now(UTC))
        except contracts.AlreadyInForceError as conflict:
            raise Refused(str(conflict)) from None
    since = version.effective_from.astimezone(ZoneInfo(contract.calendar.zone))
    print(f"{contract.contract}: version {version.version[:12]} is in force from {since.isoformat()}")


def written(out: Path, text: str) -> None:
    """Write a file and say so. Raises Invalid where it cannot be written."""
    from starter.errors import Invalid

    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}.") from None
    print(f"written: {out}")


def contract_language(asked: str | None, contract: Contract) -> Language:
    """The language asked for, else the contract's own. Raises Invalid for one that nothing is written in."""
    from rules.contract import LANGUAGES
    from starter.errors import Invalid

    found = next((language for language in LANGUAGES if language == (asked or contract.language)), None)
    if found is None:
        raise Invalid(f"Unknown language {asked!r}; use {' or '.join(LANGUAGES)}.")
    return found


def _effective(text: str, contract: Contract) -> datetime:
    from starter.errors import Invalid

    try:
        if len(text) == len("2026-01-31"):
            instant = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(contract.calendar.zone))
        else:
            instant = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is neither a date such as 2026-01-31 nor a time with its offset.") from None
    if instant.tzinfo is None:
        raise Invalid(f"{text!r} has no offset; write a time such as 2026-01-31T00:00:00+08:00.")
    if not 1900 <= instant.year <= 2199:
        raise Invalid(f"{text!r} lies outside the years 1900 to 2199; look for a mistyped year.")
    return instant


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
