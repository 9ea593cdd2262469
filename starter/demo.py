"""`make demo`: a handful of complaints under a contract whose clocks are seconds long, and people who handle them.

Some answer, some do not. The terminal shows clocks and escalations as they happen; the table at the end is read back
from Postgres.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rules.commands import COMMANDS, OpenComplaint
from starter.client import Ombud
from starter.errors import NotFound
from storage.reading import ClockState, NoticeState, State

CONTRACT = "demo"


class Deed(NamedTuple):
    """What somebody does, so many seconds after the complaint was opened."""

    second: float
    command: str
    body: dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """One complaint, and the people around it."""

    title: str
    opening: dict[str, Any]
    deeds: tuple[Deed, ...]


def _deed(second: float, command: str, **body: Any) -> Deed:
    return Deed(second, command, body)


_MANAGER = {"role": "handler.manager", "person": "maya.brandt"}
_DIRECTOR = {"role": "handler.director", "person": "liu.yan"}

SCENES = (
    Scene(
        "answered in time",
        {"kind": "enquiry", "category": "usage", "content": "How do I reset it?"},
        (
            _deed(2, "respond", text="I am looking into it."),
            _deed(7, "answer", text="Hold the button for five seconds."),
            _deed(10, "accept"),
        ),
    ),
    Scene(
        "answered late, the manager takes over",
        {"kind": "enquiry", "category": "usage", "content": "Nobody answers me."},
        (
            _deed(8, "acknowledge", by=_MANAGER, follow="noted"),
            _deed(15, "answer", text="I am sorry for the wait; here is how."),
            _deed(18, "accept"),
        ),
    ),
    Scene(
        "logistics brought in, the customer told",
        {"kind": "request", "category": "delivery", "content": "Where is my parcel?"},
        (
            _deed(3, "hand_over", to="handler.manager", text="Parcel stands still in the depot."),
            _deed(5, "update_customer", text="It leaves the depot tonight."),
            _deed(20, "answer", text="It was delivered."),
            _deed(22, "accept"),
        ),
    ),
    Scene(
        "nobody does anything",
        {"kind": "request", "category": "delivery", "content": "Half of it is missing."},
        (_deed(30, "withdraw", text="Never mind."),),
    ),
    Scene(
        "a grave case, handled",
        {"kind": "complaint", "category": "safety", "content": "It caught fire."},
        (
            _deed(3, "contact", role="principal.responsible_person", outcome="reached"),
            _deed(4, "respond", text="We call you at once."),
            _deed(8, "findings", text="The cable was pinched.", cause="Assembly."),
            _deed(11, "propose", text="Replacement and refund.", measures=[{"type": "replacement"}]),
            _deed(15, "resolve", outcome="upheld"),
            _deed(17, "tell_result", text="You get a new one and your money back."),
            _deed(20, "accept"),
        ),
    ),
    Scene(
        "a grave case, too slow",
        {"kind": "complaint", "category": "safety", "content": "It smells of smoke."},
        (
            _deed(5, "respond", text="Please unplug it."),
            _deed(10, "acknowledge", by=_DIRECTOR, follow="noted"),
            _deed(14, "findings", text="A capacitor failed.", cause="Supplier."),
            _deed(24, "explain", reason="The part was not in stock.", plan="It is fitted today."),
            _deed(28, "propose", text="Repair at our cost.", measures=[{"type": "repair"}]),
            _deed(31, "resolve", outcome="upheld"),
            _deed(32, "tell_result", text="It is repaired."),
            _deed(34, "accept"),
        ),
    ),
)


async def demo() -> None:
    """Play every scene. Raises the errors of the client when the system is not up."""
    console = Console()
    day = f"{datetime.now(UTC):%m%d-%H%M%S}"
    names = [f"{CONTRACT}/D-{day}-{number}" for number in range(1, len(SCENES) + 1)]
    async with Ombud.connect() as ombud:
        titles = {name: scene.title for name, scene in zip(names, SCENES, strict=True)}
        played = asyncio.gather(*(_play(ombud, name, scene) for name, scene in zip(names, SCENES, strict=True)))
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while not played.done():
                live.update(_board(await _states(ombud, names), titles, datetime.now(UTC)))
                await asyncio.wait([played], timeout=0.5)
        await played
        states = await _settled(ombud, names)
    console.print(_clocks(states, titles), _sums(states))
    console.print(f"Look closer with [bold]ombud show {names[-1]}[/bold], and into the mails and the Web UI.")


async def _play(ombud: Ombud, name: str, scene: Scene) -> None:
    start = {
        "contract": CONTRACT,
        "reference": name.partition("/")[2],
        "channel": "chat",
        "received_at": datetime.now(UTC),
        "received_how": "stamped",
        "via": "cli",
    }
    await ombud.open(OpenComplaint.model_validate(start | scene.opening))
    began = asyncio.get_running_loop().time()
    for deed in scene.deeds:
        await asyncio.sleep(began + deed.second - asyncio.get_running_loop().time())
        command = COMMANDS[deed.command].model_validate({"via": "cli"} | deed.body)
        await ombud.tell(name, command, key=f"{name}:{deed.second}")


async def _states(ombud: Ombud, names: Sequence[str]) -> list[State]:
    found = []
    for name in names:
        try:
            found.append(await ombud.state(name))
        except NotFound:
            continue  # opened a moment ago
    return found


async def _settled(ombud: Ombud, names: Sequence[str], patience: float = 40) -> list[State]:
    """The states once the last mails have left, or when patience ends."""
    end = asyncio.get_running_loop().time() + patience
    while True:
        states = await _states(ombud, names)
        waiting = any(n.state in ("planned", "claimed") for state in states for n in state.notices)
        open_ = any(state.closed_at is None for state in states)
        if not (waiting or open_) or asyncio.get_running_loop().time() > end:
            return states
        await asyncio.sleep(0.5)


def _board(states: Sequence[State], titles: dict[str, str], now: datetime) -> Group:
    told = [(n.accepted_at or n.planned_at, state, n) for state in states for n in state.notices]
    told.sort(key=lambda one: one[0], reverse=True)
    escalations = Table("time", "complaint", "told", "about", "mail", title="escalations, newest first", expand=True)
    for at, state, notice in told[:8]:
        escalations.add_row(f"{at:%H:%M:%S}", _short(state), notice.role, _about(notice), _mail(notice))
    return Group(_clocks(states, titles, now), escalations)


def _clocks(states: Sequence[State], titles: dict[str, str], now: datetime | None = None) -> Table:
    table = Table("complaint", "stage", "clock", "clause", "state", title="clocks", expand=True)
    for state in states:
        for row, clock in enumerate(state.clocks):
            first = Text.assemble((_short(state), "bold"), f" {titles[state.id]}") if row == 0 else Text()
            table.add_row(
                first,
                state.stage if row == 0 else "",
                f"{clock.obligation}#{clock.n}",
                clock.clause,
                _stands(clock, now),
                end_section=row == len(state.clocks) - 1,
            )
    return table


def _sums(states: Sequence[State]) -> Table:
    clocks = Counter(clock.status for state in states for clock in state.clocks)
    notices = [notice for state in states for notice in state.notices]
    table = Table(
        "complaints", "clocks met", "missed", "ended", "notices", "mailed", "acknowledged", title="in Postgres"
    )
    table.add_row(
        str(len(states)),
        f"[green]{clocks['met']}[/green]",
        f"[red]{clocks['missed']}[/red]",
        str(clocks["ended"]),
        str(len(notices)),
        str(sum(notice.accepted_at is not None for notice in notices)),
        str(sum(notice.acknowledged_at is not None for notice in notices)),
    )
    return table


def _stands(clock: ClockState, now: datetime | None) -> Text:
    match clock.status:
        case "running" if now is not None:
            left = (clock.due_at - now).total_seconds()
            return Text(f"{max(left, 0):4.0f} s left", style="yellow" if left < 4 else "cyan")
        case "met":
            return Text("met", style="green")
        case "missed":
            late = f", done {clock.late_seconds} s late" if clock.done_at else ", not done"
            return Text(f"missed{late}", style="red")
        case _:
            return Text(f"{clock.status} {clock.end_reason or ''}".strip(), style="dim")


def _short(state: State) -> str:
    return f"…{state.reference[-2:]}"


def _about(notice: NoticeState) -> str:
    return f"{notice.clock} {notice.rung}" if notice.clock else notice.command or ""


def _mail(notice: NoticeState) -> Text:
    if notice.acknowledged_at:
        return Text(f"acknowledged: {notice.follow}", style="green")
    return Text(notice.state, style="red" if notice.state in ("undeliverable", "bounced") else "")
