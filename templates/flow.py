"""The flow of a contract's complaints: its stages, each with its time points and who is responsible (rule 39)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rules.contract import AppliesTo, Contract, Language, MissOf, Path, Stage
from templates.lines import title_of
from templates.standard import Flow, Promise, Route, Step, Who

ORDER: tuple[Stage, ...] = (
    *("received", "classified", "answered", "investigating", "proposed", "resolved", "confirming", "closed"),
)

AT_STAGE: dict[str, Stage] = {
    "respond": "received",
    "update_customer": "received",
    "hand_over": "classified",
    "contact.reached": "classified",
    "contact.tried": "classified",
    "preliminary_plan": "classified",
    "answer": "answered",
    "findings": "investigating",
    "propose": "proposed",
    "resolve": "resolved",
    "tell_result.customer": "confirming",
    "tell_result.principal": "confirming",
    "accept": "confirming",
}
"""The stage at which each act is done, as `rules.stage` moves a case by them."""

TOLD_AT: dict[str, Stage] = {
    "open": "received",
    "withdraw": "received",
    "explain": "resolved",
    "reject": "confirming",
    "close": "closed",
}
"""Acts that meet no stage, and the one beside which it stands who is told of them."""


def flow_of(contract: Contract, index: int, promises: Iterable[Promise], language: Language) -> Flow:
    """The stages of the contract's n-th path, with what is to be done at each, by when, and by whom."""
    path = contract.stages[index]
    kinds = _kinds(contract, index)
    placed: dict[Stage, list[Promise]] = {stage: [] for stage in path.stages}
    for promise in promises:
        if _holds(contract, promise.name, kinds):
            placed[_stage(contract, promise.name, path)].append(promise)
    work = next(
        (stage for stage in ("investigating", "proposed", "resolved", "answered") if stage in path.stages), None
    )
    deciding = next((stage for stage in ("classified", "received") if stage in path.stages), None)
    owner, handling = (contract.owner,), _handling(contract)
    steps = [
        Step(
            stage=stage,
            who=tuple(
                who_of(contract, role, language)
                for role in (owner if stage in ("received", "classified") else handling)
            ),
            points=tuple(placed[stage]),
            routes=tuple(routes_of(contract, language)) if stage == deciding else (),
            told=tuple(_told(contract, stage, language)),
        )
        for stage in path.stages
    ]
    return Flow(
        kinds=kinds,
        only=tuple(only_of(contract, path.applies_to, language)),
        steps=tuple(steps),
        back=work if contract.confirmation.reopenings else None,
    )


def _kinds(contract: Contract, index: int) -> tuple[str, ...]:
    """The kinds that take this path: those it names, else those that no path above takes whole."""
    named = contract.stages[index].applies_to.kinds
    if named:
        return named
    earlier = [path.applies_to for path in contract.stages[:index]]
    taken = {kind for a in earlier if not (a.levels or a.categories or a.grades) for kind in a.kinds or contract.kinds}
    return tuple(kind for kind in contract.kinds if kind not in taken)


def _holds(contract: Contract, name: str, kinds: tuple[str, ...]) -> bool:
    """Whether a promise is made to any of these kinds; one that starts with a miss, where what is missed is."""
    promise = contract.obligations[name]
    if isinstance(promise.starts, MissOf) and not _holds(contract, promise.starts.miss_of, kinds):
        return False
    return not promise.applies_to.kinds or bool(set(promise.applies_to.kinds) & set(kinds))


def _stage(contract: Contract, name: str, path: Path) -> Stage:
    """Where on a path a promise is to be kept: of any of its acts the earliest, of all of them the last."""
    promise = contract.obligations[name]
    if isinstance(promise.starts, MissOf):
        return _stage(contract, promise.starts.miss_of, path)
    stages = [AT_STAGE[act] for part in promise.met_by.parts if (act := part.partition(":")[0]) in AT_STAGE]
    if not stages:
        return path.stages[0]
    places = [ORDER.index(stage) for stage in stages]
    wanted = max(places) if promise.met_by.all_of else min(places)
    return next((stage for stage in reversed(path.stages) if ORDER.index(stage) <= wanted), path.stages[0])


def _handling(contract: Contract) -> tuple[str, ...]:
    """Every role that handles some category."""
    routes = [category.route or contract.owner for category in contract.categories.values()]
    return tuple(dict.fromkeys([contract.owner, *routes]))


def _told(contract: Contract, stage: Stage, language: Language) -> Iterator[tuple[str, str]]:
    for act, roles in contract.notices.items():
        if TOLD_AT.get(act, AT_STAGE.get(act)) == stage:
            yield act, ", ".join(title_of(contract, role, language) for role in roles)


def only_of(contract: Contract, applies: AppliesTo, language: Language) -> Iterator[str]:
    """The titles of the levels, categories and grades that something is restricted to."""
    yield from (contract.words(contract.levels[key].title, language) for key in applies.levels)
    yield from (contract.words(contract.categories[key].title, language) for key in applies.categories)
    yield from (contract.words(contract.grades[key].title, language) for key in applies.grades)


def who_of(contract: Contract, role: str, language: Language) -> Who:
    """A role with its party."""
    party = contract.parties.get(role.partition(".")[0])
    return Who(title_of(contract, role, language), party.name if party else "")


def routes_of(contract: Contract, language: Language) -> Iterator[Route]:
    """Every category with who handles it."""
    for category in contract.categories.values():
        level = contract.levels.get(category.default_level or "")
        yield Route(
            contract.words(category.title, language),
            contract.words(level.title, language) if level else "",
            title_of(contract, category.route or contract.owner, language),
            contract.words(category.measures, language),
        )
