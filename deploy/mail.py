"""A mail server that delivers nothing: it keeps every mail as a file and shows it on a web page of this machine.

Run as `python -m deploy.mail FOLDER SMTP_PORT WEB_PORT`. Of the ready-made ones on the package index none is both
kept up for every Python that Ombud runs on and able to keep its mail.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.middleware.trustedhost import TrustedHostMiddleware

from deploy.ports import LOOPBACK

LISTED = 500  # of the newest; the files of all stay in the folder, and the page says so

# Whatever a mail contains, it runs no script, loads nothing, and opens its links in a window of their own.
_CAGE = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)


class Mailbox:
    """The folder of mails, one `.eml` file each, named in the order of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Keep the mail: on disk before the server says 250."""
        await asyncio.to_thread(self._keep, envelope)
        return "250 2.0.0 kept"

    def names(self) -> list[str]:
        """Newest first."""
        return sorted((path.stem for path in self.folder.glob("*.eml")), reverse=True)

    def source(self, name: str) -> bytes:
        """The mail as it came. Raises KeyError."""
        path = self.folder / f"{name}.eml"
        if not name.isdigit() or not path.exists():
            raise KeyError(name)
        return path.read_bytes()

    def mail(self, name: str) -> EmailMessage:
        """The mail, parsed. Raises KeyError."""
        return message_from_bytes(self.source(name), EmailMessage, policy=policy.default)

    def _keep(self, envelope: Envelope) -> None:
        path = self.folder / f"{time.time_ns():020}.eml"
        content = envelope.original_content or b""
        delivered = "".join(f"Delivered-To: {address}\r\n" for address in envelope.rcpt_tos)
        with path.with_suffix(".new").open("wb") as file:
            file.write(delivered.encode() + content)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".new").rename(path)


def pages(mailbox: Mailbox, smtp_port: int) -> FastAPI:
    """The web pages; the mail server runs as long as they do."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(mailbox, hostname="ombud", enable_SMTPUTF8=True), LOOPBACK, smtp_port
        )
        yield
        server.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])
    templates = Environment(loader=PackageLoader("deploy", "inbox"), autoescape=True, undefined=StrictUndefined)

    def mail(name: str) -> EmailMessage:
        try:
            return mailbox.mail(name)
        except KeyError:
            raise HTTPException(404, "There is no such mail.") from None

    @app.get("/", response_class=HTMLResponse)
    def inbox() -> str:
        names = mailbox.names()
        mails = [(name, mailbox.mail(name)) for name in names[:LISTED]]
        return templates.get_template("list.html").render(mails=mails, total=len(names), folder=mailbox.folder)

    @app.get("/mail/{name}", response_class=HTMLResponse)
    def one(name: str) -> str:
        found = mail(name)
        return templates.get_template("mail.html").render(
            name=name, mail=found, html=_part(found, "html"), text=_part(found, "plain")
        )

    @app.get("/mail/{name}/html")
    def html(name: str) -> Response:
        content = '<base target="_blank">' + (_part(mail(name), "html") or "")
        return HTMLResponse(content, headers={"Content-Security-Policy": _CAGE})

    @app.get("/mail/{name}/source", response_class=PlainTextResponse)
    def source(name: str) -> str:
        return mail(name).as_string()

    return app


def _part(mail: EmailMessage, kind: str) -> str | None:
    part = mail.get_body((kind,))
    return str(part.get_content()) if part else None


def main(folder: str, smtp_port: str, web_port: str) -> None:
    """Serve both until SIGTERM or SIGINT."""
    app = pages(Mailbox(Path(folder)), int(smtp_port))
    uvicorn.run(app, host=LOOPBACK, port=int(web_port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
