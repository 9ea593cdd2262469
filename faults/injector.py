"""The injector: kills one machine after the other, at named points and at random moments, as its seed says."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple

from faults.machines import Machines
from faults.players import Pulse
from faults.points import OF_GATEWAY, OF_WORKER, POINTS
from faults.post import MailServer
from faults.receiver import Hooks

VICTIMS = ("worker", "temporal", "postgres")
"""Who may die at a point of the worker."""
SERVERS = {"mail": "mail server", "receiver": "receiver of webhooks"}
"""Servers of others, which refuse connections instead of dying, by their names for people."""
SWEPT = {"gathered", "forgetting"}
"""Points that only circulars and sweeps reach."""
PARTING = "gone"
"""The point that is reached once a receiver that leaves: the next one does when the kill there is due."""
OPENING = {"opened", "registering"}
"""Points that are reached once a complaint."""
RECOVERED_WITHIN = 120.0
"""Seconds after which something that was started again counts as not recovered."""
PASSED_BY = 20.0
"""Seconds in which a point that is waited for is usually reached; after that another one gets its turn."""


class Plan(NamedTuple):
    """One fault: who dies, and where. Without a point it is any moment."""

    victim: str
    point: str | None

    def __str__(self) -> str:
        return f"{self.victim} at “{self.point}”" if self.point else f"{self.victim} at any moment"


@dataclass(frozen=True)
class Injected:
    """One fault that happened, and how long it took until something told after it stood on record."""

    plan: Plan
    at: datetime
    recovery: float | None


def plans(seed: int, every: int, *, brief: bool = False) -> list[Plan]:
    """What must happen in one run, in its order: every point kills somebody, and every victim dies at any moment too.

    With `every` at 3 each victim dies at each point of the worker; with less so many of them, as the seed says. A brief
    run leaves the moments between the points to the servers of others, and the calendar as it is.
    """
    random = Random(seed)
    wanted = [Plan("gateway", point) for point in OF_GATEWAY]
    wanted += [Plan(victim, None) for victim in (*SERVERS, *(() if brief else (*VICTIMS, "gateway")))]
    for number, point in enumerate(point for point in OF_WORKER if not (brief and point in SWEPT)):
        turned = [VICTIMS[(number + seed + n) % len(VICTIMS)] for n in range(len(VICTIMS))]
        wanted += [Plan(victim, point) for victim in turned[:every]]
    # What only an opening reaches comes first, so that the last stories need not wait for it.
    return sorted(random.sample(wanted, len(wanted)), key=lambda plan: plan.point not in OPENING)


class Injector:
    """Holds every process at its points, and decides there. With a `pace` below 1 who died is down for a shorter time,
    and the next fault comes sooner."""

    def __init__(self, seed: int, wanted: list[Plan], mail: MailServer, hooks: Hooks, pace: float = 1.0) -> None:
        self.left = list(wanted)
        self.injected: list[Injected] = []
        self.reached: Counter[str] = Counter()
        self.port = 0
        self.failed: list[str] = []
        self._random = Random(seed)
        self.outages: list[datetime] = []
        """When a machine was killed, or one of ours."""
        self._leavers = hooks.leavers
        self._servers: dict[str, MailServer | Hooks] = dict(zip(SERVERS, (mail, hooks), strict=True))
        self._pace = pace
        self._machines: Machines | None = None
        self._armed: Plan | None = None
        self._hit = asyncio.Event()
        self._hit_at = datetime.now(UTC)
        self._server: asyncio.Server | None = None
        self._finished = False

    async def start(self) -> None:
        """Listen for processes that reach a point."""
        self._server = await asyncio.start_server(self._at_point, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def run(self, machines: Machines, pulse: Pulse) -> None:
        """Everything that is planned, one after the other; then at random, until it is told to finish."""
        self._machines = machines
        while not self._finished:
            planned = self.left[:1]  # one that is under way is still to come: without stories nobody would reach it
            plan = planned[0] if planned else Plan(self._random.choice((*VICTIMS, "gateway", *SERVERS)), None)
            happened = await self._inject(plan, pulse)
            del self.left[: len(planned)]
            if happened:
                await asyncio.sleep(self._pace * self._random.uniform(0.5, 2))
            else:
                self.left.append(plan)

    def finish(self) -> None:
        """No further fault."""
        self._finished = True

    @property
    def now(self) -> str:
        """What has happened so far, for whoever watches."""
        return f"{len(self.injected)} kills, {len(self.left)} to come"

    async def _inject(self, plan: Plan, pulse: Pulse) -> bool:
        """Whether it happened; a point that nobody reaches now gets another turn."""
        if plan.point is None:
            self._hit_at = datetime.now(UTC)
            self._kill(plan.victim)
        else:
            self._armed = plan
            self._hit.clear()
            try:
                await (self._left() if plan.point == PARTING else asyncio.wait_for(self._hit.wait(), PASSED_BY))
            except TimeoutError:
                return False
            finally:
                self._armed = None
        await asyncio.sleep(self._pace * self._random.uniform(0, 2.5))
        await self._heal(plan.victim)
        recovery = await self._recovered(pulse, self._hit_at)
        if recovery is None:
            self.failed.append(f"{plan}: nothing was recorded within {RECOVERED_WITHIN:g} seconds after it")
        self.injected.append(Injected(plan, self._hit_at, recovery))
        return True

    async def _left(self) -> None:
        """A receiver leaves, and its caller comes to the point. Raises TimeoutError where nobody is called now."""
        self._leavers.leave()
        try:
            await asyncio.wait_for(self._hit.wait(), PASSED_BY)
        except TimeoutError:
            if self._leavers.stay():
                raise
            await asyncio.wait_for(self._hit.wait(), PASSED_BY)  # it left at the last moment

    async def _at_point(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Somebody stands at a point and waits for a word."""
        point = (await reader.readline()).decode().strip()
        if point in POINTS:
            self.reached[point] += 1
            armed = self._armed
            if armed is not None and armed.point == point and not self._hit.is_set():
                self._hit_at = datetime.now(UTC)
                self._kill(armed.victim)
                self._hit.set()
        try:
            writer.write(b"go on\n")
            await writer.drain()
        except OSError:
            pass  # it is dead
        writer.close()

    def _kill(self, victim: str) -> None:
        if victim in self._servers:
            self._servers[victim].refuse()
        elif self._machines is not None:
            self.outages.append(datetime.now(UTC))
            self._machines.by_name[victim].kill()

    async def _heal(self, victim: str) -> None:
        if victim in self._servers:
            await self._servers[victim].start()
        elif self._machines is not None:
            self._machines.by_name[victim].allow()

    async def _recovered(self, pulse: Pulse, since: datetime) -> float | None:
        """Seconds until something told after this instant stood on record."""
        deadline = asyncio.get_running_loop().time() + RECOVERED_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            if (seen := await pulse.recorded_since(since)) is not None:
                return (seen - since).total_seconds()
            await asyncio.sleep(0.2)
        return None
