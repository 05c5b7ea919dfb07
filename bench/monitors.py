"""What following the log costs: from the delivered predictions in the store to judged windows."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from bench.drift_streams import FEATURES, REFERENCE_ROWS, SCHEMA, table
from bench.processes import on_cores
from bench.rows import Benchmark, Row
from modelwright.bundle.format import BundleSchema, Manifest, ModelEntry
from modelwright.bundle.read import Description
from modelwright.bundle.rows import RowReader
from modelwright.data.profile import profile, value_profile
from modelwright.monitor.following import Following
from modelwright.monitor.memory import Memory, keep
from modelwright.monitor.monitors import Pace
from modelwright.monitor.thresholds import effective
from modelwright.schema.metrics import Parity, Task
from modelwright.schema.profile import Profile
from modelwright.store.engine import open_store
from modelwright.store.ports import Store
from modelwright.store.records import PredictionRecord

ROWS, SPEED_GOAL, DELIVERED = 100_000, 10_000.0, 5_000
_START = datetime(2026, 5, 1, tzinfo=UTC)


def run(folder: Path, quick: bool) -> list[Row]:
    """Fill a store as the keeper does, then follow it, on one core."""
    rows = 10_000 if quick else ROWS
    with on_cores(1), open_store(path=folder / "store.db") as store:
        stored = _fill(store, rows)
        watched = _follow(store, folder, rows)
    return [
        Row("predictions followed in a second, 30 features, one core", watched, SPEED_GOAL, "rows/s",
            "the budget", goal=1, more_is_better=True),
        Row("predictions stored in a second, the same core", stored, SPEED_GOAL, "rows/s", "the budget",
            more_is_better=True),
    ]  # fmt: skip


def _fill(store: Store, rows: int) -> float:
    """Rows stored in a second of processor time."""
    columns = table(rows, np.random.default_rng(3))
    names = list(columns)
    cells = zip(*(columns[name].tolist() for name in names), strict=True)
    probabilities = {"no": 0.1, "yes": 0.9}
    output = {"prediction": 1, "prediction_name": "yes", "confidence": 0.9, "probabilities": probabilities}
    records = [
        PredictionRecord(
            id=f"{place:09d}",
            project="bench",
            version=1,
            time=_START + timedelta(microseconds=100 * place),
            status=200,
            inputs=dict(zip(names, row, strict=True)),
            outputs=output,
        )
        for place, row in enumerate(cells)
    ]
    begun = time.process_time()
    for start in range(0, rows, DELIVERED):
        store.predictions.add(records[start : start + DELIVERED])
    return rows / (time.process_time() - begun)


def _follow(store: Store, folder: Path, rows: int) -> float:
    """Rows read, judged and remembered in a second of processor time, in the batches of the monitors."""
    random = np.random.default_rng(4)
    made = profile(table(REFERENCE_ROWS, random), SCHEMA)
    answers = value_profile("model", np.ones(REFERENCE_ROWS, dtype=np.int64), (0, 1))
    reference = Profile(rows=made.rows, columns=made.columns, predictions={"model": answers})
    memory = Memory(version=1, after=(_START - timedelta(seconds=1), ""))
    following = Following(
        "bench", description_of(reference), reference, effective(None), memory, pictures=folder / "alarms"
    )
    begun = time.process_time()
    seen = 0
    while seen < rows:
        records = store.predictions.following("bench", after=memory.after, limit=Pace().batch)
        following.take(records)
        memory.after = (records[-1].time, records[-1].id)
        seen += len(records)
        if seen % 10_000 == 0:  # the monitors keep their state a few times a second at this rate
            keep(store, "bench", memory)
    return rows / (time.process_time() - begun)


def description_of(reference: Profile) -> Description:
    """A bundle's words: a classification of the simulated features, profiled by ``reference``."""
    entry = ModelEntry(
        name="model",
        task=Task.CLASSIFICATION,
        file="model.onnx",
        estimator="none",
        labels=(0, 1),
        label_names=("no", "yes"),
        parity=Parity(rows=1, labels_differ=0, max_difference=0.0),
    )
    manifest = Manifest(
        format=1,
        project="bench",
        version=1,
        task=Task.CLASSIFICATION,
        models=(entry,),
        dataset_md5="",
        created="",
        libraries={},
        files={},
        content_hash="",
    )
    schema = BundleSchema(inputs=SCHEMA, features=SCHEMA)
    return Description(manifest, schema, RowReader(schema), msgspec.json.encode(reference))


BENCHMARK = Benchmark(
    title="Following the log",
    how=(
        f"{ROWS:,} predictions with {FEATURES} features and probabilities in a SQLite store, read in the "
        "batches of the monitors, judged with the default settings, remembered every 10,000 rows. Processor "
        "time of one process."
    ),
    run=run,
    packages=("numpy", "sqlalchemy"),
)
