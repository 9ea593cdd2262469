"""Traces by OpenTelemetry: from a command or a request through Temporal to the activities. Off unless asked for.

On when `OTEL_EXPORTER_OTLP_ENDPOINT` is set in the environment; the other `OTEL_*` variables mean what they always do.
A complaint lives for weeks, so no span covers it: what its workflow does are moments in the trace that started it, and
a command or a signal is a trace of its own that the moment links to. Names, ids and codes get out, no words, and of an
address only its pattern: the address of an acknowledge page is a secret of its recipient.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from temporalio.client import Interceptor

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_provider: TracerProvider | None = None


def start(service: str, processor: SpanProcessor | None = None) -> None:
    """Trace from now on, if anybody asked for it. `service` is this process's name, unless OTEL_SERVICE_NAME says one.

    With a processor, spans go there whatever the environment says.
    """
    global _provider  # noqa: PLW0603  one of a process, made before the first client
    if processor is None and not any(os.environ.get(name) for name in ENDPOINTS):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  costly
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    name = os.environ.get("OTEL_SERVICE_NAME", service)
    _provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    _provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))


def stop() -> None:
    """Send what is left and trace no more. Called before a process ends itself."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def interceptors() -> list[Interceptor]:
    """What a client of Temporal needs; a worker takes it over from its client."""
    if _provider is None:
        return []
    from temporalio.contrib.opentelemetry import TracingInterceptor  # noqa: PLC0415

    # Backends start complaints without a trace of their own, and Temporal starts the canary.
    return [TracingInterceptor(_provider.get_tracer("ombud"), always_create_workflow_spans=True)]


@contextmanager
def command(name: str) -> Iterator[None]:
    """The span of a command of the command line."""
    if _provider is None:
        yield
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415

    with _provider.get_tracer("ombud").start_as_current_span(
        name, kind=SpanKind.INTERNAL, record_exception=False, set_status_on_exception=False
    ):
        yield


def requests_of(app: FastAPI) -> None:
    """A span for each request to this server, in the trace of whoever asks, if they say which."""
    if _provider is None:
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    tracer = _provider.get_tracer("ombud")
    propagator = TraceContextTextMapPropagator()  # an outsider's baggage stays outside

    async def traced(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        with tracer.start_as_current_span(
            request.method,
            context=propagator.extract(dict(request.headers)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method},
            record_exception=False,
        ) as span:
            response = await go_on(request)
            route: Any = request.scope.get("route")
            if pattern := getattr(route, "path", None):
                span.update_name(f"{request.method} {pattern}")
                span.set_attribute("http.route", pattern)
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 500:
                span.set_status(Status(StatusCode.ERROR))
            return response

    app.middleware("http")(traced)
