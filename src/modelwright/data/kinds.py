"""What a column holds, told from its cells.

The rules, in order; "distinct share" is distinct values per filled cell:

1. Nothing filled, or one value and no gap: **constant**. (One value with gaps says something by
   where it stands, so it is a feature.)
2. Lists, bytes and other nested values: **nested**, no kind of ours; the column is left out.
3. Arrow booleans, and strings that are exactly one pair such as ``yes``/``no`` or ``True``/``False``:
   **boolean**. A column of 0 and 1 is an integer, which models read the same way.
4. Whole numbers: **identifier** if all differ and the column is named like one or counts its rows;
   else **integer**. Decimals: **integer** if all are whole and some are missing (that is how
   programs without missing integers write them), else **numeric**.
5. Strings, of which at least 90 % are numbers with more than 20 distinct ones: **numeric**; the
   others are mistakes that validation names. At least 90 % dates of one form: **datetime**.
6. At least 95 % end like an image file: **image**.
7. Strings that all differ: **identifier** if they look like UUIDs or hashes, if the column is named
   like one, or if they are single words in a table of at least 50 rows.
8. **Text** if there are at least 20 distinct values and they are long (50 characters or more on
   average), or of three or more words with a distinct share of at least 0.2, or of more than one
   and a half words with a distinct share of at least 0.5; or if there are more than 5,000 distinct ones.
9. Else **categorical**.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from modelwright.data.cells import Cells, boolean_pair, cells, date_form, moments, numbers, one_chunk
from modelwright.schema.columns import Kind

MOSTLY = 0.9
"""Share of a string column's cells that must be numbers (or dates) for the others to be mistakes."""

_MOST_CATEGORIES = 5_000
_ID_NAME = re.compile(
    r"(?i)(^|[\W_])(id|ids|uuid|guid|rowid|index|key|pk|nr|no)$|[a-z](Id|ID|Uuid)$|^Unnamed: 0$"
)
_SAVED_INDEX = re.compile(r"^(Unnamed: 0|__index_level_\d+__|index)$")
_UUID = r"^\{?[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?$|^[0-9a-fA-F]{32}$|^[0-9a-fA-F]{40}$"
_IMAGE = r"(?i)\.(jpe?g|png|gif|webp|bmp|tiff?)$"


class Finding(NamedTuple):
    """What a column holds and what shows it.

    Attributes:
        kind: The kind; ``None`` for nested values.
        form: Date form, for strings that are dates.
        ambiguous: Whether day and month could be the other way round.
    """

    kind: Kind | None
    form: str = ""
    ambiguous: bool = False


def recognise(name: str, column: pa.ChunkedArray) -> Finding:
    """Say what the column called ``name`` holds, by the rules above."""
    kind = column.type
    if pa.types.is_null(kind):
        return Finding(Kind.CONSTANT)
    if pa.types.is_boolean(kind):
        return Finding(Kind.CONSTANT if _one_value(column) else Kind.BOOLEAN)
    if pa.types.is_timestamp(kind):
        return Finding(Kind.CONSTANT if _one_value(column) else Kind.DATETIME)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return Finding(_numeric_kind(name, column))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _string_kind(name, cells(column))
    return Finding(None)


def is_string(column: pa.ChunkedArray) -> bool:
    """Whether the cells are strings."""
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def is_nested(column: pa.ChunkedArray) -> bool:
    """Whether the cells are no single values that we know: lists, maps, bytes, durations."""
    kind = column.type
    plain = (
        pa.types.is_null,
        pa.types.is_boolean,
        pa.types.is_timestamp,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return not any(fits(kind) for fits in plain)


def _one_value(column: pa.ChunkedArray) -> bool:
    distinct = len(column.unique())
    return distinct <= 1


def _numeric_kind(name: str, column: pa.ChunkedArray) -> Kind:
    values = one_chunk(column).to_numpy(zero_copy_only=False)
    whole_type = pa.types.is_integer(column.type)
    gaps = column.null_count > 0 if whole_type else bool(np.isnan(values).any())
    filled = column.drop_null().to_numpy() if whole_type else values[~np.isnan(values)] if gaps else values
    if not len(filled) or (not gaps and filled.min() == filled.max()):
        return Kind.CONSTANT
    if not whole_type:
        whole = gaps and bool(np.isfinite(filled).all()) and bool((filled == np.floor(filled)).all())
        return Kind.INTEGER if whole else Kind.NUMERIC
    return Kind.IDENTIFIER if _is_whole_identifier(name, filled, len(column)) else Kind.INTEGER


def _is_whole_identifier(name: str, filled: np.ndarray, rows: int) -> bool:
    if len(filled) < rows or rows < 20:
        return False
    if _ID_NAME.search(name) is None and int(filled.min()) not in {0, 1}:
        return False
    if _ID_NAME.search(name) is None and int(filled.max()) - int(filled.min()) != rows - 1:
        return False
    ordered = np.sort(filled)
    distinct = not bool((ordered[1:] == ordered[:-1]).any())
    counts_rows = bool((np.diff(filled) == 1).all())
    return distinct and (_ID_NAME.search(name) is not None or counts_rows)


def _string_kind(name: str, found: Cells) -> Finding:
    if found.filled == 0 or (len(found.values) == 1 and found.filled == len(found.codes)):
        return Finding(Kind.CONSTANT)
    if boolean_pair(found.values) is not None:
        return Finding(Kind.BOOLEAN)
    if (typed := _number_or_date(found)) is not None:
        return typed
    if _share(found, pc.match_substring_regex(found.values, _IMAGE)) >= 0.95:
        return Finding(Kind.IMAGE)
    if _is_string_identifier(name, found):
        return Finding(Kind.IDENTIFIER)
    return Finding(Kind.TEXT if _is_text(found) else Kind.CATEGORICAL)


def _number_or_date(found: Cells) -> Finding | None:
    """A column written as numbers or dates, mistakes aside; a look at its head spares the others."""
    head = found.values[:200]
    if numbers(head)[1].mean() >= 0.5:
        values, fits = numbers(found.values)
        if _share(found, fits) >= MOSTLY and len(np.unique(values[fits])) > 20:
            return Finding(Kind.NUMERIC)
    form = date_form(head, 0.5)
    if form is None:
        return None
    form = date_form(found.values[:5000], 0.5) or form
    fits = moments(found.values, form)[1]
    if _share(found, fits) < MOSTLY:
        return None
    return Finding(Kind.DATETIME, form, _ambiguous(found.values, form))


def _ambiguous(values: pa.Array, form: str) -> bool:
    swapped = {"%m/%d": "%d/%m", "%m-%d": "%d-%m"}
    for one, other in swapped.items():
        if form.startswith(one):
            return bool(moments(values, form.replace(one, other))[1].all())
    return False


def _share(found: Cells, fits: object) -> float:
    flags = np.asarray(fits if isinstance(fits, np.ndarray) else fits.to_numpy(zero_copy_only=False))  # type: ignore[attr-defined]
    return float(found.counts[flags.astype(bool)].sum()) / max(1, found.filled)


def _is_string_identifier(name: str, found: Cells) -> bool:
    if len(found.values) < found.filled or found.filled < 20:
        return False
    if _share(found, pc.match_substring_regex(found.values, _UUID)) == 1.0 or _ID_NAME.search(name):
        return True
    return found.filled >= 50 and _mean_words(found.values) < 1.1 and _mean_length(found.values) < 50


def _is_text(found: Cells) -> bool:
    distinct = len(found.values)
    if distinct < 20:
        return False
    share = distinct / found.filled
    words, length = _mean_words(found.values), _mean_length(found.values)
    return (
        length >= 50
        or (words >= 3 and share >= 0.2)
        or (words >= 1.5 and share >= 0.5)
        or distinct > _MOST_CATEGORIES
    )


def _mean_words(values: pa.Array) -> float:
    spaces = pc.count_substring_regex(pc.utf8_trim_whitespace(values[:20_000]), r"\s+")
    return float(pc.mean(spaces).as_py()) + 1


def _mean_length(values: pa.Array) -> float:
    return float(pc.mean(pc.utf8_length(values[:20_000])).as_py())


def looks_like_saved_index(name: str) -> bool:
    """Whether a column is what a program wrote as its row numbers."""
    return _SAVED_INDEX.search(name) is not None
