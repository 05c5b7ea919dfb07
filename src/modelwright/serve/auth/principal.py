"""Who asks, and the things one may be allowed."""

from __future__ import annotations

import msgspec

PREDICT = "predict"
FEEDBACK = "feedback"
READ = "read"
RETRAIN = "retrain"
ADMIN = "admin"
SCOPES = (PREDICT, FEEDBACK, READ, RETRAIN, ADMIN)


class Principal(msgspec.Struct, frozen=True):
    """Who asks.

    Attributes:
        name: As the log calls them: a key's name, a token's subject, or "" where nobody is asked.
        kind: "key", "token" or "anyone".
        scopes: What they may do, of ``SCOPES``.
        id: What tells them from others of the same name: a key's id, issuer and subject.
    """

    name: str
    kind: str
    scopes: frozenset[str]
    id: str = ""

    def may(self, scope: str) -> bool:
        """Whether ``scope`` is theirs; ``admin`` includes all others."""
        return scope in self.scopes or ADMIN in self.scopes


ANYONE = Principal("", "anyone", frozenset(SCOPES))
"""Where authentication is off."""
