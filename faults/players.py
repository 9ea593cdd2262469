"""The players: they send what a story says, at its times, and send it again until they have an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx

from faults.laws import OUTAGE, SWEPT
from faults.stories import NUMBERS, PROOF, Step, Story, as_sent
from faults.writer import Writer
from rules.access import Grant
from rules.commands import COMMANDS, Command, OpenComplaint

UNREACHABLE = (httpx.TransportError, OSError)
AGAIN = 0.5
"""Seconds between two tries."""
PATIENCE = 240.0
"""Seconds after which a player gives up; nothing takes so long unless it is lost."""

STORY_WITHIN = 720.0
"""Seconds after which a whole story is given up."""

_UNSETTLED = """
  SELECT n.key FROM notices n LEFT JOIN messages m ON m.id = n.message
  WHERE n.complaint = $1 AND n.acknowledged_at IS NULL
  AND (m.id IS NULL OR m.untold OR (m.accepted_at IS NULL AND m.undeliverable_at IS NULL))
"""
SETTLED = f"""
  SELECT NOT EXISTS ({_UNSETTLED}) AND EXISTS (SELECT FROM complaints WHERE id = $1) AND NOT EXISTS (
    SELECT FROM unnest($2::text[]) AS told (key) WHERE NOT EXISTS (
      SELECT FROM ledger WHERE stream = 'complaint/' || $1 AND body ->> 'key' = told.key))
"""
"""Whether what a complaint took, by these keys, stands on record, every notice has reached its end, and it knows."""
UNSETTLED = f"SELECT string_agg(key, ', ' ORDER BY key) FROM ({_UNSETTLED}) AS waiting"
"""Those that have not."""
SEEN = {
    "notice": "SELECT EXISTS (SELECT FROM notices WHERE complaint = $1 AND role = $2)",
    "miss": "SELECT EXISTS (SELECT FROM clocks WHERE complaint = $1 AND missed_at IS NOT NULL "
    "AND $2 IN ('', obligation || '#' || n))",
    "report": "SELECT EXISTS (SELECT FROM clocks WHERE complaint = $1 AND report = 'unconfirmed' "
    "AND obligation || '#' || n = $2)",
}
IN_VAIN = {
    "waive": SEEN["miss"],
    "acknowledge": "SELECT NOT EXISTS "
    "(SELECT FROM notices WHERE complaint = $1 AND role = $2 AND acknowledged_at IS NULL)",
}
"""Refused where a machine heard of something too late: a waiver, of a clock that is missed by then; an acknowledgement,
where the one before it was heard behind the notice and has answered that, too."""
Erase = Callable[[str], Awaitable[str]]
"""Erases a complaint; what is wrong when that is never done."""
SEEN_WITHIN = 45.0
"""Seconds after which nothing is to be seen any more."""


@dataclass
class Played:
    """One story as it was played."""

    story: Story
    start: OpenComplaint | None = None
    """The opening as the complaint got it."""
    sent: dict[str, Command] = field(default_factory=dict)
    """Every command that the complaint must have taken, by its key, as it got it."""
    answers: dict[int, int] = field(default_factory=dict)
    """The ledger entry by which a step was answered."""
    untold: set[str] = field(default_factory=set)
    """Keys of steps that nobody told, or told in vain, since they came too late for what they answer."""
    problems: list[str] = field(default_factory=list)
    """What a program must never see, such as another answer under the same key."""


class Database:
    """Questions to Postgres that outlive its death."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+asyncpg", "")
        self._pool: asyncpg.Pool | None = None

    async def ask(self, query: str, *arguments: Any) -> Any:
        """The one value that Postgres answers; None while it is away."""
        try:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(self._url, min_size=0, max_size=10, timeout=5)
            return await self._pool.fetchval(query, *arguments, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return None

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()


class Stage:
    """Where stories are played: the gateway, whose answers the players want."""

    def __init__(self, http_port: int, token: str, grant: Grant, database: Database, erase: Erase) -> None:
        self.grant = grant
        self.database = database
        self._erase = erase
        self.figures: Counter[str] = Counter()
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{http_port}/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=25,
            limits=httpx.Limits(max_connections=200),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def play(self, writer: Writer, number: int) -> list[Played]:
        """One story, from its opening to its end; what became of each complaint in it."""
        story = writer.write(number, datetime.now(UTC).replace(microsecond=0))
        played = [Played(one) for one in (story, story.twin) if one is not None]
        try:
            async with asyncio.timeout(STORY_WITHIN):
                await self._play(played)
        except TimeoutError as error:
            played[0].problems.append(str(error) or f"its story did not end within {STORY_WITHIN:g} seconds")
        return played

    async def _play(self, played: list[Played]) -> None:
        """Raises TimeoutError where what was answered never comes on record."""
        opened = [await self._open(one) for one in played]
        if not all(opened):
            return
        erasures = asyncio.gather(*(self._erased(one) for one in played if one.story.erased is not None))
        steps = [(step.at, one, index, step) for one in played for index, step in enumerate(one.story.steps)]
        try:
            for at, one, index, step in sorted(steps, key=lambda told: told[0]):
                await _until(one.story.began + at)
                await self._tell(one, index, step)
            await erasures
        finally:
            erasures.cancel()

    async def _erased(self, played: Played) -> None:
        """Somebody asks for the erasure of what was said."""
        await _until(played.story.began + (played.story.erased or timedelta()))
        if problem := await self._erase(played.story.complaint):
            played.problems.append(problem)

    async def _tell(self, played: Played, index: int, step: Step) -> None:
        """A step, once its teller has seen what it answers; nothing where there was nothing to be seen. The end of a
        story is told whatever became of its notices, so that what is wrong with one leaves no complaint open."""
        story = played.story
        taken = [story.key(told) for told in played.answers]
        if step.settled and not await self._true(SETTLED, story.complaint, taken):
            waiting = await self.database.ask(UNSETTLED, story.complaint) or "or it never came on record"
            played.problems.append(f"its notices were not settled within {PATIENCE:g} seconds: {waiting}")
        about = step.body["by"]["role"] if step.sees == "notice" else step.body.get("clock", "")
        if (step.sees and not await self._true(SEEN[step.sees], story.complaint, about, within=SEEN_WITHIN)) or (
            step.of is not None and step.of not in played.answers
        ):
            played.untold.add(story.key(index))
        else:
            await self._step(played, index, step)

    async def pulse(self, complaint: str, key: str) -> None:
        """A note, told until it is taken."""
        await self._post(f"/complaints/{complaint}/commands/note", {"text": "Alive."}, key)

    async def end(self, complaint: str) -> None:
        """Withdraw a complaint."""
        body = {"text": "Never mind.", "by": {"role": "complainant"}, "evidence": PROOF}
        await self._post(f"/complaints/{complaint}/commands/withdraw", body, "end")

    async def open(self, opening: dict[str, Any]) -> httpx.Response:
        """Open a complaint, however often it takes."""
        return await self._post("/complaints", opening)

    async def _open(self, played: Played) -> bool:
        """Whether there is a complaint now."""
        story = played.story
        answers = await asyncio.gather(*(self.open(story.opening) for _ in range(1 + story.twice)))
        self.figures["sent twice"] += story.twice
        if story.refused:
            self.figures["wrong clocks"] += 1
            if any(answer.status_code < 400 for answer in answers):
                # Postgres was away, so the start ends as a reject as soon as it runs.
                self.figures["openings refused only by their run"] += 1
            return False
        if any(answer.status_code not in (200, 201) for answer in answers):
            played.problems.append(f"the opening was refused: {answers[0].text}")
            return False
        if len({answer.json()["run_id"] for answer in answers}) > 1:
            played.problems.append("the same opening sent twice has two runs")
        played.start = self.grant.opening(OpenComplaint.model_validate(story.opening))
        self.figures["complaints"] += 1
        return True

    async def _step(self, played: Played, index: int, step: Step) -> None:
        story, key = played.story, played.story.key(index)
        body = dict(step.body)
        if step.of is not None:
            body[NUMBERS[step.name]] = await self._number(story, step.of)
        path = f"/complaints/{story.complaint}/commands/{step.name}" + ("?durable=true" if step.durable else "")
        self.figures["commands"] += 1
        self.figures["sent twice"] += step.again is not None
        self.figures["wrong clocks"] += step.name == "note" and "occurred_at" in body and step.refused
        tries = [self._post(path, body, key)]
        if step.again is not None:
            tries.append(self._post(path, body, key, step.again))
        answers = await asyncio.gather(*tries)
        deadline = asyncio.get_running_loop().time() + SEEN_WITHIN
        while step.sees and answers[0].status_code == 409 and asyncio.get_running_loop().time() < deadline:
            # It stands on record already, and the run that recorded it died: the next one has to see it first.
            await asyncio.sleep(AGAIN)
            answers = [await self._post(path, body, key)]
        if step.refused:
            if any(answer.status_code != 409 for answer in answers):
                played.problems.append(f"step {index}, {step.name}, had to be refused: {answers[0].text}")
            return
        if answers[0].status_code == 409 and step.name in IN_VAIN and await self._in_vain(story, step):
            played.untold.add(key)
            return
        if wrong := [answer for answer in answers if answer.status_code not in (200, 202)]:
            played.problems.append(f"step {index}, {step.name}, was refused: {wrong[0].text}")
            return
        played.sent[key] = as_sent(self.grant, COMMANDS[step.name].model_validate(body), key)
        numbers = {answer.json()["seq"] for answer in answers if answer.status_code == 200}
        if len(numbers) > 1:
            played.problems.append(f"step {index}, {step.name}, was answered by entries {sorted(numbers)}")
        for number in numbers:
            played.answers[index] = number

    async def _in_vain(self, story: Story, step: Step) -> bool:
        """Whether there is nothing left for it by now."""
        about = step.body["clock"] if step.name == "waive" else step.body["by"]["role"]
        return await self._true(IN_VAIN[step.name], story.complaint, about, within=0)

    async def _number(self, story: Story, step: int) -> int:
        """Where the entry of a step stands, as somebody reads it in the case file."""
        query = "SELECT seq FROM ledger WHERE stream = $1 AND body ->> 'key' = $2"
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            if number := await self.database.ask(query, f"complaint/{story.complaint}", story.key(step)):
                return int(number)
            await asyncio.sleep(AGAIN)
        raise TimeoutError(f"{story.complaint}: step {step} was answered and never came on record")

    async def _post(self, path: str, body: dict[str, Any], key: str = "", wait: float = 0.0) -> httpx.Response:
        """The answer that no second try would change."""
        await asyncio.sleep(wait)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            try:
                answer = await self._http.post(path, json=body, headers=headers)
            except UNREACHABLE:
                answer = httpx.Response(503, text="no answer")
            if answer.status_code < 500 and answer.status_code not in (404, 429):
                return answer
            if asyncio.get_running_loop().time() > deadline:
                return answer
            self.figures["sent again"] += 1
            await asyncio.sleep(AGAIN)

    async def _true(self, query: str, *arguments: Any, within: float = PATIENCE) -> bool:
        """Whether Postgres says yes in time. While it says nothing, nobody can tell."""
        began = asyncio.get_running_loop().time()
        while True:
            said = await self.database.ask(query, *arguments)
            waited = asyncio.get_running_loop().time() - began
            if said or (said is not None and waited > within) or waited > within + PATIENCE:
                return bool(said)
            await asyncio.sleep(AGAIN)


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (moment - datetime.now(UTC)).total_seconds()))


class Pulse:
    """Tells one complaint something every second or as often as it answers, so that it shows how long nothing works."""

    EVERY = 1.0
    AT_ONCE = 3
    """Beats on their way; where nothing answers, more of them would only keep the server from recovering."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self.opening = {
            "contract": SWEPT,
            "reference": f"PULSE{seed}",
            "kind": "enquiry",
            "incident": OUTAGE,
            "channel": "phone",
            "received_at": datetime.now(UTC).isoformat(),
            "content": "Are you there?",
        }
        self.complaint = f"{SWEPT}/PULSE{seed}"
        self.begun: dict[str, datetime] = {}
        self.answered: set[str] = set()
        self._beats: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._stage.open(self.opening)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Once every beat has been answered, the complaint is withdrawn."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, *self._beats, return_exceptions=True)
        await self._stage.end(self.complaint)

    async def recorded_since(self, since: datetime) -> datetime | None:
        """When a beat that began after this instant was seen on record; nothing while none is."""
        keys = [key for key, begun in self.begun.items() if begun > since]
        query = "SELECT EXISTS (SELECT FROM ledger WHERE stream = $1 AND body ->> 'key' = ANY($2))"
        found = keys and await self._stage.database.ask(query, f"complaint/{self.complaint}", keys)
        return datetime.now(UTC) if found else None

    async def _run(self) -> None:
        number = 0
        while True:
            if len(self._beats) >= self.AT_ONCE:
                await asyncio.wait(self._beats, return_when="FIRST_COMPLETED")
            number += 1
            key = f"pulse-{number}"
            self.begun[key] = datetime.now(UTC)
            beat = asyncio.create_task(self._beat(key))
            self._beats.add(beat)
            beat.add_done_callback(self._beats.discard)
            await asyncio.sleep(self.EVERY)

    async def _beat(self, key: str) -> None:
        await self._stage.pulse(self.complaint, key)
        self.answered.add(key)
