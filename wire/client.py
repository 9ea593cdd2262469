"""How every process of Ombud reaches Temporal: one address book and one data converter for all of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Plugin
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
)
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from settings import environment, load_keys
from storage.keys import Keyring
from telemetry.tracing import interceptors
from wire.codec import Codec
from wire.labels import LABEL, Label
from wire.packing import Packed, pack, unpack

# Temporal makes a converter for each workflow, and for each of its tasks: with what pydantic compiles, kilobytes each.
_SHARED = tuple(PydanticPayloadConverter().converters.values())


class LenientPayloads(CompositePayloadConverter):
    """Hands over undecoded what is not valid JSON, so that our own code can refuse it.

    An argument that fails to decode before our code runs would wedge its workflow for ever. A label is marked as one,
    so that it stays readable where payloads are sealed; what is `Packed` is packed.
    """

    def __init__(self) -> None:
        super().__init__(*_SHARED)

    def to_payloads(self, values: Sequence[Any]) -> list[Payload]:
        payloads = super().to_payloads(values)
        for place, value in enumerate(values):
            if isinstance(value, Label):
                payloads[place].metadata[LABEL] = b"1"
            elif isinstance(value, Packed):
                payloads[place] = pack(payloads[place])
        return payloads

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        payloads = [unpack(payload) for payload in payloads]
        try:
            return super().from_payloads(payloads, type_hints)
        except Exception:  # noqa: BLE001  whatever a sender can put into a payload
            return [RawValue(payload) for payload in payloads]


DATA_CONVERTER = DataConverter(payload_converter_class=LenientPayloads)
"""How values travel: pydantic's JSON, lenient towards what cannot be read."""


def sealing(ring: Keyring, *, seals: bool) -> DataConverter:
    """The same with a codec that opens what is sealed and, with `seals`, seals everything but labels.

    Failures are sealed then as well: the message and the stack trace of one may quote what somebody sent.
    """
    failures = DefaultFailureConverterWithEncodedAttributes if seals else DefaultFailureConverter
    return replace(DATA_CONVERTER, payload_codec=Codec(ring, seals=seals), failure_converter_class=failures)


def data_converter() -> DataConverter:
    """The converter that the environment asks for. Raises SettingsError."""
    keys = load_keys()
    return sealing(keys.keyring, seals=keys.payload_codec) if keys else DATA_CONVERTER


class TemporalUnreachableError(Exception):
    """Temporal does not answer; the message says where it was looked for and which setting moves it."""


async def connect_temporal(*, plugins: list[Plugin] | None = None) -> Client:
    """A client for the Temporal server that the environment names, by default the one on this machine.

    Address, namespace, API key and TLS come from `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE` … or a profile of
    Temporal's TOML file, as with every other Temporal tool. Raises TemporalUnreachableError and SettingsError.
    """
    config = ClientConfig.load_client_connect_config(override_env_vars=environment())
    address = config.setdefault("target_host", "127.0.0.1:7233")
    try:
        client = await Client.connect(
            **config, data_converter=data_converter(), plugins=plugins or [], interceptors=interceptors()
        )
    except (RuntimeError, RPCError) as error:
        raise TemporalUnreachableError(
            f"Temporal does not answer at {address}: {error}\n"
            "Start it (on one machine: `ombud up`) or set TEMPORAL_ADDRESS to where it is."
        ) from error
    await _namespace(client, address)
    return client


async def _namespace(client: Client, address: str) -> None:
    """A namespace that is not there would otherwise look like a complaint that is not there."""
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise TemporalUnreachableError(
                f"Temporal at {address} has no namespace {client.namespace!r}.\n"
                f"Create it (`temporal operator namespace create -n {client.namespace}`) or set TEMPORAL_NAMESPACE."
            ) from None
