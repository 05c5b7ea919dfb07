"""A hook of MkDocs: the built pages load nothing from another host, also where a theme's plugin would.

The theme's search runs in a worker, which browsers refuse to pages opened from a disk; for these it
would fetch a replacement from the web. Ours is docs/assets/search-from-disk.js.
"""

from __future__ import annotations

from typing import Any

OURS = "assets/search-from-disk.js"


def on_config(config: Any) -> Any:
    """Put ours in the place of what would be fetched; called after the plugins had their say."""
    polyfills = config.extra.get("polyfills", [])
    config.extra["polyfills"] = [address for address in polyfills if "//" not in address] + [OURS]
    return config
