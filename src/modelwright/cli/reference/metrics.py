"""The reference of metrics: what a scraper of Prometheus finds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from modelwright.serve.metrics.prometheus import described


def page() -> str:
    """The whole page, Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Metrics"
    yield ""
    yield (
        "`GET /prometheus_metrics` gives these in Prometheus's words, as does `GET /metrics` where the "
        "`Accept` header asks for them; the numbers are of all workers, whichever answers. A counter's "
        "samples end in `_total`, a histogram's in `_bucket`, `_sum` and `_count`."
    )
    yield ""
    yield "| metric | type | labels | what |"
    yield "| --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        found = list(described(Path(folder)))
    for family in found:
        labels = ", ".join(f"`{label}`" for label in getattr(family, "_labelnames", ()))
        yield f"| `{family.name}` | {family.type} | {labels} | {family.documentation} |"
