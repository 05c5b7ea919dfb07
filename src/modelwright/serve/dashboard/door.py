"""Who gets into the dashboard, and what they may do there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from modelwright.serve.auth.principal import ADMIN, READ, Principal
from modelwright.serve.dashboard.house import House
from modelwright.serve.dashboard.sessions import COOKIE, LONGEST, Session, Sessions
from modelwright.serve.errors import ServeError
from modelwright.serve.routes.replies import read_body

HOME = "/dashboard"
SIGN_IN = f"{HOME}/-/sign-in"
TOKEN_FIELD = "csrf"  # noqa: S105 - the name of a field
TOKEN_HEADER = "x-csrf-token"  # noqa: S105 - the name of a header
_MOST_FORM = 64 << 10


class SignInNeeded(ServeError):
    """Nobody signed in, or the session has ended."""

    status = 401

    def __init__(self) -> None:
        super().__init__("You are not signed in, or your session has ended.", "Sign in and try again.")


class Forged(ServeError):
    """A form that was not made by this dashboard for this session."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            "This form does not belong to your session.", "Load the page again and repeat what you did."
        )


class NotAllowed(ServeError):
    """The scope does not reach so far."""

    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"Your key or token does not have the scope '{scope}'.", "Sign in with one that has it."
        )


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks.

    Attributes:
        principal: As authentication knows them.
        session: Their session; ``None`` where each request brings its credentials itself.
        token: What their forms carry.
        cookie: A new cookie to be set; "" where they have one.
    """

    principal: Principal
    session: Session | None
    token: str
    cookie: str = ""

    @property
    def admin(self) -> bool:
        """Whether they may change anything."""
        return self.principal.may(ADMIN)

    @property
    def name(self) -> str:
        """For the record; where nobody is asked who they are, it says so."""
        return self.principal.name or "dashboard"


class Door:
    """Lets people in.

    Args:
        house: Whose door it is.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self.sessions = Sessions(house.work_dir)

    async def admit(self, request: Request, scope: str = READ) -> Visitor:
        """Who asks.

        Raises:
            SignInNeeded: Nobody that is known.
            ServeError: They do not get in.
        """
        gate = self._house.gate
        session = await asyncio.to_thread(self.sessions.read, request.cookies.get(COOKIE, ""))
        if gate.authenticator is None:
            principal = await gate.admit(request.headers, scope)
            if session is not None:
                return Visitor(principal, session, self.sessions.token(session))
            fresh, cookie = await asyncio.to_thread(self.sessions.begin)
            return Visitor(principal, fresh, self.sessions.token(fresh), cookie)
        if "authorization" in request.headers or "x-api-key" in request.headers:
            return Visitor(await gate.admit(request.headers, scope), None, "")
        if session is None or session.kind == "anyone":
            raise SignInNeeded
        principal = session.principal
        if session.kind == "key":
            current = gate.authenticator.key(session.id)
            if current is None:
                raise SignInNeeded
            principal = current
        if not principal.may(scope):
            raise NotAllowed(scope)
        return Visitor(principal, session, self.sessions.token(session))

    async def admit_form(self, request: Request, scope: str = ADMIN) -> tuple[Visitor, dict[str, str]]:
        """Who sends a form, and its fields.

        Raises:
            ServeError: They may not, or the form is not theirs.
        """
        visitor = await self.admit(request, scope)
        body = await read_body(request, _MOST_FORM)
        fields = {
            name: values[-1]
            for name, values in parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True).items()
        }
        self.check(request, visitor, fields.get(TOKEN_FIELD, ""))
        return visitor, fields

    def check(self, request: Request, visitor: Visitor, token: str = "") -> None:
        """See that a change was meant by who is signed in.

        Raises:
            Forged: It was not sent from one of our pages.
        """
        if visitor.session is None:  # credentials in a header: no browser sends these by itself
            return
        told = token or request.headers.get(TOKEN_HEADER, "")
        site = request.headers.get("sec-fetch-site", "same-origin")
        if (
            visitor.cookie
            or site not in {"same-origin", "none"}
            or not self.sessions.fits(visitor.session, told)
        ):
            raise Forged

    async def sign_in(self, credential: str) -> str:
        """The cookie of a new session for who has ``credential``.

        Raises:
            ServeError: It does not hold, or does not allow to look.
        """
        gate = self._house.gate
        principal = await gate.admit({"authorization": f"Bearer {credential}"}, READ)
        seconds = LONGEST if principal.kind == "key" else _left(credential)
        return (await asyncio.to_thread(self.sessions.begin, principal, seconds=seconds))[1]

    def keep(self, response: Response, cookie: str) -> None:
        """Have the browser keep the session; only this server gets it back, and no script sees it."""
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=LONGEST,
            path=HOME,
            httponly=True,
            samesite="strict",
            secure=self._house.secure,
        )

    def forget(self, response: Response) -> None:
        """Have the browser forget the session."""
        response.delete_cookie(COOKIE, path=HOME, httponly=True, samesite="strict", secure=self._house.secure)


def to_sign_in(request: Request) -> Response:
    """To the page where one signs in, and back afterwards."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{SIGN_IN}?next={quote(request.url.path + query, safe='')}", status_code=303)


def safe_next(told: str) -> str:
    """Where to go after signing in: a page of this dashboard, whatever the address said."""
    parts = urlsplit(told)
    ours = parts.path == HOME or parts.path.startswith(f"{HOME}/")
    if parts.scheme or parts.netloc or not ours or "\\" in told or any(ord(each) < 32 for each in told):
        return HOME
    return told


def _left(token: str) -> float:
    """Seconds until a token, which was checked before, ends."""
    from time import time

    import jwt

    claims = jwt.decode(token, options={"verify_signature": False})
    return max(0.0, float(claims.get("exp", 0)) - time())
