"""A dashboard in process: its real routes over a real store, asked as a browser would."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from modelwright.serve.asks import Ask
from modelwright.serve.dashboard.house import Room
from modelwright.serve.dashboard.routes import dashboard_routes
from modelwright.serve.gate import Gate

URL = "http://127.0.0.1"


class InProcess:
    """A house over one store, opened by the test."""

    def __init__(self, store: Any, folder: Path, rooms: list[Room], gate: Gate | None = None) -> None:
        self.store = store
        self.gate = gate or Gate(guard_pages=True)
        self.work_dir = folder
        self.secure = False
        self.most_bytes = 1 << 20
        self.stopping: asyncio.Event | None = None
        self._rooms = rooms

    def rooms(self) -> list[Room]:
        return self._rooms

    async def call(self, room: Room, function: Callable[[Any], Any]) -> Any:
        del room
        return await asyncio.to_thread(function, self.store)

    def submit(self, ask: Ask) -> bool:
        del ask
        return False

    def count(self, path: str, status: int, seconds: float) -> None:
        self.counted = (path, status, seconds)


class Browser:
    """Asks one dashboard, keeps its cookies, and sends its forms with what they hold."""

    def __init__(self, house: Any) -> None:
        self._app = Starlette(routes=[*dashboard_routes(house)])
        self.cookies = httpx.Cookies()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._ask("GET", path, headers={"accept": "text/html", **headers})

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self._ask("POST", path, data=fields, headers=headers)

    def send(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Fill in the form of ``page`` whose address ends with ``action``, and send it."""
        found = [form for form in forms(self.get(page).text) if form.address.endswith(action)]
        assert found, f"{page} has no form to {action}"
        return self.post(found[0].address, {**found[0].hidden, "reason": "a test", **fields})

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=self.cookies) as client:
                response = await client.request(method, path, **more)
                self.cookies = client.cookies
                return response

        return asyncio.run(ask())


class Form:
    """A form's address and its hidden fields."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.hidden: dict[str, str] = {}


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form" and told.get("method") == "post":
            self.found.append(Form(told["action"]))
        elif tag == "input" and told.get("type") == "hidden" and self.found:
            self.found[-1].hidden[told["name"]] = told["value"]


def forms(html: str) -> list[Form]:
    """The forms of a page that change something."""
    parser = _Forms()
    parser.feed(html)
    return parser.found


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def words(html: str) -> str:
    """What a person reads of a page, with single spaces."""
    parser = _Words()
    parser.feed(html)
    return re.sub(r"\s+", " ", " ".join(parser.words)).strip()


class Strict(HTMLParser):
    """Finds markup that no page of ours has: scripts with content, handlers, styles, odd elements."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        if tag in {"style", "iframe", "object", "embed", "base", "marquee", "x"} or (
            tag == "script" and "src" not in names
        ):
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        for name, value in attrs:
            if name in {"href", "src", "action"} and re.match(
                r"\s*(javascript|data):", value or "", re.IGNORECASE
            ):
                self.wrong.append(f"{tag} {name}={value}")
        self._script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.wrong.append(f"script: {data[:40]}")


def markup_faults(html: str) -> list[str]:
    """What in a page could run or draw what others sent."""
    parser = Strict()
    parser.feed(html)
    return parser.wrong
