"""/metrics: how things stand in Postgres, for Prometheus.

Served here and not by the workers: it is one truth however many workers run, and it is still told while none runs,
which is when somebody must hear of it. What a worker does itself, it tells itself (`telemetry`).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from time import monotonic
from typing import NoReturn

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from settings import Settings
from storage.database import PostgresUnreachableError, SchemaMissingError, transaction
from storage.gauges import HELP, Gauge, gauges

LOGGER = logging.getLogger("ombud.metrics")

FRESH = 5.0
"""Seconds for which numbers are told again without asking Postgres, however many ask."""

HERE = ("127.0.0.1", "::1")


class Metrics:
    """The route, and the numbers as they were a moment ago."""

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        self._engine = engine
        self._token = settings.metrics_token
        self._asking = asyncio.Lock()
        self._known: list[Gauge] | None = None
        self._until = 0.0
        self.routes = APIRouter()
        self.routes.add_api_route("/metrics", self.metrics, methods=["GET"], include_in_schema=False)

    async def metrics(self, request: Request) -> Response:
        """The numbers in the format that the asker reads. `ombud_postgres_up` alone is told when Postgres is away."""
        self._allowed(request)
        registry = CollectorRegistry()
        registry.register(_Known(await self._numbers()))
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=kind)

    def _allowed(self, request: Request) -> None:
        """Raises HTTPException unless whoever asks knows the token or, where there is none, sits on this machine."""
        if self._token is not None:
            scheme, _, shown = request.headers.get("authorization", "").partition(" ")
            ours = self._token.get_secret_value().encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), ours):
                raise HTTPException(401, "Show the token of OMBUD_METRICS_TOKEN.", {"WWW-Authenticate": "Bearer"})
            return
        # What a proxy on this machine passes on comes from elsewhere.
        passed_on = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip", "via"))
        if passed_on or request.client is None or request.client.host not in HERE:
            _elsewhere()

    async def _numbers(self) -> list[Gauge] | None:
        """Asked of Postgres at most once in a few seconds; nothing while it does not answer."""
        async with self._asking:
            if monotonic() < self._until:
                return self._known
            try:
                async with transaction(self._engine) as connection:
                    self._known = await gauges(connection, datetime.now(UTC))
            except (PostgresUnreachableError, SchemaMissingError, SQLAlchemyError) as error:
                LOGGER.warning("no numbers from Postgres: %s", str(error).partition("\n")[0])
                self._known = None
            self._until = monotonic() + FRESH
            return self._known


class _Known(Collector):
    """Numbers as Prometheus metrics."""

    def __init__(self, numbers: list[Gauge] | None) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("ombud_postgres_up", "Whether Postgres answered; 0 leaves every other number out.")
        up.add_metric([], float(self._numbers is not None))
        yield up
        if self._numbers is not None:
            yield from self._families(self._numbers)

    @staticmethod
    def _families(numbers: list[Gauge]) -> Iterator[Metric]:
        for name, help_ in HELP.items():
            family = Metric(name, help_, "gauge")
            for gauge in numbers:
                if gauge.name == name:
                    family.add_sample(name, gauge.labels, gauge.value)
            yield family


def _elsewhere() -> NoReturn:
    raise HTTPException(403, "Only this machine may read this; set OMBUD_METRICS_TOKEN to let others.")
