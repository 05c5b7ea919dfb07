"""The labelled rows that a version did not learn from, as a client would send them."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from modelwright.bundle.derive import python_rows
from modelwright.bundle.pictures import MOST_BYTES
from modelwright.data.arrays import column_arrays
from modelwright.data.pictures import as_sent, with_pictures
from modelwright.project.load import Project
from modelwright.project.settings import Settings
from modelwright.store.records import VersionRecord
from modelwright.train.parts import parts_of
from modelwright.train.prepare import prepare
from modelwright.train.progress import Silent
from modelwright.train.raw import built
from modelwright.train.reproduce import making_of, read_again


def held_out(
    project: Project, record: VersionRecord, *, settings: Settings, most: int
) -> list[dict[str, Any]]:
    """At most ``most`` held-out rows of a version's first model, spread over all, with their target.

    Raises:
        NotRecorded: Nobody kept what it was made from, and it cannot be found out.
        DataGone: Its data is nowhere any more.
    """
    with tempfile.TemporaryDirectory(prefix="modelwright-rows-") as folder:
        making = making_of(project, record, settings, Path(folder))
        part = parts_of(making.project.file)[0]
        dataset = read_again(making, project)(part.data.source, part, making.project, Silent())
        prepared = prepare(dataset, part, making.project, Silent())
        table = built(dataset.loaded.table, making.project.features_path)
        places = prepared.held_out_rows
        places = places[np.linspace(0, len(places) - 1, min(len(places), most)).astype(np.int64)]
        picked = table.take(np.sort(places))
        arrays = column_arrays(picked, prepared.inputs)
        pictured = with_pictures(arrays, prepared.inputs, dataset.image_folders)
        rows = list(python_rows(arrays, prepared.inputs))
        for name, cells in pictured.pictures.items():
            for row, sent in zip(rows, as_sent(cells.tolist(), largest=MOST_BYTES), strict=True):
                row[name] = sent
        truths = picked.column(part.data.target).to_pylist() if part.data.target else [None] * len(places)
    return [
        {**{name: _shown(value) for name, value in row.items()}, part.data.target or "": truth}
        for row, truth in zip(rows, truths, strict=True)
    ]


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value
