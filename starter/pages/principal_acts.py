"""From a form of the principal's pages to the command it stands for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from rules.commands import AnswerRequest, Command, ConfirmReport, ContestRequest, Demand, Waive
from rules.values import Evidence
from starter.pages.once import IncompleteError
from starter.pages.principal_case import CaseView
from starter.pages.principal_reader import Principal
from starter.pages.uploading import Sent

TEXT_LIMIT = 20_000
"""Characters of one text."""


@dataclass(frozen=True, slots=True)
class Act:
    """What the complaint is told, and the bytes that prove it."""

    command: Command
    proof: bytes = b""


def act_of(who: Principal, case: CaseView, form: Mapping[str, Sequence[str]], sent: Sent | None) -> Act:
    """The form as sent, complete. Raises IncompleteError."""
    given = {name: values[0].strip() for name, values in form.items() if values}
    text = given.get("text", "")
    if not text:
        raise IncompleteError("text_missing")
    if len(text) > TEXT_LIMIT:
        raise IncompleteError("text_too_long")
    try:
        match given.get("do"):
            case "answer" | "contest" as do:
                kind = AnswerRequest if do == "answer" else ContestRequest
                asked = _number(given.get("request"))
                role = next((request.role for request in case.folded.requests if request.seq == asked), None)
                return Act(kind(request=asked, text=text, **_by(who, role)))
            case "agree" | "disagree" as do:
                confirmed_by = case.contract.late_reports.confirmed_by
                report = ConfirmReport(
                    clock=given.get("clock", ""), agrees=do == "agree", text=text, **_by(who, confirmed_by)
                )
                return Act(report)
            case "demand":
                return Act(_demand(who, case, given, text))
            case "waive":
                return _waiver(who, case, given, text, sent)
    except ValidationError:
        raise IncompleteError("again") from None
    raise IncompleteError("again")


def _demand(who: Principal, case: CaseView, given: Mapping[str, str], text: str) -> Demand:
    wants = given.get("wants")
    if wants not in get_args(Demand.model_fields["wants"].annotation):
        raise IncompleteError("wants_missing")
    clock = given.get("clock") or None
    if clock is not None and clock not in case.missed:
        raise IncompleteError("clock_missing")
    return Demand(wants=wants, clock=clock, text=text, **_by(who))


def _waiver(who: Principal, case: CaseView, given: Mapping[str, str], text: str, sent: Sent | None) -> Act:
    """In writing: the signed letter as a file, or these very words under the signer's typed name."""
    clock = next((one for one in case.running if one.id == given.get("clock")), None)
    if clock is None:
        raise IncompleteError("clock_missing")
    if sent is None and " ".join(given.get("signed", "").split()).casefold() != who.reader.name.casefold():
        raise IncompleteError("signature_missing")
    about = f"{case.complaint} · {clock.id} · {clock.clause}"
    letter = f"{text}\n\n{about}\n{who.reader.name}, {who.reader.offices}\n"
    proof, media_type = (sent.data, sent.media_type) if sent else (letter.encode(), "text/plain; charset=utf-8")
    digest = hashlib.sha256(proof).hexdigest()
    kept = Evidence(id=digest, sha256=digest, media_type=media_type, source="page")
    return Act(Waive(clock=clock.id, text=text, evidence=(kept,), **_by(who)), proof)


def _by(who: Principal, role: str | None = None) -> dict[str, Any]:
    return {"by": who.acting(role), "via": "page", "authenticated_as": f"link:principal/{who.reader.id}"}


def _number(given: str | None) -> int:
    if given is None or not given.isascii() or not given.isdigit() or len(given) > 9:
        raise IncompleteError("again")
    return int(given)
