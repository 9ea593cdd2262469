"""Temporal servers for tests: the real one, and the real one with a virtual clock for every workflow."""

from collections.abc import Mapping, Sequence
from typing import Any

from temporalio.common import SearchAttributeKey
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from deploy.temporal import binary
from wire.client import DATA_CONVERTER

# Without the first, the namespace refuses virtual time; the second makes a skipped timer fire at once, not
# up to a second later.
_VIRTUAL_TIME = ["frontend.WorkflowTimeSkippingEnabled=true", 'history.timerProcessorMaxTimeShift="10ms"']


async def start_real(
    search_attributes: Sequence[SearchAttributeKey[Any]],
    dynamic: Mapping[str, int] | None = None,
    ui_port: int | None = None,
) -> WorkflowEnvironment:
    """A development server whose clock is the wall's, with values of the server's dynamic configuration.

    With a port for it, it shows its Web UI there.
    """
    return await WorkflowEnvironment.start_local(
        data_converter=DATA_CONVERTER,
        search_attributes=search_attributes,
        dev_server_existing_path=str(binary()),
        dev_server_log_level="error",
        ui=ui_port is not None,
        ui_port=ui_port,
        dev_server_extra_args=[
            part for key, value in (dynamic or {}).items() for part in ("--dynamic-config-value", f"{key}={value}")
        ],
    )


async def start_virtual(search_attributes: Sequence[SearchAttributeKey[Any]]) -> WorkflowEnvironment:
    """A development server with a virtual clock per workflow, which stands until a test moves it.

    Start workflows by `env.client`; `await env.fast_forward(handle, timedelta(days=3))` moves one of them.
    """
    return await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        data_converter=DATA_CONVERTER,
        search_attributes=search_attributes,
        dev_server_existing_path=str(binary()),
        dev_server_log_level="error",
        dev_server_extra_args=[part for value in _VIRTUAL_TIME for part in ("--dynamic-config-value", value)],
    )
