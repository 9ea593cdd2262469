"""A post office on a real Postgres, a real mail server and a real Temporal, with complaints that only listen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.interface import OUTCOME, Delivered, complaint_id, mails_queue
from activities.mailer import Mailer
from activities.post import PostOffice
from rules.directory_file import read_directory
from settings import Settings
from storage import directory, registry
from storage.content import Vault
from storage.database import create_engine, transaction
from storage.recording import record
from tests.support.recorded import batch, claim, published
from tests.support.smtp import SmtpSink
from tests.support.story import Story
from workflows.post import Post
from workflows.runner import in_one_batch

PEOPLE = """
people:
  ann: {name: Ann Ash, email: ann@example.com, language: en, zone: Europe/Berlin}
  bo: {name: 林波, email: bo@example.com, language: zh-CN, zone: Asia/Shanghai}
  cy: {name: Cy Dahl, email: cy@example.com, language: en, zone: Asia/Shanghai}
  di: {name: Di Rey, email: di@example.com, language: en, zone: Asia/Shanghai}
roles:
  "*":
    handler.owner: [ann]
    handler.team_lead: [bo]
    handler.manager: [cy]
    handler.director: [di]
    principal.responsible_person: [bo]
"""


@workflow.defn(name="Complaint")
class Listener:
    """Stands for a complaint: keeps what it hears of its notices and how they are acknowledged."""

    def __init__(self) -> None:
        self._heard: list[dict[str, Any]] = []
        self._told: list[dict[str, Any]] = []
        self._covered: list[dict[str, Any]] = []

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal(name=OUTCOME)
    def hear(self, outcome: dict[str, Any]) -> None:
        self._heard.append(outcome)

    @workflow.signal(name="acknowledge")
    def cover(self, command: dict[str, Any]) -> None:
        self._covered.append(command)

    @workflow.query
    def covered(self) -> list[dict[str, Any]]:
        return self._covered

    @workflow.update
    def acknowledge(self, command: dict[str, Any]) -> dict[str, Any]:
        if workflow.info().workflow_id.endswith("-refuses"):
            raise ApplicationError("Not this one, says the contract.", type="Refused")
        self._told.append(command)
        return {"complaint": "", "seq": 1, "event": "acknowledged"}

    @workflow.query
    def told(self) -> list[dict[str, Any]]:
        return self._told

    @workflow.query
    def heard(self) -> list[dict[str, Any]]:
        return self._heard


@dataclass
class Desk:
    """What a test of delivery has at hand."""

    engine: AsyncEngine
    client: Client
    sink: SmtpSink
    settings: Settings
    vault: Vault
    queue: str
    listeners: list[Any] = field(default_factory=list)

    @property
    def office(self) -> PostOffice:
        """The activity as a worker has it, without the time in which a crowd gathers."""
        return self.office_of(Mailer(self.settings))

    def office_of(self, mailer: Mailer, gather: timedelta = timedelta(), **more: Any) -> PostOffice:
        return PostOffice(self.engine, self.client, mailer, self.settings, gather=gather, **more)

    def office_at(self, now: datetime, **more: Any) -> PostOffice:
        """One whose clock stands at this time."""
        return self.office_of(Mailer(self.settings), clock=lambda: now, **more)

    async def deliver(self, person: str, office: PostOffice | None = None) -> Delivered:
        """One round of delivery."""
        done: Delivered = await ActivityEnvironment().run((office or self.office).deliver, person)
        return done

    async def record(self, *stories: Story) -> None:
        """Put stories on record, with the notices they plan."""
        async with transaction(self.engine) as connection:
            await self.people(PEOPLE)
            for story in stories:
                version = (await published(connection, story.law.contract)).version
                await registry.register(connection, [claim(story.case.reference)])
                await record(connection, self.vault, [batch(story, version)])

    async def people(self, directory_file: str) -> None:
        """Import a directory."""
        async with transaction(self.engine) as connection:
            await directory.replace(connection, read_directory(directory_file, "people.yaml"))

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What Postgres answers."""
        async with transaction(self.engine) as connection:
            return [dict(row) for row in (await connection.execute(text(query), values)).mappings()]

    async def listen(self, story: Story) -> Any:
        """A complaint of this story's id that listens to what becomes of its notices."""
        id_ = complaint_id(story.case.contract, story.case.reference)
        handle = await self.client.start_workflow(Listener.run, id=id_, task_queue=self.queue)
        self.listeners.append(handle)
        return handle


def missed(reference: str = "R-1", until: str = "2026-03-02 10:20") -> Story:
    """A first response missed at 10:15: the owner was warned twice, the team lead once, then the manager was told."""
    story = Story()
    story.open("2026-03-02 10:00", reference=reference)
    story.live(until)
    return story


@asynccontextmanager
async def opened(temporal: Client, settings: Settings, sink: SmtpSink) -> AsyncIterator[Desk]:
    """A post office and complaints of this test's own, while the block lasts."""
    engine = create_engine(settings.database_url)
    vault = Vault(settings.keyring)
    more = {"base_url": "https://ombud.example.com", "temporal_ui_url": "https://temporal.example.com"}
    queue = f"listeners-{uuid4()}"
    made = Desk(engine, temporal, sink, settings.model_copy(update=more), vault, queue)
    # The listener waits for nothing but messages: no need for the sandbox, which would import the test's own modules.
    runner = UnsandboxedWorkflowRunner()
    async with Worker(temporal, task_queue=queue, workflows=[Listener], workflow_runner=runner):
        yield made
        for handle in made.listeners:
            await handle.terminate()
    await engine.dispose()


@asynccontextmanager
async def posting(desk: Desk, queue: str) -> AsyncIterator[None]:
    """Workers for the Posts of a queue, as a worker process has them."""
    office = desk.office
    async with (
        in_one_batch(Worker(desk.client, task_queue=queue, workflows=[Post], activities=[office.gathering.look])),
        Worker(desk.client, task_queue=mails_queue(queue), activities=office.activities),
    ):
        yield
