"""Whether a contract makes sense: every name means something, every promise can be met, every rung be reached.

The shape is the model's business; here is what its parts say about each other (invariant 20).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import product
from typing import Any, Literal, get_args, get_origin

from rules.calendar import calendar_for
from rules.commands import COMMANDS, Command, Note
from rules.contract import AppliesTo, Contract, DeliveryOf, MissOf, Obligation, Stage
from rules.document import Path
from rules.grammar import Days, Months
from rules.ladder_checks import check_ladders, tells
from rules.survey_checks import check_survey
from rules.terms import due

PARTIES = tuple(dict.fromkeys(party for command in COMMANDS.values() for party in command.who))
"""The parties that commands know; what they are called otherwise is their name's business."""

EXPIRY_NOTICE = timedelta(days=60)
"""Rule 127: so long before its end a contract is warned about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong (fatal) or doubtful at a place of the contract, given by the keys of the file."""

    path: Path
    reason: str
    fatal: bool = True


def check(contract: Contract, today: date | None = None) -> Iterator[Finding]:
    """Everything wrong or doubtful with a contract of the right shape. `today` is a date in the calendar's zone."""
    yield from _parties(contract)
    yield from _roles(contract)
    yield from _classes(contract)
    yield from _acts(contract)
    yield from _cycles(contract)
    yield from _stages(contract)
    yield from (Finding(*found) for found in check_ladders(contract))
    yield from (Finding(*found) for found in check_survey(contract))
    yield from _retention(contract)
    yield from _term(contract, today)
    yield from _doubts(contract)


def acts(contract: Contract) -> frozenset[str]:
    """Every name under which an act can meet an obligation: those of the commands but a note, and notices of them."""
    named = (name for command in COMMANDS.values() if command is not Note for name in _acts_of(command, contract))
    told = (f"notice of {command}" for command in contract.notices if command in COMMANDS)
    return frozenset((*named, *told))


def _acts_of(command: type[Command], contract: Contract) -> Iterator[str]:
    """The acts a command can count as, whatever its fields say."""
    choices: dict[str, tuple[Any, ...]] = {}
    for name in command.model_fields.keys() - Command.model_fields.keys():
        field = command.model_fields[name]
        if get_origin(field.annotation) is Literal:
            choices[name] = get_args(field.annotation)
        elif name == "role":
            choices[name] = tuple(contract.roles)
        else:
            choices[name] = ("",)
    for values in product(*choices.values()):
        yield from command.model_construct(**dict(zip(choices, values, strict=True))).acts()


def _parties(contract: Contract) -> Iterator[Finding]:
    for party in contract.parties:
        if party not in PARTIES:
            yield Finding(("parties", party), f"unknown party; a contract has {_or(PARTIES)}")
    for party in ("handler", "principal"):
        if party not in contract.parties:
            yield Finding(("parties",), f"`{party}` is missing")
    for role in contract.roles:
        party, _, office = role.partition(".")
        if party not in contract.parties or not office:
            first = next(iter(contract.parties), "handler")
            yield Finding(("roles", role), f"must begin with a party of the contract, such as {first}.{office or role}")
    told = {role.partition(".")[0]: path for path, role in reversed(_named_roles(contract)) if "tell" in path}
    for party, path in told.items():
        if "email" in contract.service.channels and party in contract.parties and not contract.parties[party].email:
            reason = f"has no `email`, and {path[1]} tells it by mail; give its service address (rule 122)"
            yield Finding(("parties", party), reason)


def _roles(contract: Contract) -> Iterator[Finding]:
    for path, role in _named_roles(contract):
        if role not in contract.roles:
            yield Finding(path, f"unknown role {role!r}; the contract has {_or(contract.roles)}")
    for command in contract.notices:
        if command not in COMMANDS and command not in ("open", "reopen"):
            yield Finding(("notices", command), f"no command has this name; use open, reopen, {_or(COMMANDS)}")
    if len(set(contract.waits.order)) < len(contract.waits.order):
        yield Finding(("waits", "order"), "names a party twice; name each once")
    for name, promise in contract.obligations.items():
        for party in promise.pauses_for:
            if party not in contract.parties:
                path = ("obligations", name, "pauses for")
                yield Finding(path, f"unknown party {party!r}; the contract has {_or(contract.parties)}")


def _named_roles(contract: Contract) -> list[tuple[Path, str]]:
    """Every place that names a role."""
    named: list[tuple[Path, str]] = [(("owner",), contract.owner)]
    if contract.late_reports.confirmed_by:
        named.append((("late reports", "confirmed by"), contract.late_reports.confirmed_by))
    if contract.survey:
        named += [(("survey", "tell", index), role) for index, role in enumerate(contract.survey.tell)]
    named += [(("categories", key, "route"), c.route) for key, c in contract.categories.items() if c.route]
    named += [(("notices", command), role) for command, roles in contract.notices.items() for role in roles]
    return named + list(tells(contract))


def _classes(contract: Contract) -> Iterator[Finding]:
    for key, category in contract.categories.items():
        if category.default_level is not None and category.default_level not in contract.levels:
            reason = f"unknown level {category.default_level!r}; the contract has {_or(contract.levels)}"
            yield Finding(("categories", key, "default level"), reason)
    for name, promise in contract.obligations.items():
        yield from _restriction(contract, promise.applies_to, ("obligations", name, "applies to"))
    for index, path in enumerate(contract.stages):
        yield from _restriction(contract, path.applies_to, ("stages", index, "applies to"))


def _restriction(contract: Contract, applies: AppliesTo, path: Path) -> Iterator[Finding]:
    known: dict[str, Iterable[str]] = {
        "kinds": contract.kinds,
        "categories": contract.categories,
        "levels": contract.levels,
        "grades": contract.grades,
    }
    for what, allowed in known.items():
        for index, value in enumerate(getattr(applies, what)):
            if value not in allowed:
                yield Finding((*path, what, index), f"{value!r} is none of the contract's {what}: {_or(allowed)}")


def _acts(contract: Contract) -> Iterator[Finding]:
    """Every part that meets an obligation is an act that somebody can do."""
    if not contract.obligations:
        yield Finding(("obligations",), "has none; a contract promises something")
    known = acts(contract)
    for name, promise in contract.obligations.items():
        path: Path = ("obligations", name, "met by")
        if bool(promise.met_by.any_of) == bool(promise.met_by.all_of):
            yield Finding(path, "name what meets it, either under `any of` or under `all of`")
        key = "any of" if promise.met_by.any_of else "all of"
        for index, part in enumerate(promise.met_by.parts):
            if part not in known:
                yield Finding((*path, key, index), _no_act(contract, part, known))
            elif part in promise.met_by.parts[:index]:
                yield Finding((*path, key, index), f"{part!r} stands here twice")


def _no_act(contract: Contract, part: str, known: frozenset[str]) -> str:
    notice, act, role = part.partition("notice of ")[2], *part.partition(":")[::2]
    if notice in COMMANDS:
        return f"nobody is told of {notice}: name a role under `notices`, `{notice}`"
    if role and any(name.startswith(f"{act}:") for name in known):
        return f"unknown role {role!r}; the contract has {_or(contract.roles)}"
    plain = sorted(name for name in known if ":" not in name)
    return f"{part!r} is no act that meets a promise; use {_or(plain)}, or contact.reached:<role>"


def _cycles(contract: Contract) -> Iterator[Finding]:
    """What starts a clock exists, and no chain of misses leads back to itself."""
    for name, promise in contract.obligations.items():
        path: Path = ("obligations", name, "starts")
        match promise.starts:
            case MissOf(miss_of=missed) if missed not in contract.obligations:
                yield Finding((*path, "miss of"), f"unknown obligation {missed!r}; use {_or(contract.obligations)}")
            case DeliveryOf(delivery_of=command) if command not in contract.notices or command not in COMMANDS:
                reason = f"nobody is told of {command!r}: name a command under `notices`, and whom it tells"
                yield Finding((*path, "delivery of"), reason)
            case MissOf():
                seen, at = [name], _missed(promise)
                while at in contract.obligations and at not in seen:
                    seen.append(at)
                    at = _missed(contract.obligations[at])
                if at == name:
                    yield Finding(path, f"never starts: each waits for a miss of the next: {' → '.join((*seen, name))}")


def _missed(promise: Obligation) -> str:
    return promise.starts.miss_of if isinstance(promise.starts, MissOf) else ""


def _stages(contract: Contract) -> Iterator[Finding]:
    order = list(get_args(Stage))
    everything = None
    for index, path in enumerate(contract.stages):
        place: Path = ("stages", index, "stages")
        if everything is not None:
            yield Finding(("stages", index), f"is never taken: path {everything + 1} above covers every complaint")
        elif path.applies_to == AppliesTo():
            everything = index
        if path.stages[:1] != ("received",) or path.stages[-1:] != ("closed",):
            yield Finding(place, "a path begins with received and ends with closed")
        positions = [order.index(stage) for stage in path.stages]
        if positions != sorted(set(positions)):
            yield Finding(place, f"stages come once each, in this order: {', '.join(order)}")


def _retention(contract: Contract) -> Iterator[Finding]:
    """Whoever sealed what is kept counts years, not working hours; and nothing is erased before it may be."""
    kept = contract.retention
    terms = {"content": kept.content, "at least": kept.at_least}
    for key, term in terms.items():
        if term is not None and not isinstance(term, (Days, Months)):
            yield Finding(("retention", key), f"{term} is no time to keep records for; write one such as 3 years")
            return
    if kept.content and kept.at_least:
        calendar = calendar_for(contract.calendar)
        closed = datetime.combine(contract.term.starts, time(), calendar.zone)
        if due(kept.content, closed, calendar).at < due(kept.at_least, closed, calendar).at:
            reason = f"{kept.content} ends before the {kept.at_least} of `at least`; erase later, or keep less long"
            yield Finding(("retention", "content"), reason)


def _term(contract: Contract, today: date | None) -> Iterator[Finding]:
    starts, ends = contract.term.starts, contract.term.ends
    if ends is not None and ends < starts:
        yield Finding(("term",), f"is reversed: {starts} to {ends}")
        return
    unknown = [str(year) for year in range(starts.year, (ends or starts).year + 1) if not contract.calendar.knows(year)]
    if unknown:
        reason = f"no holidays are published for {', '.join(unknown)} yet; what is due then is provisional"
        yield Finding(("calendar", "statutory"), reason, fatal=False)
    if today is not None and ends is not None:
        if ends < today:
            yield Finding(
                ("term", "to"), f"the term ended on {ends}; complaints received since are flagged", fatal=False
            )
        elif ends < today + EXPIRY_NOTICE:
            yield Finding(("term", "to"), f"the term ends in {(ends - today).days} days", fatal=False)


def _doubts(contract: Contract) -> Iterator[Finding]:
    promised = {level for promise in contract.obligations.values() for level in promise.applies_to.levels}
    for level in contract.levels:
        if promised and level not in promised:
            yield Finding(("levels", level), "no obligation is for this level", fatal=False)
    named = {role for _, role in _named_roles(contract)}
    named |= {part.partition(":")[2] for promise in contract.obligations.values() for part in promise.met_by.parts}
    for role in contract.roles:
        if role not in named and ".department." not in role:  # cases are handed over to departments by name
            yield Finding(("roles", role), "is never told anything and handles nothing", fatal=False)
    told = {
        role.partition(".")[0]
        for path, role in _named_roles(contract)
        if path[0] in {"notices", "obligations", "late reports"}
    }
    if "principal" in contract.parties and "principal" not in told:
        yield Finding(("parties", "principal"), "no ladder and no notice tells it anything", fatal=False)


def _or(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
