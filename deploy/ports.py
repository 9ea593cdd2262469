"""The ports of the one-machine system, each on loopback, and who holds one that is taken."""

import socket
from random import SystemRandom

import psutil
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LOOPBACK = "127.0.0.1"

CALM = range(20000, 32768)
"""Below the ports that systems give to outgoing connections: one that is free is not taken by the next of these."""


class PortTakenError(Exception):
    """A port is in use; the message says which, by whom if that can be known, and how to choose another."""


class Ports(BaseSettings):
    """Where the servers listen. Each is the variable of its name, as `OMBUD_PORT_TEMPORAL`."""

    model_config = SettingsConfigDict(env_prefix="OMBUD_PORT_", frozen=True)

    temporal: int = Field(default=7233, gt=0, lt=65536)
    temporal_ui: int = Field(default=8233, gt=0, lt=65536)
    postgres: int = Field(default=5433, gt=0, lt=65536)
    smtp: int = Field(default=1025, gt=0, lt=65536)
    inbox: int = Field(default=8025, gt=0, lt=65536)
    pages: int = Field(default=8080, gt=0, lt=65536)

    def check(self) -> None:
        """Raise PortTakenError, naming every port that is taken."""
        taken = [
            f"Port {port} ({name.replace('_', ' ')}) is taken{_holder(port)}. "
            f"End that, or choose another port: OMBUD_PORT_{name.upper()}={free_port()} ombud up"
            for name, port in self.model_dump().items()
            if not _free(port)
        ]
        if taken:
            raise PortTakenError("\n".join(taken))


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    return next(port for port in SystemRandom().sample(CALM, len(CALM)) if _free(port))


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that only winds down is free
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr
            if listens and listens.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        pass  # some systems tell only the superuser
    return ""
