"""``modelwright feedback import FILE``: labels that came as a file, by the rules of ``POST /feedback``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from modelwright.cli.progress import working
from modelwright.cli.terminal import Terminal
from modelwright.cli.verb import project_option, verb
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.nearby import remedy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelwright.bundle.format import ModelEntry
    from modelwright.cli.reading import Watch
    from modelwright.serve.protocols.truths import Told
    from modelwright.store.ports import Store
    from modelwright.store.records import Truth

_BATCH = 2_000
_MOST_TOLD = 20
_CSV = frozenset({".csv", ".txt"})
_LINES = frozenset({".jsonl", ".ndjson"})


class LabelsUnreadable(ModelwrightError):
    """The file of labels is not there, or not in a form that is read here."""

    code = ExitCode.DATA


class LabelsRefused(ModelwrightError):
    """Some lines are no truths; the others were taken."""

    code = ExitCode.DATA


@click.group("feedback")
def command() -> None:
    """Tell what was true of predictions."""


@verb(
    "import",
    examples=[
        ("modelwright feedback import labels.csv", "columns prediction_id and target"),
        ("modelwright feedback import truths.jsonl -p examples/fraud --json", "also SageMaker's records"),
        ("modelwright feedback import fixed.csv --settle", "what it says counts over everybody's word"),
    ],
)
@click.argument("file", metavar="FILE", type=click.Path())
@project_option
@click.option("--client", help="In whose name; default: 'import'.")
@click.option("--settle", is_flag=True, help="Overrule what others said: an operator's word.")
def import_(terminal: Terminal, *, file: str, project: str | None, client: str | None, settle: bool) -> None:
    """Import labels from a CSV, JSON or JSON lines file.

    Each line names a prediction and its target. The first label of a prediction is joined to it; the
    same again is a duplicate, another one by the same client a correction, by another client a
    contradiction, which is kept and does not count. A label whose prediction is not there yet waits
    for it. Lines that are no truths are named, and the rest is taken.
    """
    from modelwright.cli.context import nothing_trained, open_project, opened_store
    from modelwright.cli.promote import actor
    from modelwright.store.truths import OPERATOR

    opened, settings = open_project(terminal, project)
    name = OPERATOR + (client or actor()) if settle else client or "import"
    with opened_store(settings, create=False) as store:
        models = None if store is None else _models(store, opened.name, settings.work_dir)
        if store is None or models is None:
            raise nothing_trained(opened)
        importing = _Import(store, opened.name, models, name, new_classes=opened.file.retrain.new_classes)
        with working(terminal, f"Importing {file}") as work, _rows(Path(file), work.at) as rows:
            importing.run(rows)
    data = importing.document()

    def show() -> None:
        terminal.print(f"{data['read']:,} label{'' if data['read'] == 1 else 's'} read from {file}:")
        for outcome, count in data["outcomes"].items():
            if count:
                terminal.print(f"  {count:>9,}  {_MEANINGS[outcome]}")

    terminal.result(data, show)
    if importing.tally.refused:
        raise LabelsRefused(
            f"{importing.tally.refused} of {data['read']} lines are no truths; the others were taken.",
            "Correct them and import the file again: what was taken is only counted as duplicate then.",
            details=importing.refusals,
        )


command.add_command(import_)

_MEANINGS = {
    "joined": "joined to their prediction",
    "duplicate": "said before (duplicates)",
    "corrected": "corrected what was said before",
    "contradicting": "contradict what was said before, and do not count",
    "orphan": "wait for their prediction (orphans)",
    "late": "of the joined are late: about a version that is not live any more",
    "refused": "refused",
}


class _Import:
    """One file on its way into the store, a batch a transaction; may be run again after any interruption."""

    def __init__(
        self, store: Store, project: str, models: Sequence[ModelEntry], client: str, *, new_classes: bool
    ) -> None:
        from modelwright.store.truths import Sending, Tally

        self._store = store
        self._project = project
        self._models = models
        self._client = client
        self._new_classes = new_classes
        self._sending = Sending()
        self.tally = Tally()
        self.read = 0
        self.refusals: list[str] = []

    def run(self, rows: Iterator[tuple[str, Told | ModelwrightError]]) -> None:
        """Take all of them."""
        batch: list[Truth] = []
        for place, told in rows:
            self.read += 1
            truth = self._checked(place, told)
            if truth is not None:
                batch.append(truth)
            if len(batch) >= _BATCH:
                self._record(batch)
                batch = []
        self._record(batch)

    def document(self) -> dict[str, Any]:
        """What came of it."""
        import msgspec

        return {
            "project": self._project,
            "read": self.read,
            "outcomes": msgspec.to_builtins(self.tally),
            "refused": self.refusals,
        }

    def _checked(self, place: str, told: Told | ModelwrightError) -> Truth | None:
        from modelwright.serve.errors import ServeError
        from modelwright.serve.targets import checked_target
        from modelwright.store.records import Truth

        error: ModelwrightError
        if isinstance(told, ModelwrightError):
            error = told
        else:
            try:
                target = checked_target(
                    self._models, told.target, told.loc, text=told.text, new_classes=self._new_classes
                )
                return Truth(told.id, target)
            except ServeError as refused:
                error = refused
        self.tally.refused += 1
        if len(self.refusals) < _MOST_TOLD:
            self.refusals.append(f"{place}: {_worded(error)}")
        return None

    def _record(self, batch: Sequence[Truth]) -> None:
        fresh, others = self._sending.fresh(batch)
        self.tally.add(others)
        if fresh:
            self.tally.add(self._store.labels.record(self._project, fresh, client=self._client))


def _models(store: Store, project: str, work_dir: Path) -> Sequence[ModelEntry] | None:
    """The models of the version that is live, by whose labels truths are checked."""
    from modelwright.bundle.read import verify

    release = store.releases.current(project)
    return None if release is None else verify(work_dir / release.bundle).models


@contextmanager
def _rows(path: Path, watch: Watch) -> Iterator[Iterator[tuple[str, Told | ModelwrightError]]]:
    """The truths of a file, one after the other, each with its place."""
    from modelwright.cli.reading import watched

    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    form = (suffixes[-2] if len(suffixes) > 1 else "") if packed else (suffixes or [""])[-1]
    if form not in {*_CSV, *_LINES, ".json"}:
        raise LabelsUnreadable(
            f"The form of {path} is not known by its name.",
            "Name a file that ends in .csv, .json, .jsonl or .ndjson (each also with .gz).",
        )
    try:
        with _opened(path, packed=packed) as file:
            rows = _csv(file) if form in _CSV else _lines(file) if form in _LINES else _json(file)
            yield watched(rows, cast("IO[bytes]", file.buffer), watch)
    except FileNotFoundError as error:
        raise LabelsUnreadable(f"There is no file {path}.", remedy(path)) from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise LabelsUnreadable(
            f"The file {path} cannot be read: {getattr(error, 'strerror', None) or error}.", "Check it."
        ) from error


def _opened(path: Path, *, packed: bool) -> io.TextIOWrapper:
    import gzip

    raw: Any = gzip.GzipFile(path) if packed else path.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _csv(file: io.TextIOWrapper) -> Iterator[tuple[str, Told | ModelwrightError]]:
    from modelwright.serve.errors import ServeError
    from modelwright.serve.protocols.truths import csv_rows

    rows = enumerate(csv_rows(file), start=1)
    try:
        for number, row in rows:
            yield f"row {number}", _told(row, text=True)
    except ServeError as error:  # the rest of a file that is no CSV from here on cannot be understood
        raise LabelsUnreadable(
            f"The file is no CSV of labels: {_worded(error)}", "Correct it and import it again."
        ) from error


def _lines(file: io.TextIOWrapper) -> Iterator[tuple[str, Told | ModelwrightError]]:
    from modelwright.serve.errors import ServeError
    from modelwright.serve.protocols import jsonbody

    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            item = jsonbody.parse(line.encode())
        except ServeError as error:
            yield f"line {number}", error
            continue
        yield f"line {number}", _told(item)


def _json(file: io.TextIOWrapper) -> Iterator[tuple[str, Told | ModelwrightError]]:
    from modelwright.serve.errors import ServeError
    from modelwright.serve.protocols import jsonbody

    try:
        document = jsonbody.parse(file.read().encode())
    except ServeError as error:
        raise LabelsUnreadable(
            f"The file is no JSON: {_worded(error)}", "Correct it and import it again."
        ) from error
    items = document.get("feedback", [document]) if isinstance(document, dict) else document
    for number, item in enumerate(items if isinstance(items, list) else [items], start=1):
        yield f"item {number}", _told(item)


def _told(item: Any, *, text: bool = False) -> Told | ModelwrightError:
    from modelwright.serve.errors import ServeError
    from modelwright.serve.protocols.truths import told

    try:
        return told(item, (), text=text)
    except ServeError as error:
        return error


def _worded(error: ModelwrightError) -> str:
    """What is wrong, without the words that a request's error begins with."""
    problems = getattr(error, "problems", ())
    return str(problems[0]["msg"]) if problems else error.reason
