"""Which path is answered by what."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sasrec_serve.server.answering import written
from sasrec_serve.server.application import Route
from sasrec_serve.server.docs_page import docs_page
from sasrec_serve.server.endpoints import Endpoints
from sasrec_serve.server.messages import HTML, Reply, Request
from sasrec_serve.server.openapi import OPEN, openapi
from sasrec_serve.server.page_policy import policy_of
from sasrec_serve.server.services import Services

PAGE = Path(__file__).with_name("page.html")


class Pages:
    """The description of the server, and the page to try it."""

    def __init__(self, services: Services, *, has_keys: bool) -> None:
        """Read the page.

        Args:
            services: The model and the limits.
            has_keys: Whether clients need keys.
        """
        self._services, self._has_keys = services, has_keys
        self._page = _page(PAGE.read_bytes()) if PAGE.is_file() else None

    async def description(self, request: Request) -> Reply:
        """Return the OpenAPI description."""
        return Reply(written(self._document()))

    async def docs(self, request: Request) -> Reply:
        """Return the description as a page."""
        return _page(docs_page(self._document(), request.host))

    async def page(self, request: Request) -> Reply:
        """Return the page to try the model."""
        if self._page is None:
            return await self.docs(request)
        return self._page

    def _document(self) -> dict[str, object]:
        services = self._services
        return openapi(
            services.slot.current,
            services.limits,
            has_store=services.store is not None,
            has_keys=self._has_keys,
        )


def _page(page: bytes) -> Reply:
    headers = ((b"content-security-policy", policy_of(page)), (b"referrer-policy", b"no-referrer"))
    return Reply(page, content_type=HTML, headers=headers)


def routes(services: Services, *, has_keys: bool) -> Mapping[str, Route]:
    """Return the routes by path.

    Args:
        services: What the endpoints use.
        has_keys: Whether clients need keys.
    """
    endpoints, pages = Endpoints(services), Pages(services, has_keys=has_keys)
    found = {
        "/recommend": Route("POST", endpoints.recommend, takes_json=True),
        "/similar": Route("POST", endpoints.similar, takes_json=True),
        "/explain": Route("POST", endpoints.explain, takes_json=True),
        "/events": Route("POST", endpoints.events, takes_json=True),
        "/reload": Route("POST", endpoints.reload),
    }
    asked = {
        "/items": endpoints.items,
        "/history": endpoints.history,
        "/model": endpoints.model,
        "/metrics": endpoints.metrics,
        "/health": endpoints.health,
        "/ready": endpoints.ready,
        "/openapi.json": pages.description,
        "/docs": pages.docs,
        "/": pages.page,
    }
    return found | {
        path: Route("GET", handler, is_open=path in OPEN) for path, handler in asked.items()
    }
