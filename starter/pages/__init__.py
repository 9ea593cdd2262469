"""The pages of the HTTP server: one module a page, on common ground. A new page adds itself to `Pages.routes`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.middleware import Middleware

from settings import Settings
from starter.client import Ombud
from starter.pages.acknowledge import AcknowledgePage
from starter.pages.case import CasePage
from starter.pages.desk import DeskPage
from starter.pages.ground import Ground, PageError
from starter.pages.net import Net, no_page
from starter.pages.principal import PrincipalPage
from starter.pages.standard import StandardPage
from starter.pages.status import StatusPage
from starter.pages.survey import SurveyPage

__all__ = ["PageError", "Pages"]


class Pages:
    """The pages of one server. `engine` and `ombud` are shared with whoever else runs in the process."""

    def __init__(self, engine: AsyncEngine, ombud: Ombud, settings: Settings) -> None:
        self._ground = Ground(engine, settings, ombud.temporal.namespace)
        self._pages = (
            AcknowledgePage(self._ground, ombud),
            CasePage(self._ground),
            SurveyPage(self._ground, ombud),
            PrincipalPage(self._ground, ombud),
            StatusPage(self._ground, ombud),
            DeskPage(self._ground),
            StandardPage(self._ground),
        )

    @property
    def routes(self) -> APIRouter:
        """What a server mounts."""
        router = APIRouter()
        for page in self._pages:
            page.mount(router)
        return router

    async def problem(self, request: Request, error: Exception) -> HTMLResponse:
        """The page for who cannot be shown the one asked for."""
        return await self._ground.problem(request, error)

    async def no_page(self, request: Request, error: Exception) -> Response:
        """The answer at an address, or to a method, that there is not."""
        return await no_page(self._ground, request, error)

    @property
    def net(self) -> Middleware:
        """What a server puts around everything."""
        return Middleware(Net, ground=self._ground)
