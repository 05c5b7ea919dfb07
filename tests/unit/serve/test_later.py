"""Routes that are loaded when they are asked for."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from modelwright.serve.later import Later


class Pages:
    """Counts how often it is loaded."""

    def __init__(self) -> None:
        self.loaded = 0
        self.later = Later("/pages", self.load)
        self.app = Starlette(
            routes=[Route("/", shown), self.later, Route("/pagesof", shown)],
            exception_handlers={HTTPException: told},
        )

    def load(self) -> list[Route]:
        self.loaded += 1
        return [Route("/pages", shown), Route("/pages/{name}", shown, methods=["GET"])]

    def ask(self, *paths: str, method: str = "GET") -> list[httpx.Response]:
        """All at once."""

        async def together() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                return await asyncio.gather(*(client.request(method, path) for path in paths))

        return asyncio.run(together())


async def shown(request: Request) -> Response:
    return PlainTextResponse(request.path_params.get("name", request.url.path))


async def told(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse("in the application's words", status_code=error.status_code)


@pytest.fixture
def pages() -> Pages:
    return Pages()


def test_nothing_is_loaded_for_others(pages: Pages) -> None:
    """Also not for what only begins alike."""
    assert [reply.text for reply in pages.ask("/", "/pagesof")] == ["/", "/pagesof"]
    assert pages.ask("/nowhere")[0].status_code == 404
    assert (pages.loaded, pages.later.routes) == (0, ())


def test_the_first_requests_load_it_once(pages: Pages) -> None:
    """Together; and each gets its answer."""
    replies = pages.ask("/pages/a", "/pages", "/pages/b")
    assert [reply.text for reply in replies] == ["a", "/pages", "b"]
    assert pages.loaded == 1
    assert len(pages.later.routes) == 2


def test_what_none_of_them_takes_is_told_by_the_application(pages: Pages) -> None:
    """As anywhere else."""
    for method, path, status in (("GET", "/pages/a/b", 404), ("POST", "/pages/a", 405)):
        (reply,) = pages.ask(path, method=method)
        assert (reply.status_code, reply.text) == (status, "in the application's words")
