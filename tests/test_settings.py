"""Settings: where they come from, and that what is wrong is said in one message."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.converter import DefaultFailureConverter, DefaultFailureConverterWithEncodedAttributes

from settings import MailRate, Settings, SettingsError, environment, load_keys, load_settings
from storage.keys import Keyring
from wire.client import data_converter

COMPLETE = {
    "OMBUD_DATABASE_URL": "postgresql+asyncpg://ombud:secret@db.example.com/ombud",
    "OMBUD_SMTP_HOST": "mail.example.com",
    "OMBUD_MAIL_FROM": "Ombud <ombud@example.com>",
    "OMBUD_SIGNING_KEY": "k" * 32,
    "OMBUD_MASTER_KEY": base64.b64encode(bytes(32)).decode(),
}


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A folder without files and an environment without settings."""
    monkeypatch.chdir(tmp_path)
    for name in environment():
        if name.startswith(("OMBUD_", "TEMPORAL_")):
            monkeypatch.delenv(name)
    return monkeypatch


def give(bare: pytest.MonkeyPatch, **variables: str) -> None:
    """Set variables in the environment."""
    for name, value in variables.items():
        bare.setenv(name, value)


def test_everything_missing_is_one_message() -> None:
    """Without any setting each required variable is named, and the way out."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    for name in COMPLETE:
        assert f"{name} is not set" in str(caught.value)
    assert "ombud up" in str(caught.value)


def test_complete(bare: pytest.MonkeyPatch) -> None:
    """The required variables are enough."""
    give(bare, **COMPLETE)
    assert load_settings().smtp_host == "mail.example.com"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("OMBUD_DATABASE_URL", "postgresql://db.example.com/ombud", "must begin with postgresql+asyncpg://"),
        ("OMBUD_MASTER_KEY", "c2hvcnQ=", "must be 32 random bytes in base64"),
        ("OMBUD_MASTER_KEY", "not base64!", "must be 32 random bytes in base64"),
        ("OMBUD_SIGNING_KEY", "short", "OMBUD_SIGNING_KEY"),
        ("OMBUD_SMTP_PORT", "smtp", "OMBUD_SMTP_PORT"),
        ("OMBUD_SMTP_SECURITY", "ssl", "OMBUD_SMTP_SECURITY"),
        ("OMBUD_SMTP_USERNAME", "ombud", "OMBUD_SMTP_USERNAME and OMBUD_SMTP_PASSWORD belong together"),
        ("OMBUD_MAIL_RATES", "qq.com=30/week", "'qq.com=30/week'; write domain=number/unit, such as"),
        ("OMBUD_MAIL_RATES", "qq.com=0/hour", "OMBUD_MAIL_RATES has 'qq.com=0/hour'"),
        ("OMBUD_MAIL_RATES", "30/minute", "OMBUD_MAIL_RATES has '30/minute'"),
        ("OMBUD_MAIL_RATES", "qq.com=1/hour,QQ.com=2/hour", "OMBUD_MAIL_RATES names qq.com twice"),
        ("OMBUD_SMTP_PROT", "25", "OMBUD_SMTP_PROT is not a setting"),
    ],
)
def test_a_wrong_value_is_named(bare: pytest.MonkeyPatch, name: str, value: str, problem: str) -> None:
    """A wrong or misspelt setting is refused by its variable, and its value is not repeated."""
    give(bare, **(COMPLETE | {name: value}))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert problem in str(caught.value)
    assert "not set" not in str(caught.value)


def test_rates_are_read_once(bare: pytest.MonkeyPatch) -> None:
    """A rate for each domain whatever its case, one for the domains that are not named, and none without any."""
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    give(bare, **COMPLETE, OMBUD_MAIL_RATES="qq.com=30/minute, Example.org=200/hour,*=600/minute")
    settings = load_settings()
    assert settings.rate_of("li@QQ.com") == ("qq.com", MailRate(30, minute))
    assert settings.rate_of("li@example.org") == ("example.org", MailRate(200, hour))
    assert settings.rate_of("li@mail.qq.com") == ("mail.qq.com", MailRate(600, minute))
    give(bare, OMBUD_MAIL_RATES="qq.com=30/minute")
    assert load_settings().rate_of("li@example.org") == ("example.org", None)


def test_the_nearest_wins(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment goes before .env, which goes before what a running system announces in its data folder."""
    give(bare, **COMPLETE)
    bare.delenv("OMBUD_SMTP_HOST")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ombud.env").write_text("OMBUD_SMTP_HOST=announced\nTEMPORAL_ADDRESS=127.0.0.1:1\n")
    assert load_settings().smtp_host == "announced"
    assert environment()["TEMPORAL_ADDRESS"] == "127.0.0.1:1"
    (tmp_path / ".env").write_text("OMBUD_SMTP_HOST=written\n")
    assert load_settings().smtp_host == "written"
    give(bare, OMBUD_SMTP_HOST="given")
    assert load_settings().smtp_host == "given"


def test_another_data_folder(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """OMBUD_DATA_DIR leads to the running system of another folder."""
    (tmp_path / "elsewhere").mkdir()
    lines = [f"{name}='{value}'" for name, value in COMPLETE.items()]
    (tmp_path / "elsewhere" / "ombud.env").write_text("\n".join(lines))
    give(bare, OMBUD_DATA_DIR=str(tmp_path / "elsewhere"))
    assert load_settings().smtp_host == "mail.example.com"


def test_no_secret_is_printed(bare: pytest.MonkeyPatch) -> None:
    """Settings in a log or a traceback show neither keys nor passwords."""
    give(bare, **COMPLETE, OMBUD_SMTP_USERNAME="ombud", OMBUD_SMTP_PASSWORD="secret")
    shown = repr(Settings())
    for secret in ("secret", COMPLETE["OMBUD_SIGNING_KEY"], COMPLETE["OMBUD_MASTER_KEY"]):
        assert secret not in shown


def test_master_keys_from_a_file(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A mounted secret holds the keys, one a line, the current one first; no key shows in what is printed."""
    current, before = base64.b64encode(b"c" * 32).decode(), COMPLETE["OMBUD_MASTER_KEY"]
    (tmp_path / "keys").write_text(f"# since March\n{current}\n{before}\n")
    give(bare, **{n: v for n, v in COMPLETE.items() if n != "OMBUD_MASTER_KEY"}, OMBUD_MASTER_KEY_FILE="keys")
    settings = load_settings()
    assert settings.keyring.ids == (Keyring.parse(current).current.id, Keyring.parse(before).current.id)
    assert current not in repr(settings)


def test_keys_given_twice_or_nowhere_are_told(bare: pytest.MonkeyPatch) -> None:
    """Both ways at once, a file that is not there and a key that is none are each said, without showing a key."""
    for more, problem in (
        ({"OMBUD_MASTER_KEY_FILE": "keys"}, "say the same thing: set one of them"),
        ({"OMBUD_MASTER_KEY": "", "OMBUD_MASTER_KEY_FILE": "none"}, "OMBUD_MASTER_KEY_FILE cannot be read"),
        ({"OMBUD_MASTER_KEY": f"{COMPLETE['OMBUD_MASTER_KEY']},c2VjcmV0"}, "key 2 of 2 must be 32 random bytes"),
        ({"OMBUD_CODEC_TOKEN": "short"}, "OMBUD_CODEC_TOKEN"),
    ):
        with bare.context() as here:
            give(here, **(COMPLETE | more))
            with pytest.raises(SettingsError) as caught:
                load_settings()
        assert problem in str(caught.value)
        assert "c2VjcmV0" not in str(caught.value)


def test_payloads_are_sealed_when_asked(bare: pytest.MonkeyPatch) -> None:
    """Without a master key there is no codec; with one it opens, and seals once it is switched on."""
    assert load_keys() is None
    assert data_converter().payload_codec is None
    give(bare, OMBUD_MASTER_KEY=COMPLETE["OMBUD_MASTER_KEY"])
    assert data_converter().payload_codec is not None
    assert data_converter().failure_converter_class is DefaultFailureConverter
    give(bare, OMBUD_PAYLOAD_CODEC="on")
    assert data_converter().failure_converter_class is DefaultFailureConverterWithEncodedAttributes
    give(bare, OMBUD_MASTER_KEY="c2hvcnQ=")
    with pytest.raises(SettingsError, match="must be 32 random bytes"):
        data_converter()
