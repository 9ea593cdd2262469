"""The mail catcher: what comes in by SMTP is a file, and a page that cannot be turned against its reader."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from deploy.mail import Mailbox, pages
from deploy.ports import LOOPBACK, free_port


@pytest.fixture
async def smtp_port() -> int:
    """Where the catcher listens."""
    return free_port()


@pytest.fixture
async def browser(tmp_path: Path, smtp_port: int) -> AsyncIterator[httpx.AsyncClient]:
    """A reader of the running catcher's page."""
    app = pages(Mailbox(tmp_path / "mail"), smtp_port)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as c,
    ):
        yield c


async def send(port: int, subject: str = "超时 · Missed", html: str = "<p>你好</p>") -> None:
    """One mail with a text and an HTML part."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ombud@localhost", "王芳 <wang@example.com>", subject
    mail.set_content("你好 in text")
    mail.add_alternative(html, subtype="html")
    await aiosmtplib.send(mail, hostname=LOOPBACK, port=port)


async def test_a_mail_is_shown_and_survives(browser: httpx.AsyncClient, smtp_port: int, tmp_path: Path) -> None:
    """A mail that was taken is in the list, shows both parts, and is there for the catcher's next run."""
    assert "No mail yet" in (await browser.get("/")).text
    await send(smtp_port)
    listed = (await browser.get("/")).text
    assert "超时 · Missed" in listed
    (name,) = Mailbox(tmp_path / "mail").names()
    assert f"/mail/{name}" in listed
    assert "你好 in text" in (await browser.get(f"/mail/{name}")).text
    assert "<p>你好</p>" in (await browser.get(f"/mail/{name}/html")).text
    assert "Delivered-To: wang@example.com" in (await browser.get(f"/mail/{name}/source")).text


async def test_newest_first(browser: httpx.AsyncClient, smtp_port: int) -> None:
    """The list begins with the mail that came last."""
    await send(smtp_port, "older")
    await send(smtp_port, "newer")
    text = (await browser.get("/")).text
    assert text.index("newer") < text.index("older")


async def test_a_hostile_mail_is_caged(browser: httpx.AsyncClient, smtp_port: int, tmp_path: Path) -> None:
    """Markup in a subject is shown as text, and the HTML part runs no script and loads nothing."""
    await send(smtp_port, "<script>steal()</script>", "<script>steal()</script>")
    (name,) = Mailbox(tmp_path / "mail").names()
    for address in ("/", f"/mail/{name}"):
        assert "<script>" not in (await browser.get(address)).text
    cage = (await browser.get(f"/mail/{name}/html")).headers["Content-Security-Policy"]
    assert cage.startswith("sandbox ")
    assert "allow-scripts" not in cage
    assert "default-src 'none'" in cage


@pytest.mark.parametrize("name", ["1", "..%2Fsecrets", "x.eml"])
async def test_no_such_mail(browser: httpx.AsyncClient, name: str) -> None:
    """A name that is no mail's is not found, whatever file it might lead to."""
    assert (await browser.get(f"/mail/{name}")).status_code == 404


async def test_other_hosts_are_refused(browser: httpx.AsyncClient) -> None:
    """A web page elsewhere cannot read the mails through a host name of its own that leads here."""
    assert (await browser.get("/", headers={"Host": "evil.example"})).status_code == 400
