"""What a process tells of itself while it runs: metrics of a worker for Prometheus.

Names and labels of Ombud's own are chosen in `activities.meters` and `workflows.counting`.
"""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

from activities.meters import ACCEPTED_AFTER, DETECTED_AFTER
from settings import Settings

LATENESS: Sequence[float] = (
    0.1,
    0.5,
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    900,
    1800,
    3600,
    7200,
    14400,
    43200,
    86400,
    259200,
)
"""Seconds that end the classes of a lateness: from what nobody notices to a long weekend without a mail server."""


def runtime(settings: Settings) -> Runtime:
    """What the clients of this process run on. Made once, before the first client.

    Raises ValueError when the address for Prometheus cannot be listened on.
    """
    metrics = None
    if settings.worker_metrics:
        metrics = PrometheusConfig(
            bind_address=settings.worker_metrics,
            durations_as_seconds=True,
            histogram_bucket_overrides=dict.fromkeys((DETECTED_AFTER, ACCEPTED_AFTER), LATENESS),
        )
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig.default, metrics=metrics))
