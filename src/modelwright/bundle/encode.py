"""Column arrays to the tensors a graph takes: float32 numbers and strings.

Fitted on training rows, saved as JSON in the bundle, and run unchanged in serving, so that a row
means the same in both. Needs NumPy and the standard library only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec
import numpy as np

from modelwright.bundle.images import ImageColumn, ImageRunner
from modelwright.bundle.sentences import SentenceColumn, SentenceRunner
from modelwright.bundle.text import TextSettings, Vectoriser
from modelwright.schema.columns import Column, Kind, TableSchema

ColumnArrays = Mapping[str, np.ndarray]
"""One array a column, all of equal length: float64 (NaN = missing) for numbers and booleans,
``datetime64[us]`` (NaT = missing, UTC) for date-times, object arrays of ``str`` ("" = missing) else."""

DATE_PARTS = ("year", "month", "day", "weekday", "hour", "elapsed")
_LARGEST = np.float32(np.finfo(np.float32).max)
_DAY_US = 86_400_000_000
_HOUR_US = 3_600_000_000
_DISTINCT_SHARE = 0.5  # a categorical column with more distinct values than this share of rows ...
_DISTINCT_FLOOR = 100  # ... and more than this many tells rows apart rather than groups of rows
_NEVER_ENCODED = {
    Kind.IDENTIFIER: "it identifies the row",
    Kind.CONSTANT: "it has one value only",
    Kind.IMAGE: "it has no image encoder",
}


class SparseBlock:
    """Numbers of which nearly all are zero, as compressed sparse rows (CSR).

    Attributes:
        data: The non-zero numbers, float32.
        indices: The column of each, int32, ascending within a row.
        indptr: Row ``i`` owns ``data[indptr[i]:indptr[i + 1]]``; int64, [rows + 1].
        width: Number of columns.
    """

    __slots__ = ("data", "indices", "indptr", "width")

    def __init__(self, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, width: int) -> None:
        self.data = data
        self.indices = indices
        self.indptr = indptr
        self.width = width

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def take(self, rows: np.ndarray) -> SparseBlock:
        """The given rows, in the given order."""
        starts = self.indptr[rows]
        lengths = self.indptr[np.asarray(rows) + 1] - starts
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        places = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - starts, lengths)
        return SparseBlock(self.data[places], self.indices[places], indptr, self.width)

    def dense(self) -> np.ndarray:
        """The same numbers as a float32 array [rows, width]."""
        full = np.zeros((self.rows, self.width), dtype=np.float32)
        full[np.repeat(np.arange(self.rows), np.diff(self.indptr)), self.indices] = self.data
        return full


class Packed:
    """Encoded rows, as training takes them.

    Attributes:
        numbers: float32 [rows, k], NaN = missing.
        strings: object array of ``str`` [rows, m], "" = missing.
        text: The text columns' numbers; ``None`` where there is no text column.
        images: The features of columns with an encoder of their own, images and sentences, float32
            [rows, width], zeros where a cell is missing; ``None`` where there is no such column.
    """

    __slots__ = ("images", "numbers", "strings", "text")

    def __init__(
        self,
        numbers: np.ndarray,
        strings: np.ndarray,
        text: SparseBlock | None = None,
        images: np.ndarray | None = None,
    ) -> None:
        self.numbers = numbers
        self.strings = strings
        self.text = text
        self.images = images

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.numbers)

    def take(self, indices: Sequence[int] | np.ndarray) -> Packed:
        """The given rows, in the given order."""
        rows = np.asarray(indices)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        text = None if self.text is None else self.text.take(rows)
        images = None if self.images is None else self.images[rows]
        return Packed(self.numbers[rows], self.strings[rows], text, images)


class NumberColumn(msgspec.Struct, frozen=True, tag="number", omit_defaults=True):
    """A column that is one number already; ``log``: sign(x)·log(1 + |x|) in its place."""

    name: str
    log: bool = False


class DateColumn(msgspec.Struct, frozen=True, tag="date"):
    """A date-time column: six numbers, the last the days since ``origin`` (epoch microseconds)."""

    name: str
    origin: int


class StringColumn(msgspec.Struct, frozen=True, tag="string"):
    """A column whose strings the graph itself looks up."""

    name: str


class TextColumn(msgspec.Struct, frozen=True, tag="text"):
    """A column of words, turned into weights of terms."""

    name: str
    vectoriser: Vectoriser


GraphColumn = ImageColumn | SentenceColumn
"""A column that an ONNX graph of its own encodes."""

Encoding = NumberColumn | DateColumn | StringColumn | TextColumn | ImageColumn | SentenceColumn


class Block(NamedTuple):
    """Neighbouring numbers that one column became.

    Attributes:
        column: The column's name.
        kind: What it holds.
        start, stop: Which of the encoder's numbers.
    """

    column: str
    kind: Kind
    start: int
    stop: int


class Encoder(msgspec.Struct, frozen=True, dict=True):
    """How a table's columns become a graph's inputs.

    Attributes:
        columns: The columns used, in the order of their numbers or strings.
        ignored: Columns left out, with the reason in words.
    """

    columns: tuple[Encoding, ...]
    ignored: dict[str, str] = {}

    @classmethod
    def fit(
        cls,
        schema: TableSchema,
        columns: ColumnArrays,
        *,
        features: Sequence[str] | None = None,
        text: TextSettings | Mapping[str, TextSettings] = TextSettings(),  # noqa: B008 - an immutable value
        runners: Sequence[ImageRunner | SentenceRunner] = (),
    ) -> Encoder:
        """Learn the encoding from training rows.

        Args:
            schema: The feature columns.
            columns: Their training values.
            features: The columns to use; all of the schema's by default.
            text: How text columns are cut into terms: all, or by name.
            runners: The encoders of image columns, of which one without is left out, and of text
                columns that have one.
        """
        encoders = {runner.column.name: runner.column for runner in runners}
        wanted = None if features is None else set(features)
        used: list[Encoding] = []
        ignored: dict[str, str] = {}
        for column in schema:
            if wanted is not None and column.name not in wanted:
                continue
            cut = text if isinstance(text, TextSettings) else text.get(column.name, TextSettings())
            found = encoders.get(column.name) or _fit_column(column, columns[column.name], cut)
            if isinstance(found, str):
                ignored[column.name] = found
            else:
                used.append(found)
        encoder = cls(columns=tuple(used), ignored=ignored)
        encoder.equip({runner.column.name: runner for runner in runners})
        return encoder

    def equip(self, runners: Mapping[str, ImageRunner | SentenceRunner]) -> None:
        """Hand over columns' encoders, by column; a struct holds what JSON does, so not these."""
        self.__dict__["runners"] = {column.name: runners[column.name] for column in self._graphed}

    def equip_from(self, files: Mapping[str, bytes]) -> None:
        """Load columns' encoders from a bundle's checked files."""
        self.equip({column.name: _runner(column, files[column.file]) for column in self._graphed})

    @property
    def graph_files(self) -> tuple[str, ...]:
        """Files that columns' encoders lie in."""
        return tuple(dict.fromkeys(column.file for column in self._graphed))

    @property
    def graphs(self) -> dict[str, bytes]:
        """Encoders of a fitted encoder's columns, by file; one loaded from a bundle has let go of them."""
        return {runner.column.file: runner.graph for runner in self._runners.values()}

    @property
    def _runners(self) -> dict[str, ImageRunner | SentenceRunner]:
        found: dict[str, ImageRunner | SentenceRunner] = self.__dict__.get("runners", {})
        return found

    @property
    def columnar(self) -> bool:
        """Whether each used column is one number or one string, so that a graph alone can encode it."""
        return all(
            isinstance(column, StringColumn) or (isinstance(column, NumberColumn) and not column.log)
            for column in self.columns
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns used."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def number_names(self) -> tuple[str, ...]:
        """What each number is: ``age``, ``when.month``, then ``name~word:foo``, and last ``photo~17``."""
        plain: list[str] = []
        for column in self.columns:
            if isinstance(column, NumberColumn):
                plain.append(column.name)
            elif isinstance(column, DateColumn):
                plain.extend(f"{column.name}.{part}" for part in DATE_PARTS)
        texts = (f"{column.name}~{term}" for column in self._texts for term in column.vectoriser.names)
        images = (f"{column.name}~{place}" for column in self._graphed for place in range(column.width))
        return (*plain, *texts, *images)

    @cached_property
    def string_names(self) -> tuple[str, ...]:
        """The column of each string."""
        return tuple(column.name for column in self.columns if isinstance(column, StringColumn))

    @cached_property
    def text_width(self) -> int:
        """How many of the numbers, the last ones before the images', come from text."""
        return sum(column.vectoriser.width for column in self._texts)

    @cached_property
    def image_width(self) -> int:
        """How many of the numbers, the last ones, come from images and from encoded sentences."""
        return sum(column.width for column in self._graphed)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Where the numbers of each text and image column are."""
        found: list[Block] = []
        start = len(self.number_names) - self.text_width - self.image_width
        passed: tuple[TextColumn | GraphColumn, ...] = (*self._texts, *self._graphed)
        for column in passed:
            words = not isinstance(column, ImageColumn)
            stop = start + (column.vectoriser.width if isinstance(column, TextColumn) else column.width)
            found.append(Block(column.name, Kind.TEXT if words else Kind.IMAGE, start, stop))
            start = stop
        return tuple(found)

    @cached_property
    def _texts(self) -> tuple[TextColumn, ...]:
        return tuple(column for column in self.columns if isinstance(column, TextColumn))

    @cached_property
    def _graphed(self) -> tuple[GraphColumn, ...]:
        return tuple(column for column in self.columns if isinstance(column, GraphColumn))

    @cached_property
    def _fillers(self) -> tuple[tuple[str, int, Callable[[np.ndarray, np.ndarray, int], None] | None], ...]:
        """Column name, first slot, and what fills more than one slot (``None`` for a plain number)."""
        fillers: list[tuple[str, int, Callable[[np.ndarray, np.ndarray, int], None] | None]] = []
        slot = 0
        for column in self.columns:
            if isinstance(column, NumberColumn):
                fillers.append((column.name, slot, _fill_log if column.log else None))
                slot += 1
            elif isinstance(column, DateColumn):
                fillers.append((column.name, slot, _date_filler(column.origin)))
                slot += len(DATE_PARTS)
        return tuple(fillers)

    def transform(self, columns: ColumnArrays) -> Packed:
        """Encode rows for training; text stays sparse."""
        rows = _row_count(columns)
        plain = len(self.number_names) - self.text_width - self.image_width
        numbers = np.empty((rows, plain), dtype=np.float32)
        self._fill_numbers(columns, numbers)
        images = None
        if self._graphed:
            images = np.zeros((rows, self.image_width), dtype=np.float32)
            self._fill_images(columns, images)
        return Packed(numbers, self._strings(columns, rows), self._sparse_text(columns, rows), images)

    def transform_dense(self, columns: ColumnArrays) -> tuple[np.ndarray, np.ndarray]:
        """Encode rows for serving: ``numbers`` float32 [rows, all numbers], ``strings`` [rows, m]."""
        rows = _row_count(columns)
        if not self._texts and not self._graphed:
            numbers = np.empty((rows, len(self.number_names)), dtype=np.float32)
            self._fill_numbers(columns, numbers)
            return numbers, self._strings(columns, rows)
        numbers = np.zeros((rows, len(self.number_names)), dtype=np.float32)
        self._fill_numbers(columns, numbers)
        start = len(self.number_names) - self.text_width - self.image_width
        for column in self._texts:
            end = start + column.vectoriser.width
            column.vectoriser.fill(columns[column.name], numbers[:, start:end])  # type: ignore[arg-type]
            start = end
        self._fill_images(columns, numbers[:, start:])
        return numbers, self._strings(columns, rows)

    def _fill_images(self, columns: ColumnArrays, target: np.ndarray) -> None:
        start = 0
        for column in self._graphed:
            end = start + column.width
            self._runners[column.name].fill(columns[column.name], target[:, start:end])
            start = end

    def _fill_numbers(self, columns: ColumnArrays, numbers: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            for name, slot, fill in self._fillers:
                if fill is None:
                    numbers[:, slot] = columns[name]
                else:
                    fill(columns[name], numbers, slot)
        # What float32 cannot hold becomes its largest value: infinity would poison a sum.
        np.minimum(numbers, _LARGEST, out=numbers)
        np.maximum(numbers, -_LARGEST, out=numbers)

    def _strings(self, columns: ColumnArrays, rows: int) -> np.ndarray:
        strings = np.empty((rows, len(self.string_names)), dtype=object)
        for slot, name in enumerate(self.string_names):
            strings[:, slot] = columns[name]
        return strings if _are_clean(strings) else _cleaned(strings)

    def _sparse_text(self, columns: ColumnArrays, rows: int) -> SparseBlock | None:
        if not self._texts:
            return None
        indices: list[int] = []
        data: list[float] = []
        indptr = np.zeros(rows + 1, dtype=np.int64)
        sources = [(column.vectoriser, columns[column.name]) for column in self._texts]
        for row in range(rows):
            start = 0
            for vectoriser, texts in sources:
                if texts[row]:
                    for position, weight in vectoriser.weigh(texts[row]):
                        indices.append(start + position)
                        data.append(weight)
                start += vectoriser.width
            indptr[row + 1] = len(data)
        return SparseBlock(
            np.array(data, dtype=np.float32), np.array(indices, dtype=np.int32), indptr, self.text_width
        )


def _fit_column(column: Column, values: np.ndarray, text: TextSettings) -> Encoding | str:
    """The encoding of one column, or the reason why it has none."""
    match column.kind:
        case Kind.NUMERIC | Kind.INTEGER | Kind.BOOLEAN:
            return NumberColumn(column.name, column.transform == "log")
        case Kind.DATETIME:
            known = values[~np.isnat(values)]
            origin = int(known.min().astype("datetime64[us]").astype(np.int64)) if len(known) else 0
            return DateColumn(column.name, origin)
        case Kind.CATEGORICAL:
            distinct = len(set(values.tolist()) - {""})
            if distinct > _DISTINCT_FLOOR and distinct > _DISTINCT_SHARE * len(values):
                return f"it has {distinct} different values in {len(values)} rows, so it tells rows apart"
            return StringColumn(column.name)
        case Kind.TEXT:
            vectoriser = Vectoriser.fit(values.tolist(), text)
            return TextColumn(column.name, vectoriser) if vectoriser.width else "no word occurs often enough"
        case kind:
            return _NEVER_ENCODED[kind]


def _runner(column: GraphColumn, graph: bytes) -> ImageRunner | SentenceRunner:
    runner: ImageRunner | SentenceRunner
    runner = ImageRunner(column, graph) if isinstance(column, ImageColumn) else SentenceRunner(column, graph)
    runner.release()
    return runner


def _fill_log(values: np.ndarray, numbers: np.ndarray, slot: int) -> None:
    """In float64, so that only the result is rounded, once and the same everywhere."""
    numbers[:, slot] = np.copysign(np.log1p(np.abs(values)), values)


def _date_filler(origin: int) -> Callable[[np.ndarray, np.ndarray, int], None]:
    """A function that writes the six date parts into ``numbers[:, slot:slot + 6]``."""

    def fill(values: np.ndarray, numbers: np.ndarray, slot: int) -> None:
        moment = values.astype("datetime64[us]")
        missing = np.isnat(moment)
        days = moment.astype("datetime64[D]")
        months = moment.astype("datetime64[M]")
        since = moment.astype(np.int64)
        numbers[:, slot] = moment.astype("datetime64[Y]").astype(np.int64) + 1970
        numbers[:, slot + 1] = months.astype(np.int64) % 12 + 1
        numbers[:, slot + 2] = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
        numbers[:, slot + 3] = (days.astype(np.int64) + 3) % 7  # Monday is 0
        numbers[:, slot + 4] = (since % _DAY_US) // 60_000_000 / (_HOUR_US / 60_000_000)
        numbers[:, slot + 5] = (since - origin) / _DAY_US
        if missing.any():
            numbers[missing, slot : slot + len(DATE_PARTS)] = np.nan

    return fill


def _are_clean(strings: np.ndarray) -> bool:
    """Whether a string tensor can hold all of them: no NUL, no lone surrogate."""
    joined = "".join(strings.ravel().tolist())
    if joined.isascii():
        return "\0" not in joined
    return "\0" not in joined and joined.encode("utf-8", "ignore").decode("utf-8") == joined


def _cleaned(strings: np.ndarray) -> np.ndarray:
    flat = np.empty(strings.size, dtype=object)
    flat[:] = [clean_string(value) for value in strings.ravel().tolist()]
    return flat.reshape(strings.shape)


def clean_string(value: str) -> str:
    """``value`` with NUL and lone surrogates replaced by U+FFFD."""
    safe = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return safe.replace("\0", "\ufffd")


def _row_count(columns: Mapping[str, Any]) -> int:
    for values in columns.values():
        return len(values)
    return 0
