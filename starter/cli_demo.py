"""`ombud demo`: a few complaints played in the terminal while the system is up."""

from __future__ import annotations

import typer


def mount(app: typer.Typer) -> None:
    app.command()(demo)


def demo() -> None:
    """Play six complaints whose clocks are seconds long, live, and show what Postgres holds of them at the end."""
    import asyncio

    from starter.demo import demo as play

    asyncio.run(play())
