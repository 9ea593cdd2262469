"""What a worker measures of its own work. Labels are contracts, obligations and words of this module, never a person.

A step that is tried again after it was done may be counted twice; what must be exact stands in Postgres.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from temporalio import activity

from storage.posts import Delay
from storage.recording import Lateness

DETECTED_AFTER = "ombud_miss_detected_after_seconds"
"""From the due time, or from when Ombud learned of the clock if that was later, to the record of the miss."""

ACCEPTED_AFTER = "ombud_notice_accepted_after_seconds"
"""From the record of what a notice tells to the 250 of the mail server."""

MESSAGES = "ombud_messages_total"


def missed(found: Iterable[Lateness]) -> None:
    """Misses that have just come on record."""
    histogram = activity.metric_meter().create_histogram_timedelta(DETECTED_AFTER, "From due to recorded as missed.")
    for late in found:
        labels = {"contract": late.contract, "obligation": late.obligation}
        histogram.record(max(late.by, timedelta()), labels)


def accepted(found: Iterable[Delay]) -> None:
    """Notices whose message has just been accepted."""
    histogram = activity.metric_meter().create_histogram_timedelta(ACCEPTED_AFTER, "From recorded to accepted.")
    for delay in found:
        labels = {"contract": delay.contract, "obligation": delay.obligation, "about": delay.about}
        histogram.record(max(delay.by, timedelta()), labels)


def message(outcome: str) -> None:
    """A message was `accepted`, is `undeliverable`, or `failed` for now."""
    counter = activity.metric_meter().create_counter(MESSAGES, "Messages handed to the mail server, by its answer.")
    counter.add(1, {"outcome": outcome})
