"""What a worker tells of itself while it runs: metrics for Prometheus, and the log of the Temporal SDK's machinery.

Names and labels of Ombud's own are chosen in `telemetry.meters` and `workflows.counting`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

from settings import Settings
from telemetry.logs import CORE
from telemetry.meters import ACCEPTED_AFTER, DETECTED_AFTER

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
    # What the SDK's own machinery has to say goes where everything else goes.
    core = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger(CORE)),
    )
    return Runtime(telemetry=TelemetryConfig(logging=core, metrics=metrics))
