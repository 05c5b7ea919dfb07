"""Addresses as people may see them: with the password taken out."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^/@:\s]*)(?::(?P<password>\S*))?@"
)
_SECRET_PARAMETER = re.compile(r"(?i)(?P<key>[?&;](?:password|passwd|pwd|token|secret|sslpassword)=)[^&;\s]*")


def mask_url(text: str) -> str:
    """``text`` with every password of every URL in it replaced by ``***``.

    Works on a bare URL and on a sentence that quotes one, so error messages of drivers can pass
    through it as they are.
    """

    def hide(match: re.Match[str]) -> str:
        password = ":***" if match["password"] is not None else ""
        return f"{match['scheme']}{match['user']}{password}@"

    return _SECRET_PARAMETER.sub(lambda match: f"{match['key']}***", _CREDENTIALS.sub(hide, text))
