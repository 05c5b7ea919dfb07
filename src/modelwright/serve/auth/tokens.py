"""Tokens of an OpenID provider (RFC 7519, OpenID Connect Core 3.1.3.7), Amazon Cognito's among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from time import time
from typing import Any

import jwt
import msgspec

from modelwright.serve.auth.errors import AuthMisconfigured, Unauthorized
from modelwright.serve.auth.jwks import KeySet
from modelwright.serve.auth.principal import SCOPES, Principal
from modelwright.serve.errors import NotReady

ASYMMETRIC = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
TOKEN_USES = ("id", "access")
_LONGEST = 16_384
_MOST_KEPT = 10_000
_BROKEN = "The token is not valid."


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are taken, and what they allow.

    Attributes:
        issuer: ``iss``, exactly.
        audience: One of these must be in ``aud``; in Cognito's access tokens, be the ``client_id``.
        jwks_url: Where the keys are, if not where the issuer's discovery document says.
        algorithms: Signatures that are taken; asymmetric ones only.
        leeway: Seconds by which clocks may differ.
        token_use: Cognito's ``token_use`` that are taken; empty for providers that have none.
        resource: The resource server whose ``resource/scope`` counts; empty if scopes stand alone.
        groups: What members of a group may do, by its name in ``groups_claim``.
        groups_claim: Where a token lists groups.
    """

    issuer: str
    audience: tuple[str, ...]
    jwks_url: str = ""
    algorithms: tuple[str, ...] = ("RS256",)
    leeway: float = 30.0
    token_use: tuple[str, ...] = ()
    resource: str = ""
    groups: dict[str, tuple[str, ...]] = {}
    groups_claim: str = "cognito:groups"

    def check(self) -> None:
        """Refuse what would let in whom it should not.

        Raises:
            AuthMisconfigured: Something is missing, or an algorithm's key is a shared secret.
        """
        if not self.issuer or not self.audience or not all(self.audience):
            raise AuthMisconfigured(
                "Tokens cannot be checked without the issuer and the audience they must be for.",
                "Set MODELWRIGHT_OIDC_ISSUER and MODELWRIGHT_OIDC_AUDIENCE.",
            )
        odd = sorted(set(self.algorithms) - ASYMMETRIC)
        if odd or not self.algorithms:
            raise AuthMisconfigured(
                f"The signature algorithm '{odd[0] if odd else ''}' is not taken.",
                f"Use some of {', '.join(sorted(ASYMMETRIC))}.",
            )
        unknown = {scope for scopes in self.groups.values() for scope in scopes} - set(SCOPES)
        if unknown or set(self.token_use) - set(TOKEN_USES) or not 0 <= self.leeway <= 600:
            raise AuthMisconfigured(
                "A group's scopes, token_use or the leeway is none there is.",
                f"Scopes are {', '.join(SCOPES)}; token_use is id or access; the leeway 0 to 600 seconds.",
            )


class _Known(msgspec.Struct, frozen=True):
    principal: Principal
    expires: float
    generation: int


class TokenVerifier:
    """Checks tokens; one that was checked is known again, by its hash, until it expires or keys change."""

    def __init__(self, settings: OidcSettings, keys: KeySet, *, clock: Callable[[], float] = time) -> None:
        settings.check()
        self._settings = settings
        self._keys = keys
        self._clock = clock
        self._known: dict[bytes, _Known] = {}

    def check(self, token: str) -> Principal | None:
        """Whose token it is; ``None`` if the provider's keys must be fetched first to say (``missing_key``).

        Raises:
            Unauthorized: It does not hold, and why.
            NotReady: There are no keys yet, and none may be fetched now.
        """
        digest = sha256(token.encode()).digest()
        known = self._known.get(digest)
        if known is not None:
            if known.generation == self._keys.generation and self._clock() < known.expires:
                return known.principal
            del self._known[digest]
        kid, algorithm = self._header(token)
        key = self._keys.get(kid)
        if key is None:
            if self._keys.may_fetch():
                return None
            if not self._keys.loaded:
                raise NotReady("The OpenID provider's keys cannot be fetched now.", "Try again in a moment.")
            raise Unauthorized("The token is signed with a key the issuer does not list.")
        generation = self._keys.generation
        claims = self._claims(token, key, algorithm)
        principal = self._principal(claims)
        self._keep(digest, _Known(principal, float(claims["exp"]) + self._settings.leeway, generation))
        return principal

    def missing_key(self, token: str) -> str:
        """The id of the key that ``token`` says it is signed with."""
        return self._header(token)[0]

    def refresh(self, *, missing: str = "") -> None:
        """Fetch the keys where it is time; see ``KeySet.refresh``."""
        self._keys.refresh(missing=missing)

    def _keep(self, digest: bytes, known: _Known) -> None:
        if len(self._known) >= _MOST_KEPT:
            now = self._clock()
            self._known = {key: kept for key, kept in self._known.items() if kept.expires > now}
        if len(self._known) >= _MOST_KEPT:
            del self._known[next(iter(self._known))]
        self._known[digest] = known

    def _header(self, token: str) -> tuple[str, str]:
        if len(token) > _LONGEST:
            raise Unauthorized(_BROKEN)
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Unauthorized(_BROKEN) from None
        algorithm = header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise Unauthorized("The token's signature algorithm is not taken.")
        kid = header.get("kid")
        if not isinstance(kid, str) or "crit" in header:
            raise Unauthorized(_BROKEN)
        return kid, str(algorithm)

    def _claims(self, token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        if key._jwk_data.get("alg", algorithm) != algorithm:
            raise Unauthorized("The token's signature algorithm is not its key's.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=settings.issuer,
                leeway=settings.leeway,
                options={"require": ["exp", "iss"], "verify_aud": False},
            )
        except jwt.PyJWTError as error:
            raise Unauthorized(_reason(error)) from None
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise Unauthorized(_BROKEN) from None
        self._check_use(claims)
        return claims

    def _check_use(self, claims: Mapping[str, Any]) -> None:
        """Whom the token is for; a Cognito access token says it in ``client_id``."""
        uses = self._settings.token_use
        use = claims.get("token_use")
        if uses and use not in uses:
            raise Unauthorized("The token is not for this use (token_use).")
        said = claims.get("client_id") if uses and use == "access" else claims.get("aud")
        audiences = said if isinstance(said, list) else [said]
        if not any(isinstance(one, str) and one in self._settings.audience for one in audiences):
            raise Unauthorized("The token is for another audience.")

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        name = claims.get("sub") or claims.get("client_id")
        if not isinstance(name, str):
            raise Unauthorized("The token does not say whose it is.")
        scopes = self._scopes(claims) | self._group_scopes(claims)
        return Principal(name[:200], "token", frozenset(scopes), f"{self._settings.issuer} {name[:200]}")

    def _scopes(self, claims: Mapping[str, Any]) -> set[str]:
        """From ``scope`` (RFC 8693, 4.2), or ``scp`` as some have it. Another resource's do not count."""
        said = claims.get("scope", claims.get("scp", ""))
        listed = said.split() if isinstance(said, str) else said
        if not isinstance(listed, list):
            return set()
        resource = self._settings.resource
        wanted = {(f"{resource}/{scope}" if resource else scope): scope for scope in SCOPES}
        return {wanted[one] for one in listed if isinstance(one, str) and one in wanted}

    def _group_scopes(self, claims: Mapping[str, Any]) -> set[str]:
        groups = claims.get(self._settings.groups_claim)
        if not self._settings.groups or not isinstance(groups, list):
            return set()
        return {
            scope
            for group in groups
            if isinstance(group, str)
            for scope in self._settings.groups.get(group, ())
        }


def _reason(error: jwt.PyJWTError) -> str:
    """Why, in words that say nothing of the token's content."""
    reasons: dict[type[jwt.PyJWTError], str] = {
        jwt.ExpiredSignatureError: "The token has expired.",
        jwt.ImmatureSignatureError: "The token is not valid yet.",
        jwt.InvalidIssuerError: "The token is of another issuer.",
        jwt.InvalidSignatureError: "The token's signature is wrong.",
        jwt.MissingRequiredClaimError: "The token lacks a claim it must have.",
    }
    return next((text for kind, text in reasons.items() if isinstance(error, kind)), _BROKEN)
