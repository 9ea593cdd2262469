"""What the environment says: one object for every setting, read once by whoever composes a process.

Each field is the variable of its name with the prefix `OMBUD_` (`OMBUD_DATABASE_URL`). The first of these
that has a value wins: the environment, the file `.env`, the file `ombud.env` in the data folder. `ombud up`
writes the last while it runs, so that commands in another terminal find the system without a single setting.

Where Temporal is, Temporal's own `TEMPORAL_*` variables and its TOML file tell (see `wire.client`).
"""

import os
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import make_url

from storage.keys import Keyring

PREFIX = "OMBUD_"
LOCAL_ENV = "ombud.env"  # in the data folder, while `ombud up` runs


class SettingsError(Exception):
    """Settings are missing or wrong; the message names each variable and says what to do."""


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class LogFormat(StrEnum):
    """Whom the log is for."""

    TEXT = "text"
    JSON = "json"


def _asyncpg(url: str) -> str:
    if not url.startswith("postgresql+asyncpg://"):
        raise ValueError("must begin with postgresql+asyncpg://")
    try:
        make_url(url)
    except ValueError as error:
        raise ValueError(f"is no address: {error}") from None
    return url


class MailRate(NamedTuple):
    """So many mails in any stretch of time of this length."""

    mails: int
    period: timedelta


_RATE = re.compile(r"(?P<domain>\*|[^\s@=,*/]+)\s*=\s*(?P<mails>[1-9]\d{0,5})\s*/\s*(?P<unit>second|minute|hour|day)")
_PERIODS = {unit: timedelta(**{f"{unit}s": 1}) for unit in ("second", "minute", "hour", "day")}


def _rates(value: object) -> object:
    """`qq.com=30/minute,*=600/minute` as rates by domain."""
    if not isinstance(value, str):
        return value
    rates: dict[str, MailRate] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        found = _RATE.fullmatch(part)
        if found is None:
            raise ValueError(f"has {part!r}; write domain=number/unit, such as qq.com=30/minute or *=600/hour")
        domain = found["domain"].casefold()
        if domain in rates:
            raise ValueError(f"names {domain} twice")
        rates[domain] = MailRate(int(found["mails"]), _PERIODS[found["unit"]])
    return rates


Requests = Annotated[str, Field(pattern=r"^[1-9]\d{0,8}/(second|minute|hour)$")]


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must be an address to listen on, as 127.0.0.1:9464")
    return value


def _web(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("must begin with https:// or http://")
    return value


def _keys(value: SecretStr) -> SecretStr:
    Keyring.parse(value.get_secret_value())
    return value


class Keys(BaseSettings):
    """The settings by which content is sealed, in Postgres and on its way through Temporal."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    master_key: Annotated[SecretStr, AfterValidator(_keys)]
    """Seals the keys of the complaints' contents. 32 bytes in base64; several, set apart by commas or lines, while they
    change: the first is current, the others only open what was sealed under them."""
    master_key_file: Path | None = None
    """A file that holds the same, in place of `master_key`: the way of secrets mounted into a container."""
    payload_codec: bool = False
    """Seal what travels through Temporal too (docs/codec.md). What was sealed is opened either way."""

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, given: Any) -> Any:
        path = given.get("master_key_file") if isinstance(given, dict) else None
        if not path:
            return given
        if given.get("master_key"):
            raise ValueError("OMBUD_MASTER_KEY and OMBUD_MASTER_KEY_FILE say the same thing: set one of them")
        try:
            return given | {"master_key": Path(path).read_text("utf-8")}
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"OMBUD_MASTER_KEY_FILE cannot be read: {error}") from None

    @property
    def keyring(self) -> Keyring:
        """The master keys, the current one first."""
        return Keyring.parse(self.master_key.get_secret_value())


class Settings(Keys):
    """Every setting. Built directly it reads the environment alone, by `load_settings` the files too."""

    database_url: Annotated[str, AfterValidator(_asyncpg)] = Field(repr=False)
    """Postgres 15 or newer, as `postgresql+asyncpg://user:password@host:port/database`."""

    smtp_host: str
    smtp_port: int = 25
    smtp_security: Security = Security.NONE
    smtp_username: str | None = None
    smtp_password: SecretStr | None = None
    smtp_timeout: float = Field(default=30, gt=0)
    """Seconds for each step of the talk with the mail server."""
    mail_from: str
    """Sender of every mail, as `Ombud <ombud@example.com>`."""

    mail_rates: Annotated[dict[str, MailRate], NoDecode, BeforeValidator(_rates)] = {}
    """How many mails a provider may be sent, by the domain of its addresses, over all workers:
    `qq.com=30/minute,example.org=200/hour,*=600/minute`. `*` is the rate of each domain that is not named; without it
    they have none. What would exceed a rate waits, urgent mail first among what waits."""

    bounce_address: str | None = None
    """Where mail servers send what becomes of our mails, as `bounces@example.com`; without it, to the sender."""
    bounce_mailbox: SecretStr | None = None
    """Where that arrives, for `ombud bounces`: `imaps://user:password@host/INBOX`, `maildir:/path`, `mbox:/path`."""

    base_url: str | None = None
    """Public address of the HTTP server; without it a mail carries no links."""
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, gt=0, lt=65536)
    """Where `ombud serve` listens."""
    trusted_proxies: str = ""
    """Addresses of reverse proxies, separated by commas, whose `X-Forwarded-For` is believed; nobody's when empty."""
    rate_token: Requests = "6000/minute"  # noqa: S105  a rate
    rate_address: Requests = "12000/minute"
    """Requests to the HTTP API that one token, and one address, may make: `N/second`, `N/minute` or `N/hour`."""
    rate_failures: Requests = "30/minute"
    """Attempts without a valid token that one address may make."""

    metrics_token: SecretStr | None = Field(default=None, min_length=16)
    """Who shows it as a bearer token may read /metrics; without it only this machine may. At least 16 characters."""
    worker_metrics: Annotated[str, AfterValidator(_address)] | None = None
    """Where a worker tells Prometheus of itself, as `127.0.0.1:9464`; without it a worker tells nobody."""

    worker_cache: int = Field(default=1000, ge=0)
    """Complaints and other workflows that one worker keeps in memory; one that is not there is replayed when it is
    needed. About 70 KB each (docs/benchmarks.md)."""

    canary_url: Annotated[str, AfterValidator(_web)] | None = None
    """Whom to tell that a canary's warning arrived, as healthchecks.io wants it: GET, `/fail` behind it when not."""

    temporal_ui_url: str | None = None
    """Address of Temporal's Web UI; without it no mail and no page leads there. Mails of other parties than the handler
    never do."""

    webhook_allow: str = ""
    """Hosts and networks, separated by commas, that webhooks may reach though they are private, and without TLS:
    `desk.internal, 10.1.0.0/16`. Everything else must be public and speak https."""

    signing_key: SecretStr = Field(min_length=32)
    """Signs the links in mails. At least 32 characters."""

    codec_token: SecretStr | None = Field(default=None, min_length=32)
    """Opens the codec endpoint of `ombud serve` to whoever knows it (docs/codec.md). At least 32 characters; without it
    the endpoint is shut."""

    log_format: LogFormat = LogFormat.TEXT
    """`json` writes an object a line, for programs."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    task_queue: str = "ombud"
    deployment: str = Field(default="ombud", pattern=r"^[A-Za-z0-9_-]{1,100}$")
    build_id: str = Field(default="", pattern=r"^[A-Za-z0-9._+-]{0,100}$")
    """The release that a worker is of, such as `0.1.0`. With it the worker is a version of `deployment`: it gets work
    once `ombud release current` said so, and all open complaints with it. Without it workers have no versions
    (docs/upgrades.md says when that is right)."""
    erasures_file: Path | None = None
    """A file apart from Postgres to which `ombud erase` adds what it erased, so that it can be erased again after a
    restore (docs/backup.md). `ombud up` keeps one in its data folder."""

    data_dir: Path = Path("data")
    """The folder of the one-machine system."""

    def rate_of(self, address: str) -> tuple[str, MailRate | None]:
        """The domain of a mail address, and the rate it may be sent mails at."""
        domain = address.rpartition("@")[2].casefold()
        return domain, self.mail_rates.get(domain, self.mail_rates.get("*"))

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.smtp_username is None) != (self.smtp_password is None):
            raise ValueError("OMBUD_SMTP_USERNAME and OMBUD_SMTP_PASSWORD belong together: set both or neither")
        return self


def stated() -> dict[str, str]:
    """What somebody wrote down: the environment over `.env`."""
    return _file(Path(".env")) | os.environ


def environment() -> dict[str, str]:
    """The variables in force: what is stated, over the `ombud.env` of a system that runs on this machine."""
    near = stated()
    return _file(Path(near.get(f"{PREFIX}DATA_DIR", "data")) / LOCAL_ENV) | near


def load_keys() -> Keys | None:
    """How payloads are sealed; nothing where nobody set a master key. Raises SettingsError."""
    ours = {name: value for name, value in _ours().items() if name in Keys.model_fields and value}
    if not ours.keys() & {"master_key", "master_key_file"}:
        return None
    try:
        return Keys.model_validate(ours)
    except ValidationError as error:
        raise SettingsError("\n".join(_problem(e["loc"], e["type"], e["msg"]) for e in error.errors())) from None


def load_settings() -> Settings:
    """The settings in force. Raises SettingsError, a line for each that is missing, wrong or unknown."""
    ours = _ours()
    problems = [f"{PREFIX}{name.upper()} is not a setting" for name in sorted(ours.keys() - Settings.model_fields)]
    try:
        settings = Settings.model_validate(ours)
    except ValidationError as error:
        problems += [_problem(e["loc"], e["type"], e["msg"]) for e in error.errors()]
    if not problems:
        return settings
    if any(problem.endswith(_MISSING) for problem in problems):
        problems.append("Set it in the environment or in .env, or start the one-machine system with `ombud up`.")
    raise SettingsError("\n".join(problems))


def _ours() -> dict[str, str]:
    """The variables in force that are settings of ours, by the names of their fields."""
    given = {name.removeprefix(PREFIX): value for name, value in environment().items() if name.startswith(PREFIX)}
    return {name.lower(): value for name, value in given.items() if not name.startswith("PORT_")}


_MISSING = "is not set"


def _problem(where: tuple[int | str, ...], kind: str, message: str) -> str:
    what = _MISSING if kind == "missing" else message.removeprefix("Value error, ")
    return f"{PREFIX}{str(where[0]).upper()} {what}" if where else what


def _file(path: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(path).items() if value is not None}
