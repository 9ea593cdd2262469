"""`ombud keys`: the master keys, which of them are needed, and how one takes the place of another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine

    from storage.keys import Keyring
    from storage.rotation import Use

keys = typer.Typer(no_args_is_help=True, help="The master keys: make one, change it, see which are needed.")


def mount(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")


@keys.command()
def new() -> None:
    """Make a master key and print it. It stands nowhere else: keep it where secrets are kept."""
    import base64
    import os

    from storage.keys import KEY_BYTES

    print(base64.b64encode(os.urandom(KEY_BYTES)).decode())


@keys.command()
def check(
    histories: Annotated[
        bool, typer.Option("--histories", help="Look through every history that Temporal holds, too. Takes long.")
    ] = False,
) -> None:
    """Say which master keys are needed, and for what. Ends with 1 if one is needed and not in the settings."""
    from starter.postgres import postgres, settings_in_force
    from storage import rotation
    from storage.database import transaction

    settings = settings_in_force()
    ring = settings.keyring

    async def look() -> tuple[list[Use], dict[str, int]]:
        async with postgres(settings) as engine, transaction(engine) as connection:
            found = await rotation.uses(connection, ring)
        if not histories:
            return found, {}
        from starter.sealed_histories import by_key

        return found, await by_key()

    uses, sealed = asyncio.run(look())
    known = [use.key_id for use in uses]
    uses += [_unused(id_) for id_ in sealed if id_ not in known]
    missing = False
    for use in uses:
        needed = bool(use.alone or sealed.get(use.key_id))
        missing = missing or (use.key_id not in ring.ids and needed)
        print("  ".join(_line(use, ring, sealed.get(use.key_id, 0), histories=histories)))
    raise typer.Exit(1 if missing else 0)


@keys.command()
def rotate(
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Also unseal from earlier keys: once every process has the current one."),
    ] = False,
) -> None:
    """Seal every content key under the current master key, while workers run; broken off, run it again."""
    from starter.errors import Refused
    from starter.postgres import postgres, settings_in_force
    from storage import rotation
    from storage.database import transaction

    settings = settings_in_force()
    ring = settings.keyring

    async def run() -> tuple[int, int, list[str], list[Use]]:
        async with postgres(settings) as engine:
            done, lost = await _rewrap(engine, ring)
            async with transaction(engine) as connection:
                dropped = await rotation.drop(connection, ring) if drop_old else 0
                return done, dropped, lost, await rotation.uses(connection, ring)

    done, dropped, lost, uses = asyncio.run(run())
    print(
        f"{done:,} content keys sealed under {ring.current.id}" + (f", {dropped:,} old seals gone" if dropped else "")
    )
    if lost:
        raise Refused(
            f"{len(lost):,} content keys open under no master key of the settings, such as that of {lost[0]}. "
            "`ombud keys check` names the keys that are missing; add them and run this again."
        )
    for use in uses:
        if use.key_id == ring.current.id or use.key_id not in ring.ids:
            continue
        when = " once `ombud keys check --histories` finds no history sealed under it" if settings.payload_codec else ""
        print(f"No content needs master key {use.key_id} any more. It may be taken out of the settings{when}.")


async def _rewrap(engine: AsyncEngine, ring: Keyring) -> tuple[int, list[str]]:
    from rich.console import Console
    from rich.progress import Progress

    from storage import rotation
    from storage.database import transaction

    done, lost, behind, more = 0, list[str](), "", True
    async with transaction(engine) as connection:
        total = await rotation.remaining(connection, ring)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sealing", total=total)
        while more:
            async with transaction(engine) as connection:
                batch = await rotation.rewrap(connection, ring, behind)
            done, behind, more = done + batch.done, batch.last, bool(batch.last)
            lost += batch.lost
            bar.update(task, completed=done + len(lost))
    return done, lost


def _unused(key_id: str) -> Use:
    from storage.rotation import Use

    return Use(key_id, 0, 0)


def _line(use: Use, ring: Keyring, sealed: int, *, histories: bool) -> Iterator[str]:
    yield use.key_id
    if use.key_id == ring.current.id:
        yield "current"
    elif use.key_id in ring.ids:
        yield "earlier"
    else:
        yield "NOT IN THE SETTINGS"
    yield f"{use.streams:,} content keys, {use.alone:,} of them under it alone"
    if histories:
        yield f"{sealed:,} histories"
    if use.key_id != ring.current.id and not use.alone and not sealed:
        yield "not needed" if histories else "not needed by content"
