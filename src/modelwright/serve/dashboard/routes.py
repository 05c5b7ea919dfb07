"""The dashboard's addresses: pages, their live parts, what may be done, and signing in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from modelwright import __version__
from modelwright.bundle.kept import FOLDER as IMAGES
from modelwright.bundle.kept import KeptPictures
from modelwright.errors import ModelwrightError
from modelwright.serve.auth.principal import ADMIN, PREDICT, READ
from modelwright.serve.dashboard import (
    conditions,
    drift,
    live,
    overview,
    predictions,
    quality,
    tryit,
    versions,
    work,
)
from modelwright.serve.dashboard.actions import ACTIONS, Action, Wish, refused_by_store
from modelwright.serve.dashboard.door import HOME, Door, SignInNeeded, Visitor, safe_next, to_sign_in
from modelwright.serve.dashboard.house import House, Room, room_called
from modelwright.serve.dashboard.pages import Look, Page
from modelwright.serve.dashboard.snippets import snippets
from modelwright.serve.errors import NotFound, ServeError

if TYPE_CHECKING:
    from modelwright.store.ports import Store

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_ASSETS = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "theme.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_OVERVIEW_PARTS = (
    "overview_word",
    "overview_numbers",
    "overview_charts",
    "overview_answering",
    "overview_events",
)

PAGES = (
    Page("overview", "", "Overview", overview.view, _OVERVIEW_PARTS, symbol="overview"),
    Page("try", "/try", "Try it", tryit.view, symbol="try"),
    Page("predictions", "/predictions", "Predictions", predictions.view, symbol="predictions"),
    Page("prediction", "/predictions/{id}", "Prediction", predictions.one),
    Page("quality", "/quality", "Quality", quality.view, ("quality_live",), symbol="quality"),
    Page("drift", "/drift", "Drift", drift.view, ("drift_live",), symbol="drift"),
    Page("versions", "/versions", "Versions", versions.view, ("versions_list",), symbol="versions"),
    Page("version", "/versions/{number}", "Version", versions.one),
    Page("jobs", "/jobs", "Jobs", work.view, ("jobs_list",), symbol="jobs"),
    Page("job", "/jobs/{id}", "Job", work.one, ("job_state",)),
    Page("settings", "/settings", "Settings", conditions.view, symbol="settings"),
)
_NAVIGATION = tuple(page for page in PAGES if page.symbol)
_WITHIN = {"prediction": "predictions", "version": "versions", "job": "jobs"}

Handler = Callable[[Request], Awaitable[Response]]


def dashboard_routes(house: House) -> list[Route]:
    """Every address of the dashboard over ``house``."""
    return Dashboard(house).routes()


class Dashboard:
    """Handlers."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._door = Door(house)
        self._pulses = live.Pulses(house.stopping)
        self._explaining = asyncio.Semaphore(1)

    def routes(self) -> list[Route]:
        """What is general first, then each page with its live parts, then what may be done."""
        project = HOME + "/{name}"
        found = [
            self._get(HOME, self.home),
            self._get(f"{HOME}/", self.home),
            self._get(project + "/", self._shown(PAGES[0])),
            self._get(f"{HOME}/-/static/{{file}}", self.static),
            self._get(f"{HOME}/-/sign-in", self.sign_in_page),
            self._post(f"{HOME}/-/sign-in", self.sign_in),
            self._post(f"{HOME}/-/sign-out", self.sign_out),
            self._get(f"{project}/versions/{{number}}/files/{{file:path}}", self.report_file),
            self._post(f"{project}/try", self.try_it),
            self._get(f"{project}/predictions/{{id}}/explanation", self.explanation),
        ]
        for page in PAGES:
            if page.parts:
                found.append(self._get(f"{project}{page.path}/live", self._live(page)))
        found += [self._get(f"{project}{page.path}", self._shown(page)) for page in PAGES]
        found += [self._post(f"{project}{path}", self._done(action)) for path, action in ACTIONS.items()]
        return found

    async def home(self, request: Request) -> Response:
        """The one project's overview, or the list of all."""
        rooms = self._house.rooms()
        if len(rooms) == 1:
            return await self._page(request, next(iter(PAGES)), rooms[0])
        visitor = await self._door.admit(request)
        listed = await asyncio.gather(*(self._summary(room) for room in rooms))
        return await self._rendered("home.html", visitor, None, title="Projects", listed=listed)

    async def static(self, request: Request) -> Response:
        """A file of the pages."""
        from modelwright.serve.dashboard import render

        name = request.path_params["file"]
        if name not in _ASSETS:
            raise NotFound("There is no such file.")
        return Response(render.asset(name), media_type=_ASSETS[name], headers=_HEADERS)

    async def sign_in_page(self, request: Request) -> Response:
        """Where a key or token is entered."""
        return await self._signing(request.query_params.get("next", HOME))

    async def sign_in(self, request: Request) -> Response:
        """Begin a session."""
        _refuse_from_elsewhere(request)
        form = await request.form(max_files=0, max_fields=5)
        to = safe_next(str(form.get("next", HOME)))
        if not self._house.gate.on:
            return RedirectResponse(to, status_code=303)
        try:
            cookie = await self._door.sign_in(str(form.get("credential", "")).strip())
        except ServeError as error:
            return await self._signing(to, problem=error.reason, status=error.status)
        response = RedirectResponse(to, status_code=303)
        self._door.keep(response, cookie)
        return response

    async def sign_out(self, request: Request) -> Response:
        """End the session."""
        await self._door.admit_form(request, READ)
        response = RedirectResponse(f"{HOME}/-/sign-in", status_code=303)
        self._door.forget(response)
        return response

    async def report_file(self, request: Request) -> Response:
        """A plot of a version, or its report."""
        await self._door.admit(request)
        room = room_called(self._house, request.path_params["name"])
        return await asyncio.to_thread(
            _report_file, room, request.path_params["number"], request.path_params["file"]
        )

    async def try_it(self, request: Request) -> Response:
        """Answer the form, with an explanation."""
        visitor = await self._door.admit(request, PREDICT)
        room = room_called(self._house, request.path_params["name"])
        if room.deployment is None:
            raise NotFound("No model answers here.")
        _refuse_too_large(request, self._house.most_bytes)
        form = await request.form(max_fields=5_000, max_files=100, max_part_size=self._house.most_bytes)
        self._door.check(request, visitor, str(form.get("csrf", "")))
        deployment = room.deployment
        filled = await tryit.filled_in(form, deployment)
        row = filled.row
        tried = await tryit.ask(self._house, room, row, visitor.name)
        explained = await self._explained(deployment, row) if tried.status < 400 else None
        url = f"{request.url.scheme}://{request.url.netloc}"
        code = snippets(
            url, room, row, filled.files, several=len(self._house.rooms()) > 1, keys=self._house.gate.on
        )
        values = {
            "tried": tried,
            "code": code,
            "explained": explained,
            "models": deployment.bundle.manifest.models,
            "deployment": deployment,
        }
        if request.headers.get("x-part") == "answer":
            return await self._rendered("parts/try_answer.html", visitor, room, **values)
        return await self._rendered(
            "try.html",
            visitor,
            room,
            page="try",
            title="Try it",
            fields=tryit.fields(deployment, row),
            label_names=[],
            **tryit.LIMITS,
            **values,
        )

    async def explanation(self, request: Request) -> Response:
        """Why a prediction of the log came out as it did, by the version that answered, if it is loaded."""
        visitor = await self._door.admit(request)
        room = room_called(self._house, request.path_params["name"])
        id = request.path_params["id"]
        record = await self._house.call(room, lambda store: store.predictions.get(room.project, id))
        deployment = room.deployment
        beside = [] if deployment is None else [deployment, deployment.canary, deployment.shadow]
        loaded = [
            each
            for each in beside
            if each is not None and record is not None and each.version == record.version
        ]
        if record is None or not loaded:
            raise NotFound("The version that answered this is not loaded here.")
        row = record.inputs
        if room.work_dir is not None:
            kept = KeptPictures(room.work_dir / IMAGES)
            row = await asyncio.to_thread(kept.restored, row, loaded[0].inputs)
        explained = await self._explained(loaded[0], row)
        return await self._rendered("parts/explanation.html", visitor, room, explained=explained)

    async def _explained(self, deployment: Any, row: Any) -> Any:
        """One at a time, in a thread: predictions go on meanwhile."""
        from modelwright.serve.dashboard.explaining import explain_row

        async with self._explaining:
            return await asyncio.to_thread(explain_row, deployment.bundle, row)

    def _shown(self, page: Page) -> Handler:
        async def show(request: Request) -> Response:
            return await self._page(request, page, room_called(self._house, request.path_params["name"]))

        return show

    def _live(self, page: Page) -> Handler:
        async def stream(request: Request) -> Response:
            await self._door.admit(request)
            if self._pulses.watchers >= live.MOST:
                raise ServeError("Too many pages are open.")
            room = room_called(self._house, request.path_params["name"])
            key = f"{request.url.path}?{request.url.query}"
            query, path = request.query_params, dict(request.path_params)

            async def render_parts() -> dict[str, str]:
                return await self._house.call(
                    room_called(self._house, room.name), lambda store: _parts(page, room, store, query, path)
                )

            return StreamingResponse(
                self._pulses.stream(key, render_parts),
                media_type="text/event-stream",
                headers={**_HEADERS, "x-accel-buffering": "no"},
            )

        return stream

    def _done(self, action: Action) -> Handler:
        async def do(request: Request) -> Response:
            visitor, fields = await self._door.admit_form(request, ADMIN)
            room = room_called(self._house, request.path_params["name"])
            wish = Wish(room, visitor.name, fields, request.path_params)
            try:
                done = await self._house.call(room, lambda store: action(store, wish))
            except ModelwrightError as error:
                told = refused_by_store(error)
                if told is None:
                    raise
                raise told from error
            query = urlencode({"said": done.words})
            return RedirectResponse(f"{_base(room)}/{done.to}?{query}", status_code=303)

        return do

    async def _page(self, request: Request, page: Page, room: Room) -> Response:
        visitor = await self._door.admit(request)
        query, path = request.query_params, dict(request.path_params)
        shared = self._shared(visitor, room)
        said = query.get("said", "")[:300]

        def make(store: Store) -> str:
            from modelwright.serve.dashboard import render

            now = datetime.now(UTC)
            values = page.view(Look(room, store, query, path, now))
            streams = f"{request.url.path.rstrip('/')}/live" if page.parts else ""
            if streams and len(request.url.path.rstrip("/")) == len(HOME):
                streams = f"{_base(room)}/live"
            if streams and request.url.query:
                streams += f"?{request.url.query}"
            about = {"now": now, "title": page.title, "page": _WITHIN.get(page.name, page.name)}
            return render.page(
                f"{page.name}.html", **{**shared, **about, **values, "said": said, "streams": streams}
            )

        html = await self._house.call(room, make)
        return self._sent(html, visitor)

    async def _summary(self, room: Room) -> dict[str, Any]:
        """A project in the list of all; one whose store is away says so."""

        def look(store: Store) -> dict[str, Any]:
            now = datetime.now(UTC)
            return {"room": room, "problem": "", "now": now, **overview.brief(store, room.project, now)}

        try:
            return await self._house.call(room, look)
        except ModelwrightError as error:
            return {"room": room, "problem": error.reason}

    async def _signing(self, to: str, *, problem: str = "", status: int = 200) -> Response:
        from modelwright.serve.dashboard import render

        html = await asyncio.to_thread(
            render.page,
            "sign_in.html",
            to=safe_next(to),
            problem=problem,
            version=__version__,
            title="Sign in",
        )
        return Response(html, status_code=status, media_type="text/html", headers=_HEADERS)

    def _shared(self, visitor: Visitor, room: Room | None) -> dict[str, Any]:
        """What every page is given."""
        return {
            "room": room,
            "rooms": self._house.rooms(),
            "base": _base(room) if room is not None else HOME,
            "visitor": visitor,
            "csrf": visitor.token,
            "navigation": _NAVIGATION if room is not None else (),
            "version": __version__,
            "auth": self._house.gate.on,
            "now": datetime.now(UTC),
            "said": "",
            "streams": "",
            "page": "",
            "title": "",
            "brief": predictions.brief,
        }

    async def _rendered(self, template: str, visitor: Visitor, room: Room | None, **values: Any) -> Response:
        from modelwright.serve.dashboard import render

        html = await asyncio.to_thread(
            lambda: render.page(template, **{**self._shared(visitor, room), **values})
        )
        return self._sent(html, visitor)

    def _sent(self, html: str, visitor: Visitor, status: int = 200) -> Response:
        response = Response(html, status_code=status, media_type="text/html", headers=_HEADERS)
        if visitor.cookie:
            self._door.keep(response, visitor.cookie)
        return response

    def _get(self, path: str, handler: Handler) -> Route:
        return Route(path, self._told(path, handler), methods=["GET"])

    def _post(self, path: str, handler: Handler) -> Route:
        return Route(path, self._told(path, handler), methods=["POST"])

    def _told(self, path: str, handler: Handler) -> Handler:
        """``handler`` with its errors as pages, and its requests counted."""

        async def handle(request: Request) -> Response:
            began, status = perf_counter(), 500
            try:
                response = await handler(request)
                status = response.status_code
                return response
            except ClientDisconnect:
                status = 400
                return Response(status_code=400)
            except SignInNeeded as error:
                status = error.status
                if request.method == "GET" and "text/html" in request.headers.get("accept", "text/html"):
                    return to_sign_in(request)
                return await self._problem(request, error, status)
            except ModelwrightError as error:
                status = error.status if isinstance(error, ServeError) else 500
                return await self._problem(request, error, status)
            finally:
                self._house.count(path, status, perf_counter() - began)

        return handle

    async def _problem(self, request: Request, error: ModelwrightError, status: int) -> Response:
        """An error as a page, or as the part of one."""
        from modelwright.serve.dashboard import render

        details = (
            [str(each.get("msg", "")) for each in error.problems] if isinstance(error, ServeError) else []
        )
        template = "parts/problem.html" if "x-part" in request.headers else "problem.html"
        html = await asyncio.to_thread(
            render.page,
            template,
            reason=error.reason,
            instruction=error.instruction,
            details=details,
            status=status,
            title="Not possible",
            version=__version__,
            base=HOME,
        )
        headers = {**_HEADERS, **(error.headers if isinstance(error, ServeError) else {})}
        return Response(html, status_code=status, media_type="text/html", headers=headers)


def _parts(page: Page, room: Room, store: Store, query: Any, path: Any) -> dict[str, str]:
    """The live parts of a page, as HTML."""
    from modelwright.serve.dashboard import render

    now = datetime.now(UTC)
    values = {**page.view(Look(room, store, query, path, now)), "now": now, "base": _base(room), "room": room}
    return {name: render.page(f"parts/{name}.html", **values) for name in page.parts}


def _base(room: Room) -> str:
    return f"{HOME}/{quote(room.name, safe='')}"


def _refuse_from_elsewhere(request: Request) -> None:
    """Refuse a sign-in that another page sends: it would put a stranger's session into this browser."""
    from modelwright.serve.auth.errors import ForeignPage

    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise ForeignPage


def _refuse_too_large(request: Request, most: int) -> None:
    from modelwright.serve.routes.replies import too_large

    declared = request.headers.get("content-length", "")
    if not declared.isdigit() or int(declared) > 2 * most:
        raise too_large(most)


def _report_file(room: Room, number: str, file: str) -> Response:
    """A PNG or the HTML report out of a version's folder; nothing else, from nowhere else."""
    if not (number.isascii() and number.isdigit()) or room.work_dir is None:
        raise NotFound("There is no such file.")
    folder = (room.work_dir / "reports" / f"v{int(number)}").resolve()
    path = (folder / file).resolve()
    kinds = {".png": "image/png", ".html": "text/html"}
    if not path.is_relative_to(folder) or path.suffix not in kinds or not path.is_file():
        raise NotFound("There is no such file.")
    headers = dict(_HEADERS)
    if path.suffix == ".html":  # a document of its own, whose styles stand in it; it may run nothing
        headers["content-security-policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
        )
    return Response(path.read_bytes(), media_type=kinds[path.suffix], headers=headers)
