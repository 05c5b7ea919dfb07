"""Online features: what a project's ``online(raw, at)`` knows of each key, brought into the store.

The same function of ``features.py`` made the columns that the models were trained on, of earlier
moments; its rows here become column arrays by the same code that reads training data.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from modelwright.data.arrays import strings
from modelwright.data.kinds import is_string
from modelwright.data.load import materialise, read_table
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.load import Project
from modelwright.store.codec import pack
from modelwright.store.ports import Store
from modelwright.store.records import GenerationRecord, OnlineValues
from modelwright.train.raw import BuildFailed, as_table, call_project, project_function

_NUMBERS = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)


class NothingOnline(ModelwrightError):
    """The project looks nothing up."""

    code = ExitCode.PROJECT


@dataclass(frozen=True)
class Update:
    """What became of an update.

    Attributes:
        generation: The one that is live now.
        changed: Whether it is a new one; not where everything is as it was.
        added, altered, removed: How many keys are new, known otherwise than before, and gone.
    """

    generation: GenerationRecord
    changed: bool
    added: int = 0
    altered: int = 0
    removed: int = 0


def update_features(
    project: Project,
    store: Store,
    *,
    at: datetime | None = None,
    told: Callable[[str], None] = lambda _: None,
) -> Update:
    """Bring what is known of every key into the store, as one new generation.

    Running it again over the same data changes nothing.

    Args:
        project: Its data and its ``features.py`` say what is known.
        store: Where it goes.
        at: The moment to know things of; by default the data's own last.
        told: Told what is done next.

    Raises:
        NothingOnline: The project looks nothing up.
        BuildFailed: ``online`` failed, or gave something else than one row a key.
        ModelwrightError: The data cannot be read, or the store cannot be written.
    """
    names, values, as_of = known_values(project, at=at, told=told)
    told(f"Bringing {len(values):,} keys into the store")
    digest = _digest(names, values, as_of)
    before = store.online.all(project.name)
    if before is not None and before[0].digest == digest:
        return Update(before[0], changed=False)
    generation = store.online.replace(project.name, names, values, as_of=as_of, digest=digest)
    same = before is not None and before[0].names == tuple(names)
    known = {} if before is None else before[1]
    common = values.keys() & known.keys()
    update = Update(
        generation,
        changed=True,
        added=len(values) - len(common),
        altered=sum(not same or pack(values[key]) != pack(known[key]) for key in common),
        removed=len(known) - len(common),
    )
    store.events.add(
        project.name,
        "features",
        f"What is known of {generation.keys:,} keys was brought into the store"
        f"{f', as of {as_of}' if as_of else ''}.",
        {"generation": generation.sequence, "keys": generation.keys, "as_of": as_of},
    )
    return update


def known_values(
    project: Project, *, at: datetime | None = None, told: Callable[[str], None] = lambda _: None
) -> tuple[list[str], dict[str, OnlineValues], str]:
    """Names of the features, their values by key, and the moment they are true of."""
    online = project.file.online
    if online is None:
        raise NothingOnline(
            f"The project {project.name} looks nothing up, so there is nothing to update.",
            "Say which features are looked up under online in project.yaml.",
        )
    function = project_function(project.features_path, "online")
    if function is None:
        raise BuildFailed(
            "The project looks features up, and features.py has no function online(raw, at).",
            "Define it: one row a key, with the columns that are looked up.",
        )
    source = project.file.data.source
    path = materialise(source, project_dir=project.directory)
    loaded = read_table(source, base=project.directory, missing=project.file.data.missing, materialised=path)
    extra = (at,) if len(inspect.signature(function).parameters) > 1 else ()
    told("Computing what is known of every key")
    made = call_project("online", function, loaded.table.to_pandas(), *extra)
    moment: Any = ""
    if isinstance(made, tuple) and len(made) == 2:
        made, moment = made
    table = as_table(made, "online")
    if online.key not in table.column_names:
        raise BuildFailed(f"online in features.py gave no column '{online.key}'.", "It is the key.")
    names = [name for name in table.column_names if name != online.key and name not in online.sent]
    return names, _by_key(table, online.key, names), _worded(moment)


def _by_key(table: pa.Table, key: str, names: list[str]) -> dict[str, OnlineValues]:
    keys = strings(table.column(key)).tolist()
    if len(set(keys)) < len(keys) or "" in keys:
        what = "a row without a key" if "" in keys else "two rows with the same key"
        raise BuildFailed(f"online in features.py gave {what}.", "It must give one row for each key.")
    columns = [_values(table.column(name), name) for name in names]
    return dict(zip(keys, zip(*columns, strict=True), strict=True)) if columns else dict.fromkeys(keys, ())


def _values(column: pa.ChunkedArray, name: str) -> list[Any]:
    """A column as plain values, None where missing; spelled as ``data.arrays`` reads a training table."""
    if is_string(column):
        return [value or None for value in strings(column).tolist()]
    if not any(of(column.type) for of in _NUMBERS):
        raise BuildFailed(
            f"The column '{name}' that online in features.py gave holds {column.type} values.",
            "Numbers, true and false, and texts can be looked up.",
        )
    numbers = column.cast(pa.float64()).to_numpy()
    return [value if np.isfinite(value) else None for value in numbers.tolist()]


def _worded(moment: Any) -> str:
    return moment.isoformat() if hasattr(moment, "isoformat") else str(moment or "")


def _digest(names: list[str], values: dict[str, OnlineValues], as_of: str) -> str:
    digest = hashlib.sha256(pack([names, as_of]).encode())
    for key in sorted(values):
        digest.update(pack([key, values[key]]).encode())
    return digest.hexdigest()
