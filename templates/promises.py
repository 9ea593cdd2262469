"""From a contract to its service standard, in one language. Everything is derived; nothing is written twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rules.contract import Contract, DeliveryOf, Language, MissOf, Obligation, Role, Start
from rules.explanation import in_chinese
from rules.grammar import InHours, Term
from rules.hours import DAY, Hours, pattern
from templates.flow import flow_of, only_of, routes_of, who_of
from templates.lines import tasks_of
from templates.standard import Officer, Party, Promise, Standard, Starts, Window

WORD_OF_START: dict[str, str] = {
    "receipt": "receipt",
    "level reached": "level",
    "customer message": "message",
    "rejection": "rejection",
}


def standard_of(contract: Contract, language: Language) -> Standard:
    """The standard in a language; what the contract has no words for in it, in the contract's own."""
    promises = [_promise(contract, name, promise, language) for name, promise in contract.obligations.items()]
    return Standard(
        contract=contract.contract,
        title=contract.words(contract.title, language),
        since=contract.term.starts.isoformat(),
        until=contract.term.ends.isoformat() if contract.term.ends else "",
        zone=contract.calendar.zone,
        hours=tuple(_windows(pattern(contract.calendar.hours))),
        statutory=contract.calendar.statutory or "",
        parties=tuple(_parties(contract, language)),
        channels=tuple(contract.words(one.title, language) for one in contract.channels.values()),
        kinds=contract.kinds,
        levels=tuple(contract.words(one.title, language) for one in contract.levels.values()),
        routes=tuple(routes_of(contract, language)),
        promises=tuple(promises),
        flows=tuple(flow_of(contract, index, promises, language) for index in range(len(contract.stages))),
        silence=due_words(contract.confirmation.silence, language),
        reopenings=contract.confirmation.reopenings,
        readings=contract.readings,
    )


def due_words(term: Term, language: Language) -> str:
    """A term as people read it."""
    if language == "zh-CN":
        return in_chinese(term)
    if isinstance(term, InHours):
        return f"{term.in_hours} in service hours; outside them {term.outside}"
    return str(term)


def _promise(contract: Contract, name: str, promise: Obligation, language: Language) -> Promise:
    at_due = (role for step in promise.ladder if step.at == "due" for role in step.tell)
    return Promise(
        name=name,
        title=contract.words(promise.title, language),
        clause=promise.clause,
        kinds=promise.applies_to.kinds,
        only=tuple(only_of(contract, promise.applies_to, language)),
        starts=_starts(contract, promise.starts, language),
        due=due_words(promise.due, language),
        tasks=tuple(tasks_of(promise, contract, language)),
        all_of=bool(promise.met_by.all_of),
        missed=tuple(who_of(contract, role, language) for role in dict.fromkeys(at_due)),
        pauses=promise.pauses_for,
    )


def _starts(contract: Contract, start: Start, language: Language) -> Starts:
    match start:
        case MissOf(miss_of=missed):
            return Starts("miss", contract.words(contract.obligations[missed].title, language))
        case DeliveryOf(delivery_of=command):
            return Starts("delivery", command)
        case _:
            return Starts(WORD_OF_START[start])


def _windows(week: tuple[tuple[Hours, ...], ...]) -> Iterator[Window]:
    """Successive weekdays with the same hours as one."""
    for hours, days in groupby(range(7), key=lambda day: week[day]):
        run = list(days)
        if hours:
            yield Window(run[0], run[-1], tuple(f"{_clock(start)}–{_clock(end)}" for start, end in hours))


def _clock(minutes: int) -> str:
    return f"{(minutes if minutes <= DAY else minutes - DAY) // 60:02}:{minutes % 60:02}"


def _parties(contract: Contract, language: Language) -> Iterator[Party]:
    for key, party in contract.parties.items():
        held: list[Role] = [office for role, office in contract.roles.items() if role.startswith(f"{key}.")]
        offices = tuple(
            Officer(contract.words(one.title, language), contract.words(one.authority, language), one.on_call)
            for one in held
        )
        yield Party(key, party.name, party.address, party.phone, party.email, offices)
