"""What the routes of a worker share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from modelwright.serve.engine import Engine
from modelwright.serve.gate import Gate
from modelwright.serve.metrics.meter import BoardMeter
from modelwright.serve.projects import Projects
from modelwright.serve.settings import ServeSettings
from modelwright.serve.store_access import StoreAccess


@dataclass(frozen=True, slots=True)
class Site:
    """One worker's parts, as handlers need them.

    Attributes:
        settings: How to serve.
        engine: Who answers.
        meter: Who counts.
        store: The store, for what is no prediction.
        gate: Who gets in.
        run_dir: Where the counters of all workers lie.
        projects: The thresholds that hold.
        started: When this worker began.
        stopping: Set when the worker is to end: what streams without end ends then.
    """

    settings: ServeSettings
    engine: Engine
    meter: BoardMeter
    store: StoreAccess
    gate: Gate
    run_dir: Path
    projects: Projects
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopping: asyncio.Event | None = None
