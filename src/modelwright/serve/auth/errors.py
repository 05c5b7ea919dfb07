"""How requests without sufficient credentials are refused (RFC 6750), and servers that would ask for none."""

from __future__ import annotations

from math import ceil

from modelwright.errors import ExitCode, ModelwrightError
from modelwright.serve.errors import ServeError

_REALM = 'Bearer realm="modelwright"'


class Unauthorized(ServeError):
    """401: no credentials, or none that hold. ``given`` says whether there were any."""

    status = 401

    def __init__(self, reason: str, *, given: bool = True) -> None:
        error = f', error="invalid_token", error_description="{reason}"' if given else ""
        super().__init__(
            reason,
            "Send 'Authorization: Bearer <API key or token>' or 'X-API-Key: <API key>'.",
            headers={"www-authenticate": _REALM + error},
        )


class Forbidden(ServeError):
    """403: the credentials hold, and do not allow this."""

    status = 403

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"These credentials do not have the scope '{scope}'.",
            "Use a key or token that has it.",
            headers={"www-authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        )


class ForeignPage(ServeError):
    """403: a browser sent this from somebody else's web page, to a server that asks for no credentials."""

    status = 403

    def __init__(self) -> None:
        super().__init__(
            "Requests that a web page of another origin sends are refused.",
            "Allow the origin in the server's settings, or use authentication.",
        )


class TooManyRequests(ServeError):
    """429: more requests than a key may send."""

    status = 429

    def __init__(self, wait: float) -> None:
        super().__init__(
            "This key or token has sent more requests than it may.",
            "Wait as long as Retry-After says.",
            headers={"retry-after": str(max(1, ceil(wait)))},
        )


class Exposed(ModelwrightError):
    """The server would be reachable from elsewhere and ask nobody who they are."""

    code = ExitCode.PROJECT

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Listening on '{host}' lets other machines in, and authentication is off.",
            "Turn it on with MODELWRIGHT_AUTH=keys (make one with 'modelwright keys create') or "
            "MODELWRIGHT_AUTH=oidc, listen on 127.0.0.1, or give 'modelwright serve' --insecure if something "
            "in front of this server keeps strangers away.",
        )


class AuthMisconfigured(ModelwrightError):
    """A setting of authentication that cannot be used."""

    code = ExitCode.PROJECT


class KeysUnavailable(ModelwrightError):
    """An OpenID provider's keys cannot be fetched."""

    code = ExitCode.UNAVAILABLE
