"""How many commands complaints take and refuse, told by the worker. Nothing is counted when a history is replayed."""

from __future__ import annotations

from temporalio import workflow

COMMANDS = "ombud_commands_total"


def command(contract: str, name: str, outcome: str) -> None:
    """A command was `taken` or `refused`, or was a `repeated` one that changed nothing."""
    counter = workflow.metric_meter().create_counter(COMMANDS, "Commands that complaints were told, by their answer.")
    counter.add(1, {"contract": contract, "command": name, "outcome": outcome})
