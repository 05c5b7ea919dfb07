"""The data of a retraining: the base data and every labelled row that came since, as one new file.

The file is named after its job and never changed, so a job that is taken up again trains on the same
rows; DVC versions it when it is read for training. Beside it stands a note (in the working folder)
of where each added row came from.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from modelwright.bundle.kept import FOLDER as IMAGES
from modelwright.bundle.kept import KeptPictures
from modelwright.bundle.read import Bundle
from modelwright.bundle.rows import TableReader
from modelwright.data import pictures
from modelwright.data.arrays import labelled_rows
from modelwright.data.load import DELIMITED, materialise, read_table
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.files import replacing, write_whole
from modelwright.project.durations import seconds
from modelwright.project.load import Project
from modelwright.project.sending import why_not_taken_up
from modelwright.retrain import pictures as sent
from modelwright.retrain.additions import Addition
from modelwright.retrain.columns import append, spelled
from modelwright.train.parts import parts_of
from modelwright.train.raw import built

_FOLDER = "retrain"
_WEIGHT = "modelwright_weight"


class CannotTakeUp(ModelwrightError):
    """Labelled rows that clients sent cannot become rows of the project's data."""

    code = ExitCode.DATA


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a job trains on.

    Attributes:
        source: The data file; the base data itself where nothing is added. Relative paths start in
            the project's folder.
        base_rows: How many of its rows, the first ones, are of the base data.
        ids: Where each further row came from, in order: "sample:N" or "prediction:ID".
        received: When the truth of each came.
        samples: Sequences of the samples among them.
        left_out: Labelled rows that could not be read any more: id and why.
        label_names: What the base source itself calls the target's values.
        weight: The column of weights, where rows count by their age.
        labels_seen: How many labels there were, for the trigger that counts new ones.
    """

    source: str
    base_rows: int
    ids: tuple[str, ...] = ()
    received: tuple[datetime, ...] = ()
    samples: tuple[int, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    label_names: dict[str, str] = {}
    weight: str = ""
    labels_seen: int = 0


def note_file(work_dir: Path, job: str) -> Path:
    """Where the note of a job lies."""
    return work_dir / _FOLDER / f"{job}.json"


def read_note(work_dir: Path, job: str) -> Note | None:
    """The note of a job that got so far."""
    file = note_file(work_dir, job)
    return msgspec.json.decode(file.read_bytes(), type=Note) if file.is_file() else None


def with_data(project: Project, note: Note) -> Project:
    """The project over a job's data."""
    if not note.ids:
        return project
    data = project.file.data.model_copy(
        update={
            "source": str(project.resolve(note.source)),
            "labels": {**note.label_names, **project.file.data.labels},
            "built": True,
            "weight": note.weight or project.file.data.weight,
        }
    )
    return replace(project, file=project.file.model_copy(update={"data": data}))


def assemble(
    project: Project, champion: Bundle, found: list[Addition], *, job: str, work_dir: Path, labels_seen: int
) -> Note:
    """Write a job's data and its note, if they are not there yet.

    Args:
        project: Whose base data.
        champion: Its schema says what the values of sent rows mean.
        found: The labelled rows that came.
        job: The job's id.
        work_dir: The working folder.
        labels_seen: For the note.

    Raises:
        CannotTakeUp: Sent rows have another form than the base data.
        ModelwrightError: The base data cannot be read, or the disk refused.
    """
    known = read_note(work_dir, job)
    if known is not None:
        return known
    note = Note(source="", base_rows=0, labels_seen=labels_seen)
    if found and not why_not_taken_up(project.file):
        targets = _targets(project)
        kept = KeptPictures(work_dir / IMAGES)
        note = _with_additions(project, champion, found, targets, job=job, note=note, kept=kept)
    write_whole(note_file(work_dir, job), msgspec.json.encode(note), "noting a retraining's data")
    return note


def _targets(project: Project) -> dict[str, str]:
    """The target column of each model that has one; "" stands for the model of a project that has one only.

    A clustering has none: it learns from the sent rows as they are.
    """
    if not project.file.models:
        return {"": project.file.data.target} if project.file.data.target is not None else {}
    return {part.name: part.data.target for part in parts_of(project.file) if part.data.target is not None}


def _with_additions(
    project: Project,
    champion: Bundle,
    found: list[Addition],
    targets: dict[str, str],
    *,
    job: str,
    note: Note,
    kept: KeptPictures,
) -> Note:
    data = project.file.data
    path = materialise(data.source, project_dir=project.directory)
    loaded = read_table(data.source, base=project.directory, missing=data.missing, materialised=path)
    base = loaded.table if data.built else built(loaded.table, project.features_path)
    base_is_raw = base is loaded.table
    if "" in targets:
        base = labelled_rows(base, targets[""])
    _refuse_other_form(project, champion, base)
    folder = _folder(path, project)
    good, cells, left_out = _read(champion, base, found, targets, folder, kept)
    if not good:
        return msgspec.structs.replace(note, left_out=left_out)
    folders = pictures.image_folders(data.source, path, project.directory)
    base = sent.moved(base, sent.image_names(champion.schema.inputs), folders, folder)
    _fill_lineage(project, base, cells, good)
    table = append(base, cells, len(good))
    table, base_rows, good = _newest(table, base.num_rows, good, project.file.retrain.newest)
    half_life, weight = project.file.retrain.half_life, ""
    if half_life is not None:
        weight = data.weight or _WEIGHT
        table = _weighted(table, weight, base_rows, [row.received for row in good], seconds(half_life))
    place = _write(table, path, project, job, as_text=base_is_raw)
    return msgspec.structs.replace(
        note,
        source=str(place.relative_to(project.directory)),
        base_rows=base_rows,
        ids=tuple(addition.id for addition in good),
        received=tuple(addition.received for addition in good),
        samples=tuple(a.sample for a in found if a.sample is not None),
        left_out=left_out,
        label_names=dict(loaded.label_names),
        weight=weight,
    )


def _refuse_other_form(project: Project, champion: Bundle, base: pa.Table) -> None:
    lacking = [name for name in champion.schema.inputs.names if name not in base.column_names]
    if lacking:
        raise CannotTakeUp(
            f"Rows that clients send have a column '{lacking[0]}', which the data of {project.name} has not.",
            "Where features.py builds the table from other data, add new rows to that data, and train with: "
            "modelwright train",
        )


def _read(  # noqa: PLR0917 - what a row is read with
    champion: Bundle,
    base: pa.Table,
    found: list[Addition],
    targets: dict[str, str],
    folder: Path,
    pictures_kept: KeptPictures,
) -> tuple[list[Addition], dict[str, list[Any]], tuple[tuple[str, str], ...]]:
    """The rows that can be read, their cells by column, and the others with why not."""
    schema = champion.schema.inputs
    images = sent.image_names(schema)
    sent_rows = [
        sent.without_names(pictures_kept.restored(addition.features, schema), images) for addition in found
    ]
    reading = TableReader(schema).read(sent_rows)
    why = {error.row: f"{error.loc[-1]}: {error.msg}" for error in reading.errors}
    if images:
        why |= {
            place: sent.NOTHING_LEFT for place, row in enumerate(sent_rows) if sent.has_nothing(row, schema)
        }
    kept = [place for place in range(len(found)) if place not in why]
    rows = np.array(kept, dtype=np.int64)
    cells = {
        column.name: spelled(reading.columns[column.name][rows], column, base.schema.field(column.name).type)
        for column in schema
        if column.name not in images
    }
    cells |= {name: sent.stored([sent_rows[place].get(name) for place in kept], folder) for name in images}
    for name, target in targets.items():
        cells[target] = [_truth(found[place].target, name) for place in kept]
    return (
        [found[place] for place in kept],
        cells,
        tuple((found[place].id, reason) for place, reason in sorted(why.items())),
    )


def _truth(told: Any, model: str) -> Any:
    """The truth for one model; of several, whose truth was not told learns nothing from the row."""
    if not model:
        return told
    return told.get(model) if isinstance(told, dict) else None


def _weighted(
    table: pa.Table, column: str, base_rows: int, received: list[datetime], half_life: float
) -> pa.Table:
    """The table with how much each row counts: half as much for each half-life before the newest."""
    times = np.array([moment.timestamp() for moment in received])
    ages = np.concatenate([np.full(base_rows, times.max() - times.min()), times.max() - times])
    counts = np.exp2(-ages / half_life)
    if column in table.column_names:
        given = pc.fill_null(pc.cast(table.column(column), pa.float64()), 1.0).to_numpy()
        return table.set_column(table.column_names.index(column), column, pa.array(counts * given))
    return table.append_column(column, pa.array(counts))


def _fill_lineage(
    project: Project, base: pa.Table, cells: dict[str, list[Any]], rows: list[Addition]
) -> None:
    """Values for columns that no client sends and the split or the checks need: identifier and time."""
    data = project.file.data
    if data.id is not None and data.id not in cells:
        numeric = pa.types.is_integer(base.schema.field(data.id).type)
        top = int(pc.max(base.column(data.id)).as_py() or 0) if numeric else 0
        cells[data.id] = [top + place if numeric else row.id for place, row in enumerate(rows, start=1)]
    moment = data.split.by_time
    if moment is not None and moment not in cells:
        if pa.types.is_integer(base.schema.field(moment).type) or pa.types.is_floating(
            base.schema.field(moment).type
        ):
            raise CannotTakeUp(
                f"The rows are split by the column '{moment}', which is a number that clients do not send.",
                "Split another way, or let it be a date, which the time of arrival can stand for.",
            )
        cells[moment] = [row.received for row in rows]


def _newest(
    table: pa.Table, base_rows: int, rows: list[Addition], newest: int | None
) -> tuple[pa.Table, int, list[Addition]]:
    """The last ``newest`` rows, if so many are asked for."""
    if newest is None or table.num_rows <= newest:
        return table, base_rows, rows
    gone = table.num_rows - newest
    return table.slice(gone), max(0, base_rows - gone), rows[max(0, gone - base_rows) :]


def _folder(base: Path, project: Project) -> Path:
    """Where the new file goes."""
    return base.parent if base.parent.is_relative_to(project.directory) else project.directory / "data"


def _write(table: pa.Table, base: Path, project: Project, job: str, *, as_text: bool) -> Path:
    """The new file beside the base one: CSV where that is text, so that cells are read the same way."""
    name = base.name.removesuffix(".gz")
    stem, suffix = Path(name).stem, Path(name).suffix.lower()
    folder = _folder(base, project)
    delimited = as_text and suffix in DELIMITED and base.is_file()
    place = folder / f"{stem}.retrain-{job[:12]}{'.csv' if delimited else '.parquet'}"
    with replacing(place, "writing the data of a retraining") as draft:
        if delimited:
            pa_csv.write_csv(table, draft)
        else:
            pa_parquet.write_table(table, draft)
    return place
