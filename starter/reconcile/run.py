"""One run of `ombud reconcile`: look, look again, heal, and see whether it is healed.

The order matters. Tables come first, since everything else is read from them; then ledgers are written again, then
mails, so that nothing that was told is told twice; only then is anything set going.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.service import RPCError, RPCStatusCode

from activities.interface import COMPARE, complaint_id
from starter.client import Ombud
from starter.reconcile.around import Around, Heal
from starter.reconcile.circulars import Circulars
from starter.reconcile.complaints import Complaints, Moved, each, silent
from starter.reconcile.damage import KINDS, Damage, Report
from starter.reconcile.mails import Mails
from starter.reconcile.writing_again import OtherwiseError, Scribe, UnableError
from storage import rebuild, standing
from storage.content import Vault
from storage.database import transaction

Looked = list[tuple[Damage, Heal | None]]
Look = Callable[[], Awaitable[Looked]]


@dataclass(frozen=True)
class Wanted:
    """How far a run goes."""

    apply: bool = False
    tables: bool = True
    """Whether the tables are derived again: records wait while they are."""
    thorough: bool = False
    """Whether every open complaint is compared entry by entry; its history is run again for that."""
    second: float = 3.0
    """Seconds until the second look."""
    patience: float = 30.0
    """Seconds in which workflows that were told to compare come round."""


class Reconciliation:
    """Raises RPCError, MasterKeyError and what `transaction` raises."""

    def __init__(self, ombud: Ombud, engine: AsyncEngine, vault: Vault, wanted: Wanted, moved: Moved = silent) -> None:
        self._ombud = ombud
        self._engine = engine
        self._wanted = wanted
        self._moved = moved
        self.report = Report(applied=wanted.apply)
        client, queue = ombud.temporal, ombud.task_queue
        self._complaints = Complaints(
            client, engine, queue, self.report, thorough=wanted.thorough, second=wanted.second
        )
        self._around = Around(client, engine, queue)
        self._circulars = Circulars(client, engine, vault, queue)
        self._scribe = Scribe(client, engine, vault, self.report)
        self._mails = Mails(client, engine, vault, self.report)
        self._told: dict[str, Damage] = {}
        """Complaints whose workflow was told to compare."""

    async def run(self) -> Report:
        await self._heal(await self._around.cursors())
        await self._registrations()
        if self._wanted.tables:
            await self._tables()
        wrong = await self._complaints.look(self._moved)
        self.report.damages += wrong
        if self._wanted.apply:
            await each(wrong, self._heal_complaint)
        await self._seen_twice(self._around.never_begun)
        await self._heal(await self._mails.look())
        await self._seen_twice(self._around.mails, self._around.unheard, self._around.hooks, self._circulars.look)
        await self._heal(await self._around.schedules())
        await self._come_round()
        order = list(KINDS)
        self.report.damages.sort(key=lambda damage: (order.index(damage.kind), damage.where))
        return self.report

    async def _seen_twice(self, *looks: Look) -> None:
        """What stands there at both looks. Whoever is just being told or mailed is gone by the second."""
        first = [await look() for look in looks]
        if not any(first):
            return
        await asyncio.sleep(self._wanted.second)
        for look, before in zip(looks, first, strict=True):
            if before:
                seen = {(damage.kind, damage.where, damage.said) for damage, _ in before}
                again = [one for one in await look() if (one[0].kind, one[0].where, one[0].said) in seen]
                await self._heal(again)

    async def _heal(self, found: Looked) -> None:
        for damage, heal in found:
            self.report.damages.append(damage)
            if not self._wanted.apply:
                continue
            if heal is None:
                damage.outcome = "remains"
            else:
                damage.outcome, damage.result = "healed", await heal()

    async def _registrations(self) -> None:
        async with transaction(self._engine) as connection:
            missing = await standing.unregistered(connection)
        for complaint in missing:
            damage = Damage("not registered", complaint, "a ledger without a registration")
            self.report.damages.append(damage)
            if self._wanted.apply:
                await self._try(damage, self._scribe.register)

    async def _tables(self) -> None:
        try:
            found = await rebuild.rebuild(self._engine, apply=self._wanted.apply)
        except rebuild.UnregisteredError:
            self.report.notes.append("The tables were not looked at: a ledger without a registration comes first.")
            return
        for one in found:
            where = f"{one.table} {'/'.join(map(str, one.key))}"
            damage = Damage("table", where, one.kind + (f" in {', '.join(one.columns)}" if one.columns else ""))
            if self._wanted.apply:
                damage.outcome, damage.result = "healed", "made what the ledger says"
            self.report.damages.append(damage)

    async def _heal_complaint(self, damage: Damage) -> None:
        self._moved(f"healing {damage.where}", 0)
        match damage.kind:
            case "held up" | "not recorded":
                damage.outcome = "remains"
            case "ledger short":
                await self._write_again(damage)
            case "lost":
                await self._try(damage, self._revive)
            case _:
                await self._compare(damage)

    async def _write_again(self, damage: Damage) -> None:
        try:
            damage.result = await self._scribe.write(damage.where)
        except UnableError as error:
            damage.outcome, damage.result = "remains", str(error)
            return
        except OtherwiseError:
            damage.result = "the ledger says something else than Temporal, and stands"
        left = await self._complaints.judge(damage.where)
        if left is not None and left.kind == "lost":
            damage.result += f"; {await self._revive(damage.where)}"
        elif left is not None and left.kind not in ("held up", "not recorded"):
            await self._compare(damage)
            return
        damage.outcome = "healed"

    async def _revive(self, complaint: str) -> str:
        await self._ombud.revive(complaint)
        self.report.count("complaints brought back")
        return "brought back from its ledger"

    async def _compare(self, damage: Damage) -> None:
        """Its workflow looks into the ledger, judges the time and shows everything anew; seen to later."""
        handle = self._ombud.temporal.get_workflow_handle(complaint_id(*damage.where.split("/", 1)))
        try:
            await handle.signal(COMPARE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise  # it ended meanwhile
        self._told[damage.where] = damage

    async def _try(self, damage: Damage, heal: Callable[[str], Awaitable[str]]) -> None:
        try:
            damage.outcome, damage.result = "healed", await heal(damage.where)
        except UnableError as error:
            damage.outcome, damage.result = "remains", str(error)

    async def _come_round(self) -> None:
        """Wait until those that were told to compare have done so."""
        waiting = dict(self._told)
        deadline = asyncio.get_running_loop().time() + self._wanted.patience
        while waiting:
            names = list(waiting)
            for name, still in zip(names, await each(names, self._still), strict=True):
                if not still:
                    damage = waiting.pop(name)
                    damage.outcome = "healed"
                    damage.result = "; ".join(filter(None, (damage.result, "went on from its ledger")))
            if not waiting or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.5)
        for damage in waiting.values():
            damage.outcome = "remains"
            damage.result = "It was told to compare, and does so once a worker runs; see `ombud doctor`."

    async def _still(self, complaint: str) -> bool:
        """Whether it has to do it yet, or still looks as it did."""
        if self._told[complaint].kind == "labels":
            return await self._complaints.labels(complaint) is not None
        return await self._complaints.unsettled(complaint)


async def reconcile(ombud: Ombud, engine: AsyncEngine, vault: Vault, wanted: Wanted, moved: Moved = silent) -> Report:
    """Compare and, where that is wanted, heal. Raises as `Reconciliation` does."""
    return await Reconciliation(ombud, engine, vault, wanted, moved).run()
