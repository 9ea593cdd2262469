"""The search attributes by which operations find complaints in the Web UI. They describe open complaints.

Few, since a visibility store on Postgres has three datetime columns and ten keyword columns for everybody. They are
registered before a worker polls: upserting an unknown one would hold a complaint up for ever. No starter sets them: a
complaint's first task upserts stage and due anyway, and a start with four of them costs Temporal's server a third more.
"""

from __future__ import annotations

from typing import Any

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from rules.complaint import Complaint

CONTRACT = SearchAttributeKey.for_keyword("OmbudContract")
KIND = SearchAttributeKey.for_keyword("OmbudKind")
CATEGORY = SearchAttributeKey.for_keyword("OmbudCategory")
LEVEL = SearchAttributeKey.for_keyword("OmbudLevel")
STAGE = SearchAttributeKey.for_keyword("OmbudStage")
DUE = SearchAttributeKey.for_datetime("OmbudDue")
"""The earliest due time of the running clocks."""
MISSED = SearchAttributeKey.for_int("OmbudMissed")
"""How many clocks were missed so far."""

ALL: tuple[SearchAttributeKey[Any], ...] = (CONTRACT, KIND, CATEGORY, LEVEL, STAGE, DUE, MISSED)


def changes(
    case: Complaint, stage: str, shown: TypedSearchAttributes, *, anew: bool = False
) -> list[SearchAttributeUpdate[Any]]:
    """What must be upserted so that the attributes tell the truth; each upsert is billed, so only what differs, unless
    somebody doubts what is shown.

    A complaint that closes keeps its last stage and due: `ExecutionStatus` says that it is over.
    """
    episode = case.now_is
    due = min((clock.due_at for clock in case.clocks if clock.status == "running"), default=None)
    missed = sum(clock.missed is not None for clock in case.clocks)
    wanted: list[tuple[SearchAttributeKey[Any], Any]] = [
        (CONTRACT, case.contract),
        (KIND, episode.kind),
        (CATEGORY, episode.category),
        (LEVEL, episode.level),
        (MISSED, missed or None),
    ]
    if not case.closed:
        wanted += [(STAGE, stage), (DUE, due)]
    return [
        key.value_set(value) if value is not None else key.value_unset()
        for key, value in wanted
        if anew or shown.get(key) != value
    ]
