"""The one folder that holds everything of the one-machine system, and the promise that only one system uses it."""

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values

from settings import LOCAL_ENV

SECRETS = ("OMBUD_SIGNING_KEY", "OMBUD_MASTER_KEY", "POSTGRES_PASSWORD")
LATER = ("OMBUD_CODEC_TOKEN",)
"""Secrets that folders from before do not have, and without which nothing becomes unreadable."""


class FolderError(Exception):
    """The data folder cannot be used; the message says why and what to do."""


class DataFolder:
    """Paths and secrets in the data folder.

    `postgres/`, `temporal.db`, `mail/` hold the data, `logs/` what the servers say, `token` one
    for trying the HTTP API, `secrets.env` the keys without
    which the data are worth nothing, `ombud.env` the settings of the system while it runs.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.postgres = self.path / "postgres"
        self.temporal = self.path / "temporal.db"
        self.mail = self.path / "mail"
        self.logs = self.path / "logs"
        self.servers = self.path / "servers.json"
        self.token = self.path / "token"
        self._secrets = self.path / "secrets.env"
        self._environment = self.path / LOCAL_ENV

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep it to this process. The system lets go of the lock however the process ends."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("a+")
        except OSError as error:
            raise FolderError(f"The data folder cannot be written: {error}. Choose another.") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise FolderError(
                    f"Ombud already runs on {self.path} (process {file.read().strip()}). "
                    "Stop that one, or choose another folder and other ports."
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def secrets(self) -> dict[str, str]:
        """The keys of this folder, made with the folder and never again."""
        if not self._secrets.exists():
            if self.postgres.exists():
                raise FolderError(
                    f"{self._secrets} is gone, and without its keys the data beside it cannot be read. "
                    "Bring it back, or start with another folder."
                )
            master = base64.b64encode(secrets.token_bytes(32)).decode()
            values = (secrets.token_urlsafe(48), master, secrets.token_urlsafe(24))
            _write(self._secrets, dict(zip(SECRETS, values, strict=True)))
        found = dotenv_values(self._secrets)
        missing = [name for name in SECRETS if not found.get(name)]
        if missing:
            raise FolderError(f"{self._secrets} lacks {', '.join(missing)}. Bring the file back as it was.")
        whole = {name: value for name, value in found.items() if value}
        if added := {name: secrets.token_urlsafe(48) for name in LATER if name not in whole}:
            _write(self._secrets, whole | added)
        return {name: (whole | added)[name] for name in (*SECRETS, *LATER)}

    @contextmanager
    def announced(self, environment: Mapping[str, str]) -> Iterator[None]:
        """Let commands in other terminals find the system (`settings.environment`) inside the block."""
        _write(self._environment, environment)
        try:
            yield
        finally:
            self._environment.unlink(missing_ok=True)


def _write(path: Path, variables: Mapping[str, str]) -> None:
    """Whole or not at all, for the eyes of this user alone."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}='{value}'\n" for name, value in variables.items())
    draft.replace(path)
