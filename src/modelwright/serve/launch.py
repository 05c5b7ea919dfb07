"""How the command line starts a server: ``serve(settings)`` blocks until it is told to stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any
from urllib.parse import quote as quote_path

from modelwright.serve.settings import ServeSettings
from modelwright.serve.supervisor import Supervisor

_LONGEST = 120  # characters of a value in a command line that is shown
_PIXEL = "data:image/gif;base64,R0lGODdhAQABAIEAAP///wAAAAAAAAAAACwAAAAAAQABAAAIBAABBAQAOw=="


@dataclass(frozen=True, slots=True)
class Readiness:
    """A server that answers.

    Attributes:
        url: Its address.
        versions: What it serves: version by name, the first one also at the root.
        curl: A command line that asks for a prediction and works when pasted; "" without an example.
    """

    url: str
    versions: dict[str, int]
    curl: str


def serve(settings: ServeSettings, *, on_ready: Callable[[Readiness], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: How to serve.
        on_ready: Called once, when every process is ready.

    Returns:
        The exit code, 0.

    Raises:
        CannotListen: The address cannot be bound.
        ModelwrightError: Nothing could be served; why.
    """

    def ready(url: str, versions: dict[str, int], bundle: str) -> None:
        if on_ready is not None:
            ordered = {target.name: versions[target.name] for target in settings.targets}
            asked, options = _as_curl_asks(url, settings)
            line = curl_line(asked, Path(bundle), key=settings.auth_on, options=options)
            on_ready(Readiness(url, ordered, line))

    return Supervisor(settings).run(ready)


def _as_curl_asks(url: str, settings: ServeSettings) -> tuple[str, str]:
    """The address, and curl's options for a certificate that it would not take as it is."""
    if not settings.certificate:
        return url, ""
    from modelwright.serve.tls import curl_address, look_at  # OpenSSL takes its time

    shown = look_at(settings.certificate, settings.private_key)
    return curl_address(url, str(Path(settings.certificate).absolute()), shown)


def curl_line(url: str, bundle: Path, *, key: bool = False, options: str = "") -> str:
    """A ``curl`` command that predicts the bundle's own example.

    Args:
        url: The server's address.
        bundle: Folder of the bundle.
        key: Send the API key of the environment.
        options: More of curl's, as a shell reads them.
    """
    body = example_request(bundle)
    if body is None:
        return ""
    text = json.dumps(_brief(body), ensure_ascii=False)
    headers = "-H 'content-type: application/json'" + (' -H "x-api-key: $MODELWRIGHT_API_KEY"' if key else "")
    curl = f"curl -s {options}".rstrip()
    return f"{curl} {quote_path(url, safe=':/[]')}/predict {headers} -d {quote(text)}"


def _brief(body: dict[str, Any]) -> dict[str, Any]:
    """The request with long texts cut and pictures that one can read past, so that it can be pasted."""
    features = body.get("features")
    if not isinstance(features, dict):
        return body
    return {**body, "features": {name: _brief_value(value) for name, value in features.items()}}


def _brief_value(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= _LONGEST:
        return value
    return _PIXEL if value.startswith("data:image/") else value[:_LONGEST].rpartition(" ")[0] or value


def example_request(bundle: Path) -> dict[str, Any] | None:
    """The request in a bundle's example; ``None`` if it has none that can be read."""
    try:
        example = json.loads((bundle / "example.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    request = example.get("request") if isinstance(example, dict) else None
    return request if isinstance(request, dict) else None
