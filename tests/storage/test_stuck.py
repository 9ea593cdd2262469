"""Whatever gave up stands in a queue people see (invariant 15)."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from rules.decide import refuse
from rules.directory_file import read_directory
from rules.events import EVENTS
from rules.values import SYSTEM, Actor
from storage import directory, feed, registry, webhooks
from storage.content import Vault
from storage.database import transaction
from storage.recording import record, record_message
from storage.stuck import Stuck, stuck
from tests.support.recorded import at_noon, batch, claim, on_record, peopled, published, said
from tests.support.story import Story, at

NOW = at("2026-03-02 12:00")


async def queue(engine: AsyncEngine) -> list[Stuck]:
    async with transaction(engine) as connection:
        return await stuck(connection, NOW, waiting=timedelta(minutes=15), past=timedelta(days=30))


async def test_a_healthy_system_has_an_empty_queue(engine: AsyncEngine, vault: Vault) -> None:
    """With every role held and nothing waiting for long, nothing is stuck."""
    everybody = "people: {dee: {name: Dee, email: d@example.com, language: en, zone: UTC}}\nroles: {'*': {"
    roles = ("owner", "team_lead", "manager", "director")
    everybody += "".join(f"handler.{role}: [dee], " for role in roles) + "principal.responsible_person: [dee]}}"
    await on_record(engine, vault, Story().open("2026-03-02 11:50"))
    async with transaction(engine) as connection:
        await directory.replace(connection, read_directory(everybody, "all.yaml"))
    assert await queue(engine) == []


async def test_everything_stuck_is_listed(engine: AsyncEngine, vault: Vault) -> None:
    """Empty roles, waiting and undeliverable notices, refused signals and rejected starts each stand in the queue."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    story.note(refuse(story.case, "respond", "text: is missing", at("2026-03-02 10:30")))
    await on_record(engine, vault, story)
    owner, owner_80, lead, manager = (notice.key for entry in story.entries for notice in entry.notices)
    async with transaction(engine) as connection:
        await peopled(connection)
        bad = registry.Reject("complaint/small/R-9", "run-9", "kind: is missing", at_noon(2), "small", "R-9")
        await registry.reject(connection, bad)
        for message, keys in (("m1", [owner]), ("m2", [owner_80, lead])):
            told = {"person": "ann", "channel": "email", "language": "en", "notices": keys}
            await record_message(connection, vault, message, [said(1, "claimed", at("2026-03-02 10:21"), **told)])
        refused = said(2, "undeliverable", at("2026-03-02 10:22"), reason="550 no such user")
        await record_message(connection, vault, "m2", [refused])
    found = {(item.what, item.where): item.why for item in await queue(engine)}
    assert found == {
        ("role with nobody", "small handler.director"): "the contract tells this role, and the directory names nobody",
        ("role with nobody", "small principal.responsible_person"): (
            "the contract tells this role, and the directory names nobody"
        ),
        ("waiting notice", owner): "claimed, not sent yet",
        ("undeliverable notice", owner_80): "550 no such user",
        ("undeliverable notice", lead): "550 no such user",
        ("waiting notice", manager): "nobody has claimed it yet",
        ("refused signal", "small/R-1#7"): "respond: text: is missing",
        ("rejected start", "complaint/small/R-9"): "kind: is missing",
    }


async def test_a_webhook_that_fails_or_is_gone_is_listed(engine: AsyncEngine, vault: Vault) -> None:
    """An event that waits stands in the queue, numbered or not, so does a receiver that is gone; what was paused on
    purpose, and what waits for no event of its own, does not."""
    who = Actor(role="operations", person="p.ops")
    made = {}
    for name, events in (("failing", EVENTS), ("gone", EVENTS), ("asked", EVENTS), ("idle", ["clock.missed"])):
        async with transaction(engine) as connection:
            made[name] = (
                await webhooks.subscribe(
                    connection, vault, contract=None, format_="cloudevents", events=events,
                    origin=f"https://{name}.example.com", url="https://x", secret="s", by=who, at=NOW,
                )
            ).id  # fmt: skip
    await on_record(engine, vault, Story().open("2026-03-02 10:00"))
    async with transaction(engine) as connection:
        await webhooks.pause(connection, vault, made["gone"], "gone", SYSTEM, NOW)
        await webhooks.pause(connection, vault, made["asked"], "asked", who, NOW)

    async def listed() -> dict[str, str]:
        return {item.where: item.why for item in await queue(engine) if item.what.endswith("webhook")}

    gone = {f"{made['gone']} https://gone.example.com": "its receiver says 410 Gone"}
    assert await listed() == gone | {f"{made['failing']} https://failing.example.com": "nobody has sent it yet"}
    async with transaction(engine) as connection:
        await feed.head(connection)
        await webhooks.failed(connection, made["failing"], "HTTP 500", NOW)
    assert await listed() == gone | {f"{made['failing']} https://failing.example.com": "HTTP 500"}
    async with transaction(engine) as connection:
        assert await webhooks.moved(connection, made["failing"], 0, 0, NOW - timedelta(minutes=1))
    assert await listed() == gone, "a receiver that takes one after the other is not stuck"
    async with transaction(engine) as connection:
        assert await webhooks.moved(connection, made["failing"], 0, await feed.head(connection), NOW)
    assert await listed() == gone


async def test_what_is_answered_leaves_the_queue(engine: AsyncEngine, vault: Vault) -> None:
    """An acknowledged notice is not stuck, and a closed complaint no longer waits for a corrected signal."""
    story = Story().open("2026-03-02 10:00")
    story.live("2026-03-02 10:20")
    story.note(refuse(story.case, "respond", "text: is missing", at("2026-03-02 10:30")))
    for role in ("handler.owner", "handler.team_lead", "handler.manager"):
        story.tell("acknowledge", "2026-03-02 10:31", by={"role": role})
    story.tell("withdraw", "2026-03-02 10:32", by={"role": "complainant"})
    async with transaction(engine) as connection:
        version = (await published(connection)).version
        await registry.register(connection, [claim()])
        await record(connection, vault, [batch(story, version)])
    assert {item.what for item in await queue(engine)} == {"role with nobody"}
