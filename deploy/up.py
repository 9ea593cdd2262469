"""The whole system on one machine, in the foreground: `ombud up`.

Everything stays in one folder and listens on loopback. While it runs, the folder's `ombud.env` tells every command
in another terminal where the system is (`settings`), so none of them needs a setting. With `OMBUD_SMTP_HOST` set,
mail goes to that server and the local mail catcher is left out.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import asyncpg
from alembic.util import CommandError
from pydantic import ValidationError

from deploy import postgres, shipped, temporal
from deploy.folder import DataFolder, FolderError
from deploy.ports import LOOPBACK, Ports, PortTakenError
from deploy.supervisor import Server, ServerError, StopRequested, Supervisor
from settings import stated
from storage.migrate import TablesHeldError, upgrade


def main(data: Path, ports: Ports | None = None, *, servers_only: bool = False) -> int:
    """Run the system on the folder `data` until Ctrl-C (0) or until something goes wrong (1).

    With `servers_only` neither worker nor pages: for a restore, while nothing may be sent or answered.
    """
    os.umask(0o077)  # complaints are nobody else's business
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        del os.environ[name]  # this system has a Temporal of its own, whatever others use
    try:
        asyncio.run(_up(DataFolder(data), ports or Ports(), servers_only=servers_only))
    except StopRequested:
        return 0
    except ValidationError as error:
        for problem in error.errors():
            print(f"OMBUD_PORT_{str(problem['loc'][0]).upper()}: {problem['msg']}", file=sys.stderr)
        return 1
    except (FolderError, PortTakenError, ServerError, postgres.PostgresError) as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        return 1
    return 0


SENDER = "Ombud <ombud@localhost>"
ANSWER_WITHIN = 2.0  # seconds, for one look at a server that starts


async def _up(folder: DataFolder, ports: Ports, *, servers_only: bool) -> None:
    with folder.locked():
        supervisor = Supervisor(folder.logs, folder.servers, _say)
        try:
            _say(f"Ombud on this machine, data in {folder.path}")
            supervisor.end_leftovers()
            ports.check()
            await _servers(supervisor, folder, ports, servers_only=servers_only)
        finally:
            await supervisor.stop()


async def _servers(supervisor: Supervisor, folder: DataFolder, ports: Ports, *, servers_only: bool) -> None:
    secrets = folder.secrets()
    password = secrets.pop("POSTGRES_PASSWORD")
    database = postgres.url(ports.postgres, password)
    frontend = temporal.Frontend(ports.temporal)
    ours = secrets | {
        "OMBUD_BUILD_ID": "",  # one worker, which is stopped before another starts, needs no versions
        "OMBUD_DATA_DIR": str(folder.path),
        "OMBUD_DATABASE_URL": database,
        "OMBUD_ERASURES_FILE": str(folder.path / "erasures.jsonl"),
        "OMBUD_HTTP_PORT": str(ports.pages),
        "OMBUD_TASK_QUEUE": "ombud",
        "OMBUD_TEMPORAL_UI_URL": f"http://{LOOPBACK}:{ports.temporal_ui}",
        "TEMPORAL_ADDRESS": frontend.address,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "TEMPORAL_NAMESPACE": temporal.NAMESPACE,
    }
    given = stated()
    if "OMBUD_BASE_URL" not in given:
        ours["OMBUD_BASE_URL"] = f"http://{LOOPBACK}:{ports.pages}"
    if "OMBUD_PAYLOAD_CODEC" in given:  # for the commands in other terminals, too
        ours["OMBUD_PAYLOAD_CODEC"] = given["OMBUD_PAYLOAD_CODEC"]

    cluster = await supervisor.meanwhile(asyncio.to_thread(postgres.Cluster, folder.postgres, password))
    neighbours = [
        Server(
            name="Postgres",
            command=cluster.command(ports.postgres),
            where=f"{LOOPBACK}:{ports.postgres}, database {postgres.DATABASE}",
            ready=partial(_accepts_queries, database),
            user=cluster.system_user,
            stop=signal.SIGINT,
        ),
        Server(
            name="Temporal",
            command=temporal.command(folder.temporal, ports.temporal, ports.temporal_ui),
            where=f"{frontend.address}, Web UI http://{LOOPBACK}:{ports.temporal_ui}",
            ready=frontend.answers,
        ),
    ]
    if "OMBUD_SMTP_HOST" not in given:
        ours |= {"OMBUD_SMTP_HOST": LOOPBACK, "OMBUD_SMTP_PORT": str(ports.smtp), "OMBUD_MAIL_FROM": SENDER}
        neighbours.append(
            Server(
                name="Mail catcher",
                command=_module("deploy.mail", str(folder.mail), str(ports.smtp), str(ports.inbox)),
                where=f"smtp {LOOPBACK}:{ports.smtp}, inbox http://{LOOPBACK}:{ports.inbox}",
                ready=partial(_greets, ports.smtp, ports.inbox),
            )
        )
    await supervisor.start(*neighbours)
    if servers_only:
        with folder.announced(ours):
            _say("Ready, without worker and pages. Ctrl-C stops it; the data stay.")
            await supervisor.forever()
    await supervisor.meanwhile(asyncio.to_thread(_migrate, database))
    await shipped.publish(supervisor, database, ours)
    made = await shipped.first_token(supervisor, database, ours, folder.token)
    await supervisor.start(
        Server(
            name="Worker",
            command=_module("worker"),
            where=f"task queue {ours['OMBUD_TASK_QUEUE']}",
            ready=partial(frontend.polled, ours["OMBUD_TASK_QUEUE"]),
            environment=ours,
        ),
        Server(
            name="Pages",
            command=[shipped.OMBUD, "serve"],
            where=f"http://{LOOPBACK}:{ports.pages}, API at /v1",
            ready=partial(_listens, ports.pages),
            environment=ours,
        ),
    )
    with folder.announced(ours):
        if made:
            _say(f"A token for trying the HTTP API, shown this once and kept in {folder.token}:\n  {made}")
        _say("Ready. Ctrl-C stops it; the data stay.")
        await supervisor.forever()


def _migrate(database: str) -> None:
    try:
        upgrade(database)
    except CommandError as error:
        raise postgres.PostgresError(
            f"The tables cannot be brought up to date: {error}\nWas a newer version of Ombud here? Then use that one."
        ) from None
    except TablesHeldError as error:
        raise postgres.PostgresError(str(error)) from None


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


async def _accepts_queries(database: str) -> bool:
    try:
        connection = await asyncpg.connect(database.replace("+asyncpg", ""), timeout=ANSWER_WITHIN)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
        return False
    await connection.close()
    return True


async def _greets(smtp_port: int, web_port: int) -> bool:
    """Whether the mail server says 220 and its web page can be reached."""
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reader, writer = await asyncio.open_connection(LOOPBACK, smtp_port)
            greeting = await reader.readline()
            writer.close()
    except (OSError, TimeoutError):
        return False
    return greeting.startswith(b"220") and await _listens(web_port)


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def _say(text: str) -> None:
    """To the terminal, if it is still there: stopping the servers matters more than telling of it."""
    with suppress(BrokenPipeError):
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(Path(os.environ.get("OMBUD_DATA_DIR", "data")), servers_only="--servers-only" in sys.argv))
