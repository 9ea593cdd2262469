"""What a process writes while it runs: lines for people or, with OMBUD_LOG_FORMAT=json, an object a line.

An object holds the fields of `FIELDS` and no others, so that nothing gets in by accident; where a line is about a
complaint, its id stands in `complaint`. Lines carry ids and words of our own, never the words of a complaint.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from settings import LogFormat, Settings

FIELDS = (
    *("time", "level", "logger", "message", "complaint", "workflow_id", "run_id", "workflow_type", "activity_type"),
    *("attempt", "update_name", "error", "exc_info", "stack_info"),
)

CORE = "temporal.core"
"""The logger of the Temporal SDK's own machinery."""

_ABOUT: ContextVar[str | None] = ContextVar("complaint", default=None)


@contextmanager
def about(complaint: str) -> Iterator[None]:
    """Lines written inside the block are about this complaint, `contract/reference`."""
    token = _ABOUT.set(complaint)
    try:
        yield
    finally:
        _ABOUT.reset(token)


def from_now_about(complaint: str) -> None:
    """Lines written from now on in this request or task are about this complaint."""
    _ABOUT.set(complaint)


def configure(settings: Settings) -> None:
    """Let this process write as the settings say, in place of what was set up before."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.log_format is LogFormat.JSON:
        handler.setFormatter(Json())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=settings.log_level, handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "alembic"):  # every step of theirs is nobody's news
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(settings.log_level)))


class Json(JsonFormatter):
    """One object a line."""

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill in the fields, those that are not empty."""
        told = _told_by_temporal(record)
        found = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "complaint": _ABOUT.get() or _complaint(told),
            **told,
            "error": record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None,
            "exc_info": message_dict.get("exc_info"),
            "stack_info": message_dict.get("stack_info"),
        }
        log_data.update({name: found[name] for name in FIELDS if found.get(name)})


def _told_by_temporal(record: logging.LogRecord) -> Mapping[str, Any]:
    """What the SDK says of the workflow or activity that writes."""
    told: dict[str, Any] = (
        getattr(record, "temporal_workflow", None) or getattr(record, "temporal_activity", None) or {}
    )
    return told


def _complaint(told: Mapping[str, Any]) -> str | None:
    kind, _, name = str(told.get("workflow_id", "")).partition("/")
    return name if kind == "complaint" else None
