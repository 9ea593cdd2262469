"""From an entry of the ledger to what is said of it. Nothing is dropped but what stands elsewhere in the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import to_json

from rules.contract import Contract, Language
from rules.explanation import in_chinese
from rules.grammar import parse_term
from rules.ledger import Entry
from rules.values import SYSTEM, Actor
from templates.casefile import Event, Fact, Who
from templates.lines import title_of

ELSEWHERE = {
    *("command", "acts", "contract", "reference", "flags", "explanation", "rungs", "parts", "time", "notices"),
    *("obligation", "n", "source", "clause", "clock", "waits", "known_at", "notice"),
}
"""Told by the clock, by the notices, or by the head of the entry."""

TIMES = {
    "due_at",
    "was_due_at",
    "started_at",
    "due",
    "happened_at",
    "until",
    "raised_at",
    "occurred_at_given",
    "received_at",
    "receipt",
    "unanswered",
}
LENGTHS = {"lag_seconds", "late_seconds"}
ROLES = {"of", "to", "role", "route"}


@dataclass(frozen=True)
class Naming:
    """What roles, promises and people are called."""

    contract: Contract
    language: Language
    people: Mapping[str, str]

    def role(self, role: str) -> str:
        """The title of a role; its own name where the contract has none."""
        return title_of(self.contract, role, self.language)

    def who(self, role: str, person: str | None = None) -> Who:
        """A role and the person in it. A role that the contract does not know has no title: pages have words for it."""
        title = self.role(role) if role in self.contract.roles else ""
        return Who(role, title, self.person(person))

    def person(self, id_: str | None) -> str:
        """The name that the directory has for an id; the id itself for one it does not know, or a role."""
        if not id_:
            return ""
        return self.people.get(id_) or (self.role(id_) if id_ in self.contract.roles else id_)

    def promise(self, obligation: str) -> str:
        """The title of an obligation; its key where this version does not know it."""
        promise = self.contract.obligations.get(obligation)
        return self.contract.words(promise.title, self.language) if promise else obligation

    def rung(self, label: str) -> str:
        """The label of a rung, with its distance behind the due time in the reader's language."""
        if not label.startswith("+") or self.language != "zh-CN":
            return label
        try:
            return f"+{in_chinese(parse_term(label[1:]))}"
        except ValueError:
            return label

    def titled(self, name: str, value: str) -> str | None:
        """A category, level, grade or channel in the contract's words; nothing for any other value."""
        sections: Mapping[str, Mapping[str, Any]] = {
            "category": self.contract.categories,
            "level": self.contract.levels,
            "lowered_from": self.contract.levels,
            "grade": self.contract.grades,
            "channel": self.contract.channels,
        }
        found = sections.get(name, {}).get(value)
        return self.contract.words(found.title, self.language) if found else None


def event_of(entry: Entry, naming: Naming, texts: Mapping[str, str], *, proofs: bool) -> Event:
    """One entry for the file; its evidence only where `proofs` may be shown."""
    data = entry.data
    return Event(
        seq=entry.seq,
        type=entry.type,
        command=data.get("command", ""),
        at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        by=_who(naming, entry.by),
        reported_by=_who(naming, entry.reported_by) if entry.reported_by else None,
        on_behalf_of=_who(naming, entry.on_behalf_of) if entry.on_behalf_of else None,
        via=entry.via or "",
        proved=entry.authenticated_as or "",
        internal=entry.internal,
        about=_about(data, naming),
        facts=tuple(_facts(data, naming)),
        flags=tuple(data.get("flags") or ()),
        texts=tuple(texts.items()),
        evidence=tuple(proof.id for proof in entry.evidence) if proofs else (),
        told=tuple(naming.who(notice.role) for notice in entry.notices),
        judgement=entry.by == SYSTEM,
    )


def _who(naming: Naming, actor: Actor) -> Who:
    return naming.who(actor.role, actor.person)


def _about(data: Mapping[str, Any], naming: Naming) -> str:
    """The clock that an entry is about, in words."""
    clock = data.get("clock")
    if not isinstance(clock, str):
        return ""
    obligation, _, n = clock.rpartition("#")
    promise = naming.contract.obligations.get(obligation)
    said = naming.promise(obligation) + (f" ({n})" if n not in {"", "1"} else "")
    return f"{said} · {promise.clause}" if promise else said


def _facts(data: Mapping[str, Any], naming: Naming) -> Iterator[Fact]:
    for name, value in data.items():
        if name in ELSEWHERE or value in (None, "", [], {}) or (name == "provisional" and not value):
            continue
        if name == "measures" and isinstance(value, list):
            yield from (Fact("measure", "word", _measure(one)) for one in value)
        elif name in LENGTHS and not value:
            continue
        else:
            yield _fact(name, value, naming)


def _fact(name: str, value: Any, naming: Naming) -> Fact:  # noqa: PLR0911  one for each shape
    match value:
        case bool():
            return Fact(name, "word", "yes" if value else "no")
        case int() if name in LENGTHS:
            return Fact(name, "length", timedelta(seconds=value))
        case str() if name in TIMES:
            return Fact(name, "time", datetime.fromisoformat(value))
        case str():
            return _text(name, value, naming)
        case [*ids] if name == "against":
            return Fact(name, "text", ", ".join(naming.person(id_) for id_ in ids))
        case [*acts] if name == "done":
            return Fact(name, "text", ", ".join(act for one in acts for act in one["names"]))
        case [*words] if all(isinstance(word, str) for word in words):
            return Fact(name, "text", ", ".join(words))
        case {"role": str(role)}:
            return Fact(name, "text", " · ".join(part for part in naming.who(role, value.get("person"))[1:] if part))
    return Fact(name, "text", to_json(value).decode())


def _text(name: str, value: str, naming: Naming) -> Fact:
    if (titled := naming.titled(name, value)) is not None:
        return Fact(name, "text", titled)
    if name in ROLES and value in naming.contract.roles:
        return Fact(name, "text", naming.role(value))
    if name in {"person", "against"}:
        return Fact(name, "text", naming.person(value))
    return Fact(name, "word", naming.rung(value) if name == "rung" else value)


def _measure(one: Mapping[str, Any]) -> str:
    amount = " ".join(str(one[part]) for part in ("amount", "currency") if one.get(part))
    return f"{one['type']}: {amount}" if amount else str(one["type"])
