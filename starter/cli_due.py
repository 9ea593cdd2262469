"""`ombud due`: what a contract means for a date."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rules.contract import Language
    from rules.law import InForce


def due(
    file: Annotated[Path, typer.Argument(help="A contract file, see docs/contract-file.md.")],
    received: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it is received, such as 2026-11-20T17:50:00+08:00.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="complaint unless said otherwise.")] = None,
    category: Annotated[str | None, typer.Option(help="One of the contract's.")] = None,
    level: Annotated[str | None, typer.Option(help="One of the contract's; else its category's own.")] = None,
    grade: Annotated[str | None, typer.Option(help="The customer's grade, one of the contract's.")] = None,
    language: Annotated[str | None, typer.Option(help="en or zh-CN; the contract's own when left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON array.")] = False,
    batch: Annotated[
        bool, typer.Option("--batch", help="Read one JSON object a line, write one JSON array a line, in order.")
    ] = False,
) -> None:
    """Say every clock that a complaint would have at its receipt, when it is due, and why.

    A line of --batch has received_at, and may have kind, category, level and grade; what it leaves out the options
    say. A line that cannot be answered becomes {"error": …} in its place, and the command ends with 1.
    """
    from rules.calendar import calendar_for
    from rules.law import InForce
    from starter.cli_contract import contract_language, sound

    if batch == (received is not None):
        raise typer.BadParameter("give either --received or --batch", param_hint="--received")
    contract = sound(file)
    law, words = InForce(contract, calendar_for(contract.calendar)), contract_language(language, contract)
    options = {"received_at": received, "kind": kind, "category": category, "level": level, "grade": grade}
    given = {field: value for field, value in options.items() if value is not None}
    if batch:
        raise typer.Exit(_batch(given, law, words))
    _one(given, law, words, as_json=as_json)


def _one(given: dict[str, Any], law: InForce, language: Language, *, as_json: bool) -> None:
    from rules import ledger
    from rules.preview import asked, later, outside_term, preview
    from starter import errors
    from starter.contract_view import show_dues

    try:
        question = asked(given)
        clocks = preview(question, law)
    except ledger.Refused as refused:
        raise errors.Invalid(str(refused)) from None
    if outside := outside_term(question, law):
        print(f"ombud: {outside}", file=sys.stderr)
    if as_json:
        print(json.dumps([clock.json(language, bool(outside)) for clock in clocks], indent=2, ensure_ascii=False))
    else:
        show_dues(question, clocks, later(question, law), law, language)


def _batch(defaults: dict[str, Any], law: InForce, language: Language) -> int:
    """Answers standard input line by line; 1 if a line could not be answered."""
    from rules.ledger import Refused
    from rules.preview import asked, outside_term, preview

    failed = 0
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            question = asked(defaults | _object(line))
            clocks = preview(question, law)
            outside = bool(outside_term(question, law))
            said: object = [clock.json(language, outside) for clock in clocks]
        except Refused as refused:
            said, failed = {"error": f"line {number}: {refused}"}, 1
            print(f"ombud: line {number}: {refused}", file=sys.stderr)
        print(json.dumps(said, ensure_ascii=False))
    return failed


def _object(line: bytes) -> dict[str, Any]:
    from rules.ledger import Refused

    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused(f"is not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Refused('is no JSON object; write one such as {"received_at": "2026-11-20T17:50:00+08:00"}')
    return said
