"""The data folder: one system at a time, keys that are made once, an announcement that ends with the system."""

import base64
import stat
from pathlib import Path

import pytest

from deploy.folder import DataFolder, FolderError
from settings import load_settings, stated

SETTINGS = {
    "OMBUD_DATABASE_URL": "postgresql+asyncpg://ombud:x@127.0.0.1:1/ombud",
    "OMBUD_SMTP_HOST": "127.0.0.1",
    "OMBUD_MAIL_FROM": "Ombud <ombud@localhost>",
}


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A folder nobody has used."""
    return DataFolder(tmp_path / "data")


def test_two_systems_on_one_folder(folder: DataFolder) -> None:
    """A second system on the same folder is refused with the process id of the first, and may start after it."""
    second = pytest.raises(FolderError, match=r"already runs on .*data \(process \d+\)")
    with folder.locked(), second, folder.locked():
        pass
    with folder.locked():
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A path that is no folder is one clear message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be written"), DataFolder(tmp_path / "file").locked():
        pass


def test_keys_are_made_once(folder: DataFolder) -> None:
    """The keys are random, the same at every start, and readable by nobody else."""
    with folder.locked():
        made = folder.secrets()
        assert folder.secrets() == made
    assert len(base64.b64decode(made["OMBUD_MASTER_KEY"])) == 32
    assert len(set(made.values())) == 4
    assert stat.S_IMODE((folder.path / "secrets.env").stat().st_mode) == 0o600


def test_a_folder_from_before_gets_what_is_new(folder: DataFolder) -> None:
    """A secret that came with a later version is made beside the old ones, which stay."""
    with folder.locked():
        made = folder.secrets()
        kept = [line for line in (folder.path / "secrets.env").read_text().splitlines() if "CODEC" not in line]
        (folder.path / "secrets.env").write_text("\n".join(kept))
        again = folder.secrets()
        assert again == folder.secrets()
        assert {name for name in made if made[name] != again[name]} == {"OMBUD_CODEC_TOKEN"}


def test_lost_keys_are_not_replaced(folder: DataFolder) -> None:
    """Where there are data and no keys, new keys would make the data unreadable in silence: refused."""
    with folder.locked():
        folder.secrets()
        folder.postgres.mkdir()
        (folder.path / "secrets.env").unlink()
        with pytest.raises(FolderError, match="cannot be read"):
            folder.secrets()


def test_damaged_keys_are_told(folder: DataFolder) -> None:
    """A secrets file that lacks a key is refused by the key's name."""
    with folder.locked():
        folder.secrets()
        (folder.path / "secrets.env").write_text("OMBUD_SIGNING_KEY='x'\n")
        with pytest.raises(FolderError, match="lacks OMBUD_MASTER_KEY, POSTGRES_PASSWORD"):
            folder.secrets()


def test_another_terminal_needs_no_settings(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a system runs its folder alone gives complete settings; afterwards nothing of it remains."""
    monkeypatch.chdir(folder.path.parent)  # whose `data` the folder is
    for name in stated():
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)
    with folder.locked():
        keys = folder.secrets()
        del keys["POSTGRES_PASSWORD"]
        with folder.announced(SETTINGS | keys):
            found = load_settings()
            assert found.database_url == SETTINGS["OMBUD_DATABASE_URL"]
            assert found.master_key.get_secret_value() == keys["OMBUD_MASTER_KEY"]
            assert stat.S_IMODE((folder.path / "ombud.env").stat().st_mode) == 0o600
    assert not (folder.path / "ombud.env").exists()
