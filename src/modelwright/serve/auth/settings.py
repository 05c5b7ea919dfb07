"""How to authenticate, from ``MODELWRIGHT_AUTH`` and its kin. None of these is a secret."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from modelwright.serve.auth.errors import AuthMisconfigured
from modelwright.serve.auth.tokens import OidcSettings

AUTH = "MODELWRIGHT_AUTH"
RATE = "MODELWRIGHT_AUTH_RATE"
BURST = "MODELWRIGHT_AUTH_BURST"
ISSUER = "MODELWRIGHT_OIDC_ISSUER"
AUDIENCE = "MODELWRIGHT_OIDC_AUDIENCE"
JWKS_URL = "MODELWRIGHT_OIDC_JWKS_URL"
ALGORITHMS = "MODELWRIGHT_OIDC_ALGORITHMS"
LEEWAY = "MODELWRIGHT_OIDC_LEEWAY"
TOKEN_USE = "MODELWRIGHT_OIDC_TOKEN_USE"  # noqa: S105 - the name of a setting
RESOURCE = "MODELWRIGHT_OIDC_RESOURCE"
GROUPS = "MODELWRIGHT_OIDC_GROUPS"
GROUPS_CLAIM = "MODELWRIGHT_OIDC_GROUPS_CLAIM"


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to authenticate.

    Attributes:
        keys: Take API keys.
        oidc: Take tokens of this provider.
        rate: Requests a second of each key or token; ``None`` for no limit.
        burst: Requests at once; ``None`` for as many as in a second.
    """

    keys: bool = False
    oidc: OidcSettings | None = None
    rate: float | None = None
    burst: float | None = None

    @property
    def on(self) -> bool:
        """Whether anybody is asked at all."""
        return self.keys or self.oidc is not None


def auth_settings(environ: Mapping[str, str], *, auth: str | None = None) -> AuthSettings:
    """The settings of the environment; ``auth`` (a flag) goes before ``MODELWRIGHT_AUTH``.

    Raises:
        AuthMisconfigured: A value cannot be used.
    """
    ways = _listed((environ.get(AUTH, "") if auth is None else auth).lower()) or ("off",)
    odd = sorted(set(ways) - {"off", "keys", "oidc"})
    if odd or ("off" in ways and len(ways) > 1):
        raise AuthMisconfigured(
            f"Authentication cannot be '{', '.join(ways)}'.", f"Set --auth or {AUTH} to off, keys or oidc."
        )
    settings = AuthSettings(
        keys="keys" in ways,
        oidc=_oidc(environ) if "oidc" in ways else None,
        rate=_positive(environ, RATE),
        burst=_positive(environ, BURST),
    )
    if settings.oidc is not None:
        settings.oidc.check()
    return settings


def _oidc(environ: Mapping[str, str]) -> OidcSettings:
    leeway = environ.get(LEEWAY, "30")
    try:
        seconds = float(leeway)
    except ValueError:
        raise AuthMisconfigured(f"{LEEWAY} '{leeway}' is no number.", "Set it to seconds.") from None
    return OidcSettings(
        issuer=environ.get(ISSUER, "").strip(),
        audience=_listed(environ.get(AUDIENCE, "")),
        jwks_url=environ.get(JWKS_URL, "").strip(),
        algorithms=_listed(environ.get(ALGORITHMS, "")) or ("RS256",),
        leeway=seconds,
        token_use=_listed(environ.get(TOKEN_USE, "")),
        resource=environ.get(RESOURCE, "").strip(),
        groups=_groups(environ.get(GROUPS, "")),
        groups_claim=environ.get(GROUPS_CLAIM, "").strip() or "cognito:groups",
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _groups(text: str) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for item in text.split(";"):
        name, _, scopes = item.partition("=")
        if name.strip():
            groups[name.strip()] = _listed(scopes)
    return groups


def _positive(environ: Mapping[str, str], name: str) -> float | None:
    text = environ.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1e9:
        raise AuthMisconfigured(f"{name} '{text}' is no number of requests.", "Set it to a number above 0.")
    return number
