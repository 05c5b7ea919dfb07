"""What a column is, and a table's columns in order."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

import msgspec

Scalar = str | int | float | bool
"""One cell, or one label, as JSON can carry it."""


class Kind(StrEnum):
    """What a column holds, and so how it is checked and encoded."""

    NUMERIC = "numeric"
    INTEGER = "integer"  # whole numbers, gaps allowed
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"  # few distinct strings
    TEXT = "text"  # many distinct strings made of words
    DATETIME = "datetime"
    IMAGE = "image"  # path of an image file; on the wire its bytes
    IDENTIFIER = "identifier"  # distinct in (nearly) every row: lineage, never a feature
    CONSTANT = "constant"  # one value only: carries nothing


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column of a table, as training saw it and as serving checks it.

    Attributes:
        name: The column's name, verbatim: any unicode, spaces, quotes and dots included.
        kind: What it holds.
        nullable: Whether a missing value is answered rather than refused.
        observed_min, observed_max: Range in the training data (epoch seconds for datetimes). A
            value outside is answered with a warning, or refused when ``strict``.
        minimum, maximum: Hard limits the project declares. A value outside is refused.
        categories: Values seen in training, sorted; empty for other kinds. For a boolean column
            the two spellings of the data file, false first.
        strict: Refuse unknown categories and values outside the observed range.
        example: A plausible value, for documentation and for ``curl`` lines.
        description: What the project says of the column.
        unit: Unit of measurement, if the project names one.
        form: Datetime columns: how the data file spells them, a ``strptime`` form; empty for ISO 8601.
        transform: Numbers: what the models see in their place: "log" is sign(x)·log(1 + |x|); empty for
            the numbers themselves.
    """

    name: str
    kind: Kind
    nullable: bool = False
    observed_min: float | None = None
    observed_max: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    strict: bool = False
    example: Scalar | None = None
    description: str = ""
    unit: str = ""
    form: str = ""
    transform: str = ""


class TableSchema(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The feature columns of a table in order, with its target and identifier if it has them.

    Attributes:
        columns: The feature columns.
        target: What is predicted.
        identifier: The column that tells the rows apart.
        ignored: The training data's other columns, which no model reads: a row that has them too is
            not remarked on.
    """

    columns: tuple[Column, ...]
    target: Column | None = None
    identifier: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def lineage(self) -> frozenset[str]:
        """Columns that a row of the training data has beside its features."""
        target = () if self.target is None else (self.target.name,)
        identifier = () if self.identifier is None else (self.identifier,)
        return frozenset((*target, *identifier, *self.ignored))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feature columns, in order."""
        return tuple(column.name for column in self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def column(self, name: str) -> Column:
        """The feature column called ``name``.

        Raises:
            KeyError: There is no such feature column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
