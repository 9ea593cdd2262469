"""What a new system knows from its first minute: the contracts that ship with Ombud and the people behind them."""

import asyncio
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
from ruamel.yaml import YAML

from deploy.supervisor import Command, Supervisor

CONTRACTS = Path(__file__).parents[1] / "contracts"
OMBUD = str(Path(sysconfig.get_path("scripts")) / "ombud")


async def publish(supervisor: Supervisor, database: str, environment: Mapping[str, str]) -> None:
    """Publish each shipped contract from the first day of its term and fill the directory, unless that is done.

    The directory comes last, so a start that was interrupted here begins again. Does what a person would do with the
    `ombud` command. Raises ServerError with its last words if it refuses.
    """
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        done = await connection.fetchval("SELECT EXISTS (SELECT FROM people)")
    finally:
        await connection.close()
    if not done:
        for arguments in _steps():
            await supervisor.once(Command(name="First contents", command=[OMBUD, *arguments], environment=environment))


async def first_token(supervisor: Supervisor, database: str, environment: Mapping[str, str], file: Path) -> str | None:
    """Make a token that may do everything here, unless there ever was one; it stands in `file`, and in no log."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM tokens)"):
            return None
    finally:
        await connection.close()
    scopes = [part for scope in ("open", "act", "read", "supervise", "admin") for part in ("--scope", scope)]
    others = [part for party in ("complainant", "principal") for part in ("--reports-for", party)]
    who = ["--role", "handler", *others, "--days", "366", "--out", str(file)]
    command = [OMBUD, "token", "create", "trying", *scopes, *who]
    await supervisor.once(Command(name="First token", command=command, environment=environment))
    return (await asyncio.to_thread(file.read_text, encoding="utf-8")).strip()


def _steps() -> Iterator[list[str]]:
    for path in sorted(CONTRACTS.glob("*.yaml")):
        first_day = str(YAML(typ="safe").load(path)["term"]["from"])
        yield ["contract", "publish", str(path), "--effective", first_day, "--by", "shipped"]
    yield ["directory", "import", str(CONTRACTS / "people" / "directory.yaml")]
